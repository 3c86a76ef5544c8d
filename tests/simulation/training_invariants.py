"""What has to hold of training, whatever happens."""

from collections import Counter
from typing import Any

from modelberth.api import names
from modelberth.runtime.resources import DATASETS, MODEL_VERSIONS, PODS, TRAINING_PIPELINES, TRAINING_RUNS, Object
from modelberth.store.minors import run_of
from modelberth.store.run_types import RunId, RunRecord
from tests.simulation.apiserver import Write
from tests.simulation.invariants import Broken
from tests.simulation.policies import OPERATOR
from tests.simulation.training_concurrency import Siblings
from tests.simulation.training_pods import has_ended
from tests.simulation.training_users import BY_DATA
from tests.simulation.world import NAMESPACE, World

ONE_VERSION = "a run makes at most one version"
BYTES_FIRST = "a version is there only after its bytes and its record"
NO_ORPHAN = "a version's run has succeeded with it"
NO_BLAME = "a program is not blamed for a drain"
EQUAL_KEY = "a run is skipped only for one that did the same"
FINAL = "a run that has ended never changes"
ENDS = "every run ends"
ONE_RUN = "a trigger makes one run"
FOLLOWS = "a pipeline has taken up the newest data"
NOTHING_LEFT = "nothing of a run that is over still runs"
TELLS = "a pipeline says what its runs would lack"
USED = "a version says which pipelines name it"
TRUE = "status never claims what was not recorded"
ERRORS = "a reconciler fails only for its surroundings"
SPEC = "the operator writes no spec of others"
_ENDED = frozenset({"Succeeded", "Failed", "Skipped"})


