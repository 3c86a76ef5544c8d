"""The start of a run: inputs, parameters, keys, and who waits for whom."""

from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelberth.api.training_run import TrainingRunSpec
from modelberth.domain.training import outcome, start, template
from modelberth.domain.training.inputs import Data, Inputs
from modelberth.domain.training.keys import run_key
from modelberth.domain.training.plan import Ending, Plan, Told
from modelberth.domain.training.template import TemplateError, effective, settle
from tests.unit.domain import builders as objects
from tests.unit.domain.builders import NOW
from tests.unit.domain.training.builders import INPUTS, SPEC, later, pipeline_spec, run

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
    assert (plan.verdict.reason, plan.ending, plan.changes) == (reason, None, {"phase": "Waiting"})
    assert says in plan.verdict.message
    late = decide(*there, now=later(600))
    assert (late.ending.status, late.ending.reason) == ("Failed", reason)


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
    assert decide(PRICE, package, HOUSING[0], data, now=later(600)).ending.reason == "InputDeleted"


def test_a_runs_parameters_are_over_the_templates():
    """A parameter of the run replaces the template's, a Secret's value included; cache likewise."""
    base = pipeline_spec(environment={"A": "1", "B": "1"}, secretEnvironment={"T": {"name": "s", "key": "k"}})
    one = TrainingRunSpec(pipeline="fed", environment={"B": "2", "T": "mine"}, cache=False)
    settled = settle(effective(one, base))
    assert settled.parameters == {
        "A": "1",
        "B": "2",
        "T": "mine",
        "artifacts_directory": "artifacts",
        "save_training_data": "false",
    }
    assert settled.secrets == {}
    assert settled.template.cache is False


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


def test_the_two_own_variables_may_be_parameters():
    """artifacts_directory and save_training_data given as parameters are what the fields would be."""
    settled = settle(pipeline_spec(environment={"artifacts_directory": "out", "save_training_data": "true"}))
    assert (settled.artifacts_directory, settled.save_training_data) == ("out", True)


TEMPLATES = st.fixed_dictionaries(
    {},
    optional={
        "environment": st.dictionaries(st.sampled_from(["A", "B", "RATE"]), st.text(max_size=5), max_size=3),
        "secretEnvironment": st.dictionaries(
            st.sampled_from(["S", "T"]), st.just({"name": "s", "key": "k"}), max_size=2
        ),
        "backoffLimit": st.integers(0, 20),
        "artifactsDirectory": st.sampled_from(["artifacts", "a/b"]),
        "resources": st.just({"limits": {"nvidia.com/gpu": 1}}),
        "pod": st.just({"tolerations": [{"operator": "Exists"}], "labels": {"queue": "a"}}),
        "storage": st.just({"sizeLimit": "1Gi"}),
        "activeDeadlineSeconds": st.integers(1, 100),
    },
)


@given(TEMPLATES)
def test_what_is_recorded_is_read_again(fields):
    """The template that a status keeps means the same when it is read, and is one that a run may be given."""
    settled = settle(effective(TrainingRunSpec(pipeline="fed"), pipeline_spec(**fields)))
    kept = template.recorded(settled, package="price-1.0", dataset=INPUTS.dataset.reference(), evaluation=None)
    again = template.from_record(kept)
    assert (again.parameters, again.secrets) == (settled.parameters, settled.secrets)
    assert run_key(INPUTS, again) == run_key(INPUTS, settled)
    TrainingRunSpec.model_validate({"template": kept})


def test_a_record_that_cannot_be_read_is_told():
    """A status of another operator is an error with a name, not a crash."""
    with pytest.raises(TemplateError, match=r"status\.template: future"):
        template.from_record({**SPEC, "future": 1})


CHANGES = {
    "package": lambda inputs, fields: (replace(inputs, package_digest="sha256:" + "9" * 64), fields),
    "data": lambda inputs, fields: (replace(inputs, dataset=replace(inputs.dataset, digest=DATA)), fields),
    "folder": lambda inputs, fields: (replace(inputs, dataset=replace(inputs.dataset, folder="test")), fields),
    "evaluation": lambda inputs, fields: (replace(inputs, evaluation=Data("housing-v0", DATA)), fields),
    "image": lambda inputs, fields: (replace(inputs, image="python:4"), fields),
    "parameter": lambda inputs, fields: (inputs, {**fields, "environment": {"A": "other"}}),
    "secret": lambda inputs, fields: (inputs, {**fields, "secretEnvironment": {"S": {"name": "s", "key": "other"}}}),
}


