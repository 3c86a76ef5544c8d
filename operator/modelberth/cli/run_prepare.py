"""The first container of a run's pod: brings package and data into the folder that the pod's containers share.

Every byte is verified before the program can see it. The program's own container needs nothing of ours but the harness,
one file, which is put there, too. An outage is waited for; what no waiting mends is told to the registry as the
attempt's end.
"""

import os
import shutil
import signal
import sys
import time
from datetime import UTC, datetime

from modelberth import training
from modelberth.cli.access import Access
from modelberth.cli.pod import run_access
from modelberth.cli.run_progress import RunProgress
from modelberth.content.collections import Family
from modelberth.training.config import VARIABLE, Input, RunConfig
from modelberth.training.outcome import Phase
from modelberth.training.pod_folder import BIN, CONFIG, DATA, EVALUATION, HOME, LOADING, LOCK, PACKAGE, RUN, PodFolder
from modelberth.transfer.errors import TransferError
from modelberth.transfer.load import load
from modelberth.transfer.workers import default_workers

PHASE = "Loading"
HARNESS = os.path.join(os.path.dirname(training.__file__), "harness.py")
"""It is only copied: what it imports is nothing that this program needs."""
_TERMINATED = 128 + signal.SIGTERM


class BadPackage(Exception):  # noqa: N818 (the word of the run's reason)
    """A package that cannot be trained; the message names the mend."""


def main(root: str) -> int:
    """Prepare the folder.

    Args:
        root: the shared folder.

    Returns:
        0; 1 where the run cannot go on, which the registry then knows.
    """
    signal.signal(signal.SIGTERM, lambda *_: os._exit(_TERMINATED))
    config = RunConfig.parse(os.environ.get(VARIABLE, ""))
    folder = PodFolder(root)
    with run_access(config.run) as access:
        try:
            prepare(access, config, folder)
        except BadPackage as error:
            return _fail(access, config, "BadPackage", str(error))
        except TransferError as error:
            return _fail(access, config, "LoadFailed", str(error))
        except OSError as error:
            where = f"{error.filename}: " if error.filename else ""
            return _fail(access, config, "LoadFailed", f"{where}{error.strerror}; is storage.sizeLimit large enough?")
    return 0


def prepare(access: Access, config: RunConfig, folder: PodFolder) -> None:
    """Load everything, put the harness there and tell it what it needs to know.

    Raises:
        BadPackage: the package cannot be trained.
        TransferError: something of it is not there, or is damaged.
        OSError: the disk is full.
    """
    for name in (BIN, RUN, HOME):
        os.makedirs(folder.path(name), exist_ok=True)
    shutil.copyfile(HARNESS, folder.path(BIN, "harness.py"))
    progress = RunProgress(access.client, config.package.digest)
    began, clock = datetime.now(UTC), time.monotonic()
    with progress.posting():
        progress.begin(PHASE)
        size = _load(access, config.package, folder.path(PACKAGE), "models", progress)
        _check_package(folder.path(PACKAGE), config)
        size += _load(access, config.dataset, folder.path(DATA), "datasets", progress)
        if config.evaluation is not None:
            size += _load(access, config.evaluation, folder.path(EVALUATION), "datasets", progress)
    phase = Phase(PHASE, began.strftime("%Y-%m-%dT%H:%M:%SZ"), round(time.monotonic() - clock, 3), size)
    folder.put(LOADING, {"phases": [phase.document()]})
    folder.put(CONFIG, config.for_harness())
    folder.mark(LOCK)  # the report's container opens it before there is a program that could put another one here


def _load(access: Access, wanted: Input, target: str, family: Family, progress: RunProgress) -> int:
    """Bring one input; returns its size in bytes."""
    try:
        loaded = load(
            access.client,
            access.http,
            wanted.digest,
            target,
            workers=default_workers(),
            progress=progress.bytes,
            replace=True,  # what a start before this one left is not trusted
            folder=wanted.folder or None,
            family=family,
        )
    except TransferError as error:
        raise TransferError(f"{wanted.name}: {error}") from None
    progress.moved(loaded.size_bytes)
    return loaded.size_bytes


def _check_package(package: str, config: RunConfig) -> None:
    """What the artifacts are to be told by must not be there before."""
    artifacts = os.path.join(package, config.artifacts_directory)
    if os.path.lexists(artifacts) and (not os.path.isdir(artifacts) or os.listdir(artifacts)):
        raise BadPackage(
            f"{config.package.name} holds {config.artifacts_directory}, which is where the run's artifacts are to go: "
            "name another artifactsDirectory, or push the package without it"
        )


def _fail(access: Access, config: RunConfig, reason: str, message: str) -> int:
    print(f"modelberth run-prepare: {message}", file=sys.stderr)
    report = {"status": "Failed", "reason": reason, "message": message[:2048]}
    try:
        access.client.report_attempt(config.run, config.attempt, report)
    except TransferError as error:
        print(f"modelberth run-prepare: the registry was not told: {error}", file=sys.stderr)
    return 1
