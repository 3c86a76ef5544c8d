"""The start of a run: its inputs, and who waits for whom."""

from copy import deepcopy
from typing import Any

import pytest

from modelberth.api.training_run import TrainingRunSpec
from modelberth.domain.training import start
from modelberth.domain.training.inputs import Data
from modelberth.domain.training.plan import Plan
from tests.unit.domain import builders as objects
from tests.unit.domain.builders import NOW, at
from tests.unit.domain.training.builders import later, pipeline_spec, run

DATA = "sha256:" + "d" * 64


class Shelf:
    """Objects by kind and name."""

    def __init__(self, *there: dict[str, Any]):
        self._there = {(obj["kind"], obj["metadata"]["name"]): obj for obj in there}

    def artifact(self, name):
        return self._there.get(("ModelArtifact", name))

    def model_version(self, name):
        return self._there.get(("ModelVersion", name))

    def model_versions(self, artifact):
        return [
            obj
            for (kind, _), obj in self._there.items()
            if kind == "ModelVersion" and obj["spec"]["artifact"] == artifact
        ]

    def dataset(self, name):
        return self._there.get(("Dataset", name))

    def dataset_version(self, name):
        return self._there.get(("DatasetVersion", name))


def dataset(latest: str | None = "housing-v1", **aliases: str) -> dict[str, Any]:
    status: dict[str, Any] = {"aliases": {alias: {"current": version} for alias, version in aliases.items()}}
    return {**objects.dataset(), "status": status | ({"latestVersion": latest} if latest else {})}


PRICE = objects.artifact("price", versioning="Semantic")
PACKAGE = objects.version("price-1.0")
HOUSING = (dataset(), objects.dataset_version("housing-v1", DATA))


def decide(*there, now=NOW, siblings=(), one=None, **spec):
    one = one or run()
    observed = start.Observed(
        one, TrainingRunSpec.model_validate(one["spec"]), pipeline_spec(**spec), Shelf(*there), siblings
    )
    return start.decide(observed, now=now)


def test_inputs_are_found_by_digest():
    """Package, data, the largest minor and the image, as they are when the run starts."""
    found = decide(PRICE, PACKAGE, objects.version("price-1.4"), objects.version("price-2.0"), *HOUSING)
    assert found.inputs.status() == {
        "package": "price-1.0",
        "packageDigest": objects.DIGEST_4,
        "artifact": "price",
        "major": 1,
        "base": "1.4",
        "dataset": "housing-v1",
        "datasetDigest": DATA,
        "image": "python:3",
    }


def test_the_newest_minor_of_a_major_is_run():
    """An artifact with a major means its largest minor that is Ready, counted as numbers."""
    versions = [objects.version(f"price-1.{n}") for n in (2, 9, 10)] + [objects.version("price-1.11", ready=False)]
    found = decide(PRICE, *versions, *HOUSING, package={"artifact": "price", "major": 1})
    assert (found.inputs.package, found.inputs.base) == ("price-1.10", "1.11")


def test_an_alias_of_a_dataset_is_what_it_stands_for():
    """The alias' current version is taken, and pinned by its name."""
    reviewed = objects.dataset_version("housing-v0")
    found = decide(
        PRICE,
        PACKAGE,
        dataset(reviewed="housing-v0"),
        reviewed,
        dataset={"name": "housing", "alias": "reviewed", "folder": "train"},
    )
    assert found.inputs.dataset == Data("housing-v0", objects.DIGEST_3, "train")


