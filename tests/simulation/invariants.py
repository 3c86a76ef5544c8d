"""What must hold after every step, whatever the schedule.

The watchers hear of every write, with its writer and the state before it. They trust nothing that the operator says:
each keeps its own account of what was so in the API server and the bucket, and compares.
"""

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from modelberth.runtime.resources import (
    DATASET_VERSIONS,
    DEPLOYMENTS,
    MODEL_DEPLOYMENTS,
    MODEL_VERSIONS,
    OWN_KINDS,
    PODS,
    REGISTERED_MODELS,
    REPLICA_SETS,
    SERVICES,
    TRANSFER_SESSIONS,
    Object,
)
from modelberth.store.types import AliasEntry, VersionRecord
from tests.simulation import desired
from tests.simulation.apiserver import Write
from tests.simulation.controllers import KUBELET, is_ready
from tests.simulation.policies import OPERATOR
from tests.simulation.world import NAMESPACE, Action, World

_LABEL = "modelberth.io/deployment"
_DIGEST = "modelberth.io/digest"
_HASH = "modelberth.io/input-hash"
_FENCED = frozenset({*OWN_KINDS, DEPLOYMENTS, SERVICES})


class Broken(AssertionError):  # noqa: N818 - what happened, not an error of the program
    """An invariant does not hold. ``seed`` and ``actions`` are the schedule that shows it."""

    def __init__(self, invariant: str, how: str) -> None:
        super().__init__(f"{invariant}: {how}")
        self.invariant = invariant
        self.seed = 0
        self.actions: tuple[Action, ...] = ()


