"""What people do to training on a bad day, through the operator's reconcilers: clear words, nothing lost, one version."""

from typing import Any

import pytest

from modelberth.content import collections
from modelberth.content.collections import Collection
from modelberth.runtime.resources import (
    DATASET_VERSIONS,
    DATASETS,
    MODEL_ARTIFACTS,
    MODEL_VERSIONS,
    TRAINING_PIPELINES,
    TRAINING_RUNS,
    Object,
    Resource,
)
from tests.simulation.bucket import digest_of
from tests.simulation.training_pods import Fate, training_pods
from tests.simulation.training_schedule import TrainingRun, calm, settle_a_little
from tests.simulation.training_users import ARTIFACT, BY_DATA, DATASET, RATES
from tests.simulation.world import NAMESPACE

RUN = "one"
PRICE, HOUSING = collections.artifact(ARTIFACT), collections.dataset(DATASET)


@pytest.fixture
def world() -> TrainingRun:
    """A package, data and a pipeline that new data starts, all at rest."""
    started = TrainingRun.start(0)
    started.take(("boot", "loader:1"))
    for action in ("package",), ("data",), ("pipeline", BY_DATA, "Allow"):
        started.take(("user", *action))
    settle(started)
    return started


def settle(world: TrainingRun) -> None:
    """Let the operator work for some seconds, while pods go on with what they do."""
    for _ in range(40):
        settle_a_little(world, pods=False)
        world.take(("time", "0.1"))


def there(world: TrainingRun, resource: Resource, name: str) -> Object | None:
    return world.world.server.peek(resource, NAMESPACE, name)


def status(world: TrainingRun, resource: Resource, name: str) -> Object:
    found = there(world, resource, name)
    assert found is not None
    return dict(found.get("status") or {})


def ready(world: TrainingRun, resource: Resource, name: str) -> tuple[str, str]:
    """(reason, message) of the condition Ready."""
    found = next(entry for entry in status(world, resource, name)["conditions"] if entry["type"] == "Ready")
    return found["reason"], found["message"]


def names_of(world: TrainingRun, resource: Resource) -> list[str]:
    return sorted(obj["metadata"]["name"] for obj in world.world.server.peek_all(resource, NAMESPACE))


def minors(world: TrainingRun) -> list[str]:
    """The numbers of the package on record."""
    records = world.world.bucket.records
    return sorted(number for _, collection, number in records if collection == PRICE)


def start(world: TrainingRun) -> None:
    """Somebody's run, until its program trains."""
    world.take(("user", "run", RUN, BY_DATA, RATES[0], "anew"))
    settle(world)
    fate(world, Fate.LOAD)
    fate(world, Fate.TRAIN)


def fate(world: TrainingRun, what: Fate) -> None:
    (pod,) = training_pods(world.world)
    world.take(("train", pod["metadata"]["name"], what.value))
    settle(world)


def drop(world: TrainingRun, resource: Resource, name: str) -> None:
    world.world.server.delete("user", resource, NAMESPACE, name)
    settle(world)


def push(world: TrainingRun, resource: Resource, collection: Collection, number: str, **said: Any) -> None:
    """Somebody's version, with what he says of it."""
    digest = digest_of(f"pushed {collection} {number}")
    world.world.bucket.push(world.world.space, collection.family, digest)
    spec = {collection.field: collection.name, "version": number, "digest": digest, "source": {"pushed": {}}, **said}
    body = {"metadata": {"name": f"{collection.name}-{number}"}, "spec": spec}
    world.world.server.create("user", resource, NAMESPACE, body)
    settle(world)


@pytest.mark.parametrize("deleted", ["pipeline", "data", "package"])
def test_what_is_deleted_under_a_run_does_not_end_it(world: TrainingRun, deleted: str) -> None:
    """It goes on from what was pinned when it started, over a failed attempt, too, and makes its one version."""
    start(world)
    drop(world, TRAINING_PIPELINES, BY_DATA)  # which would keep the package that it names from being deleted
    if deleted == "data":
        drop(world, DATASET_VERSIONS, f"{DATASET}-v1")
        drop(world, DATASETS, DATASET)
    if deleted == "package":
        drop(world, MODEL_VERSIONS, f"{ARTIFACT}-1.0")
    fate(world, Fate.RAISE)
    world.take(("time", "30.0"))
    settle(world)
    fate(world, Fate.SUCCEED)
    said = status(world, TRAINING_RUNS, RUN)
    assert (said["phase"], said["version"], len(said["attempts"])) == ("Succeeded", "price-1.1", 1)
    assert said["inputs"]["dataset"] == "housing-v1"
    assert minors(world) == ["1.0", "1.1"]
    assert ready(world, MODEL_VERSIONS, "price-1.1")[0] == "Ready"
    (record,) = world.world.bucket.runs.values()
    assert (record.status, record.pipeline, record.inputs["package"]) == ("Succeeded", BY_DATA, "price-1.0")
    calm(world)


