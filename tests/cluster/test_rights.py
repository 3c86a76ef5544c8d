"""The chart's rights on the real authorizer: what each part needs is granted, and one step outside is refused.

That the parts get along with exactly these rights is what the e2e tier shows: there they run under these accounts.
"""

from collections.abc import Iterator

import httpx
import pytest

from tests.cluster.api_server import connect, wait_until
from tests.cluster.registry_process import RELEASE_NAMESPACE, install_rights
from tests.localkind.fixture import RunningCluster

OPERATOR = f"system:serviceaccount:{RELEASE_NAMESPACE}:modelberth-operator"
REGISTRY = f"system:serviceaccount:{RELEASE_NAMESPACE}:modelberth-registry"
OWN, USERS = RELEASE_NAMESPACE, "somebodys"

# verb, resource[/subresource][.group], namespace, name
OPERATOR_MAY = [
    *[
        ("list", f"{kind}.modelberth.io", "", "")
        for kind in ("modelversions", "datasets", "datasetversions", "registeredmodels", "modeldeployments")
    ],
    *[
        ("patch", f"{kind}/status.modelberth.io", USERS, "")
        for kind in ("modelartifacts", "datasets", "datasetversions", "modeldeployments")
    ],
    ("delete", "transfersessions.modelberth.io", USERS, ""),
    *[(verb, "deployments.apps", USERS, "") for verb in ("list", "watch", "create", "patch")],
    *[(verb, "services", USERS, "") for verb in ("list", "watch", "create", "patch", "delete")],
    *[(verb, "controllerrevisions.apps", USERS, "") for verb in ("list", "create", "delete")],
    ("list", "replicasets.apps", "", ""),
    *[(verb, "pods", USERS, "") for verb in ("list", "watch", "create", "delete")],  # of training runs
    ("create", "modelversions.modelberth.io", USERS, ""),  # what training makes
    ("list", "podtemplates", "", ""),
    ("create", "configmaps", USERS, "modelberth-registry"),
    ("patch", "configmaps", USERS, "modelberth-registry"),
    ("create", "events.events.k8s.io", USERS, ""),
    ("get", "namespaces", "", "kube-system"),
    ("create", "leases.coordination.k8s.io", OWN, ""),
    ("patch", "leases.coordination.k8s.io", OWN, "modelberth-operator"),
    ("patch", "secrets", OWN, "modelberth-ca"),
]
OPERATOR_MAY_NOT = [
    *[("create", f"{kind}.modelberth.io", USERS, "") for kind in ("datasets", "registeredmodels", "modeldeployments")],
    *[(verb, "datasetversions.modelberth.io", USERS, "") for verb in ("create", "patch", "delete")],
    *[
        ("patch", f"{kind}.modelberth.io", USERS, "")
        for kind in ("modelversions", "registeredmodels", "modeldeployments")
    ],
    *[
        ("delete", f"{kind}.modelberth.io", USERS, "")
        for kind in ("modelartifacts", "modelversions", "modeldeployments")
    ],
    *[(verb, "secrets", USERS, "anything") for verb in ("get", "list", "create", "patch")],
    ("get", "secrets", OWN, "modelberth-store"),
    ("list", "secrets", OWN, ""),
    ("patch", "configmaps", USERS, "somebodys-own"),
    ("get", "configmaps", USERS, "somebodys-own"),
    ("delete", "configmaps", USERS, "modelberth-registry"),
    ("patch", "pods", USERS, ""),
    ("create", "pods/exec", USERS, ""),
    ("get", "pods/log", USERS, ""),
    ("patch", "replicasets.apps", USERS, ""),
    ("create", "jobs.batch", USERS, ""),
    ("patch", "podtemplates", USERS, ""),
    ("list", "namespaces", "", ""),
    ("delete", "namespaces", "", USERS),
    ("patch", "leases.coordination.k8s.io", OWN, "another"),
    ("patch", "leases.coordination.k8s.io", USERS, "modelberth-operator"),
    ("create", "serviceaccounts/token", USERS, ""),
    ("create", "clusterrolebindings.rbac.authorization.k8s.io", "", ""),
    ("impersonate", "users", "", "anybody"),
]
REGISTRY_MAY = [
    *[
        ("get", f"{kind}.modelberth.io", USERS, "")
        for kind in (
            *("registeredmodels", "modelartifacts", "modelversions", "datasets", "datasetversions"),
            *("trainingruns", "transfersessions"),
        )
    ],
    ("create", "tokenreviews.authentication.k8s.io", "", ""),
    ("create", "subjectaccessreviews.authorization.k8s.io", "", ""),
    ("get", "namespaces", "", USERS),
]
REGISTRY_MAY_NOT = [
    *[("list", f"{kind}.modelberth.io", USERS, "") for kind in ("modelversions", "transfersessions")],
    *[("patch", f"{kind}/status.modelberth.io", USERS, "") for kind in ("modelversions", "transfersessions")],
    *[(verb, "secrets", OWN, "modelberth-store") for verb in ("get", "list")],
    ("get", "secrets", OWN, "modelberth-ca"),
    ("get", "pods", USERS, ""),
    ("create", "events.events.k8s.io", USERS, ""),
    ("get", "modelversions/content.modelberth.io", USERS, ""),
    ("impersonate", "groups", "", "modelberth.io:namespace-pods"),
]


