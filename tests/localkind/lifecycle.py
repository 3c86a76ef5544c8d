"""Creating and deleting clusters: each step in order, and a clean slate after any failure."""

import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from . import cluster as records
from . import controlplane, host, node, pki, sandbox, tools, userconfig
from .cluster import Cluster
from .host import LocalkindError, say


def create(name: str, *, level: str, kubeconfig: str, retain: bool = False) -> Cluster:
    """Create a cluster and return its record once it is ready.

    Args:
        name: the cluster's name.
        level: `control-plane` or `node`.
        kubeconfig: the user's file that gets an entry.
        retain: keep what a failed creation made, to look at it.

    Raises:
        LocalkindError: when the name is taken, the host lacks something, or a component does not get ready; then
            everything has been removed again.
    """
    records.check_name(name)
    host.require_cluster_host()
    if level == "node":
        host.require_node_host()
    tools.ensure(tools.NODE if level == "node" else tools.CONTROL_PLANE)
    started = time.monotonic()
    with records.exclusive(name) as folder:
        existing = records.load(name)
        if existing is not None and is_up(existing):
            raise LocalkindError(f"a cluster named {name!r} exists: delete it first, or choose another --name")
        if existing is not None:
            say(f"removing what an earlier cluster {name} left")
            _remove(existing)
            folder.mkdir(mode=0o700)
        cluster = _record(name, level, kubeconfig)
        with _undone_on_failure(cluster, retain=retain):
            _start(cluster)
            cluster = replace(cluster, ready=True)
            cluster.save()
    say(f"cluster {name} ({level}) is ready after {time.monotonic() - started:.1f} s")
    return cluster


def _record(name: str, level: str, kubeconfig: str) -> Cluster:
    with records.free_network() as network:
        path = str(Path(kubeconfig).absolute())
        cluster = Cluster(name, level, network, secrets.token_urlsafe(24), path)
        cluster.save()
    return cluster


def _start(cluster: Cluster) -> None:
    (cluster.folder / "logs").mkdir()
    pki.make(cluster)
    sandbox.start(cluster)
    controlplane.start(cluster)
    if cluster.level == "node":
        node.start(cluster)
    userconfig.add(cluster)


@contextmanager
def _undone_on_failure(cluster: Cluster, *, retain: bool) -> Iterator[None]:
    try:
        yield
    except BaseException:
        _show_logs(cluster)
        if not retain:
            _remove(cluster)
        raise


def _show_logs(cluster: Cluster) -> None:
    running = sandbox.components(cluster)
    for log in sorted((cluster.folder / "logs").glob("*.log")):
        if log.stem not in running and (lines := log.read_text(errors="replace").splitlines()):
            say(f"last words of {log.stem}:")
            for line in lines[-5:]:
                say(f"  {line}")


def is_up(cluster: Cluster) -> bool:
    """Whether its creation came to the end and nobody ended it since, by a restart of the machine for example."""
    return cluster.ready and sandbox.holder(cluster) is not None


def delete(name: str, *, kubeconfig: str | None = None) -> bool:
    """Remove a cluster and everything of it; whatever part is gone already is no obstacle.

    Returns:
        Whether there was one.
    """
    records.check_name(name)
    if not (records.state_root() / name).exists():
        return False
    host.require_cluster_host()
    with records.exclusive(name) as folder:
        cluster = records.load(name)
        if cluster is None:  # the creation was interrupted before anything but the folder was made
            shutil.rmtree(folder)
            return False
        _remove(cluster)
        if kubeconfig is not None:
            userconfig.remove(replace(cluster, kubeconfig=str(Path(kubeconfig).absolute())))
    return True


def _remove(cluster: Cluster) -> None:
    sandbox.stop(cluster)
    userconfig.remove(cluster)
    shutil.rmtree(cluster.folder)


def describe(cluster: Cluster) -> dict[str, Any]:
    """What a test needs to know of a cluster, as JSON."""
    return {
        "name": cluster.name,
        "level": cluster.level,
        "kubeconfig": cluster.kubeconfig,
        "context": userconfig.context(cluster),
        "server": cluster.server,
        "ca": str(cluster.folder / "pki" / "ca.crt"),
        "nodeName": cluster.node_name if cluster.level == "node" else None,
        "nodeIP": cluster.node_ip,
        "hostIP": cluster.host_ip,
        "podCIDR": cluster.pod_cidr,
        "serviceCIDR": cluster.service_cidr,
        "minio": {
            "endpoint": cluster.minio_endpoint,
            "accessKey": controlplane.MINIO_USER,
            "secretKey": cluster.minio_secret,
        },
        "bin": str(tools.bin_folder()),
        "state": str(cluster.folder),
        "logs": str(cluster.folder / "logs"),
        "pids": sandbox.components(cluster),
    }
