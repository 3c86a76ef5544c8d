"""A training run as the command line finds it: the object while there is one, and the record once it has ended."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from modelberth.cli.access import Access
from modelberth.cli.cluster import Cluster
from modelberth.cli.errors import CommandError
from modelberth.cli.session import Place, session_access
from modelberth.domain.objects import dig
from modelberth.runtime.resources import TRAINING_RUNS, Object
from modelberth.transfer.errors import HttpFailure


@dataclass(frozen=True, slots=True)
class Run:
    """What is known of a run.

    Attributes:
        name: its name.
        object: the TrainingRun; None where it was deleted.
        record: what the store keeps of it for ever; None while it has not ended.
    """

    name: str
    object: Object | None
    record: Mapping[str, Any] | None


def find_run(cluster: Cluster, place: Place, namespace: str, name: str, *, uid: str | None) -> Run:
    """A run by its name.

    Args:
        cluster: as the user.
        place: where the registry is.
        namespace: the run's.
        name: the run's.
        uid: the run's, where several had the name; the object's or the last one's by default.

    Raises:
        CommandError: there is no such run.
    """
    found = cluster.get(TRAINING_RUNS, namespace, name)
    if uid is not None and dig(found, "metadata", "uid") != uid:
        found = None
    wanted = uid or dig(found, "metadata", "uid")
    with session_access(cluster, place, namespace, "Pull", family="runs") as access:
        record = read_record(access, name, wanted)
    if found is None and record is None:
        raise CommandError(f"there is no run {name} in namespace {namespace}, and none of that name has ended")
    return Run(name, found, record)


def read_record(access: Access, name: str, uid: str | None) -> Mapping[str, Any] | None:
    """What the store keeps of a run; None while it has not ended."""
    try:
        return access.client.ask(f"runs/{quote(name, safe='')}", **({"uid": uid} if uid else {}))
    except HttpFailure as error:
        if error.status == 404 and error.code == "RunNotFound":
            return None
        raise
