"""Building the repository's own Dockerfiles, with Docker or buildah, once per content.

An archive's place in the cache is named by what the build reads: the Dockerfile, the files its COPY and ADD lines name,
the build arguments and the base. A Dockerfile that downloads pins what it downloads (requirements with hashes), so the
same inputs mean the same image.
"""

import ast
import fcntl
import hashlib
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from . import baseimage
from .containers import buildah, docker_is_usable, export_image
from .host import LocalkindError, say
from .tools import cache_folder

KEPT_ARCHIVES = 2  # of each image, in the cache
_PIP_SETTINGS = ("index-url", "extra-index-url", "trusted-host", "proxy", "timeout", "retries")
_IN_BUILD = "/etc/xdg/pip"  # where pip looks for the settings of all users, in virtual environments too
_SKIPPED = "__pycache__"


def build(tag: str, dockerfile: Path, context: Path, arguments: Mapping[str, str], output: Path) -> None:
    """Build an image and write it as a `docker save` archive.

    Args:
        tag: the image's name, as pods will call it.
        dockerfile: how it is built.
        context: the folder its COPY lines are relative to.
        arguments: values for its ARG lines; `BASE` is chosen here when it is not given and Docker is not there.
        output: the archive to write; a hard link or copy of the cached one.

    Raises:
        LocalkindError: in the words of the program that failed, or for a COPY of what is not there.
    """
    arguments = dict(arguments)
    base = baseimage.wanted_by(dockerfile.read_text())
    if base is not None and "BASE" not in arguments and not docker_is_usable():
        arguments["BASE"] = baseimage.ensure(base)
    # A folder per image: one build of it at a time, and what is superseded goes.
    folder = cache_folder() / "images" / hashlib.sha256(tag.encode()).hexdigest()[:16]
    folder.mkdir(parents=True, exist_ok=True)
    cached = folder / f"{_key(tag, dockerfile, context, arguments)}.tar"
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not cached.exists():
            _build(tag, dockerfile, context, arguments, cached)
        cached.touch()
        for old in sorted(folder.glob("*.tar"), key=lambda file: file.stat().st_mtime)[:-KEPT_ARCHIVES]:
            old.unlink()
        _hand_out(cached, output)


def _build(tag: str, dockerfile: Path, context: Path, arguments: Mapping[str, str], cached: Path) -> None:
    builder = "Docker" if docker_is_usable() else "buildah"
    say(f"building image {tag} with {builder} (cached until its inputs change)")
    started = time.monotonic()
    values = [word for name, value in arguments.items() for word in ("--build-arg", f"{name}={value}")]
    what = ["--tag", tag, "--file", str(dockerfile), *values]
    if docker_is_usable():
        done = subprocess.run(["docker", "build", *what, str(context)], stdout=sys.stderr, check=False)
        if done.returncode != 0:
            raise LocalkindError(f"docker build {tag} failed: its reason is printed above")
    else:
        with tempfile.TemporaryDirectory(prefix="localkind-pip-") as settings:
            readable = Path(settings, "pip")  # by any user of the build; the folder around it is ours only
            readable.mkdir()
            _write_pip_settings(readable)
            # The host's network and certificates: a build downloads as the user would, behind whatever proxy there is.
            access = ["--network=host", "--isolation=chroot", f"--volume={readable}:{_IN_BUILD}:ro"]
            buildah("bud", "--layers", *access, *what, str(context))
    fresh = cached.with_name(f".{cached.name}-{os.getpid()}")
    fresh.unlink(missing_ok=True)
    export_image(tag, fresh)
    fresh.replace(cached)
    say(f"built {tag} in {time.monotonic() - started:.0f} s ({cached.stat().st_size >> 20} MiB)")


def _hand_out(cached: Path, output: Path) -> None:
    output.parent.mkdir(parents=True, exist_ok=True)
    fresh = output.with_name(f".{output.name}-{os.getpid()}")
    try:
        os.link(cached, fresh)
    except OSError:  # another file system
        shutil.copyfile(cached, fresh)
    fresh.replace(output)


def _write_pip_settings(folder: Path) -> None:
    """Give builds the host's package index and certificates, by files of the build only: no layer keeps them."""
    settings = _host_pip_settings()
    lines = ["[global]", *(f"{name} = {settings[name]}" for name in _PIP_SETTINGS if name in settings)]
    bundle = settings.get("cert") or os.environ.get("SSL_CERT_FILE") or "/etc/ssl/certs/ca-certificates.crt"
    if Path(bundle).is_file():
        shutil.copyfile(bundle, folder / "ca.crt")
        lines.append(f"cert = {_IN_BUILD}/ca.crt")
    (folder / "pip.conf").write_text("\n".join(lines) + "\n")


def _host_pip_settings() -> dict[str, str]:
    """What `pip config list` says, environment variables included, without the sections' names."""
    listing = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=False
    ).stdout
    settings: dict[str, str] = {}
    for line in listing.splitlines():  # global.index-url='https://…', :env:.cert='/etc/…'
        name, _, value = line.partition("=")
        settings[name.rpartition(".")[2]] = str(ast.literal_eval(value))
    return settings


def _key(tag: str, dockerfile: Path, context: Path, arguments: Mapping[str, str]) -> str:
    digest = hashlib.sha256(json.dumps([tag, sorted(arguments.items())]).encode())
    digest.update(dockerfile.read_bytes())
    for source in _copied(dockerfile.read_text()):
        for file in _files(context, source):
            mode = file.lstat().st_mode
            content = os.readlink(file).encode() if file.is_symlink() else file.read_bytes()
            digest.update(f"\0{file.relative_to(context)}\0{mode:o}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()[:24]


def _copied(dockerfile: str) -> Iterator[str]:
    """The sources of COPY and ADD lines that come from the context, and of bind mounts of RUN lines."""
    logical = re.sub(r"\\\n", " ", re.sub(r"^\s*#.*\n", "", dockerfile, flags=re.MULTILINE))
    for line in logical.splitlines():
        instruction, _, rest = line.strip().partition(" ")
        if instruction.upper() in ("COPY", "ADD") and "--from=" not in rest:
            words = json.loads(rest) if rest.lstrip().startswith("[") else shlex.split(rest)
            yield from (word for word in words[:-1] if not word.startswith("--") and "://" not in word)
        elif instruction.upper() == "RUN":
            for mount in re.findall(r"--mount=(\S*type=bind\S*)", rest):
                options = dict(option.partition("=")[::2] for option in mount.split(","))
                if "from" not in options:
                    yield options.get("source") or options.get("src") or "."


def _files(context: Path, source: str) -> list[Path]:
    pattern = source.lstrip("/") or "."
    matches = [context] if pattern in (".", "./") else sorted(context.glob(pattern.rstrip("/")))
    if not matches:
        raise LocalkindError(f"COPY {source}: there is nothing of this name in {context}")
    files = [entry for match in matches for entry in ([match] if match.is_file() else sorted(match.rglob("*")))]
    return [file for file in files if _SKIPPED not in file.parts and (file.is_symlink() or file.is_file())]
