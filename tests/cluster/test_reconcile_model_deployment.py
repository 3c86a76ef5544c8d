"""ModelDeployments against a real API server: its admission, its field ownership, its words."""

import json
import secrets
from pathlib import Path

import pytest

from modelberth.runtime.kube_client import KubeClient
from modelberth.runtime.kubeconfig import load_connection
from modelberth.runtime.resources import DEPLOYMENTS, MODEL_DEPLOYMENTS, REGISTERED_MODELS, SERVICES
from modelberth.store.types import ContentSummary
from tests.cluster.reconciling import MemoryStore, Operator

CRDS = Path(__file__).parents[2] / "crds"
DIGEST = {n: "sha256:" + str(n) * 64 for n in (3, 4)}
SERVER = {"name": "server", "image": "localhost/pause:1", "ports": [{"containerPort": 8080}]}


@pytest.fixture(scope="module")
def cluster(control_plane):
    control_plane.kubectl("apply", "-f", str(CRDS))
    control_plane.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=30s")
    return control_plane


@pytest.fixture
def shop(cluster):
    """A namespace with two stored versions of mnist, aliased by nothing yet."""
    name = f"shop-{secrets.token_hex(3)}"
    cluster.make_namespace(name)
    _apply(cluster, name, _kind("ModelArtifact", "mnist", {}))
    for number, digest in DIGEST.items():
        spec = {"artifact": "mnist", "version": f"v{number}", "digest": digest, "source": {"pushed": {}}}
        _apply(cluster, name, _kind("ModelVersion", f"mnist-v{number}", spec))
    yield name
    cluster.kubectl("delete", "namespace", name, "--wait=false")


@pytest.fixture
async def kube(cluster):
    async with KubeClient(load_connection(str(cluster.kubeconfig))) as client:
        yield client


@pytest.fixture
def operator(kube, shop):
    store = MemoryStore()
    store.contents = {digest: ContentSummary(digest, 1, 1000, 1000) for digest in DIGEST.values()}
    return Operator(kube, shop, store)


def _kind(kind, name, spec):
    return {"apiVersion": "modelberth.io/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": spec}


def _apply(cluster, namespace, *objects):
    items = {"apiVersion": "v1", "kind": "List", "items": list(objects)}
    cluster.kubectl("apply", f"--namespace={namespace}", "-f-", input=json.dumps(items))


def _alias(cluster, namespace, version):
    _apply(cluster, namespace, _kind("RegisteredModel", "digits", {"aliases": {"production": {"version": version}}}))


def _deploy(cluster, namespace, *, container=SERVER, **spec):
    template = {"spec": {"containers": [container]}}
    _apply(
        cluster,
        namespace,
        _kind("ModelDeployment", "web", {"model": "digits", "alias": "production", "template": template, **spec}),
    )


async def test_an_alias_rolls_the_deployment_and_back_to_the_same_template(cluster, shop, operator, kube):
    """The template of the first version comes back word for word, so its ReplicaSet is found again."""
    _alias(cluster, shop, "mnist-v3")
    _deploy(cluster, shop)
    await operator.settle()
    first = await kube.get(DEPLOYMENTS, shop, "web-a")
    assert first["metadata"]["annotations"]["modelberth.io/digest"] == DIGEST[3]
    _alias(cluster, shop, "mnist-v4")
    await operator.settle()
    second = await kube.get(DEPLOYMENTS, shop, "web-a")
    assert second["metadata"]["annotations"]["modelberth.io/digest"] == DIGEST[4]
    _alias(cluster, shop, "mnist-v3")
    await operator.settle()
    third = await kube.get(DEPLOYMENTS, shop, "web-a")
    assert third["spec"]["template"] == first["spec"]["template"]


async def test_an_upgraded_operator_changes_no_pod_template(cluster, shop, operator, kube):
    """Another loader image reaches only new revisions; the Deployment keeps its generation."""
    _alias(cluster, shop, "mnist-v3")
    _deploy(cluster, shop)
    await operator.settle()
    before = await kube.get(DEPLOYMENTS, shop, "web-a")
    await Operator(kube, shop, operator.store, loader_image="localhost/modelberth:2").settle()
    after = await kube.get(DEPLOYMENTS, shop, "web-a")
    assert after["metadata"]["generation"] == before["metadata"]["generation"]
    assert after["spec"] == before["spec"]


async def test_a_field_that_the_template_no_longer_has_goes_away(cluster, shop, operator, kube):
    """A POST would have left a second owner of it; the claim leaves none."""
    _alias(cluster, shop, "mnist-v3")
    _deploy(cluster, shop, container={**SERVER, "env": [{"name": "DEBUG", "value": "1"}]})
    await operator.settle()
    _deploy(cluster, shop)
    await operator.settle()
    container = (await kube.get(DEPLOYMENTS, shop, "web-a"))["spec"]["template"]["spec"]["containers"][0]
    assert "DEBUG" not in [entry["name"] for entry in container["env"]]


