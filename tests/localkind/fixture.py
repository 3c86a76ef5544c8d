"""Pytest fixtures of the cluster tier: one control plane for the whole run, with what tests do to it most.

A test module (or conftest.py) takes it with `from tests.localkind.fixture import control_plane`. With
`MODELBERTH_TEST_CLUSTER=name` in the environment the run uses that cluster, creates it if it is not there, and leaves
it: tests then start at once.
"""

import json
import os
import re
import secrets
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from .cluster import names

_TEMPORARY = re.compile(r"t(?P<pid>[0-9]+)-[0-9a-f]{6}")
LOCALKIND = Path(__file__).with_name("localkind")


@dataclass(frozen=True)
class MinioAccess:
    """The cluster's MinIO, with its root account.

    Attributes:
        endpoint: URL, the same from this machine and from pods.
        access_key: the root user.
        secret_key: the root user's password.
    """

    endpoint: str
    access_key: str
    secret_key: str


@dataclass(frozen=True)
class RunningCluster:
    """A cluster that is up.

    Attributes:
        name: its name for `localkind`.
        kubeconfig: a kubeconfig file of its administrator.
        minio: its MinIO.
        info: everything `localkind get info` said when it was created.
    """

    name: str
    kubeconfig: Path
    minio: MinioAccess
    info: dict[str, Any]

    @property
    def host_ip(self) -> str:
        """This machine as the cluster sees it: where an EndpointSlice finds a process of a test."""
        return str(self.info["hostIP"])

    @property
    def bin(self) -> Path:
        """The folder of kubectl, helm and the other programs."""
        return Path(self.info["bin"])

    def kubectl(
        self,
        *arguments: str,
        input: str | None = None,  # noqa: A002 - the name in subprocess
        check: bool = True,
    ) -> subprocess.CompletedProcess[str]:
        """Run kubectl as administrator (or as whoever `--as` names).

        Args:
            arguments: kubectl's.
            input: what kubectl reads from stdin, for `-f -`.
            check: whether a refusal fails the test, with kubectl's words.
        """
        command = [str(self.bin / "kubectl"), f"--kubeconfig={self.kubeconfig}", *arguments]
        done = subprocess.run(command, input=input, capture_output=True, text=True, check=False)
        if check and done.returncode != 0:
            raise AssertionError(f"kubectl {' '.join(arguments)}: {done.stderr.strip()}")
        return done

    def make_namespace(self, name: str) -> None:
        """Make a namespace that is usable at once.

        Its default service account is made in here: after an outage of the API server the controller that makes it
        may wait for a minute before it watches again.
        """
        self.kubectl("create", "namespace", name)
        made = self.kubectl("create", "serviceaccount", "default", f"--namespace={name}", check=False)
        assert made.returncode == 0 or "already exists" in made.stderr, made.stderr

    def publish(self, process_port: int, *, namespace: str, service: str, port: int = 80, port_name: str = "") -> None:
        """Make a process of this machine, listening on all addresses, a Service of the cluster.

        It answers through the API server's service proxy too. That proxies to pods only, so a Pod stands for the
        process: never scheduled, with this machine's address in a status that is written here. The Endpoints name it;
        their EndpointSlice is made by the cluster's mirroring controller.

        Args:
            process_port: where the process listens.
            namespace: must exist.
            service: the name of Service and Pod.
            port: the Service's port.
            port_name: its name; empty for none.
        """
        metadata = {"name": service, "namespace": namespace}
        address = {"ip": self.host_ip, "targetRef": {"kind": "Pod", **metadata}}
        subset = {"addresses": [address], "ports": [{"name": port_name, "port": process_port}]}
        stand_in = {"schedulerName": "none", "containers": [{"name": "process", "image": "localhost/pause:1"}]}
        manifests: list[dict[str, Any]] = [
            {"kind": "Pod", "metadata": metadata, "spec": stand_in},
            {"kind": "Service", "metadata": metadata, "spec": {"ports": [{"name": port_name, "port": port}]}},
            {"kind": "Endpoints", "metadata": metadata, "subsets": [subset]},
        ]
        items = [{"apiVersion": "v1", **manifest} for manifest in manifests]
        self.kubectl("apply", "-f-", input=json.dumps({"apiVersion": "v1", "kind": "List", "items": items}))
        status = {"phase": "Running", "podIP": self.host_ip, "podIPs": [{"ip": self.host_ip}]}
        patch = f"--patch={json.dumps({'status': status})}"
        self.kubectl("patch", "pod", service, f"--namespace={namespace}", "--subresource=status", patch)

    def ended(self) -> list[str]:
        """The components that run no more, each with the last lines of its log: for the report of a failed test."""
        running = json.loads(localkind("get", "info", f"--name={self.name}"))["pids"]
        logs = Path(self.info["logs"])
        return [f"{name} ended:\n{_end_of(logs / f'{name}.log')}" for name in self.info["pids"] if name not in running]

    def stop(self, component: str) -> None:
        """Kill one component, for example `kube-apiserver` or `minio`."""
        localkind("stop", component, f"--name={self.name}")

    def start(self, component: str) -> None:
        """Start a component again that was stopped; it may take a moment until it answers."""
        localkind("start", component, f"--name={self.name}")


def _end_of(log: Path) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-20:])


def localkind(*arguments: str) -> str:
    """Run a localkind command and return what it printed; a failure fails the test with its sentence."""
    done = subprocess.run([str(LOCALKIND), *arguments], stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        raise AssertionError(f"localkind {' '.join(arguments)} failed: its reason is printed above")
    return done.stdout


def attach(name: str) -> RunningCluster:
    """Return the cluster of that name, which must be up."""
    info = json.loads(localkind("get", "info", f"--name={name}"))
    minio = MinioAccess(info["minio"]["endpoint"], info["minio"]["accessKey"], info["minio"]["secretKey"])
    return RunningCluster(name, Path(info["kubeconfig"]), minio, info)


@contextmanager
def temporary_cluster(level: str) -> Iterator[RunningCluster]:
    """Create a cluster under a name of its own and delete it at the end.

    The name tells whose it is: clusters of test runs that were killed are deleted first.
    """
    for abandoned in names():
        owner = _TEMPORARY.fullmatch(abandoned)
        if owner is not None and not Path("/proc", owner["pid"]).exists():
            localkind("delete", "cluster", f"--name={abandoned}")
    name = f"t{os.getpid()}-{secrets.token_hex(3)}"
    with tempfile.TemporaryDirectory(prefix="localkind-") as folder:
        try:
            localkind("create", "cluster", f"--level={level}", f"--name={name}", f"--kubeconfig={folder}/kubeconfig")
            yield attach(name)
        finally:
            localkind("delete", "cluster", f"--name={name}")


@pytest.fixture(scope="session")
def control_plane() -> Iterator[RunningCluster]:
    """A cluster without nodes, shared by the run: tests keep apart by namespace."""
    reused = os.environ.get("MODELBERTH_TEST_CLUSTER")
    if reused is None:
        with temporary_cluster("control-plane") as cluster:
            yield cluster
        return
    if reused not in localkind("get", "clusters").split():
        kubeconfig = Path(tempfile.gettempdir()) / f"localkind-{reused}.kubeconfig"
        localkind("create", "cluster", "--level=control-plane", f"--name={reused}", f"--kubeconfig={kubeconfig}")
    yield attach(reused)
