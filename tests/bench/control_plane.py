"""A real API server and MinIO of a bench's own, with the chart's definitions and policies, and no node."""

import tempfile
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import yaml

from modelberth.runtime.connection import Connection
from modelberth.runtime.kubeconfig import load_connection
from modelberth.runtime.resources import Object
from tests.bench.measured_operator import MeasuredOperator, measured_operator
from tests.bench.processes import BenchError
from tests.cluster.api_server import Api, RefusedError, connect
from tests.cluster.installed import rendered
from tests.cluster.registry_process import StoreAccess, install_rights, new_store
from tests.localkind.fixture import RunningCluster, temporary_cluster

_SERVED_SECONDS = 60.0


@dataclass(frozen=True)
class ControlPlane:
    """A cluster that is up, with Modelberth's kinds, policies and accounts.

    Attributes:
        cluster: the cluster.
        store: a bucket in its MinIO.
        folder: for this bench's own files, on the disk that MinIO's data lies on; removed at the end.
    """

    cluster: RunningCluster
    store: StoreAccess
    folder: Path

    @property
    def connection(self) -> Connection:
        """As the administrator."""
        return load_connection(str(self.cluster.kubeconfig))

    def operator(self) -> AbstractContextManager[MeasuredOperator]:
        """The operator while the context lasts."""
        return measured_operator(self.cluster, self.folder, self.store)


@contextmanager
def control_plane() -> Iterator[ControlPlane]:
    """Start it, and delete it at the end."""
    with temporary_cluster("control-plane") as cluster:
        objects = sorted(rendered(cluster), key=lambda obj: bool(obj["kind"] != "CustomResourceDefinition"))
        cluster.kubectl("apply", "--server-side", "-f-", input=yaml.safe_dump_all(objects))
        cluster.kubectl("wait", "--for=condition=Established", "--timeout=60s", "crd", "--all")
        install_rights(cluster)
        _wait_until_served(cluster)
        state = Path(cluster.info["state"])
        with tempfile.TemporaryDirectory(prefix="bench-", dir=state.parent.parent) as folder:
            yield ControlPlane(cluster, new_store(cluster), Path(folder))


def _wait_until_served(cluster: RunningCluster) -> None:
    """Until every kind can be created: a definition, and a policy about its kind, take a moment each."""
    deadline = time.monotonic() + _SERVED_SECONDS
    probes = [_probe("ModelArtifact", {}), _probe("RegisteredModel", {"aliases": {"probe": {"version": "probe-v0"}}})]
    with connect(cluster.kubeconfig) as http:
        api = Api(http, "default")
        while not all(_is_taken(api, probe) for probe in probes):
            if time.monotonic() > deadline:
                raise BenchError(f"the API server does not take Modelberth's kinds after {_SERVED_SECONDS:.0f} s")
            time.sleep(0.2)


def _probe(kind: str, spec: Object) -> Object:
    return {"apiVersion": "modelberth.io/v1alpha1", "kind": kind, "metadata": {"name": "probe"}, "spec": spec}


def _is_taken(api: Api, probe: Object) -> bool:
    try:
        return "name" in api.create(probe, dry_run=True)["metadata"]
    except RefusedError:
        return False
