"""Pipelines and runs on a real API server: what it takes, what it refuses and in which words, and what is frozen."""

import pytest

from modelberth.api.kinds_training import TRAINING_PIPELINE, TRAINING_RUN
from tests.cluster import training_manifests
from tests.cluster.api_server import Api, RefusedError, refused
from tests.cluster.manifests import Bad
from tests.cluster.training_manifests import pipeline, run

BY_NAME = {kind.name: kind for kind in (TRAINING_PIPELINE, TRAINING_RUN)}


@pytest.mark.parametrize("case", training_manifests.BAD, ids=lambda case: f"{case.manifest['kind']}: {case.name}")
def test_bad_manifest(admission: Api, case: Bad):
    """A bad manifest is refused, and the message names the field and what is wrong with it."""
    with pytest.raises(RefusedError) as refusal:
        admission.create(case.manifest, dry_run=True)
    assert refusal.value.status in (400, 422)
    for words in case.says:
        assert words in str(refusal.value)


@pytest.mark.parametrize(
    ("name", "manifest"), training_manifests.GOOD, ids=[name for name, _ in training_manifests.GOOD]
)
def test_good_manifest(admission: Api, name: str, manifest: dict):
    """What lies just within the limits is taken, and the operator's models read what the API server made of it."""
    made = admission.create(manifest, dry_run=True)
    kind = BY_NAME[manifest["kind"]]
    kind.spec.model_validate(made["spec"])
    assert kind.status.model_validate(made["status"]).observed_generation == -1


def test_a_run_is_frozen(api: Api):
    """The spec of a run never changes."""
    api.create(run())
    with refused("spec of a TrainingRun is immutable; make another run"):
        api.merge("TrainingRun", "run", {"spec": {"environment": {"A": "x"}}})


def test_inputs_and_end_of_a_run_are_frozen(api: Api):
    """What went in, and that the run has ended, is said once and for ever, even by the operator."""
    api.create(run())
    started = {"observedGeneration": 1, "phase": "Training", "inputs": {"package": "p-1.0"}}
    api.merge("TrainingRun", "run", {"status": started}, subresource="/status")
    with refused("status.inputs is immutable once it is set"):
        api.merge("TrainingRun", "run", {"status": {"inputs": {"package": "p-1.1"}}}, subresource="/status")
    api.merge("TrainingRun", "run", {"status": {"phase": "Failed"}}, subresource="/status")
    with refused("status.phase is final once the run has ended"):
        api.merge("TrainingRun", "run", {"status": {"phase": "Succeeded"}}, subresource="/status")


def test_runs_are_selected_by_pipeline_and_phase(api: Api):
    """The API server filters runs by pipeline and by phase."""
    api.create(run(name="one"))
    api.create(run(name="two", base="pipeline: other"))
    api.merge("TrainingRun", "one", {"status": {"observedGeneration": 1, "phase": "Failed"}}, subresource="/status")
    assert api.names("TrainingRun", fieldSelector="spec.pipeline=other") == ["two"]
    assert api.names("TrainingRun", fieldSelector="status.phase=Failed") == ["one"]


def test_what_a_pipeline_is_told_may_change(api: Api):
    """A pipeline's spec is its user's, at any time."""
    api.create(pipeline())
    assert api.merge("TrainingPipeline", "housing", {"spec": {"suspend": True}})["spec"]["suspend"] is True
