"""What is known about one cluster: its record on disk, its addresses, and the lock that makes its changes exclusive.

Everything of a cluster stands below one folder, `<state root>/<name>/`. Inside the cluster's namespaces that folder is
`/run/localkind`, so paths in configuration are the same for all clusters and short enough for unix sockets.
"""

import contextlib
import fcntl
import ipaddress
import json
import os
import re
import subprocess
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from .host import LocalkindError, say

INSIDE = Path("/run/localkind")
LEVELS = ("control-plane", "node")
_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?")
_FIRST_NETWORK = 160  # 10.160.0.0/16 and up: clear of the defaults of Docker, kind, minikube, k3s and OpenShift
_NETWORKS = 64


@dataclass(frozen=True)
class Cluster:
    """The record of a cluster: what cannot be computed from anything else.

    Attributes:
        name: the name given by the user.
        level: `control-plane` (no nodes) or `node`.
        network: second octet of its own 10.x.0.0/16.
        minio_secret: MinIO's root password; the user's name is always `localkind`.
        kubeconfig: the user's kubeconfig file that has an entry for this cluster.
        ready: whether its creation came to the end.
    """

    name: str
    level: str
    network: int
    minio_secret: str
    kubeconfig: str
    ready: bool = False

    @property
    def folder(self) -> Path:
        """Its state on the host."""
        return state_root() / self.name

    @property
    def node_name(self) -> str:
        """The name of its only node, as kind would call it."""
        return f"{self.name}-control-plane"

    @property
    def cidr(self) -> str:
        """All its addresses: pods, Services and the link to the host."""
        return f"10.{self.network}.0.0/16"

    @property
    def pod_cidr(self) -> str:
        """Addresses of pods."""
        return f"10.{self.network}.0.0/17"

    @property
    def service_cidr(self) -> str:
        """Addresses of Services."""
        return f"10.{self.network}.128.0/18"

    @property
    def service_ip(self) -> str:
        """The API server's Service."""
        return f"10.{self.network}.128.1"

    @property
    def dns_ip(self) -> str:
        """The Service of the cluster's DNS."""
        return f"10.{self.network}.128.10"

    @property
    def host_ip(self) -> str:
        """The host, as seen from the cluster: what an EndpointSlice to a process of the host names."""
        return f"10.{self.network}.255.1"

    @property
    def node_ip(self) -> str:
        """The node, reachable from the host and from pods: API server and MinIO listen here."""
        return f"10.{self.network}.255.2"

    @property
    def server(self) -> str:
        """The API server's URL."""
        return f"https://{self.node_ip}:6443"

    @property
    def minio_endpoint(self) -> str:
        """MinIO's URL, the same from the host and from pods."""
        return f"http://{self.node_ip}:9000"

    @property
    def link(self) -> str:
        """The host's end of the veth pair."""
        return f"localkind{self.network}"

    @property
    def cgroup(self) -> str:
        """The cgroup that holds the pods' cgroups."""
        return f"localkind-{self.name}"

    def save(self) -> None:
        """Write the record so that a reader sees the old or the new one, readable by its owner only."""
        fresh = self.folder / ".cluster.json"
        fresh.touch(mode=0o600)
        fresh.write_text(json.dumps(asdict(self), indent=2) + "\n")
        fresh.replace(self.folder / "cluster.json")


def state_root() -> Path:
    """The folder of all clusters of this machine; its path must not be shared by machines."""
    chosen = os.environ.get("MODELBERTH_LOCALKIND_STATE", "/var/tmp/modelberth-localkind")  # noqa: S108 - clusters are 0700
    return Path(chosen).absolute()


def check_name(name: str) -> None:
    """Refuse a name that could not be part of a node's name or a file's.

    Raises:
        LocalkindError: naming the rule.
    """
    if not _NAME.fullmatch(name):
        raise LocalkindError(
            f"--name {name!r}: use 1 to 40 lower-case letters, digits and dashes, no dash at either end"
        )


def load(name: str) -> Cluster | None:
    """Read the record of the cluster, or None when there is none."""
    check_name(name)
    try:
        return Cluster(**json.loads((state_root() / name / "cluster.json").read_text()))
    except FileNotFoundError:
        return None
    except PermissionError as error:
        raise LocalkindError(
            f"{error.filename} belongs to another user: run this command as the cluster's owner"
        ) from error


def require(name: str) -> Cluster:
    """Read the record of a cluster that must exist."""
    cluster = load(name)
    if cluster is None:
        raise LocalkindError(
            f"there is no cluster named {name!r}: create it with `localkind create cluster --name {name}`"
        )
    return cluster


def names() -> list[str]:
    """The names that have a folder, complete or not."""
    root = state_root()
    return sorted(entry.name for entry in root.iterdir() if _NAME.fullmatch(entry.name)) if root.is_dir() else []


@contextlib.contextmanager
def exclusive(name: str) -> Iterator[Path]:
    """Hold the lock of one cluster, making its folder; creation and deletion of a name never overlap.

    The lock is on the folder itself, so nothing is left when the folder goes. Who waited for it may hold a folder that
    was deleted meanwhile: then it starts over with the one that now has the name.
    """
    folder = state_root() / name
    while True:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _locked_folder(folder, f"another process is changing cluster {name}: waiting for it") as held:
            if folder.exists() and os.path.samestat(os.fstat(held), folder.stat()):
                yield folder
                return


@contextlib.contextmanager
def free_network() -> Iterator[int]:
    """Choose a network that no other cluster and no route of the host uses; held until the block has recorded it."""
    with _locked_folder(state_root(), "another process is choosing a network: waiting for it"):
        taken = {cluster.network for cluster in map(load, names()) if cluster is not None}
        routes = _host_networks()
        for octet in range(_FIRST_NETWORK, _FIRST_NETWORK + _NETWORKS):
            network = ipaddress.IPv4Network(f"10.{octet}.0.0/16")
            if octet not in taken and not any(network.overlaps(route) for route in routes):
                yield octet
                return
    raise LocalkindError("no free network between 10.160.0.0/16 and 10.223.0.0/16: delete a cluster first")


def _host_networks() -> list[ipaddress.IPv4Network]:
    routes = subprocess.run(["ip", "-json", "-4", "route"], capture_output=True, text=True, check=True).stdout
    destinations = [route["dst"] for route in json.loads(routes or "[]")]
    return [ipaddress.IPv4Network(destination) for destination in destinations if destination != "default"]


@contextlib.contextmanager
def _locked_folder(folder: Path, waiting: str) -> Iterator[int]:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(waiting)
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield handle
    finally:
        os.close(handle)
