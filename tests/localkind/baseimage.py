"""Base images for buildah where no registry can be reached: Debian with its Python, made by mmdebstrap.

The Dockerfiles say `ARG BASE=python:3.13-slim-trixie`. With Docker that image is pulled; with buildah one of the same
shape is made here from Debian's packages: the release is read from the name's end, its Python is that release's
(trixie 3.13, bookworm 3.11), and `python` and `pip` behave as in the original.
"""

import fcntl
import hashlib
import os
import re
import subprocess
import tempfile
import time
from pathlib import Path

from .containers import buildah
from .host import LocalkindError, require_commands, say
from .tools import cache_folder

PACKAGES = ("python3", "python3-venv", "python3-pip", "ca-certificates")
_WITHOUT = ("/usr/share/man/*", "/usr/share/doc/*", "/usr/share/locale/*", "/usr/share/info/*")
# Debian guards its Python against pip and calls it python3 only; the images of docker.io do neither.
_AS_ORIGINAL = (
    'ln -s /usr/bin/python3 "$1/usr/local/bin/python"',
    'rm -f "$1"/usr/lib/python3*/EXTERNALLY-MANAGED',
    'rm -rf "$1"/var/lib/apt/lists/* "$1"/var/cache/apt/*',
)
_NAME = re.compile(r"python:3[.0-9]*-(?:slim-)?(?P<release>trixie|bookworm)")


def wanted_by(dockerfile: str) -> str | None:
    """The default of `ARG BASE`, or None for a Dockerfile that has no such argument."""
    found = re.search(r"^ARG\s+BASE=(\S+)", dockerfile, re.MULTILINE)
    return found.group(1) if found else None


def ensure(name: str) -> str:
    """Return a local image that stands in for the public one, making it unless it is in the store.

    Args:
        name: the public image, such as `python:3.13-slim-trixie`.

    Raises:
        LocalkindError: for an image that cannot be made from Debian's packages.
    """
    found = _NAME.fullmatch(name)
    if found is None:
        raise LocalkindError(
            f"ARG BASE={name}: without Docker only python:…-trixie and python:…-bookworm can be made; pass --build-arg BASE="
        )
    release = found.group("release")
    recipe = repr((release, PACKAGES, _WITHOUT, _AS_ORIGINAL))
    local = f"localhost/localkind-base-{release}:{hashlib.sha256(recipe.encode()).hexdigest()[:12]}"
    with (cache_folder() / "base.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if local not in buildah("images", "--format", "{{.Name}}:{{.Tag}}").split():
            _make(release, local)
    return local


def _make(release: str, local: str) -> None:
    require_commands({"mmdebstrap": "mmdebstrap"})
    say(f"making the base image for Debian {release} (once; cached afterwards)")
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="localkind-base-") as folder:
        tree = Path(folder) / "root.tar"
        options = [f"--include={','.join(PACKAGES)}"]
        options += [f"--dpkgopt=path-exclude={path}" for path in _WITHOUT]
        options += [f"--customize-hook={command}" for command in _AS_ORIGINAL]
        command = ["mmdebstrap", "--variant=minbase", *options, release, str(tree)]
        done = subprocess.run(command, capture_output=True, text=True, env=dict(os.environ), check=False)
        if done.returncode != 0:
            raise LocalkindError(f"mmdebstrap {release} failed: {done.stderr.strip()[-600:]}")
        (Path(folder) / "Dockerfile").write_text('FROM scratch\nADD root.tar /\nENV LANG=C.UTF-8\nCMD ["python3"]\n')
        buildah("bud", "--tag", local, "--file", f"{folder}/Dockerfile", folder)
    say(f"made {local} in {time.monotonic() - started:.0f} s")
