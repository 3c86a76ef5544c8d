"""What the e2e tests do to a cluster: kubectl, helm, push, manifests of a tiny model server, and requests from a pod."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
CHART = ROOT / "charts" / "modelberth"
PODS = Path(__file__).with_name("pods")
IMAGE = "localhost/modelberth"
TAG = "0.1.0"
MINIO_IMAGE = "localhost/minio:2026-02-12"
RELEASE_NAMESPACE = "modelberth"
STORE_NODE_PORT = 30900
REQUESTS_PER_SECOND = 25

Object = dict[str, Any]


@dataclass(frozen=True)
class Cluster:
    """The cluster of pytest-kind, and the programs that were built for it."""

    name: str
    kind: Path
    bin: Path
    kubeconfig: Path

    def kubectl(self, *arguments: str, input: str | None = None, check: bool = True) -> str:  # noqa: A002 - as in subprocess
        done = self.run(str(self.bin / "kubectl"), *arguments, input=input)
        if check and done.returncode != 0:
            raise AssertionError(f"kubectl {' '.join(arguments)}: {done.stderr.strip()}")
        return done.stdout

    def helm(self, *arguments: str) -> str:
        done = self.run(str(self.bin / "helm"), *arguments, f"--namespace={RELEASE_NAMESPACE}")
        if done.returncode != 0:
            raise AssertionError(f"helm {' '.join(arguments)}: {done.stderr.strip()}")
        return done.stdout

    def modelberth(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """The command line, as a user outside of the cluster runs it."""
        return self.run(sys.executable, "-m", "modelberth", *arguments)

    def run(self, *command: str, input: str | None = None) -> subprocess.CompletedProcess[str]:  # noqa: A002
        environment = {**os.environ, "KUBECONFIG": str(self.kubeconfig), "PYTHONPATH": str(ROOT / "operator")}
        return subprocess.run(command, input=input, env=environment, capture_output=True, text=True, check=False)

    def apply(self, namespace: str, *objects: Object) -> None:
        manifests = json.dumps({"apiVersion": "v1", "kind": "List", "items": list(objects)})
        self.kubectl("apply", f"--namespace={namespace}", "--filename=-", input=manifests)

    def get(self, namespace: str, kind: str, name: str) -> Object:
        found: Object = json.loads(self.kubectl("get", kind, name, f"--namespace={namespace}", "--output=json"))
        return found

    def list(self, namespace: str, kind: str, *options: str) -> list[Object]:
        answer = self.kubectl("get", kind, f"--namespace={namespace}", "--output=json", *options)
        found: list[Object] = json.loads(answer)["items"]
        return found

    def load(self, tag: str, dockerfile: Path, context: Path, archive: Path) -> None:
        """Build an image and bring it into the node."""
        builder = [sys.executable, str(ROOT / "tests" / "localkind" / "images.py"), "build", tag]
        options = [f"--file={dockerfile}", f"--context={context}", f"--output={archive}"]
        subprocess.run([*builder, *options], check=True)
        subprocess.run([str(self.kind), "load", "image-archive", str(archive), f"--name={self.name}"], check=True)

    def node_address(self) -> str:
        path = '{.items[0].status.addresses[?(@.type=="InternalIP")].address}'
        return self.kubectl("get", "nodes", f"--output=jsonpath={path}")

    def install(self, *values: str) -> None:
        """Install or upgrade the release, with the try-out MinIO that pods and this machine reach by the node's address."""
        settings = {
            "minio.enabled": "true",
            "minio.service.type": "NodePort",
            "minio.service.nodePort": str(STORE_NODE_PORT),
            "s3.externalEndpoint": f"http://{self.node_address()}:{STORE_NODE_PORT}",
        }
        words = [f"--set={name}={value}" for name, value in settings.items()] + [f"--set={value}" for value in values]
        self.helm("upgrade", "--install", "modelberth", str(CHART), "--wait", "--timeout=5m", *words)

    def push(self, namespace: str, folder: Path, artifact: str, *options: str) -> str:
        """`modelberth push`; returns the version's object name once it is Ready."""
        return self._push(namespace, "mver", str(folder), "--artifact", artifact, *options)

    def push_data(self, namespace: str, folder: Path, dataset: str, *options: str) -> str:
        """The same for data."""
        return self._push(namespace, "dver", str(folder), "--dataset", dataset, *options)

    def _push(self, namespace: str, kind: str, *words: str) -> str:
        done = self.modelberth("push", *words, "--namespace", namespace)
        assert done.returncode == 0, done.stderr
        name = done.stdout.split()[0]
        ready = "--for=condition=Ready"
        self.kubectl("wait", f"--namespace={namespace}", ready, f"{kind}/{name}", "--timeout=60s")
        return name

    def wait_served(self, namespace: str, model: str, version: str) -> None:
        """Until the alias production of the model is Served with this version."""

        def served() -> bool:
            status = self.get(namespace, "registeredmodel", model).get("status", {})
            alias = (status.get("aliases") or {}).get("production", {})
            return alias.get("state") == "Served" and alias.get("current") == version

        def why() -> str:
            return self.kubectl("describe", "rmod,mdep,pods", f"--namespace={namespace}")

        eventually(served, f"{model}:production is Served with {version}", explain=why)