async def test_a_template_that_the_api_server_refuses_is_told_in_its_words(cluster, shop, operator, kube):
    """And the Deployment that serves is not touched, nor is anything else written."""
    _alias(cluster, shop, "mnist-v3")
    _deploy(cluster, shop)
    await operator.settle()
    before = await kube.get(DEPLOYMENTS, shop, "web-a")
    _deploy(cluster, shop, container={**SERVER, "imagePolicy": "Always"})
    await operator.settle()
    status = (await kube.get(MODEL_DEPLOYMENTS, shop, "web"))["status"]
    ready = next(c for c in status["conditions"] if c["type"] == "Ready")
    assert (status["state"], ready["reason"]) == ("Blocked", "TemplateRefused")
    assert '.spec.template.spec.containers[name="server"].imagePolicy: field not declared' in ready["message"]
    assert await kube.get(DEPLOYMENTS, shop, "web-a") == before


async def test_somebody_elses_deployment_is_left_alone(cluster, shop, operator, kube):
    """NameTaken, and not one field of it is taken over."""
    labels = {"app": "theirs"}
    theirs = {
        "selector": {"matchLabels": labels},
        "template": {"metadata": {"labels": labels}, "spec": {"containers": [SERVER]}},
    }
    _apply(
        cluster, shop, {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web-a"}, "spec": theirs}
    )
    before = await kube.get(DEPLOYMENTS, shop, "web-a")
    _alias(cluster, shop, "mnist-v3")
    _deploy(cluster, shop)
    await operator.settle()
    status = (await kube.get(MODEL_DEPLOYMENTS, shop, "web"))["status"]
    assert next(c["reason"] for c in status["conditions"] if c["type"] == "Ready") == "NameTaken"
    after = await kube.get(DEPLOYMENTS, shop, "web-a")
    assert not [entry for entry in after["metadata"]["managedFields"] if entry["manager"].startswith("modelberth")]
    assert after["spec"] == before["spec"]


async def test_replicas_left_out_stay_as_they_are(cluster, shop, operator, kube):
    """An autoscaler takes over from five pods, not from one."""
    _alias(cluster, shop, "mnist-v3")
    _deploy(cluster, shop, replicas=5)
    await operator.settle()
    _deploy(cluster, shop)
    await operator.settle()
    assert (await kube.get(DEPLOYMENTS, shop, "web-a"))["spec"]["replicas"] == 5
    cluster.kubectl("scale", f"--namespace={shop}", "deployment/web-a", "--replicas=3")
    await operator.settle()
    assert (await kube.get(DEPLOYMENTS, shop, "web-a"))["spec"]["replicas"] == 3


async def test_what_somebody_changes_by_hand_is_put_right(cluster, shop, operator, kube):
    """An edited image and a deleted Service come back."""
    _alias(cluster, shop, "mnist-v3")
    _deploy(cluster, shop)
    await operator.settle()
    before = await kube.get(DEPLOYMENTS, shop, "web-a")
    cluster.kubectl("set", "image", f"--namespace={shop}", "deployment/web-a", "server=localhost/other:1")
    cluster.kubectl("delete", "service", f"--namespace={shop}", "web")
    await operator.settle()
    after = await kube.get(DEPLOYMENTS, shop, "web-a")
    assert after["spec"]["template"] == before["spec"]["template"]
    assert await kube.get(SERVICES, shop, "web") is not None


async def test_the_status_is_stored_as_it_was_written(cluster, shop, operator, kube):
    """Nothing of it is pruned or changed by the API server; otherwise every reconcile would write it again."""
    _alias(cluster, shop, "mnist-v3")
    _deploy(cluster, shop)
    await operator.settle()
    for resource, name in ((MODEL_DEPLOYMENTS, "web"), (REGISTERED_MODELS, "digits")):
        before = await kube.get(resource, shop, name)
        await Operator(kube, shop, operator.store).settle()
        after = await kube.get(resource, shop, name)
        assert after["metadata"]["resourceVersion"] == before["metadata"]["resourceVersion"]


async def test_moves_are_recorded_once_and_shown(cluster, shop, operator, kube):
    """In the bucket's order; the status shows the newest first."""
    for version in ("mnist-v3", "mnist-v4", "mnist-v3"):
        _alias(cluster, shop, version)
        await operator.settle()
    [entries] = operator.store.entries.values()
    assert [(e.sequence, e.event, e.version) for e in entries] == [
        (1, "Moved", "mnist-v3"),
        (2, "Moved", "mnist-v4"),
        (3, "Moved", "mnist-v3"),
    ]
    history = (await kube.get(REGISTERED_MODELS, shop, "digits"))["status"]["aliases"]["production"]["history"]
    assert [entry["sequence"] for entry in history] == [3, 2, 1]


async def test_deleting_a_deployment_takes_what_it_owns(cluster, shop, operator, kube):
    """By the collector: there is no finalizer that could hang."""
    _alias(cluster, shop, "mnist-v3")
    _deploy(cluster, shop)
    await operator.settle()
    cluster.kubectl("delete", "modeldeployment", f"--namespace={shop}", "web", "--cascade=foreground", "--timeout=30s")
    assert await kube.get(DEPLOYMENTS, shop, "web-a") is None
    assert await kube.get(SERVICES, shop, "web") is None