@pytest.mark.parametrize(
    ("there", "reason", "says"),
    [
        ((PRICE, PACKAGE), "InputNotFound", "alias latest of Dataset housing stands for no version"),
        ((PRICE, PACKAGE, dataset()), "InputNotFound", "DatasetVersion housing-v1 is not there"),
        (
            (PRICE, PACKAGE, dataset(), objects.dataset_version(ready=False)),
            "InputNotReady",
            "DatasetVersion housing-v1 is not Ready: why not",
        ),
        ((PRICE, *HOUSING), "InputNotFound", "package.version: ModelVersion price-1.0 is not there"),
        ((PACKAGE, *HOUSING), "InputNotFound", "ModelArtifact price is not there"),
    ],
)
def test_what_is_missing_is_waited_for_until_the_start_deadline(there, reason, says):
    """A run whose inputs are missing says which, and fails after its start deadline."""
    plan = decide(*there)
    assert (plan.verdict.reason, plan.ending, plan.changes) == (
        reason,
        None,
        {"phase": "Waiting", "missingSince": at(0)},
    )
    assert says in plan.verdict.message
    late = decide(*there, one=run(status=plan.changes), now=later(600))
    assert (late.ending.status, late.ending.reason) == ("Failed", reason)


def test_a_start_deadline_counts_from_what_was_seen():
    """Neither the operator's absence nor the wait for another run counts, nor does what is there again."""
    old = run(created=-9000)
    plan = decide(PRICE, PACKAGE, one=old)
    assert (plan.ending, plan.changes["missingSince"]) == (None, at(0))
    waits = run(created=-9000, status=plan.changes)
    held = decide(PRICE, PACKAGE, one=waits, siblings=(run("two", created=-9999),), concurrency="Forbid")
    assert (held.verdict.reason, held.changes["missingSince"]) == ("ConcurrencyForbidden", None)
    found = decide(PRICE, PACKAGE, *HOUSING, one=waits, now=later(9000))
    assert isinstance(found, start.Pinned)


def test_a_package_of_a_sequence_fails_at_once():
    """An artifact that counts v0, v1 has no next minor: waiting mends nothing."""
    plan = decide(objects.artifact("price"), PACKAGE, *HOUSING)
    assert plan.ending.reason == "BadPackage"
    assert "versioning Semantic" in plan.ending.message


def test_a_pipeline_that_is_not_there_is_waited_for():
    """A run may come before its pipeline."""
    plan = start.decide(start.Observed(run(), TrainingRunSpec(pipeline="fed"), None, Shelf()), now=NOW)
    assert "TrainingPipeline fed is not there" in plan.verdict.message
    assert plan.ending is None


@pytest.mark.parametrize(
    ("concurrency", "created", "outcome_of"),
    [
        ("Allow", -90, "Pinned"),
        ("Forbid", -90, "ConcurrencyForbidden"),
        ("Forbid", -30, "Pinned"),
        ("Replace", -90, "Pinned"),
        ("Replace", -30, "Cancelled"),
    ],
)
def test_who_waits_for_whom(concurrency, created, outcome_of):
    """Forbid lets the older run go first, Replace lets the newer one have the place."""
    found = decide(PRICE, PACKAGE, *HOUSING, siblings=(run("two", created=created),), concurrency=concurrency)
    said = found.verdict.reason if isinstance(found, Plan) else type(found).__name__
    assert said == outcome_of


PINNED = {"phase": "Training", "inputs": {}}


@pytest.mark.parametrize("created", [-60, -30])
@pytest.mark.parametrize("name", ["a", "z"])
def test_whoever_has_started_is_waited_for(name, created):
    """Forbid: one of the same second, or one that a clock behind has stamped, goes on if it has started."""
    there = run(name, status=PINNED, created=created)
    found = decide(PRICE, PACKAGE, *HOUSING, siblings=(there,), concurrency="Forbid")
    assert found.verdict.reason == "ConcurrencyForbidden"
    assert name in found.verdict.message


@pytest.mark.parametrize("names", [("a", "z"), ("z", "a")])
def test_of_one_second_the_one_that_has_started_was_first(names):
    """Replace: a newcomer whose name comes first is not ended for the older run, but takes its place."""
    old, new = run(names[0], status=PINNED), run(names[1])
    spec = pipeline_spec(concurrency="Replace")
    assert start.replaced_by(old, spec, (new,)) == names[1]
    assert start.replaced_by(new, spec, (old,)) is None
    waits = decide(PRICE, PACKAGE, *HOUSING, one=new, siblings=(old,), concurrency="Replace")
    assert (waits.verdict.reason, waits.ending) == ("Replacing", None)
    ended = run(names[0], status={"phase": "Succeeded", "inputs": {}})
    assert start.replaced_by(run(names[1], status=PINNED), spec, (ended,)) is None


