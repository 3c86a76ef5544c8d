"""The demo's cluster: the real kind where Docker works, tests/localkind elsewhere; and kubectl on it."""

import hashlib
import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from demo.progress import Progress
from demo.shell import ROOT, run

NAME = "modelberth-demo"
STATE = ROOT / ".cache" / "demo"
KUBECONFIG = STATE / "kubeconfig"
LOCALKIND = ROOT / "tests" / "localkind" / "localkind"


@dataclass(frozen=True)
class Cluster:
    """A running cluster.

    Attributes:
        name: what kind calls it.
        kubeconfig: a kubeconfig file of its administrator.
        kind: the executable that made it: kind or localkind.
        bin: the folder with kubectl and helm.
        state: a folder for what belongs to this cluster.
    """

    name: str
    kubeconfig: Path
    kind: Path
    bin: Path
    state: Path

    def kubectl(self, *arguments: str, input: str | None = None) -> str:  # noqa: A002 - the name in subprocess
        """Run kubectl as the cluster's administrator and return what it prints.

        Raises:
            CommandError: in kubectl's words.
        """
        return run([*self.kubectl_command(), *arguments], input=input)

    def kubectl_command(self) -> list[str]:
        """The words a kubectl command on this cluster begins with."""
        return [str(self.bin / "kubectl"), f"--kubeconfig={self.kubeconfig}"]

    def modelberth(self, *arguments: str | Path, progress: Progress | None = None) -> str:
        """Run the command line as any user would, and return what it prints.

        Raises:
            CommandError: in its words.
        """
        command = [sys.executable, "-m", "modelberth", *arguments]
        return run(command, environment={"KUBECONFIG": str(self.kubeconfig)}, progress=progress)

    def get(self, kind: str, name: str, namespace: str | None = None) -> dict[str, Any]:
        """One object as JSON."""
        where = ["--namespace", namespace] if namespace else []
        answer: dict[str, Any] = json.loads(self.kubectl("get", kind, name, *where, "--output=json"))
        return answer

    def node_address(self) -> str:
        """The first node's address, which this machine and pods reach alike."""
        path = '{.items[0].status.addresses[?(@.type=="InternalIP")].address}'
        return self.kubectl("get", "nodes", f"--output=jsonpath={path}").strip()

    def load(self, archive: Path, progress: Progress) -> bool:
        """Bring an image into the node; False if this very archive was brought in before."""
        loaded = self.state / f"{archive.stem}.loaded"
        with archive.open("rb") as file:
            identity = hashlib.file_digest(file, "sha256").hexdigest()
        if loaded.exists() and loaded.read_text() == identity:
            return False
        run([self.kind, "load", "image-archive", archive, "--name", self.name], progress=progress)
        loaded.write_text(identity)
        return True


def start(progress: Progress) -> Cluster:
    """Create the cluster, or find it running from an earlier demo."""
    STATE.mkdir(parents=True, exist_ok=True)
    kind = _kind()
    with progress.step("building kubectl, helm, MinIO and the cluster's programs (11 minutes once, then cached)"):
        folder = Path(run([LOCALKIND, "build", *_programs(kind)], progress=progress).strip())
    cluster = Cluster(name=NAME, kubeconfig=KUBECONFIG, kind=kind, bin=folder, state=STATE)
    if NAME in run([kind, "get", "clusters"]).split():
        with progress.step("finding the cluster of an earlier demo"):
            cluster.kubectl("get", "nodes")
        return cluster
    for marker in STATE.glob("*.loaded"):
        marker.unlink()
    with progress.step(f"starting a Kubernetes cluster with {kind.name}"):
        run([kind, "create", "cluster", "--name", NAME, "--kubeconfig", KUBECONFIG], progress=progress)
        cluster.kubectl("wait", "--for=condition=Ready", "node", "--all", "--timeout=120s")
    return cluster


def stop(progress: Progress) -> None:
    """Remove the cluster with everything in it, and what the demo wrote."""
    with progress.step(f"removing cluster {NAME}"):
        run([_kind(), "delete", "cluster", "--name", NAME, "--kubeconfig", KUBECONFIG], progress=progress)
        shutil.rmtree(STATE, ignore_errors=True)


def _kind() -> Path:
    """The real kind needs a Docker engine; the client alone does not help."""
    found = shutil.which("kind")
    probe = ["docker", "version", "--format", "{{.Server.Version}}"]
    if found and shutil.which("docker") and subprocess.run(probe, capture_output=True, check=False).returncode == 0:
        return Path(found)
    return LOCALKIND


def _programs(kind: Path) -> list[str]:
    return ["kubectl", "helm", "minio"] if kind != LOCALKIND else []