class TrainingInvariants:
    """Watches every write and the bucket."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._broken: list[Broken] = []
        self._made: Counter[str] = Counter()
        self._newest: Counter[str] = Counter()
        self._ends: dict[str, tuple[Any, ...]] = {}
        self._runs: dict[tuple[str, RunId], RunRecord] = {}
        self.operator_writes = 0
        self._siblings = Siblings(world)
        world.watchers.append(self._on_write)

    def check(self) -> None:
        """Raise what the last step broke.

        Raises:
            Broken: the first of it.
        """
        for process in self._world.processes:
            if process.errors:
                raise Broken(ERRORS, process.errors[0])
        self._check_bucket()
        if self._broken:
            raise self._broken[0]

    def check_rest(self) -> None:
        """Raise where the world rests in another state than it should.

        Raises:
            Broken: the first difference.
        """
        server = self._world.server
        for run in server.peek_all(TRAINING_RUNS, NAMESPACE):
            if _phase(run) not in _ENDED:
                raise Broken(ENDS, f"{run['metadata']['name']}: {run.get('status')}")
        for pod in server.peek_all(PODS, NAMESPACE):
            if pod["metadata"].get("labels", {}).get(names.LABEL_RUN) and not has_ended(pod):
                raise Broken(NOTHING_LEFT, f"{pod['metadata']['name']} runs")
        for package in server.peek_all(MODEL_VERSIONS, NAMESPACE):
            self._check_used(package)
        for pipeline in server.peek_all(TRAINING_PIPELINES, NAMESPACE):
            self._check_inputs(pipeline)
            if pipeline["metadata"]["name"] == BY_DATA:
                self._check_follows(pipeline)

    def _check_used(self, package: Object) -> None:
        name = package["metadata"]["name"]
        users = [
            f"trainingpipeline/{pipeline['metadata']['name']}"
            for pipeline in self._world.server.peek_all(TRAINING_PIPELINES, NAMESPACE)
            if pipeline["spec"]["package"].get("version") == name
        ]
        said = (package.get("status") or {}).get("usedBy", [])
        if said != sorted(users):  # at rest every run has ended
            raise Broken(USED, f"{name} says {said}, and is named by {users}")

    def _check_inputs(self, pipeline: Object) -> None:
        packages = {version["metadata"]["name"] for version in self._world.server.peek_all(MODEL_VERSIONS, NAMESPACE)}
        wanted = {pipeline["spec"]["package"].get("version")} - {None} or packages  # all of them are of the one major
        data = self._world.server.peek(DATASETS, NAMESPACE, pipeline["spec"]["dataset"]["name"]) or {}
        lacks = not (packages & wanted and (data.get("status") or {}).get("latestVersion"))
        conditions = (pipeline.get("status") or {}).get("conditions") or ()
        reason = next((entry["reason"] for entry in conditions if entry["type"] == "Ready"), None)
        if lacks != (reason in ("InputNotFound", "InputNotReady")):
            raise Broken(TELLS, f"{pipeline['metadata']['name']}: Ready says {reason}, inputs lack is {lacks}")

    def _check_follows(self, pipeline: Object) -> None:
        data = self._world.server.peek(DATASETS, NAMESPACE, pipeline["spec"]["dataset"]["name"]) or {}
        newest = (data.get("status") or {}).get("latestVersion")
        seen = ((pipeline.get("status") or {}).get("onDatasetVersion") or {}).get("version")
        if newest is not None and newest != seen and not pipeline["spec"].get("suspend"):
            raise Broken(FOLLOWS, f"{newest} is the newest, {seen} was taken up")

    def _check_bucket(self) -> None:
        bucket = self._world.bucket
        of_run = Counter(uid for (_, _, _), record in bucket.records.items() if (uid := run_of(record.spec)))
        for uid, count in of_run.items():
            if count > 1:
                raise Broken(ONE_VERSION, f"run {uid} has {count} version records")
        made = {
            uid: f"{record.collection.name}-{record.version}"
            for record in bucket.records.values()
            if (uid := run_of(record.spec))
        }
        for key, record in bucket.runs.items():
            if made.get(key[1].uid, record.version) != record.version:
                raise Broken(NO_ORPHAN, f"{made[key[1].uid]} is of {key[1].name}, whose record says {record}")
            if record.reason == "Killed":  # which pods report here only when they are drained
                raise Broken(NO_BLAME, f"{key[1].name}: {record.message}")
            known = self._runs.setdefault(key, record)
            if known != record:
                raise Broken(FINAL, f"the record of {key[1].name} was {known}, is {record}")
            if record.status == "Skipped" and known is record:
                self._check_skipped(record)

    def _check_skipped(self, record: RunRecord) -> None:
        """The version that the run was skipped to was made of the same, whatever its key says."""
        version = next(
            (
                each
                for each in self._world.bucket.records.values()
                if f"{each.collection.name}-{each.version}" == record.version
            ),
            None,
        )
        lineage = (version.spec.get("lineage") or {}) if version else {}
        made_of = [entry.get("digest") for entry in lineage.get("datasets") or ()]
        parameters = dict(version.spec.get("parameters") or {}) if version else {}
        wanted = {name: record.parameters.get(name) for name in parameters}
        if version is None or made_of != [record.inputs.get("datasetDigest")] or parameters != wanted:
            raise Broken(EQUAL_KEY, f"{record.run.name} was skipped to {record.version}: {made_of} {parameters}")

    def _on_write(self, write: Write) -> None:
        is_operator = write.user.startswith(OPERATOR)
        self.operator_writes += is_operator
        try:
            self._siblings.check(write)
            if is_operator:
                self._check_made(write)
            if write.change.resource == TRAINING_RUNS:
                self._check_run(write)
            if write.change.resource == DATASETS and _latest(write.old) != _latest(write.change.object):
                self._newest[_latest(write.change.object)] += 1
        except Broken as broken:
            self._broken.append(broken)

    def _check_made(self, write: Write) -> None:
        change, obj = write.change, write.change.object
        if change.type == "ADDED" and change.resource == MODEL_VERSIONS:
            self._check_version(obj)
        elif change.type == "ADDED" and change.resource == TRAINING_RUNS:
            self._check_started(obj)
        elif change.type == "MODIFIED" and write.old is not None and write.old.get("spec") != obj.get("spec"):
            raise Broken(SPEC, f"{change.resource.kind} {obj['metadata']['name']}")

    def _check_started(self, run: Object) -> None:
        """A time of one pipeline starts one run, and a version as many as it became the newest one."""
        trigger = run["spec"]["trigger"]
        pipeline = self._world.server.peek(TRAINING_PIPELINES, NAMESPACE, run["spec"]["pipeline"]) or run
        why = trigger.get("scheduledAt") or trigger["datasetVersion"]
        self._made[f"{pipeline['metadata']['uid']} {why}"] += 1
        if self._made[f"{pipeline['metadata']['uid']} {why}"] > max(1, self._newest[why]):
            raise Broken(ONE_RUN, f"{run['metadata']['name']} is one run too many for {trigger}")

    def _check_version(self, obj: Object) -> None:
        bucket, spec = self._world.bucket, obj["spec"]
        numbers = {(key[1].name, key[2]): record for key, record in bucket.records.items()}
        record = numbers.get((spec["artifact"], spec["version"]))
        outputs = {attempt.output for attempt in bucket.attempts.values() if attempt.run.uid == run_of(spec)}
        digest = spec["digest"]
        if record is None or record.digest != digest or digest not in outputs:
            raise Broken(BYTES_FIRST, f"{obj['metadata']['name']}: {record}")
        if (self._world.space, digest) not in bucket.contents:
            raise Broken(BYTES_FIRST, f"{obj['metadata']['name']} has no bytes")
        there = [
            each
            for each in self._world.server.peek_all(MODEL_VERSIONS, NAMESPACE)
            if run_of(each["spec"]) == run_of(spec)
        ]
        if len({each["metadata"]["name"] for each in there}) > 1:
            raise Broken(ONE_VERSION, f"run {run_of(spec)} has two ModelVersions")

    def _check_run(self, write: Write) -> None:
        obj, uid = write.change.object, write.change.object["metadata"]["uid"]
        if write.change.type == "DELETED" or _phase(obj) not in _ENDED:
            if uid in self._ends and write.change.type != "DELETED":
                raise Broken(FINAL, f"{obj['metadata']['name']} had ended and is {_phase(obj)}")
            return
        status = obj["status"]
        said = (status["phase"], status.get("version"), status.get("reason"), status.get("files"))
        if self._ends.setdefault(uid, said) != said:
            raise Broken(FINAL, f"{obj['metadata']['name']} was {self._ends[uid]}, is {said}")
        record = self._world.bucket.runs.get((self._world.space, RunId(obj["metadata"]["name"], uid)))
        if record is None or (record.status, record.version) != (status["phase"], status.get("version") or ""):
            raise Broken(TRUE, f"{obj['metadata']['name']} says {said}, its record {record}")


def _phase(run: Object) -> str:
    return str((run.get("status") or {}).get("phase"))


def _latest(dataset: Object | None) -> str:
    return str(((dataset or {}).get("status") or {}).get("latestVersion"))