def test_a_leader_that_is_behind_ends_nothing(world: TrainingRun) -> None:
    """Its attempt is given up by another one, and reports after that: the run goes on with the next attempt."""
    start(world)
    world.take(("boot", "loader:1"))
    settle(world)
    old, new = (process.name for process in world.world.processes)
    (pod,) = training_pods(world.world)
    world.take(("train", pod["metadata"]["name"], Fate.LOST.value))
    settle_one(world, new)
    assert status(world, TRAINING_RUNS, RUN)["attempt"] == 1
    world.take(("late", RUN, "0"))
    world.take(("deliver", old, "pods"))
    for _ in range(20):
        for call in list(world.world.process(old).calls):
            world.take(("answer", old, call.label, "ok"))
    assert minors(world) == ["1.0"]
    world.take(("time", "30.0"))
    settle(world)
    fate(world, Fate.SUCCEED)
    assert minors(world) == ["1.0", "1.1"]
    assert len(status(world, TRAINING_RUNS, RUN)["attempts"]) == 1
    calm(world)


def test_a_leader_that_is_behind_goes_back_to_no_older_data(world: TrainingRun) -> None:
    """It sees what another one has taken up, and not yet the data: nothing starts that has started before."""
    world.take(("boot", "loader:1"))
    settle(world)
    old, new = (process.name for process in world.world.processes)
    world.take(("user", "data"))
    settle_one(world, new)
    (made,) = names_of(world, TRAINING_RUNS)
    behind = world.world.process(old)
    assert behind is not None
    while world.take(("deliver", old, TRAINING_PIPELINES.plural)):
        pass
    for _ in range(20):
        for call in list(behind.calls):
            world.take(("answer", old, call.label, "ok"))
    assert status(world, TRAINING_PIPELINES, BY_DATA)["onDatasetVersion"]["version"] == "housing-v2"
    assert names_of(world, TRAINING_RUNS) == [made]
    calm(world)
    assert names_of(world, TRAINING_RUNS) == [made]


def settle_one(world: TrainingRun, name: str) -> None:
    """Let one of several operators work, while the others hear of nothing."""
    process = world.world.process(name)
    assert process is not None
    for _ in range(40):
        for resource in process.backlog():
            world.take(("deliver", name, resource.plural))
        for call in list(process.calls):
            world.take(("answer", name, call.label, "ok"))
        world.take(("time", "0.1"))


def test_a_run_without_its_artifact_keeps_its_version(world: TrainingRun) -> None:
    """Also the collection may be gone: the version is on record, says what it waits for, and is whole when that is back."""
    start(world)
    drop(world, TRAINING_PIPELINES, BY_DATA)
    drop(world, MODEL_VERSIONS, "price-1.0")
    drop(world, MODEL_ARTIFACTS, ARTIFACT)
    fate(world, Fate.SUCCEED)
    assert status(world, TRAINING_RUNS, RUN)["version"] == "price-1.1"
    reason, message = ready(world, MODEL_VERSIONS, "price-1.1")
    assert (reason, message) == (
        "ArtifactNotFound",
        "spec.artifact: ModelArtifact price does not exist in this namespace",
    )
    world.take(("user", "package"))  # makes the artifact; 1.0 is taken for ever
    settle(world)
    assert ready(world, MODEL_VERSIONS, "price-1.1")[0] == "Ready"
    assert minors(world) == ["1.0", "1.1"]


@pytest.mark.parametrize(
    ("resource", "name", "says"),
    [
        (TRAINING_PIPELINES, BY_DATA, "spec.pipeline: TrainingPipeline fed is not there: create it"),
        (DATASET_VERSIONS, "housing-v1", "housing"),
        (MODEL_VERSIONS, "price-1.0", "package.version: ModelVersion price-1.0 is not there"),
    ],
)
def test_what_is_deleted_before_a_run_starts_is_named(
    world: TrainingRun, resource: Resource, name: str, says: str
) -> None:
    """The run waits and says for what; after its start deadline it has failed, on record, and has made nothing."""
    drop(world, resource, name)
    world.take(("user", "run", RUN, BY_DATA, RATES[0], "anew"))
    settle(world)
    reason, message = ready(world, TRAINING_RUNS, RUN)
    assert reason == "InputNotFound"
    assert says in message
    if resource != TRAINING_PIPELINES:
        assert ready(world, TRAINING_PIPELINES, BY_DATA) == (reason, message)
    calm(world)
    said = status(world, TRAINING_RUNS, RUN)
    assert (said["phase"], said["reason"]) == ("Failed", "InputNotFound")
    assert says in said["message"]
    assert [record.reason for record in world.world.bucket.runs.values()] == ["InputNotFound"]
    assert minors(world) == ["1.0"]


