"""Exporting what a cluster has to tell after a failed test: component logs, pod logs, objects and events."""

import shutil
import subprocess
from pathlib import Path

from . import userconfig
from .cluster import Cluster
from .tools import bin_folder

# Secrets are left out: exported logs get attached to reports.
_KINDS = (
    "nodes,namespaces,pods,deployments,replicasets,services,endpointslices,persistentvolumeclaims,persistentvolumes"
)


def export(cluster: Cluster, target: Path) -> None:
    """Write everything below `target`; what an unhealthy cluster does not give is left out, with its reason."""
    target.mkdir(parents=True, exist_ok=True)
    for source, name in (("logs", "components"), ("pod-logs", "pods")):
        folder = cluster.folder / source
        if folder.is_dir():
            shutil.copytree(folder, target / name, dirs_exist_ok=True)
    questions = {
        "objects.yaml": ["get", _KINDS, "--all-namespaces", "--output=yaml"],
        "objects.txt": ["get", _KINDS, "--all-namespaces", "--output=wide"],
        "events.txt": ["get", "events", "--all-namespaces", "--sort-by=.lastTimestamp"],
        "pods.txt": ["describe", "pods", "--all-namespaces"],
    }
    for file, question in questions.items():
        (target / file).write_text(_kubectl(cluster, *question))


def _kubectl(cluster: Cluster, *arguments: str) -> str:
    access = [f"--kubeconfig={cluster.kubeconfig}", f"--context={userconfig.context(cluster)}", "--request-timeout=10s"]
    done = subprocess.run(
        [str(bin_folder() / "kubectl"), *access, *arguments], capture_output=True, text=True, check=False
    )
    return done.stdout + done.stderr
