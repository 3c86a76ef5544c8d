"""The demo's images, built from this repository and brought into the cluster."""

from pathlib import Path

from demo.cluster import Cluster
from demo.progress import Progress
from demo.shell import ROOT, run

MODELBERTH = "localhost/modelberth:0.1.0"
MLSERVER = "localhost/mlserver:1.7.1"
MINIO = "localhost/minio:2026-02-12"


def bring(cluster: Cluster, progress: Progress) -> set[str]:
    """Build what is not cached and load what the node does not have; gives the tags of what was loaded."""
    loaded = set()
    for tag, folder, context in (
        (MODELBERTH, "modelberth", ROOT),
        (MLSERVER, "mlserver", ROOT),
        (MINIO, "minio", (cluster.bin / "minio").resolve().parent),
    ):
        archive = cluster.state / f"{folder}.tar"
        with progress.step(f"image {tag} (minutes once, then cached)"):
            run(_build(tag, ROOT / "images" / folder / "Dockerfile", context, archive), progress=progress)
            if cluster.load(archive, progress):
                loaded.add(tag)
    return loaded


def _build(tag: str, dockerfile: Path, context: Path, archive: Path) -> list[str | Path]:
    builder = ROOT / "tests" / "localkind" / "images.py"
    return [builder, "build", tag, "--file", dockerfile, "--context", context, "--output", archive]
