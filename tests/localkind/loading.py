"""Getting images into a node: from archives, from Docker or buildah, and the pause image from its program alone."""

import hashlib
import io
import json
import platform
import tarfile
import tempfile
from pathlib import Path

from . import sandbox
from .cluster import INSIDE, Cluster
from .containers import docker_is_usable, export_image
from .host import LocalkindError, say
from .tools import bin_folder

CONTAINERD_SOCKET = INSIDE / "containerd" / "containerd.sock"


def load_archive(cluster: Cluster, archive: Path) -> None:
    """Import a `docker save` or OCI archive; its images can be used by pods with `imagePullPolicy: IfNotPresent`.

    Raises:
        LocalkindError: for a cluster without node, or in containerd's words.
    """
    if cluster.level != "node":
        raise LocalkindError(f"cluster {cluster.name!r} has no node to load images into: create it with --level node")
    ctr = [str(bin_folder() / "ctr"), f"--address={CONTAINERD_SOCKET}", "--namespace=k8s.io"]
    snapshotter = json.loads((cluster.folder / "conf" / "node.json").read_text())["snapshotter"]
    with archive.open("rb") as file:
        done = sandbox.run(
            cluster, *ctr, "images", "import", "--local", f"--snapshotter={snapshotter}", "-", stdin=file.fileno()
        )
    if done.returncode != 0:
        raise LocalkindError(f"{archive} could not be loaded: {done.stderr.strip()[-400:]}")


def load_image(cluster: Cluster, image: str) -> None:
    """Load an image that was built on this machine, by Docker where it works and else by buildah."""
    with tempfile.TemporaryDirectory(prefix="localkind-image-") as folder:
        archive = Path(folder) / "image.tar"
        export_image(image, archive)
        load_archive(cluster, archive)
    say(f"loaded {image} into {cluster.name} from {'Docker' if docker_is_usable() else 'buildah'}")


def load_pause(cluster: Cluster, reference: str) -> None:
    """Make the image that holds a pod's namespaces, one static program, and import it."""
    with tempfile.TemporaryDirectory(prefix="localkind-pause-") as folder:
        archive = Path(folder) / "pause.tar"
        _write_single_program_image(bin_folder() / "pause", reference, archive)
        load_archive(cluster, archive)


def _write_single_program_image(program: Path, reference: str, archive: Path) -> None:
    """Write a `docker save` archive whose only layer is the program, at /pause, run as nobody."""
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as tar:
        entry = tarfile.TarInfo("pause")
        entry.size, entry.mode = program.stat().st_size, 0o755
        with program.open("rb") as file:
            tar.addfile(entry, file)
    digest = hashlib.sha256(layer.getvalue()).hexdigest()
    configuration = {
        "architecture": {"x86_64": "amd64", "aarch64": "arm64"}[platform.machine()],
        "os": "linux",
        "config": {"Entrypoint": ["/pause"], "User": "65535:65535"},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}"]},
    }
    manifest = [{"Config": "config.json", "RepoTags": [reference], "Layers": ["layer.tar"]}]
    with tarfile.open(archive, "w") as tar:
        for name, content in (
            ("layer.tar", layer.getvalue()),
            ("config.json", json.dumps(configuration).encode()),
            ("manifest.json", json.dumps(manifest).encode()),
        ):
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
