"""Several people own entries of one object, each in their own way: nobody's alias is lost."""

import yaml

from tests.cluster.api_server import Api
from tests.cluster.manifests import artifact, model

GIT = model("{description: from Git, aliases: {staging: {version: mnist-v1}}, links: {mnist-v1: {}}}")


def kubectl_apply(control_plane, api: Api, manifest: dict, *flags: str) -> None:
    text = yaml.safe_dump(manifest)
    control_plane.kubectl("apply", *flags, "-n", api.namespace, "-f", "-", input=text)


def aliases(api: Api, kind: str = "RegisteredModel", name: str = "digits") -> dict[str, str]:
    entries = api.get(kind, name)["spec"].get("aliases", {})
    return {alias: entry["version"] for alias, entry in entries.items()}


def test_plain_apply_keeps_the_others_aliases(api: Api, control_plane):
    """A plain apply, of the same or of a changed manifest, leaves the aliases that others set."""
    kubectl_apply(control_plane, api, GIT)
    api.merge("RegisteredModel", "digits", {"spec": {"aliases": {"production": {"version": "mnist-v1"}}}})
    api.apply(model("{aliases: {canary: {version: mnist-v2}}, links: {mnist-v2: {}}}"), manager="canary-bot")
    everybodys = {"staging": "mnist-v1", "production": "mnist-v1", "canary": "mnist-v2"}
    kubectl_apply(control_plane, api, GIT)
    assert aliases(api) == everybodys
    kubectl_apply(control_plane, api, model("{aliases: {staging: {version: mnist-v3}}, links: {mnist-v1: {}}}"))
    assert aliases(api) == everybodys | {"staging": "mnist-v3"}
    assert set(api.get("RegisteredModel", "digits")["spec"]["links"]) == {"mnist-v1", "mnist-v2"}


def test_plain_apply_takes_back_its_own(api: Api, control_plane):
    """An alias that leaves a plainly applied manifest leaves the object, and only that one."""
    kubectl_apply(control_plane, api, GIT)
    api.merge("RegisteredModel", "digits", {"spec": {"aliases": {"production": {"version": "mnist-v1"}}}})
    kubectl_apply(control_plane, api, model("{aliases: {}, links: {mnist-v1: {}}}"))
    assert aliases(api) == {"production": "mnist-v1"}


def test_plain_apply_without_the_whole_map(api: Api, control_plane):
    """Leaving the map itself out of a manifest that had it makes kubectl delete it whole: the field says to keep {}."""
    kubectl_apply(control_plane, api, GIT)
    api.merge("RegisteredModel", "digits", {"spec": {"aliases": {"production": {"version": "mnist-v1"}}}})
    kubectl_apply(control_plane, api, model("{links: {mnist-v1: {}}}"))
    assert aliases(api) == {}
    explained = control_plane.kubectl("explain", "registeredmodel.spec.aliases").stdout
    assert "keep an empty map" in " ".join(explained.split())


def test_server_side_apply_owns_entry_by_entry(api: Api):
    """Managers apply their own entries beside each other, and take back exactly these."""
    for manager, alias in (("one", "staging"), ("two", "production")):
        api.apply(model(f"{{aliases: {{{alias}: {{version: mnist-v1}}}}}}"), manager=manager)
    assert aliases(api) == {"staging": "mnist-v1", "production": "mnist-v1"}
    api.apply(model("{aliases: {staging: {version: mnist-v2}}}"), manager="one")
    assert aliases(api) == {"staging": "mnist-v2", "production": "mnist-v1"}
    api.apply(model(), manager="one")
    assert aliases(api) == {"production": "mnist-v1"}


def test_kubectl_server_side_apply_after_a_plain_one(api: Api, control_plane):
    """Changing from plain to server-side apply loses nobody's alias either."""
    kubectl_apply(control_plane, api, GIT)
    api.merge("RegisteredModel", "digits", {"spec": {"aliases": {"production": {"version": "mnist-v1"}}}})
    api.apply(model("{aliases: {canary: {version: mnist-v2}}}"), manager="canary-bot")
    kubectl_apply(control_plane, api, GIT, "--server-side")
    assert aliases(api) == {"staging": "mnist-v1", "production": "mnist-v1", "canary": "mnist-v2"}


def test_a_merge_patch_touches_one_alias(api: Api):
    """`kubectl patch`, the CLI and the SDK move one alias without naming the others."""
    api.create(GIT)
    api.merge("RegisteredModel", "digits", {"spec": {"aliases": {"production": {"version": "mnist-v1"}}}})
    api.merge("RegisteredModel", "digits", {"spec": {"aliases": {"staging": {"version": "mnist-v2"}}}})
    assert aliases(api) == {"staging": "mnist-v2", "production": "mnist-v1"}


def test_the_operators_apply_of_a_status_leaves_the_spec(api: Api):
    """A status is applied under the operator's manager; nothing of the spec becomes its own."""
    api.create(GIT)
    manager = "modelberth/registeredmodels"
    status = {"observedGeneration": 1, "summary": "staging=mnist-v1"}
    applied = GIT | {"status": status}
    del applied["spec"]
    path = "/apis/modelberth.io/v1alpha1/namespaces/{}/registeredmodels/digits/status"
    answer = api.http.patch(
        path.format(api.namespace),
        json=applied,
        params={"fieldManager": manager, "force": "true", "fieldValidation": "Strict"},
        headers={"Content-Type": "application/apply-patch+yaml"},
    )
    assert answer.status_code == 200, answer.text
    stored = api.get("RegisteredModel", "digits")
    assert stored["spec"]["aliases"] == {"staging": {"version": "mnist-v1"}}
    owned = {entry["manager"]: entry["fieldsV1"] for entry in stored["metadata"]["managedFields"]}
    assert set(owned[manager]) == {"f:status"}


def test_an_artifacts_aliases_are_shared_alike(api: Api, control_plane):
    """`push --alias best` and Git each keep their own alias of an artifact."""
    kubectl_apply(control_plane, api, artifact("{aliases: {released: {version: mnist-v1}}}"))
    api.merge("ModelArtifact", "mnist", {"spec": {"aliases": {"best": {"version": "mnist-v2"}}}})
    kubectl_apply(control_plane, api, artifact("{aliases: {released: {version: mnist-v3}}}"))
    assert aliases(api, "ModelArtifact", "mnist") == {"released": "mnist-v3", "best": "mnist-v2"}


def test_a_stamp_belongs_to_nobodys_manifest(api: Api, control_plane):
    """The mover's stamp survives the owner's next apply, and makes no conflict for another manager."""
    kubectl_apply(control_plane, api, GIT, "--server-side")
    kubectl_apply(control_plane, api, GIT, "--server-side")
    api.apply(model("{aliases: {canary: {version: mnist-v2}}}"), manager="canary-bot")
    stamped = api.get("RegisteredModel", "digits")["metadata"]["annotations"]
    assert stamped == {
        "moved-by.modelberth.io/staging": "kubernetes-admin",
        "moved-by.modelberth.io/canary": "kubernetes-admin",
    }
