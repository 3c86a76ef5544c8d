"""The cluster without Docker, with a node: pods, volumes, names, Services, and a second cluster beside it."""

import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.localkind.fixture import LOCALKIND, RunningCluster, localkind, temporary_cluster

IMAGE = "localhost/localkind-test:1"
DOCKERFILE = """
ARG BASE=python:3.13-slim-trixie
FROM ${BASE}
RUN python -m venv /venv && /venv/bin/pip --version
COPY serve.py /serve.py
USER 65532:65532
CMD ["/venv/bin/python", "/serve.py"]
"""
SERVE = """
import http.server
print("serving", flush=True)
http.server.test(http.server.SimpleHTTPRequestHandler, http.server.ThreadingHTTPServer, port=8080)
"""


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The test's image, built from a Dockerfile like the repository's own."""
    context = tmp_path_factory.mktemp("context")
    (context / "Dockerfile").write_text(DOCKERFILE)
    (context / "serve.py").write_text(SERVE)
    target = context / "image.tar"
    build = ["build", IMAGE, f"--file={context}/Dockerfile", f"--context={context}", f"--output={target}"]
    subprocess.run([sys.executable, str(LOCALKIND.with_name("images.py")), *build], check=True)
    return target


@pytest.fixture(scope="module")
def node(archive: Path) -> Iterator[RunningCluster]:
    """A cluster with a node that has the image, and a restricted namespace with the workload."""
    with temporary_cluster("node") as cluster:
        run_workload(cluster, archive)
        yield cluster


def run_workload(cluster: RunningCluster, archive: Path) -> None:
    localkind("load", "image-archive", str(archive), f"--name={cluster.name}")
    manifests = {"apiVersion": "v1", "kind": "List", "items": workload()}
    cluster.kubectl("apply", "-f-", input=json.dumps(manifests))
    cluster.kubectl("rollout", "status", "deployment/web", "--namespace=web", "--timeout=60s")


def workload() -> list[dict[str, Any]]:
    """A namespace that enforces the restricted Pod Security Standard, and a Deployment with claim and Service in it."""
    labels = {"app": "web"}
    pod = {
        "securityContext": {"runAsNonRoot": True, "fsGroup": 2000, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [
            {
                "name": "web",
                "image": IMAGE,
                "imagePullPolicy": "Never",
                "workingDir": "/data",
                "securityContext": {
                    "allowPrivilegeEscalation": False,
                    "readOnlyRootFilesystem": True,
                    "capabilities": {"drop": ["ALL"]},
                },
                "readinessProbe": {"httpGet": {"path": "/", "port": 8080}, "periodSeconds": 1},
                "volumeMounts": [{"name": "data", "mountPath": "/data"}],
                "resources": {"limits": {"memory": "128Mi", "cpu": "500m"}},
            }
        ],
        "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}],
    }
    enforce = {"pod-security.kubernetes.io/enforce": "restricted"}
    claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    template = {"metadata": {"labels": labels}, "spec": pod}
    deployment = {"replicas": 2, "selector": {"matchLabels": labels}, "template": template}
    metadata = {"namespace": "web"}
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "web", "labels": enforce}},
        {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "data", **metadata}, "spec": claim},
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "web", **metadata},
            "spec": {"selector": labels, "ports": [{"port": 80, "targetPort": 8080}]},
        },
        {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", **metadata}, "spec": deployment},
    ]


def in_pod(cluster: RunningCluster, program: str) -> str:
    """Run a Python program in one of the workload's pods and return what it printed."""
    python = ["/venv/bin/python", "-c", program]
    return cluster.kubectl("exec", "--namespace=web", "deployment/web", "--", *python).stdout.strip()


def service_url(cluster: RunningCluster) -> str:
    jsonpath = "-ojsonpath=http://{.spec.clusterIP}/"
    return cluster.kubectl("get", "service", "web", "--namespace=web", jsonpath).stdout


def fetch(url: str) -> str:
    with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 - http
        return str(answer.read().decode())