class Invariants:
    """All of them, over one world."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._broken: list[Broken] = []
        self.operator_writes = 0
        self._bucket_writes = 0
        self._records: dict[tuple[str, str, str], VersionRecord] = {}
        self._histories: dict[tuple[str, str, str], tuple[AliasEntry, ...]] = {}
        self._serving = _Serving()
        self._claims = _Claims(world)
        self._templates: dict[tuple[str, str], Object] = {}
        world.watchers.append(self._on_write)

    def check(self) -> None:
        """Raise what the last step broke.

        Raises:
            Broken: the first of it.
        """
        self._check_bucket()
        for process in self._world.processes:
            if process.errors:
                raise Broken("a reconciler fails only for its surroundings", process.errors[0])
        if self._broken:
            raise self._broken[0]

    def check_rest(self) -> None:
        """Raise where the world rests in another state than asked for.

        Raises:
            Broken: the first difference.
        """
        for difference in desired.differences(self._world):
            raise Broken("every schedule ends in the desired state", difference)

    def _on_write(self, write: Write) -> None:
        is_operator = write.user.startswith(OPERATOR)
        self.operator_writes += is_operator
        try:
            if is_operator:
                self._check_own_kinds(write)
                self._check_fence(write)
                self._check_template(write)
            self._check_digest(write)
            self._serving.check(write, self._world)
            self._claims.check(write)
        except Broken as broken:
            self._broken.append(broken)

    def _check_bucket(self) -> None:
        bucket = self._world.bucket
        if bucket.writes == self._bucket_writes:
            return
        self._bucket_writes = bucket.writes
        for key, record in self._records.items():
            if bucket.records.get(key) != record:
                raise Broken("a version record never changes", f"{key} was {record}, is {bucket.records.get(key)}")
        if len(bucket.records) != len(self._records):
            self._records = dict(bucket.records)
        for where, entries in bucket.aliases.items():
            known = self._histories.get(where, ())
            if tuple(entries) != known:
                _check_history(where, known, entries)
                self._histories[where] = tuple(entries)

    @staticmethod
    def _check_own_kinds(write: Write) -> None:
        change, old = write.change, write.old
        if change.resource not in OWN_KINDS:
            return
        name = change.object["metadata"]["name"]
        if change.type == "ADDED" or (change.type == "DELETED" and change.resource != TRANSFER_SESSIONS):
            raise Broken("the operator writes no spec", f"{change.type} {change.resource.kind} {name}")
        if old is not None and old.get("spec") != change.object.get("spec"):
            raise Broken("the operator writes no spec", f"{change.resource.kind} {name}")

    def _check_fence(self, write: Write) -> None:
        """A stale process, or one of two leaders, is refused rather than obeyed."""
        process = self._world.process(write.user)
        if write.old is None or process is None or write.change.resource not in _FENCED:
            return
        if not process.has_seen(write.old):
            name = f"{write.change.resource.kind} {write.change.object['metadata']['name']}"
            raise Broken("the operator overwrites only what it has seen", f"{write.user}: {name}")

    @staticmethod
    def _check_digest(write: Write) -> None:
        if (
            write.change.resource not in (MODEL_VERSIONS, DATASET_VERSIONS)
            or write.old is None
            or write.change.type != "MODIFIED"
        ):
            return
        before, after = _status(write.old).get("digest"), _status(write.change.object).get("digest")
        if before is not None and before != after:
            name = write.change.object["metadata"]["name"]
            raise Broken("a version's digest never changes", f"{name}: {before} → {after}")

    def _check_template(self, write: Write) -> None:
        """The same inputs make the same template, in every process and every release of the operator.

        What a stale process makes for an owner that is gone has nothing to keep to, and is collected again.
        """
        change = write.change
        if change.resource != DEPLOYMENTS or change.type == "DELETED":
            return
        metadata = change.object["metadata"]
        owner = metadata["ownerReferences"][0]["uid"]
        follower = self._world.server.peek(MODEL_DEPLOYMENTS, NAMESPACE, metadata["ownerReferences"][0]["name"])
        if follower is None or follower["metadata"]["uid"] != owner:
            return
        template = change.object["spec"]["template"]
        known = self._templates.setdefault((owner, metadata["annotations"][_HASH]), template)
        if known != template:
            raise Broken(
                "a template changes only with its inputs", f"{metadata['name']}: the same inputs, another template"
            )


def _check_history(where: tuple[str, str, str], known: tuple[AliasEntry, ...], entries: list[AliasEntry]) -> None:
    if tuple(entries[: len(known)]) != known:
        raise Broken("an alias history only grows", f"{where}: an entry changed or went")
    told = [(entry.uid, entry.event, entry.version, entry.generation) for entry in entries]
    if len(set(told)) != len(told):
        raise Broken("an alias history says nothing twice", f"{where}: {max(told, key=told.count)} is there twice")
    for index, entry in enumerate(entries):
        if entry.sequence != index + 1:
            raise Broken("an alias history has no gaps", f"{where}: entry {index + 1} has sequence {entry.sequence}")
        before = entries[index - 1] if index else None
        if before and (before.uid, before.event, before.version) == (entry.uid, entry.event, entry.version):
            raise Broken("an alias history says nothing twice", f"{where}: {entry.event} {entry.version} is doubled")


class _Serving:
    """What serves never goes away without a successor.

    Once a ModelDeployment has ready pods, only three things may take the last of them: the pods themselves (they
    crash), the user's own wish (zero replicas, strategy Recreate, the deletion of the ModelDeployment), or somebody
    who deletes the Deployment by hand.
    """

    def __init__(self) -> None:
        self._allowed: set[str] = set()

    def check(self, write: Write, world: World) -> None:
        change = write.change
        name = change.object["metadata"].get("labels", {}).get(_LABEL) or change.object["metadata"]["name"]
        if change.resource == MODEL_DEPLOYMENTS:
            self._note_wishes(name, change.object, change.type)
        elif change.resource == DEPLOYMENTS and change.type == "DELETED" and write.user == "user":
            self._allowed.add(name)
        elif change.resource == PODS and write.old is not None and write.user != KUBELET:
            self._check_last(name, write, world)

    def _note_wishes(self, name: str, deployment: Object, kind: str) -> None:
        spec = deployment["spec"]
        recreate = (spec.get("strategy") or {}).get("type") == "Recreate"
        if kind == "DELETED" or spec.get("replicas") == 0 or recreate:
            self._allowed.add(name)

    def _check_last(self, name: str, write: Write, world: World) -> None:
        assert write.old is not None
        if (
            name in self._allowed
            or not is_ready(write.old)
            or (is_ready(write.change.object) and write.change.type != "DELETED")
        ):
            return
        left = [pod for pod in world.server.peek_all(PODS, NAMESPACE) if is_ready(pod) and _owner(pod) == name]
        if not left:
            raise Broken(
                "what serves never goes away without a successor",
                f"{write.user} took the last ready pod of {name}: {write.change.object['metadata']['name']}",
            )


class _Claims:
    """Status never claims the unobserved: what it says was so at some moment, and not before the writer's own writes."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._served: dict[str, set[frozenset[tuple[str, int]]]] = defaultdict(set)
        self._complete: dict[str, dict[str, int]] = defaultdict(dict)
        self._own_writes: dict[tuple[str, str], int] = {}
        self._reached: dict[str, set[str]] = defaultdict(set)

    def check(self, write: Write) -> None:
        change = write.change
        if change.resource == REPLICA_SETS:
            self._note_served(change.object)
        elif change.resource == DEPLOYMENTS:
            self._note_complete(write)
        elif change.type == "MODIFIED" and write.user.startswith(OPERATOR):
            if change.resource == MODEL_DEPLOYMENTS:
                self._check_deployment(write)
            elif change.resource == REGISTERED_MODELS:
                self._check_current(write)

    def _note_served(self, replica_set: Object) -> None:
        name = _owner(replica_set)
        ready: dict[str, int] = {}
        for entry in self._world.server.peek_all(REPLICA_SETS, NAMESPACE):
            count = _status(entry).get("readyReplicas") or 0
            if _workload_uid(entry) == _workload_uid(replica_set) and count:  # not those of a deleted predecessor
                revision = _annotations(entry["spec"]["template"]).get("modelberth.io/revision", "")
                ready[revision] = ready.get(revision, 0) + count
        self._served[name].add(frozenset(ready.items()))

    def _note_complete(self, write: Write) -> None:
        change = write.change
        name, version = _owner(change.object), change.version
        if write.user.startswith(OPERATOR):
            self._own_writes[write.user, name] = version
        if change.type != "DELETED" and desired.is_complete(change.object):
            self._complete[name][_annotations(change.object)[_DIGEST]] = version

    def _check_deployment(self, write: Write) -> None:
        obj = write.change.object
        name, status = obj["metadata"]["name"], _status(obj)
        claimed = frozenset((entry["revision"], entry["readyReplicas"]) for entry in status.get("served") or ())
        if claimed and claimed not in self._served[name]:
            raise Broken("status never claims the unobserved", f"{name} claims to serve {sorted(claimed)}, never did")
        if desired.condition(obj, "Ready") == "True":
            digest = status["desired"]["digest"]
            seen, own = self._complete[name].get(digest, -1), self._own_writes.get((write.user, name), 0)
            if seen < own or seen < 0:
                raise Broken(
                    "status never claims the unobserved", f"{name} is Ready with {digest[:15]}, which no Deployment had"
                )
            self._reached[obj["metadata"]["uid"]].add(status["desired"]["version"])

    def _check_current(self, write: Write) -> None:
        assert write.old is not None
        process = self._world.process(write.user)
        before, after = _aliases(write.old), _aliases(write.change.object)
        name = write.change.object["metadata"]["name"]
        for alias, entry in after.items():
            current = entry.get("current")
            if current is None or current == before.get(alias, {}).get("current") or process is None:
                continue
            for follower in process.seen_followers(write.change.object):
                spec, uid = follower["spec"], follower["metadata"]["uid"]
                if (spec["model"], spec["alias"]) == (name, alias) and current not in self._reached[uid]:
                    raise Broken(
                        "status never claims the unobserved",
                        f"{name}:{alias} is said to be {current}; {follower['metadata']['name']} never served it",
                    )


def _status(obj: Object) -> Mapping[str, Any]:
    return obj.get("status") or {}


def _aliases(obj: Object) -> Mapping[str, Any]:
    return _status(obj).get("aliases") or {}


def _annotations(obj: Object) -> Mapping[str, str]:
    return (obj.get("metadata") or {}).get("annotations") or {}


def _workload_uid(replica_set: Object) -> str:
    return str(replica_set["metadata"]["ownerReferences"][0]["uid"])


def _owner(obj: Object) -> str:
    return str((obj["metadata"].get("labels") or {}).get(_LABEL))
