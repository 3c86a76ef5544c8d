"""The models read what the API server holds, and nothing they do not understand."""

from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError

from modelberth.api.common import SpecModel
from modelberth.api.dataset_version import DatasetVersionSpec
from modelberth.api.kinds import KINDS
from modelberth.api.model_artifact import ModelArtifactSpec
from modelberth.api.model_deployment import ModelDeploymentSpec, ModelDeploymentStatus
from modelberth.api.model_version import ModelVersionSpec
from modelberth.api.registered_model import RegisteredModelSpec

EXAMPLES = [
    manifest
    for path in sorted(Path("examples/kinds").glob("*.yaml"))
    for manifest in yaml.safe_load_all(path.read_text())
    if manifest["apiVersion"].startswith("modelberth.io/")
]


def specs() -> dict[str, type[SpecModel]]:
    return {kind.name: kind.spec for kind in KINDS}


@pytest.mark.parametrize("manifest", EXAMPLES, ids=lambda manifest: manifest["metadata"]["name"])
def test_examples_are_read_whole(manifest):
    """Reading an example and writing it again keeps every value that stands in it."""
    read = specs()[manifest["kind"]].model_validate(manifest["spec"])
    written = read.model_dump(mode="json", by_alias=True, exclude_unset=True)
    assert written == manifest["spec"]


def test_there_is_an_example_of_each_kind():
    """Every kind has an example."""
    assert {manifest["kind"] for manifest in EXAMPLES} == set(specs())


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_an_unknown_field_of_a_spec_is_an_error(kind):
    """An older operator does not act on the half of an object that it understands."""
    with pytest.raises(ValidationError, match="Extra inputs are not permitted"):
        kind.spec.model_validate({"fieldOfTheFuture": True})


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_an_unknown_field_of_a_status_is_passed_over(kind):
    """A status that a newer operator wrote can be read, and one that is not there yet as well."""
    assert kind.status.model_validate({"fieldOfTheFuture": True}) == kind.status()
    assert kind.status().observed_generation == -1


def test_what_a_rolling_deployment_does_by_default():
    """Without a word about it one pod more may run meanwhile, and none may be missing."""
    spec = ModelDeploymentSpec.model_validate({"model": "digits", "alias": "production", "template": {}})
    assert (spec.strategy.type, spec.strategy.max_surge, spec.strategy.max_unavailable) == ("Rolling", 1, 0)
    assert spec.replicas is None
    assert spec.loader.mount_path == "/mnt/models"
    assert spec.service.ports == ()
    assert spec.no_progress_seconds == 600


@pytest.mark.parametrize("value", [-1, 1001, "101%", "many", "5", "05%"])
def test_a_surge_that_is_none(value):
    """A surge is a count or a share, as the CRD has it."""
    spec = {"model": "digits", "alias": "production", "template": {}, "strategy": {"maxSurge": value}}
    with pytest.raises(ValidationError, match="maxSurge"):
        ModelDeploymentSpec.model_validate(spec)


def test_a_model_does_not_change():
    """Models are values: an attribute cannot be set."""
    spec = ModelArtifactSpec()
    with pytest.raises(ValidationError, match="frozen"):
        spec.description = "x"


@pytest.mark.parametrize("name", ["mnist-v0", "a-1.0", "mnist-small-v10", "mnist-v1-v2"])
def test_names_of_versions(name):
    """A version is referred to as artifact-version."""
    assert RegisteredModelSpec.model_validate({"links": {name: {}}}).links


@pytest.mark.parametrize("name", ["mnist", "mnist-v01", "mnist-1", "mnist:v4", "-v4", "Mnist-v4", "mnist-v4\n"])
def test_names_that_are_no_versions(name):
    """Artifacts, addresses and other spellings are no names of versions."""
    with pytest.raises(ValidationError):
        RegisteredModelSpec.model_validate({"links": {name: {}}})


@pytest.mark.parametrize("name", ["flats:v0", "flats", "v0", "", f"{'a' * 61}-v1"])
def test_what_is_no_object_name_is_told_in_words(name):
    """Whoever pushes with such a parent reads a sentence with an example, and no regular expression."""
    source = {"inline": {"files": {"a": {"text": "x"}}}}
    with pytest.raises(ValidationError) as refusal:
        DatasetVersionSpec.model_validate({"dataset": "a", "version": "v1", "source": source, "derivedFrom": [name]})
    [fault] = refusal.value.errors()
    assert fault["loc"] == ("derivedFrom", 0)
    assert fault["msg"].startswith("write a version's object name")
    assert "such as handwriting-v1" in fault["msg"]


def test_metrics_are_finite_numbers():
    """JSON has no infinity, so a metric has none."""
    spec = {"artifact": "mnist", "version": "v1", "source": {"pushed": {}}}
    assert ModelVersionSpec.model_validate(spec | {"metrics": {"loss": 0}}).metrics == {"loss": 0.0}
    with pytest.raises(ValidationError, match="finite"):
        ModelVersionSpec.model_validate(spec | {"metrics": {"loss": float("inf")}})


def test_a_status_in_the_apis_words():
    """Statuses are read and written in camelCase."""
    status = {
        "observedGeneration": 3,
        "lastPassed": {"version": "mnist-v3", "digest": "sha256:" + "a" * 64, "revision": "digits-1"},
        "served": [{"version": "mnist-v3", "digest": "sha256:" + "a" * 64, "revision": "digits-1", "readyReplicas": 2}],
    }
    read = ModelDeploymentStatus.model_validate(status)
    assert read.last_passed is not None
    assert read.last_passed.revision == "digits-1"
    assert read.model_dump(mode="json", by_alias=True, exclude_unset=True) == status
