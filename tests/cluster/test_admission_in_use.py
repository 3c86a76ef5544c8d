"""What is in use is not deleted, judged by the live objects; and nothing of this keeps a namespace from going."""

import uuid

import pytest

from tests.cluster.api_server import Api, RefusedError, refused, wait_until
from tests.cluster.manifests import artifact, dataset, dataset_version, deployment, inline, model


def put_version(api: Api, number: int = 1, artifact_name: str = "mnist") -> str:
    name = f"{artifact_name}-v{number}"
    api.create(inline(name=name, base=f"artifact: {artifact_name}, version: v{number}"))
    return name


def is_deleted(api: Api, kind: str, name: str, *, dry_run: bool = False) -> bool:
    try:
        api.delete(kind, name, dry_run=dry_run)
    except RefusedError:
        return False
    return True


def delete_once_released(api: Api, kind: str, name: str) -> None:
    """Delete what nothing stands on any more: the policies see a write of another object a moment later."""
    wait_until(lambda: is_deleted(api, kind, name), f"{kind} {name} may be deleted")


def refused_delete(api: Api, kind: str, name: str) -> str:
    """The words that refuse a deletion, once the policies have seen what it is refused for."""
    wait_until(lambda: not is_deleted(api, kind, name, dry_run=True), f"{kind} {name} is held")
    with pytest.raises(RefusedError) as refusal:
        api.delete(kind, name)
    return str(refusal.value)


def test_an_aliased_version_stays(api: Api):
    """A version that an alias asks for stays until the alias moved; the message names model and alias."""
    put_version(api)
    api.create(model("{aliases: {production: {version: mnist-v1}, staging: {version: mnist-v2}}}"))
    words = refused_delete(api, "ModelVersion", "mnist-v1")
    assert "ModelVersion mnist-v1 is in use: RegisteredModel digits has it as spec.aliases.production" in words
    assert "move or remove the alias first" in words
    api.merge("RegisteredModel", "digits", {"spec": {"aliases": {"production": {"version": "mnist-v2"}}}})
    delete_once_released(api, "ModelVersion", "mnist-v1")


def test_what_an_alias_still_stands_for_stays(api: Api):
    """A version that an alias has left, but that is still served, stays until the next one has passed."""
    put_version(api)
    api.create(model("{aliases: {production: {version: mnist-v2}}}"))
    for current in ("mnist-v1", "mnist-v2"):
        aliases = {"production": {"desired": "mnist-v2", "current": current}}
        api.merge("RegisteredModel", "digits", {"status": {"aliases": aliases}}, subresource="/status")
        if current == "mnist-v1":
            words = refused_delete(api, "ModelVersion", "mnist-v1")
            assert "alias production of RegisteredModel digits still stands for it" in words
            assert "wait until status.aliases.production.current is another" in words
    delete_once_released(api, "ModelVersion", "mnist-v1")


def test_a_linked_version_stays(api: Api):
    """A version that a model links stays until the link is removed."""
    put_version(api)
    api.create(model("{links: {mnist-v1: {}}}"))
    words = refused_delete(api, "ModelVersion", "mnist-v1")
    assert "RegisteredModel digits has it in spec.links; remove the link first" in words
    api.merge("RegisteredModel", "digits", {"spec": {"links": {"mnist-v1": None}}})
    delete_once_released(api, "ModelVersion", "mnist-v1")


def test_an_artifacts_alias_holds_its_version(api: Api):
    """A version that its artifact's own alias names stays until that alias moved."""
    put_version(api)
    api.create(artifact("{aliases: {best: {version: mnist-v1}}}"))
    words = refused_delete(api, "ModelVersion", "mnist-v1")
    assert "ModelArtifact mnist has it as spec.aliases.best; move or remove the alias first" in words
    api.merge("ModelArtifact", "mnist", {"spec": {"aliases": None}})
    delete_once_released(api, "ModelVersion", "mnist-v1")


def test_other_versions_go(api: Api):
    """What nothing stands on is deleted at once, whatever other models, aliases and artifacts there are."""
    for number in (1, 2):
        put_version(api, number)
    api.create(artifact("{aliases: {best: {version: mnist-v1}}}"))
    api.create(model("{aliases: {production: {version: mnist-v1}}, links: {mnist-v1: {}}}"))
    assert "mnist-v1 is in use" in refused_delete(api, "ModelVersion", "mnist-v1")
    api.delete("ModelVersion", "mnist-v2")


def test_another_namespaces_alias_does_not_count(api: Api, admission: Api):
    """Names are judged within their namespace."""
    put_version(api)
    admission.create(model("{aliases: {production: {version: mnist-v1}}}", name="elsewhere"))
    try:
        put_version(admission)
        assert "mnist-v1 is in use" in refused_delete(admission, "ModelVersion", "mnist-v1")
        api.delete("ModelVersion", "mnist-v1")
    finally:
        admission.delete("RegisteredModel", "elsewhere")
        delete_once_released(admission, "ModelVersion", "mnist-v1")


def test_an_artifact_with_versions_stays(api: Api):
    """An artifact goes after its last version, and another artifact's versions do not hold it."""
    api.create(artifact())
    put_version(api)
    put_version(api, artifact_name="mnist-small")
    words = refused_delete(api, "ModelArtifact", "mnist")
    assert "ModelArtifact mnist has versions, among them ModelVersion mnist-v1; delete its versions first" in words
    api.delete("ModelVersion", "mnist-v1")
    delete_once_released(api, "ModelArtifact", "mnist")


def test_data_is_held_like_models(api: Api):
    """An alias of its dataset holds a version, a version its dataset; what models of the same names do does not count."""
    api.create(dataset("{aliases: {reviewed: {version: housing-v4}}}"))
    api.create(dataset_version())
    api.create(dataset_version(name="housing-v5", base="dataset: housing, version: v5"))
    api.create(artifact("{aliases: {best: {version: housing-v5}}}", name="housing"))
    api.create(model("{aliases: {production: {version: housing-v5}}}", name="housing"))
    words = refused_delete(api, "DatasetVersion", "housing-v4")
    assert "DatasetVersion housing-v4 is in use: Dataset housing has it as spec.aliases.reviewed" in words
    api.delete("DatasetVersion", "housing-v5")
    words = refused_delete(api, "Dataset", "housing")
    assert "Dataset housing has versions, among them DatasetVersion housing-v4; delete its versions first" in words
    api.merge("Dataset", "housing", {"spec": {"aliases": None}})
    delete_once_released(api, "DatasetVersion", "housing-v4")
    delete_once_released(api, "Dataset", "housing")


def test_a_namespace_goes_with_all_that_is_in_use(admission: Api, control_plane):
    """Deleting a namespace gets through, however much of it is in use."""
    full = Api(admission.http, f"full-{uuid.uuid4().hex[:8]}")
    admission.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": full.namespace}})
    full.create(artifact("{aliases: {best: {version: mnist-v1}}}"))
    for number in (1, 2, 3):
        put_version(full, number)
    full.create(model("{aliases: {production: {version: mnist-v1}}, links: {mnist-v2: {}}}"))
    aliases = {"production": {"current": "mnist-v3"}}
    full.merge("RegisteredModel", "digits", {"status": {"aliases": aliases}}, subresource="/status")
    full.create(deployment())
    for number in (1, 2, 3):
        assert "is in use" in refused_delete(full, "ModelVersion", f"mnist-v{number}")
    control_plane.kubectl("delete", "namespace", full.namespace, "--timeout=60s")
    with refused("not found"):
        admission.get("Namespace", full.namespace)
