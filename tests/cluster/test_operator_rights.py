"""The operator under the chart's service account: what the chart allows is enough, and one step outside is refused."""

import re

import pytest

from tests.cluster.api_server import Api, refused
from tests.cluster.installed import OPERATOR
from tests.cluster.manifests import artifact, deployment, inline, model
from tests.cluster.operator_process import eventually, operator
from tests.cluster.registry_process import RELEASE_NAMESPACE, account_kubeconfig, install_rights, new_store

SERVER = "{containers: [{name: server, image: localhost/none:1, ports: [{name: http, containerPort: 8080}]}]}"
MANAGED = "--selector=app.kubernetes.io/managed-by=modelberth"


@pytest.fixture
def running(control_plane, admission, tmp_path):
    """The operator as the chart runs it: its account's token, an ordinary user of the store, the whole cluster."""
    install_rights(control_plane)
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_bytes(account_kubeconfig(control_plane, "modelberth-operator"))
    store = new_store(control_plane)
    keys = {"access": store.user.access_key, "secret": store.user.secret_key}
    for name, key in keys.items():
        (tmp_path / name).write_text(key)
    settings = {
        "MODELBERTH_STORE_BUCKET": store.bucket,
        "MODELBERTH_STORE_ACCESS_KEY_FILE": str(tmp_path / "access"),
        "MODELBERTH_STORE_SECRET_KEY_FILE": str(tmp_path / "secret"),
    }
    with operator(control_plane, tmp_path, namespace=RELEASE_NAMESPACE, kubeconfig=kubeconfig, **settings) as it:
        it.wait_ready()
        yield it


def test_the_charts_rules_are_enough(control_plane, api: Api, running):
    """Versions, aliases, a roll, a Service that goes again, events: nothing of it is refused."""

    def owned(kinds: str) -> list[str]:
        return control_plane.kubectl("get", kinds, MANAGED, "-n", api.namespace, "-o", "name").stdout.split()

    def serves(version: str) -> bool:
        shown = control_plane.kubectl("get", "deploy/digits-a", "-n", api.namespace, "-o", "yaml", check=False)
        return f"modelberth.io/version: {version}" in shown.stdout

    def follow(version: str) -> None:
        api.merge("RegisteredModel", "digits", {"spec": {"aliases": {"production": {"version": version}}}})
        eventually(lambda: serves(version), f"the Deployment runs {version}")

    api.create(artifact())
    for number in (1, 2):
        api.create(inline(name=f"mnist-v{number}", base=f"artifact: mnist, version: v{number}"))
    api.create(model("{aliases: {production: {version: mnist-v1}}}"))
    api.create(deployment(f"replicas: 1, template: {{spec: {SERVER}}}"))
    eventually(lambda: serves("mnist-v1"), "the Deployment runs mnist-v1")
    follow("mnist-v2")
    assert "service/digits" in owned("service")
    assert "configmap/modelberth-registry" in owned("configmap")
    assert len(owned("controllerrevision")) == 2
    without_ports = {"containers": [{"name": "server", "image": "localhost/none:1"}]}
    api.merge("ModelDeployment", "digits", {"spec": {"template": {"spec": without_ports}}})
    eventually(lambda: "service/digits" not in owned("service"), "the Service goes with the last port")
    events = ("get", "events.events.k8s.io", "-n", api.namespace, "-o=jsonpath={.items[*].regarding.kind}")
    kinds = {"ModelVersion", "RegisteredModel", "ModelDeployment"}
    eventually(lambda: kinds <= set(control_plane.kubectl(*events).stdout.split()), "an event about each kind")
    assert 'code="200"' in running.ask("/metrics")[1]
    assert 'code="403"' not in running.ask("/metrics")[1]
    assert not re.search("forbidden", running.log_file.read_text(), re.IGNORECASE)


OUTSIDE = (
    ("", "secrets", "get", "list", "create"),
    ("", "configmaps", "get", "list", "watch", "patch", "delete"),
    ("", "pods", "update", "patch", "deletecollection"),
    ("", "pods/status", "update", "patch"),
    ("", "pods/ephemeralcontainers", "update", "patch"),
    ("", "pods/log", "get"),
    ("", "pods/exec", "create"),
    ("", "serviceaccounts/token", "create"),
    ("", "services", "update", "deletecollection"),
    ("", "services/proxy", "get"),
    ("", "podtemplates", "create", "patch", "delete"),
    ("apps", "deployments", "update", "delete", "deletecollection"),
    ("apps", "deployments/scale", "update", "patch"),
    ("apps", "replicasets", "create", "patch", "delete"),
    ("modelberth.io", "modelartifacts", "create", "update", "patch", "delete"),
    ("modelberth.io", "modelversions", "update", "patch", "delete"),
    ("modelberth.io", "datasets", "create", "update", "patch", "delete"),
    ("modelberth.io", "datasetversions", "create", "update", "patch", "delete"),
    ("modelberth.io", "trainingpipelines", "create", "update", "patch", "delete"),
    ("modelberth.io", "trainingruns", "update", "patch", "deletecollection"),
    ("modelberth.io", "trainingruns/content", "get"),
    ("modelberth.io", "modelversions/content", "get"),
    ("modelberth.io", "registeredmodels", "create", "update", "patch", "delete"),
    ("modelberth.io", "modeldeployments", "create", "update", "patch", "delete"),
    ("modelberth.io", "transfersessions", "create", "update", "patch"),
    ("rbac.authorization.k8s.io", "rolebindings", "create", "patch"),
    ("coordination.k8s.io", "leases", "create", "get"),
)


@pytest.mark.parametrize(
    ("group", "resource", "verbs"), [(g, r, v) for g, r, *v in OUTSIDE], ids=[r for _, r, *_ in OUTSIDE]
)
def test_one_step_outside_is_refused(control_plane, api: Api, group: str, resource: str, verbs: list[str]):
    """In a user's namespace the authorizer refuses the operator what no reconciler does."""
    install_rights(control_plane)
    assert api.is_allowed(OPERATOR, "modelberth.io", "modelversions", "list")
    assert [verb for verb in verbs if api.is_allowed(OPERATOR, group, resource, verb)] == []


def test_a_spec_is_not_the_operators(control_plane, api: Api):
    """It writes a model's status, and is refused when it moves an alias itself."""
    install_rights(control_plane)
    api.create(model())
    own = api.as_user(OPERATOR)
    own.merge("RegisteredModel", "digits", {"status": {"summary": "production=mnist-v1"}}, subresource="/status")
    with refused(f'User "{OPERATOR}" cannot patch resource "registeredmodels"'):
        own.merge("RegisteredModel", "digits", {"spec": {"aliases": {"production": {"version": "mnist-v1"}}}})