def eventually(
    holds: Callable[[], bool], what: str, *, seconds: float = 120.0, explain: Callable[[], str] = str
) -> None:
    """Look until it holds; give up only when nothing can come any more."""
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            raise AssertionError(f"not after {seconds:.0f} s: {what}\n{explain()}")
        time.sleep(0.3)


def model_folder(parent: Path, content: str) -> Path:
    """A model: one small file."""
    folder = parent / content
    folder.mkdir()
    (folder / "model.txt").write_text(content)
    return folder


def registered_model(name: str, version: str) -> Object:
    """A RegisteredModel whose alias production stands for the version."""
    return {
        "apiVersion": "modelberth.io/v1alpha1",
        "kind": "RegisteredModel",
        "metadata": {"name": name},
        "spec": {"aliases": {"production": {"version": version}}},
    }


def model_deployment(name: str, *, replicas: int = 2) -> Object:
    """A ModelDeployment that follows production, with the tiny server under the restricted standard."""
    container = {
        "name": "server",
        "image": f"{IMAGE}:{TAG}",
        "command": ["python", "/pods/server.py"],
        "ports": [{"name": "http", "containerPort": 8080}],
        "readinessProbe": {"httpGet": {"path": "/", "port": "http"}, "periodSeconds": 1},
        # A pod that is to end answers until every node has stopped sending to it.
        "lifecycle": {"preStop": {"sleep": {"seconds": 3}}},
        "securityContext": restricted_container(),
        "volumeMounts": [{"name": "pods", "mountPath": "/pods"}],
    }
    spec = {
        "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
        "terminationGracePeriodSeconds": 10,
        "containers": [container],
        "volumes": [{"name": "pods", "configMap": {"name": "pods"}}],
    }
    return {
        "apiVersion": "modelberth.io/v1alpha1",
        "kind": "ModelDeployment",
        "metadata": {"name": name},
        "spec": {
            "model": name,
            "alias": "production",
            "replicas": replicas,
            "service": {"ports": [{"name": "http", "port": 80, "targetPort": "http"}]},
            "template": {"spec": spec},
        },
    }


def restricted_namespace(cluster: Cluster, name: str) -> None:
    """A namespace that enforces the restricted standard."""
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    cluster.apply("default", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}})


def install_release(cluster: Cluster, folder: Path) -> None:
    """Modelberth and its try-out MinIO, in a namespace that enforces the restricted standard; images by `folder`."""
    images = ROOT / "images"
    cluster.load(f"{IMAGE}:{TAG}", images / "modelberth" / "Dockerfile", ROOT, folder / "modelberth.tar")
    minio = (cluster.bin / "minio").resolve().parent
    cluster.load(MINIO_IMAGE, images / "minio" / "Dockerfile", minio, folder / "minio.tar")
    restricted_namespace(cluster, RELEASE_NAMESPACE)
    cluster.install()


def restricted_container() -> Object:
    """What a container's securityContext must say in a restricted namespace."""
    return {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}


def pod_programs() -> Object:
    """The ConfigMap with the programs of the pods."""
    data = {file.name: file.read_text() for file in sorted(PODS.glob("*.py"))}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "pods"}, "data": data}


class Requests:
    """Requests from a pod while the context is open."""

    def __init__(self, cluster: Cluster, namespace: str) -> None:
        self._cluster, self._namespace = cluster, namespace

    def outcomes(self) -> list[Object]:
        """Each request's version or error so far, in the order of answers."""
        logs = self._cluster.kubectl("logs", "asker", f"--namespace={self._namespace}")
        return [json.loads(line) for line in logs.splitlines() if line.endswith("}")]

    def versions(self) -> set[str]:
        """Who has answered so far."""
        return {outcome["version"] for outcome in self.outcomes() if "version" in outcome}

    def errors(self) -> list[str]:
        """What failed so far."""
        return [outcome["error"] for outcome in self.outcomes() if "error" in outcome]


@contextmanager
def requests(cluster: Cluster, namespace: str, service: str) -> Iterator[Requests]:
    """Ask a Service from a pod in its namespace, at a fixed rate, on fresh connections."""
    container = {
        "name": "asker",
        "image": f"{IMAGE}:{TAG}",
        "command": ["python", "/pods/ask.py", f"http://{service}/", str(REQUESTS_PER_SECOND)],
        "securityContext": restricted_container(),
        "volumeMounts": [{"name": "pods", "mountPath": "/pods"}],
    }
    spec = {
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": 1,
        "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [container],
        "volumes": [{"name": "pods", "configMap": {"name": "pods"}}],
    }
    cluster.apply(namespace, {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "asker"}, "spec": spec})
    try:
        cluster.kubectl("wait", f"--namespace={namespace}", "--for=condition=Ready", "pod/asker", "--timeout=60s")
        yield Requests(cluster, namespace)
    finally:
        cluster.kubectl("delete", "pod", "asker", f"--namespace={namespace}", "--now")