def test_pods_run_restricted_and_share_a_volume_that_they_can_write(node: RunningCluster) -> None:
    """A claim of the default class binds, and pods without root write what every pod behind the Service serves."""
    in_pod(node, "open('/data/hello', 'w').write('from the volume')")
    url = service_url(node)
    assert {fetch(url + "hello") for _ in range(8)} == {"from the volume"}


def test_names_and_services_work_inside_pods(node: RunningCluster) -> None:
    """A pod finds a Service by name, also its own; and MinIO at the address that the host uses."""
    fetch_by_name = "import urllib.request as r; print(r.urlopen('http://{}', timeout=10).status)"
    for _ in range(4):  # either pod is picked, the asking one included
        assert in_pod(node, fetch_by_name.format("web.web.svc.cluster.local")) == "200"
    assert in_pod(node, fetch_by_name.format(f"{node.info['nodeIP']}:9000/minio/health/ready")) == "200"
    missing = "import socket\ntry: socket.gethostbyname('example.org')\nexcept socket.gaierror: print('no such name')"
    assert in_pod(node, missing) == "no such name"


def test_logs_and_port_forward_reach_the_kubelet(node: RunningCluster) -> None:
    """Logs and port-forward of kubectl work through the API server."""
    assert "serving" in node.kubectl("logs", "--namespace=web", "deployment/web").stdout
    forward = [str(node.bin / "kubectl"), f"--kubeconfig={node.kubeconfig}", "port-forward", "--namespace=web"]
    with subprocess.Popen([*forward, "deployment/web", ":8080"], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        address = process.stdout.readline().split()[2]  # Forwarding from 127.0.0.1:40000 -> 8080
        assert "<html" in fetch(f"http://{address}/").lower()
        process.terminate()


def test_a_released_volume_goes_with_its_files(node: RunningCluster) -> None:
    """Deleting a claim deletes its volume and the folder behind it."""
    claim = next(each for each in workload() if each["kind"] == "PersistentVolumeClaim")
    claim["metadata"]["name"] = "short-lived"
    node.kubectl("apply", "-f-", input=json.dumps(claim))
    bound = "--for=jsonpath={.status.phase}=Bound"
    node.kubectl("wait", "pvc/short-lived", "--namespace=web", bound, "--timeout=30s")
    volume = node.kubectl("get", "pvc", "short-lived", "--namespace=web", "-ojsonpath={.spec.volumeName}").stdout
    folder = Path(node.info["state"]) / "volumes" / volume
    assert folder.is_dir()
    node.kubectl("delete", "pvc", "short-lived", "--namespace=web")
    node.kubectl("wait", f"pv/{volume}", "--for=delete", "--timeout=30s")
    assert not folder.exists()


def test_a_second_node_beside_the_first_routes_its_own_services(node: RunningCluster, archive: Path) -> None:
    """Two clusters with nodes run the same workload at the same time, and the end of one leaves the other serving."""
    in_pod(node, "open('/data/name', 'w').write('first')")
    with temporary_cluster("node") as other:
        run_workload(other, archive)
        in_pod(other, "open('/data/name', 'w').write('second')")
        assert fetch(service_url(other) + "name") == "second"
        assert fetch(service_url(node) + "name") == "first"
    assert not Path(other.info["state"]).exists()
    assert list(Path("/sys/fs/cgroup").glob(f"**/localkind-{other.name}")) == []
    assert fetch(service_url(node) + "name") == "first"


def test_exports_what_a_cluster_has_to_tell(node: RunningCluster, tmp_path: Path) -> None:
    """Logs of components and pods, objects and events are written where they were asked for."""
    localkind("export", "logs", str(tmp_path / "logs"), f"--name={node.name}")
    assert (tmp_path / "logs" / "components" / "kubelet.log").stat().st_size > 0
    pods = list((tmp_path / "logs" / "pods").glob("web_web-*/web/0.log"))
    assert any("serving" in log.read_text() for log in pods)
    assert "deployment.apps/web" in (tmp_path / "logs" / "objects.txt").read_text()
