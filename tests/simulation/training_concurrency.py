"""What has to hold of runs side by side, as far as one process could know of the other run when it decided."""

from modelberth.runtime.resources import TRAINING_PIPELINES, TRAINING_RUNS, Object
from tests.simulation.apiserver import Write
from tests.simulation.invariants import Broken
from tests.simulation.world import NAMESPACE, World

ONE_ACTIVE = "with Forbid no run starts beside one that has started"
NEWEST_STAYS = "with Replace no run is ended for an older one"


class Siblings:
    """Which runs were there when, and who started them; a pipeline that was edited is looked at no more."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._made: dict[str, int] = {}
        self._started: dict[str, tuple[int, str]] = {}
        self._edited: set[str] = set()

    def check(self, write: Write) -> None:
        """Look at a write.

        Raises:
            Broken: it starts or ends a run that it must not.
        """
        change = write.change
        if change.resource == TRAINING_PIPELINES:
            if change.type == "DELETED" or (write.old or change.object)["spec"] != change.object["spec"]:
                self._edited.add(change.object["metadata"]["name"])
        elif change.resource == TRAINING_RUNS:
            uid = change.object["metadata"]["uid"]
            self._made.setdefault(uid, change.version)
            if _is_active(change.object) and uid not in self._started:
                self._started[uid] = change.version, write.user
                self._check_started(write)
            elif _cancelled(change.object) and not _cancelled(write.old or {}):
                self._check_cancelled(write)

    def _check_started(self, write: Write) -> None:
        run = write.change.object
        if self._concurrency(run) != "Forbid":
            return
        for other in self._world.server.peek_all(TRAINING_RUNS, NAMESPACE):
            is_sibling = other["spec"].get("pipeline") == run["spec"]["pipeline"]
            if is_sibling and _is_active(other) and self._was_known(other, run, write.user):
                raise Broken(ONE_ACTIVE, f"{run['metadata']['name']} starts beside {other['metadata']['name']}")

    def _check_cancelled(self, write: Write) -> None:
        run = write.change.object
        successor = self._world.server.peek(TRAINING_RUNS, NAMESPACE, run["status"]["message"].split()[1])
        if self._concurrency(run) != "Replace" or successor is None:
            return
        is_older = successor["metadata"]["creationTimestamp"] <= run["metadata"]["creationTimestamp"]
        if is_older and self._was_known(successor, run, write.user):
            raise Broken(NEWEST_STAYS, f"{run['metadata']['name']}: {run['status']['message']}")

    def _was_known(self, other: Object, run: Object, user: str) -> bool:
        """Whether the same process had started the other one before this one was made."""
        if "deletionTimestamp" in other["metadata"] or other["metadata"]["uid"] == run["metadata"]["uid"]:
            return False
        version, starter = self._started.get(other["metadata"]["uid"], (0, ""))
        return starter == user and version < self._made[run["metadata"]["uid"]]

    def _concurrency(self, run: Object) -> str | None:
        name = run["spec"].get("pipeline")
        pipeline = self._world.server.peek(TRAINING_PIPELINES, NAMESPACE, str(name))
        return None if pipeline is None or name in self._edited else str(pipeline["spec"].get("concurrency"))


def _is_active(run: Object) -> bool:
    status = run.get("status") or {}
    return status.get("inputs") is not None and status.get("finishedAt") is None


def _cancelled(run: Object) -> bool:
    return bool((run.get("status") or {}).get("reason") == "Cancelled")
