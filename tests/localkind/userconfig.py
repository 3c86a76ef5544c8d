"""The user's kubeconfig: an entry per cluster beside whatever else is in the file, written by kubectl itself."""

import os
import subprocess
from pathlib import Path

from .cluster import Cluster
from .host import LocalkindError
from .tools import bin_folder


def default_path() -> str:
    """Where kubectl looks: the first file of $KUBECONFIG, else ~/.kube/config."""
    return os.environ.get("KUBECONFIG", "").split(":")[0] or str(Path.home() / ".kube" / "config")


def context(cluster: Cluster) -> str:
    """The entry's name, as kind names it."""
    return f"kind-{cluster.name}"


def add(cluster: Cluster) -> None:
    """Write the administrator's entry, certificates included, and make it the current one."""
    file = Path(cluster.kubeconfig)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.touch(mode=0o600)
    name, pki = context(cluster), cluster.folder / "pki"
    _config(
        file,
        "set-cluster",
        name,
        f"--server={cluster.server}",
        f"--certificate-authority={pki}/ca.crt",
        "--embed-certs",
    )
    client = [f"--client-certificate={pki}/admin.crt", f"--client-key={pki}/admin.key"]
    _config(file, "set-credentials", name, *client, "--embed-certs")
    _config(file, "set-context", name, f"--cluster={name}", f"--user={name}")
    _config(file, "use-context", name)


def remove(cluster: Cluster) -> None:
    """Take the entry out again; a file that has gone or never had it is fine."""
    file = Path(cluster.kubeconfig)
    if not file.is_file() or context(cluster).encode() not in file.read_bytes():
        return
    name = context(cluster)
    for words in (["delete-context", name], ["delete-cluster", name], ["delete-user", name]):
        _config(file, *words, check=False)
    current = _config(file, "current-context", check=False)
    if current == name:
        _config(file, "unset", "current-context", check=False)


def _config(file: Path, *arguments: str, check: bool = True) -> str:
    command = [str(bin_folder() / "kubectl"), f"--kubeconfig={file}", "config", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if check and done.returncode != 0:
        raise LocalkindError(f"{file} could not be written: {done.stderr.strip()}")
    return done.stdout.strip()
