"""One cluster and one release of the chart for all tests of this tier; each test has a namespace of its own."""

import secrets
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_kind import KindCluster

from tests.e2e.support import (
    IMAGE,
    MINIO_IMAGE,
    RELEASE_NAMESPACE,
    ROOT,
    TAG,
    Cluster,
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
    folder = tmp_path_factory.mktemp("images")
    images = ROOT / "images"
    cluster.load(f"{IMAGE}:{TAG}", images / "modelberth" / "Dockerfile", ROOT, folder / "modelberth.tar")
    minio = (cluster.bin / "minio").resolve().parent
    cluster.load(MINIO_IMAGE, images / "minio" / "Dockerfile", minio, folder / "minio.tar")
    restricted_namespace(cluster, RELEASE_NAMESPACE)
    cluster.install()
    return cluster


@pytest.fixture
def namespace(release: Cluster) -> Iterator[str]:
    """An empty restricted namespace that has the pods' programs; its deletion must not hang."""
    name = f"team-{secrets.token_hex(3)}"
    restricted_namespace(release, name)
    release.apply(name, pod_programs())
    yield name
    release.kubectl("delete", "namespace", name, "--timeout=120s")
