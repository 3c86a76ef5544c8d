"""Why attempts and runs end, and which endings are worth another attempt."""

from collections.abc import Iterable
from typing import Final

OUT_OF_MEMORY: Final = "OutOfMemory"
STORAGE_EXCEEDED: Final = "StorageExceeded"
KILLED: Final = "Killed"
EVICTED: Final = "Evicted"
NODE_LOST: Final = "NodeLost"
PREEMPTED: Final = "Preempted"
IMAGE_PULL_FAILED: Final = "ImagePullFailed"
CONTAINER_NOT_CREATED: Final = "ContainerNotCreated"
QUOTA_EXCEEDED: Final = "QuotaExceeded"
POD_REFUSED: Final = "PodRefused"
LOAD_FAILED: Final = "LoadFailed"
UPLOAD_FAILED: Final = "UploadFailed"
NO_PYTHON: Final = "NoPython"
PYTHON_TOO_OLD: Final = "PythonTooOld"
DEADLINE_EXCEEDED: Final = "DeadlineExceeded"
BAD_PACKAGE: Final = "BadPackage"
BAD_OUTPUT: Final = "BadOutput"
BAD_PARAMETERS: Final = "BadParameters"
INPUT_NOT_FOUND: Final = "InputNotFound"
INPUT_NOT_READY: Final = "InputNotReady"
INPUT_DELETED: Final = "InputDeleted"
CANCELLED: Final = "Cancelled"

DISRUPTIONS: Final = frozenset({EVICTED, NODE_LOST, PREEMPTED, POD_REFUSED, UPLOAD_FAILED})
"""The cluster's doing, not the program's: replaced by themselves."""
FINAL: Final = frozenset(
    {
        BAD_PACKAGE,
        "BadMetric",
        "NothingSaved",
        BAD_OUTPUT,
        BAD_PARAMETERS,
        DEADLINE_EXCEEDED,
        STORAGE_EXCEEDED,
        PYTHON_TOO_OLD,
        NO_PYTHON,
        LOAD_FAILED,
        IMAGE_PULL_FAILED,
        CONTAINER_NOT_CREATED,
        QUOTA_EXCEEDED,
        CANCELLED,
    }
)
"""The same again would end the same."""
MAX_DISRUPTIONS: Final = 6
FIRST_PAUSE: Final = 10.0
LAST_PAUSE: Final = 360.0


def pause_before_next(failures: Iterable[str], *, backoff_limit: int) -> float | None:
    """Seconds until another attempt after these failures, oldest first; None if there is to be none.

    Args:
        failures: the reason of each attempt that has failed.
        backoff_limit: how many failures of the program are forgiven.
    """
    found = [*failures]
    last = found[-1]
    if last in FINAL:
        return None
    is_disruption = last in DISRUPTIONS
    alike = sum((reason in DISRUPTIONS) == is_disruption for reason in found)
    if alike > (MAX_DISRUPTIONS if is_disruption else backoff_limit):
        return None
    return float(min(FIRST_PAUSE * 2.0 ** (alike - 1), LAST_PAUSE))