@pytest.fixture(scope="module")
def http(control_plane: RunningCluster) -> Iterator[httpx.Client]:
    install_rights(control_plane)
    with connect(control_plane.kubeconfig) as client:
        # Bindings reach the authorizer one after the other, a moment later; each of these comes through another one.
        for user, request in (
            (OPERATOR, OPERATOR_MAY[0]),
            (OPERATOR, OPERATOR_MAY[-1]),
            (OPERATOR, ("get", "namespaces", "", "kube-system")),
            (REGISTRY, REGISTRY_MAY[0]),
            (REGISTRY, REGISTRY_MAY[-1]),
        ):
            wait_until(lambda user=user, request=request: may(client, user, request), f"{user} may {request}")
        yield client


def may(http: httpx.Client, user: str, request: tuple[str, str, str, str], *, groups: tuple[str, ...] = ()) -> bool:
    """What the authorizer says."""
    verb, resource, namespace, name = request
    plural, _, group = resource.partition(".")
    plural, _, subresource = plural.partition("/")
    attributes = {"verb": verb, "resource": plural, "subresource": subresource, "group": group}
    attributes |= {"namespace": namespace, "name": name}
    review = {"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview"}
    spec = {"user": user, "groups": ["system:authenticated", *groups], "resourceAttributes": attributes}
    answer = http.post("/apis/authorization.k8s.io/v1/subjectaccessreviews", json={**review, "spec": spec})
    answer.raise_for_status()
    return bool(answer.json()["status"]["allowed"])


@pytest.mark.parametrize("request_", OPERATOR_MAY, ids=" ".join)
def test_the_operator_may_do_its_work(http: httpx.Client, request_: tuple[str, str, str, str]) -> None:
    """What its reconcilers do is granted."""
    assert may(http, OPERATOR, request_)


@pytest.mark.parametrize("request_", OPERATOR_MAY_NOT, ids=" ".join)
def test_the_operator_may_do_nothing_else(http: httpx.Client, request_: tuple[str, str, str, str]) -> None:
    """One step outside of its work is refused: it changes no spec and no pod, reads no Secret of users."""
    assert not may(http, OPERATOR, request_)


@pytest.mark.parametrize("request_", REGISTRY_MAY, ids=" ".join)
def test_the_registry_may_look_up_and_ask(http: httpx.Client, request_: tuple[str, str, str, str]) -> None:
    """What it needs to know who asks for what is granted."""
    assert may(http, REGISTRY, request_)


@pytest.mark.parametrize("request_", REGISTRY_MAY_NOT, ids=" ".join)
def test_the_registry_may_do_nothing_else(http: httpx.Client, request_: tuple[str, str, str, str]) -> None:
    """It lists nothing, writes nothing, and cannot be anybody else."""
    assert not may(http, REGISTRY, request_)


def test_the_namespaces_own_pods_may_read_content_and_nothing_more(http: httpx.Client) -> None:
    """The group that the registry adds for a namespace's own pods reads versions, and not what runs left."""
    group = ("modelberth.io:namespace-pods",)
    pod = f"system:serviceaccount:{USERS}:default"
    for kind in ("modelversions", "datasetversions"):
        content = ("get", f"{kind}/content.modelberth.io", USERS, "")
        assert may(http, pod, content, groups=group)
        assert not may(http, pod, content)
    assert not may(http, pod, ("get", "trainingruns/content.modelberth.io", USERS, ""), groups=group)
    assert not may(http, pod, ("get", "modelversions.modelberth.io", USERS, ""), groups=group)


def test_everybody_may_reach_the_registry_through_the_api_server(http: httpx.Client) -> None:
    """The service proxy is open to who is authenticated, for this one Service and no other."""
    for verb in ("get", "create", "update"):
        assert may(http, "anybody", (verb, "services/proxy", OWN, "https:modelberth-registry:443"))
    assert not may(http, "anybody", ("get", "services/proxy", OWN, "modelberth-operator-metrics"))
    assert not may(http, "anybody", ("delete", "services/proxy", OWN, "https:modelberth-registry:443"))
