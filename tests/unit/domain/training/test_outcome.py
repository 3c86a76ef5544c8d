"""What comes of a run: `_results.json`, the new version's fields, and the comparison with one made before."""

import pytest

from modelberth.api import names
from modelberth.domain.training import outcome
from modelberth.domain.training.plan import Ending, Told
from modelberth.domain.training.template import settle
from tests.unit.domain import builders as objects
from tests.unit.domain.builders import NOW
from tests.unit.domain.training.builders import INPUTS, pipeline_spec, run

OUTPUT = "sha256:" + "d" * 64


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
    found = outcome.results(one, INPUTS, settle(pipeline_spec(**fields)), ending, files=OUTPUT, now=NOW)
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
            "outputs": {
                "train_data": "housing:v1#train",
                "artifacts_data": OUTPUT,
                "package": "price",
                "version": "1.1",
            },
        },
    }


def test_the_new_version_says_what_it_was_made_of():
    """Run, data, package, environment, parameters and metrics are filled in by nobody."""
    told = Told("Succeeded", "", "", metrics={"score": 0.9}, python="3.12.1", packages={"numpy": "2.0"}, output=OUTPUT)
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
    told = Told("Succeeded", "", "", output=OUTPUT)
    assert outcome.reproduction("price-1.1", OUTPUT, {"score": 1}, told)["sameDigest"] is True
    assert outcome.reproduction("price-1.1", objects.DIGEST_3, None, told)["sameDigest"] is False


@pytest.mark.parametrize(
    ("trigger", "stamps", "creator"),
    [
        ({}, {names.ANNOTATION_CREATED_BY: "alice"}, "alice"),
        ({"trigger": {"type": "Manual"}}, {names.ANNOTATION_CREATED_BY: "alice"}, "alice"),
        ({"trigger": {"type": "Reproduction"}}, {names.ANNOTATION_CREATED_BY: "alice"}, "alice"),
        ({"trigger": {"type": "Schedule"}}, {names.ANNOTATION_CREATED_BY: "the operator"}, ""),
        ({"trigger": {"type": "DatasetVersion"}}, {names.ANNOTATION_CREATED_BY: "the operator"}, ""),
        ({}, {}, ""),
    ],
)
def test_who_made_a_run_is_what_the_api_server_stamped(trigger, stamps, creator):
    """Nobody where nothing is stamped, and nobody for what a trigger started."""
    one = run(**trigger)
    one["metadata"]["annotations"] = stamps
    assert outcome.created_by(one) == creator
