"""The chart's CRDs and admission policies on the control plane, without the parts that run."""

import subprocess
import uuid
from collections.abc import Iterator

import pytest
import yaml

from tests.cluster.api_server import Api, RefusedError, connect, wait_until
from tests.localkind.fixture import RunningCluster

RELEASE_NAMESPACE = "modelberth"
MUTATING_POLICIES = "admissionregistration.k8s.io/v1/MutatingAdmissionPolicy"
OPERATOR = f"system:serviceaccount:{RELEASE_NAMESPACE}:modelberth-operator"


def rendered(cluster: RunningCluster, *api_versions: str) -> list[dict]:
    """What the chart's CRD and admission templates give on an API server that serves these as well."""
    text = subprocess.run(
        [
            *(str(cluster.bin / "helm"), "template", "modelberth", "charts/modelberth"),
            *("--namespace", RELEASE_NAMESPACE, "--set", "s3.endpoint=https://s3.example.com"),
            *(f"--api-versions={served}" for served in api_versions),
        ],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    return [
        obj
        for obj in yaml.safe_load_all(text)
        if obj and ("AdmissionPolicy" in obj["kind"] or obj["kind"] == "CustomResourceDefinition")
    ]


def is_enforced(api: Api) -> bool:
    """Whether the two policies that were applied last are at work: a new policy takes about a second."""
    session = {
        "apiVersion": "modelberth.io/v1alpha1",
        "kind": "TransferSession",
        "metadata": {"name": "probe"},
        "spec": {"operation": "Pull", "user": "somebody-else", "secretHash": "0" * 64},
    }
    model = {
        "apiVersion": "modelberth.io/v1alpha1",
        "kind": "RegisteredModel",
        "metadata": {"name": "probe"},
        "spec": {"aliases": {"probe": {"version": "probe-v0"}}},
    }
    try:
        stamped = "annotations" in api.create(model, dry_run=True)["metadata"]
        api.create(session, dry_run=True)
    except RefusedError as refusal:
        return "spec.user" in str(refusal) and stamped
    return False


@pytest.fixture(scope="session")
def admission(control_plane: RunningCluster) -> Iterator[Api]:
    """The administrator's client, once kinds are served and policies enforced."""
    objects = rendered(control_plane, MUTATING_POLICIES)
    objects.sort(key=lambda obj: (obj["kind"] != "CustomResourceDefinition", "transfer" in obj["metadata"]["name"]))
    manifest = yaml.safe_dump_all(objects)
    control_plane.kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", input=manifest)
    names = [obj["metadata"]["name"] for obj in objects if obj["kind"] == "CustomResourceDefinition"]
    control_plane.kubectl("wait", "--for=condition=Established", "--timeout=30s", "crd", *names)
    with connect(control_plane.kubeconfig) as http:
        api = Api(http, "default")
        wait_until(lambda: is_enforced(api), "the admission policies are enforced")
        yield api


@pytest.fixture
def api(admission: Api) -> Iterator[Api]:
    """The administrator's client in a namespace of the test's own."""
    name = f"admission-{uuid.uuid4().hex[:8]}"
    admission.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    own = Api(admission.http, name)
    yield own
    admission.delete("Namespace", name)