@pytest.mark.parametrize("concurrency", ["Forbid", "Replace"])
@pytest.mark.parametrize("states", [({}, {}), ({}, PINNED), (PINNED, {}), (PINNED, PINNED)])
def test_of_two_runs_one_gives_way(concurrency, states):
    """Whatever their names and states, never both; and of two that have not started, one always does."""
    one, two = (run(name, status=status) for name, status in zip("ab", states, strict=True))
    spec = pipeline_spec(concurrency=concurrency)
    rule = start.waits_for if concurrency == "Forbid" else start.replaced_by
    give_way = [rule(one, spec, (two,)), rule(two, spec, (one,))]
    has_started = [bool(status) for status in states]
    if concurrency == "Forbid":  # is asked of those that have not started
        give_way = [holder for holder, started in zip(give_way, has_started, strict=True) if not started]
        assert sum(holder is not None for holder in give_way) == (not all(has_started))
    else:
        assert sum(successor is not None for successor in give_way) == 1


@pytest.mark.parametrize(
    ("phase", "is_cancelled"), [("Training", True), ("Succeeded", True), ("Failed", False), ("Skipped", False)]
)
def test_a_newer_run_that_came_to_nothing_takes_no_place(phase, is_cancelled):
    """Replace ends a run for one that is better, not for one that failed or had nothing to do."""
    newer = run("two", status={"phase": phase}, created=-30)
    found = decide(PRICE, PACKAGE, *HOUSING, siblings=(newer,), concurrency="Replace")
    assert (isinstance(found, Plan) and found.ending.reason == "Cancelled") == is_cancelled


@pytest.mark.parametrize("kind", ["package", "dataset"])
def test_an_input_that_is_being_deleted_is_told(kind):
    """It is waited for like one that is missing, and has a reason of its own."""
    package, data = deepcopy(PACKAGE), deepcopy(HOUSING[1])
    (package if kind == "package" else data)["metadata"]["deletionTimestamp"] = objects.at(0)
    plan = decide(PRICE, package, HOUSING[0], data)
    assert (plan.verdict.reason, plan.ending) == ("InputDeleted", None)
    assert "is being deleted: name another one" in plan.verdict.message
    one = run(status=plan.changes)
    assert decide(PRICE, package, HOUSING[0], data, one=one, now=later(600)).ending.reason == "InputDeleted"


@pytest.mark.parametrize(
    ("field", "parameter", "says"),
    [
        ({"artifactsDirectory": "a"}, {"artifacts_directory": "b"}, "environment.artifacts_directory is 'b'"),
        ({"saveTrainingData": True}, {"save_training_data": "false"}, "environment.save_training_data is false"),
        ({}, {"save_training_data": "perhaps"}, "neither true nor false"),
        ({}, {"artifacts_directory": "../x"}, "no relative, plain path"),
    ],
)
def test_field_and_parameter_agree_or_the_run_fails(field, parameter, says):
    """What the template's field and the run's parameter both set has to be the same."""
    one = run(environment=parameter)
    plan = decide(PRICE, PACKAGE, *HOUSING, one=one, **field)
    assert plan.ending.reason == "BadParameters"
    assert says in plan.ending.message


@pytest.mark.parametrize(
    ("given", "base"),
    [((), "1.0"), (("v3", "1.0", "1.9", "1.10", "2.40"), "1.10"), (("2.0",), "1.0")],
)
def test_the_next_minor_is_behind_all_that_were_given(given, base):
    """Numbers of drafts and of deleted versions never become free again, and are not counted through one by one."""
    found = decide(PRICE, PACKAGE, *HOUSING)
    assert found.inputs.behind(given).base == base
