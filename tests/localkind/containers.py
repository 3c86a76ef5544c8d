"""Docker where its engine answers, else buildah: building images and writing them to archives.

buildah keeps its images in a store below the user's cache, apart from any other use of it on the machine.
"""

import os
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

from .host import LocalkindError, require_commands
from .tools import cache_folder


@cache
def docker_is_usable() -> bool:
    """Whether there is an engine behind the docker command: many machines have only the client."""
    if shutil.which("docker") is None:
        return False
    probe = ["docker", "version", "--format", "{{.Server.Version}}"]
    return subprocess.run(probe, capture_output=True, check=False).returncode == 0


def buildah(*arguments: str) -> str:
    """Run buildah on our own store and return what it printed on stdout.

    Raises:
        LocalkindError: in buildah's words.
    """
    if os.geteuid() != 0:
        raise LocalkindError("building images needs Docker, or root for buildah: run this with sudo")
    require_commands({"buildah": "buildah"})
    store = cache_folder() / "containers"
    options = [f"--root={store}", f"--runroot={store}-run", f"--storage-driver={_storage_driver(store)}"]
    environment = {**os.environ, "BUILDAH_ISOLATION": "chroot", "TMPDIR": "/var/tmp"}  # noqa: S108 - buildah's own
    command = ["buildah", *options, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if done.returncode != 0:
        raise LocalkindError(f"buildah {arguments[0]} failed: {(done.stderr or done.stdout).strip()[-2000:]}")
    if "LOCALKIND_VERBOSE" in os.environ:
        print(done.stderr, file=sys.stderr)
    return done.stdout.strip()


def _storage_driver(store: Path) -> str:
    """`overlay`, except where the store itself lies on one (a container's disk), where only copying works."""
    store.mkdir(parents=True, exist_ok=True)
    kind = subprocess.run(["stat", "-f", "-c", "%T", str(store)], capture_output=True, text=True, check=True).stdout
    return "vfs" if kind.strip().startswith("overlay") else "overlay"


def export_image(image: str, archive: Path) -> None:
    """Write an image of this machine to a `docker save` archive under the name by which pods call it."""
    if docker_is_usable():
        done = subprocess.run(
            ["docker", "save", "--output", str(archive), image], capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            raise LocalkindError(f"docker save {image}: {done.stderr.strip()}")
        return
    buildah("push", f"{image}", f"docker-archive:{archive}:{image}")