def test_a_pipeline_says_what_its_runs_would_lack_until_it_is_there() -> None:
    """Applied before package and data it waits for one after the other, and is Ready without anybody's doing."""
    world = TrainingRun.start(0)
    world.take(("boot", "loader:1"))
    world.take(("user", "pipeline", BY_DATA, "Allow"))
    said = []
    for action in ("package", "data"):
        settle(world)
        said.append(ready(world, TRAINING_PIPELINES, BY_DATA))
        world.take(("user", action))
    settle(world)
    assert [reason for reason, _ in said] == ["InputNotFound", "InputNotFound"]
    assert said[0][1].startswith("package.version: ModelVersion price-1.0 is not there")
    assert said[1][1].startswith("dataset: alias latest of Dataset housing stands for no version")
    assert ready(world, TRAINING_PIPELINES, BY_DATA)[0] == "Ready"


def looping(world: TrainingRun) -> str:
    """The pipeline's words on its loop."""
    reason, message = ready(world, TRAINING_PIPELINES, BY_DATA)
    assert reason == "TriggerLoop"
    return message


def trained(world: TrainingRun) -> str:
    """A first round: new data starts a run, which makes 1.1; the run's name."""
    push(world, DATASET_VERSIONS, HOUSING, "v2")
    (name,) = names_of(world, TRAINING_RUNS)
    fate(world, Fate.SUCCEED)
    assert status(world, TRAINING_RUNS, name)["version"] == "price-1.1"
    return name


def test_a_pipeline_is_not_started_by_its_own_output(world: TrainingRun) -> None:
    """Data that its run has made starts nothing, and the pipeline says so until other data comes."""
    made_by = trained(world)
    push(world, DATASET_VERSIONS, HOUSING, "v3", lineage={"run": {"trainingRun": made_by}})
    assert "housing-v3 comes from this pipeline itself and starts nothing" in looping(world)
    assert names_of(world, TRAINING_RUNS) == [made_by]
    push(world, DATASET_VERSIONS, HOUSING, "v4")
    assert ready(world, TRAINING_PIPELINES, BY_DATA)[0] == "Ready"
    assert len(names_of(world, TRAINING_RUNS)) == 2
    calm(world)


def test_nor_by_its_output_over_another_pipeline(world: TrainingRun) -> None:
    """What another pipeline's run has made of its model is its own output, whether it says so or not."""
    made_by = trained(world)
    other = {"package": {"version": "price-1.1"}, "dataset": {"version": "housing-v2"}, "image": "python:3"}
    server = world.world.server
    server.create("user", TRAINING_PIPELINES, NAMESPACE, {"metadata": {"name": "labels"}, "spec": other})
    server.create("user", TRAINING_RUNS, NAMESPACE, {"metadata": {"name": RUN}, "spec": {"pipeline": "labels"}})
    settle(world)
    fate(world, Fate.SUCCEED)
    assert status(world, TRAINING_RUNS, RUN)["inputs"]["package"] == "price-1.1"
    push(world, DATASET_VERSIONS, HOUSING, "v3", lineage={"run": {"trainingRun": RUN}})
    assert "housing-v3 comes from this pipeline itself" in looping(world)
    assert names_of(world, TRAINING_RUNS) == [made_by, RUN]
    assert minors(world) == ["1.0", "1.1", "1.2"]


@pytest.mark.parametrize(
    ("trigger", "says"),
    [
        ({"cron": "0 0 30 2 *", "timeZone": "UTC"}, "triggers.schedule.cron"),
        ({"cron": "0 3 * * *", "timeZone": "Europe/Atlantis"}, "triggers.schedule.timeZone"),
    ],
)
def test_a_schedule_that_cannot_be_kept_is_told_and_mended(
    world: TrainingRun, trigger: dict[str, str], says: str
) -> None:
    """The status names the field; nothing starts, other triggers do; corrected, it goes."""

    def schedule(wanted: dict[str, str]) -> None:
        pipeline = there(world, TRAINING_PIPELINES, BY_DATA)
        assert pipeline is not None
        triggers = {"onDatasetVersion": {}, "schedule": wanted}
        changed = {**pipeline, "spec": {**pipeline["spec"], "triggers": triggers}}
        world.world.server.update("user", TRAINING_PIPELINES, changed)
        settle(world)

    schedule(trigger)
    reason, message = ready(world, TRAINING_PIPELINES, BY_DATA)
    assert reason == "ScheduleInvalid"
    assert says in message
    assert "next" not in status(world, TRAINING_PIPELINES, BY_DATA)["schedule"]
    assert names_of(world, TRAINING_RUNS) == []
    push(world, DATASET_VERSIONS, HOUSING, "v2")
    assert len(names_of(world, TRAINING_RUNS)) == 1
    schedule({"cron": "*/10 * * * *", "timeZone": "UTC"})
    assert ready(world, TRAINING_PIPELINES, BY_DATA)[0] == "Ready"
    world.take(("time", "601.0"))
    settle(world)
    assert len(names_of(world, TRAINING_RUNS)) == 2