@pytest.mark.parametrize("change", CHANGES)
def test_the_key_changes_with_what_decides_the_result(change):
    """Every input, parameter and place of a secret makes another key."""
    fields = {"environment": {"A": "1"}, "secretEnvironment": {"S": {"name": "s", "key": "k"}}}
    inputs, other = CHANGES[change](INPUTS, fields)
    assert run_key(INPUTS, settle(pipeline_spec(**fields))) != run_key(inputs, settle(pipeline_spec(**other)))


@given(st.sampled_from(["backoffLimit", "notes", "resources", "pod", "cache"]), st.permutations(["A", "B", "C"]))
def test_the_key_stays_with_all_else(field, order):
    """Names of versions, retries, resources and the order of parameters do not count."""
    more = {"backoffLimit": 3, "notes": "x", "resources": {"limits": {"cpu": 1}}, "pod": {}, "cache": False}[field]
    plain = settle(pipeline_spec(environment={"A": "A", "B": "B", "C": "C"}))
    other = settle(pipeline_spec(**{"environment": {name: name for name in order}, field: more}))
    inputs: Inputs = replace(INPUTS, package="renamed-1.0", base="1.7")
    assert run_key(INPUTS, plain) == run_key(inputs, other)


def test_results_have_the_fields_that_people_read():
    """`_results.json` is complete, counts in seconds, and names Secrets without their values."""
    fields = {
        "secretEnvironment": {"TOKEN": {"name": "tracking", "key": "token"}},
        "environment": {"EPOCHS": "3"},
        "resources": {"limits": {"nvidia.com/gpu": 2, "cpu": "1"}},
        "saveTrainingData": True,
    }
    one = run(status={"startedAt": objects.at(-90)})
    ending = Ending("Succeeded", "Succeeded", "", "price-1.1")
    found = outcome.results(one, INPUTS, settle(pipeline_spec(**fields)), ending, files=DATA, now=NOW)
    assert found == {
        "parameters": {
            "pipeline": "fed",
            "inputs": {"package": "price", "version": "1.0", "train_data": "housing:v1#train", "gpu": 2},
            "env": {
                "EPOCHS": "3",
                "TOKEN": "(secret tracking/token)",
                "artifacts_directory": "artifacts",
                "save_training_data": "true",
            },
        },
        "run_summary": {
            "execution_time": 90.0,
            "start_at": "2026-03-03T14:03:30+00:00",
            "end_at": "2026-03-03T14:05:00+00:00",
            "outputs": {"train_data": "housing:v1#train", "artifacts_data": DATA, "package": "price", "version": "1.1"},
        },
    }


def test_the_new_version_says_what_it_was_made_of():
    """Run, data, package, environment, parameters and metrics are filled in by nobody."""
    told = Told("Succeeded", "", "", metrics={"score": 0.9}, python="3.12.1", packages={"numpy": "2.0"}, output=DATA)
    settled = settle(pipeline_spec(environment={"EPOCHS": "3"}))
    spec = outcome.version_spec(run(), INPUTS, settled, told, image_digest="sha256:" + "e" * 64)
    assert spec["lineage"]["run"] == {"trainingRun": "one", "uid": "uid-one"}
    assert spec["lineage"]["package"] == "price-1.0"
    data = {"version": "housing-v1", "digest": INPUTS.dataset.digest, "role": "train", "folder": "train"}
    assert spec["lineage"]["datasets"] == [data]
    assert spec["lineage"]["environment"]["packages"] == outcome.packages_digest({"numpy": "2.0"})
    assert (spec["parameters"], spec["metrics"]) == ({"EPOCHS": "3"}, {"score": 0.9})


def test_a_reproduction_compares_digest_and_metrics():
    """What came out stands beside the version that was to come out again."""
    told = Told("Succeeded", "", "", output=DATA)
    assert outcome.reproduction("price-1.1", DATA, {"score": 1}, told)["sameDigest"] is True
    assert outcome.reproduction("price-1.1", objects.DIGEST_3, None, told)["sameDigest"] is False
