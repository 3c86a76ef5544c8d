"""One cluster and one release of the chart for all tests of this tier; each test has a namespace of its own."""

import secrets
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pytest_kind import KindCluster

from tests.e2e.support import (
    ROOT,
    Cluster,
    install_release,
    pod_programs,
    restricted_namespace,
)

LOCALKIND = ROOT / "tests" / "localkind" / "localkind"


@pytest.fixture(scope="session")
def cluster(kind_cluster: KindCluster) -> Cluster:
    """pytest-kind's cluster: the real kind or tests/localkind, as `--kind-bin` says."""
    programs = [str(LOCALKIND), "build", "kubectl", "helm", "minio"]
    built = subprocess.run(programs, stdout=subprocess.PIPE, text=True, check=True)
    return Cluster(
        name=kind_cluster.name,
        kind=Path(kind_cluster.kind_path),
        bin=Path(built.stdout.strip()),
        kubeconfig=Path(kind_cluster.kubeconfig_path).resolve(),
    )


@pytest.fixture(scope="session")
def release(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Cluster:
    """The cluster with Modelberth and its try-out MinIO, in a namespace that enforces the restricted standard."""
    install_release(cluster, tmp_path_factory.mktemp("images"))
    return cluster


@pytest.fixture(scope="session")
def leave(release: Cluster) -> Iterator[Callable[[str], None]]:
    """Deletes a namespace; at the end of the tier all of them must be gone. None is waited for in between."""
    left: list[str] = []

    def delete(name: str) -> None:
        release.kubectl("delete", "namespace", name, "--ignore-not-found", "--wait=false")
        left.append(f"namespace/{name}")

    yield delete
    for namespace in left:
        release.kubectl("wait", "--for=delete", namespace, "--timeout=120s")


@pytest.fixture
def namespace(release: Cluster, leave: Callable[[str], None]) -> Iterator[str]:
    """An empty restricted namespace that has the pods' programs."""
    name = f"team-{secrets.token_hex(3)}"
    restricted_namespace(release, name)
    release.apply(name, pod_programs())
    yield name
    leave(name)
