"""The programs of a cluster: built from pinned Go modules, cached by content, one build at a time.

Each component has a folder `tools/<module>/` with go.mod and go.sum, so the module proxy can give no other bytes than
the reviewed ones. A binary's place in the cache is named by the hash of those files, the build flags and the Go
version: a changed pin is another place, and nothing is ever built over.
"""

import contextlib
import fcntl
import hashlib
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from .host import LocalkindError, require_commands, require_files, say

MODULES = Path(__file__).parent / "tools"
_GO_DEFAULT = Path("/usr/local/go/bin")
HEARTBEAT_SECONDS = 20.0

_KUBERNETES = "1.36.3"
_KUBERNETES_STAMP = (
    f"-X k8s.io/component-base/version.gitVersion=v{_KUBERNETES}"
    " -X k8s.io/component-base/version.gitMajor=1 -X k8s.io/component-base/version.gitMinor=36"
)


@dataclass(frozen=True, eq=False)  # one object per component: compared and hashed by identity
class Component:
    """Programs that are built together from one Go module.

    Attributes:
        name: what `localkind build` calls it.
        packages: program name → Go package path of its main package.
        module: folder below `tools/`; by default the component's name.
        stamp: linker flags that tell the program its version.
        tags: Go build tags.
        cgo: whether a C compiler takes part.
        headers: C header → Debian package that has it.
    """

    name: str
    packages: Mapping[str, str]
    module: str = ""
    stamp: str = ""
    tags: str = ""
    cgo: bool = False
    headers: Mapping[Path, str] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        """Where its go.mod stands."""
        return MODULES / (self.module or self.name)

    @property
    def flags(self) -> list[str]:
        """The arguments of `go build`, package paths aside."""
        return ["-buildvcs=false", "-trimpath", f"-tags={self.tags}", f"-ldflags=-s -w {self.stamp}".rstrip()]


def _kubernetes(name: str, *programs: str) -> Component:
    packages = {program: f"k8s.io/kubernetes/cmd/{program}" for program in programs}
    return Component(name, packages, module="kubernetes", stamp=_KUBERNETES_STAMP)


_CONTAINERD = "github.com/containerd/containerd/v2"
COMPONENTS = (
    Component("etcd", {"etcd": "go.etcd.io/etcd/server/v3"}),
    Component("minio", {"minio": "github.com/minio/minio"}),
    _kubernetes("kubernetes-control-plane", "kube-apiserver", "kube-controller-manager", "kubectl"),
    _kubernetes("kubernetes-node", "kubelet", "kube-scheduler", "kube-proxy"),
    Component(
        "helm",
        {"helm": "helm.sh/helm/v4/cmd/helm"},
        stamp="-X helm.sh/helm/v4/internal/version.version=v4.3.1",
    ),
    Component(
        "containerd",
        {name: f"{_CONTAINERD}/cmd/{name}" for name in ("containerd", "containerd-shim-runc-v2", "ctr")},
        stamp=f"-X {_CONTAINERD}/version.Version=v2.4.2",
    ),
    Component(
        "runc",
        {"runc": "github.com/opencontainers/runc"},
        tags="seccomp",
        cgo=True,
        headers={Path("/usr/include/seccomp.h"): "libseccomp-dev"},
    ),
    Component("coredns", {"coredns": "github.com/coredns/coredns"}),
    Component("pause", {"pause": "modelberth.io/localkind/pause"}),
)
CONTROL_PLANE = ("etcd", "minio", "kubernetes-control-plane")
NODE = (*CONTROL_PLANE, "kubernetes-node", "containerd", "runc", "coredns", "pause")


def cache_folder() -> Path:
    """The user's cache for everything that can be made again."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "modelberth" / "localkind"


def bin_folder() -> Path:
    """The folder that holds every program of this checkout's pins under its plain name."""
    key = hashlib.sha256("".join(_key(component) for component in COMPONENTS).encode()).hexdigest()[:16]
    return cache_folder() / "bin" / key


def ensure(names: Iterable[str]) -> Path:
    """Build what is not in the cache yet and return the folder with the programs.

    Args:
        names: components, or single programs, whose component is then built.

    Raises:
        LocalkindError: for an unknown name, a missing Go, or a failed build.
    """
    folder = bin_folder()
    folder.mkdir(parents=True, exist_ok=True)
    for component in _select(names):
        built = _build_once(component)
        for program in component.packages:
            _link(folder / program, built / program)
    return folder


def _select(names: Iterable[str]) -> list[Component]:
    by_name = {program: component for component in COMPONENTS for program in component.packages}
    by_name |= {component.name: component for component in COMPONENTS}
    wanted = list(names)
    unknown = [name for name in wanted if name not in by_name]
    if unknown:
        raise LocalkindError(f"no component is named {unknown[0]!r}: there are {', '.join(sorted(by_name))}")
    return list(dict.fromkeys(by_name[name] for name in wanted))


def _build_once(component: Component) -> Path:
    """Return the component's folder in the cache, building it under a lock unless it is there."""
    place = cache_folder() / "tools" / f"{component.name}-{_key(component)}"
    if place.is_dir():
        return place
    place.parent.mkdir(parents=True, exist_ok=True)
    with _locked(place.with_suffix(".lock"), f"another process is building {component.name}: waiting for it"):
        if not place.is_dir():  # the process that held the lock may have built it
            _build(component, place)
    return place


def _build(component: Component, place: Path) -> None:
    require_files(component.headers)
    if component.cgo:
        require_commands({"gcc": "gcc", "pkg-config": "pkg-config"})
    programs = ", ".join(component.packages)
    say(f"building {programs} (once; cached afterwards)")
    started = time.monotonic()
    with tempfile.TemporaryDirectory(dir=place.parent, prefix=".building-") as scratch:
        environment = {**os.environ, "CGO_ENABLED": "1" if component.cgo else "0", "GOWORK": "off"}
        for program, package in component.packages.items():
            command = ["go", "build", *component.flags, "-o", f"{scratch}/{program}", package]
            _run_with_heartbeat(command, component, environment)
        Path(scratch).chmod(0o755)
        Path(scratch).rename(place)  # the clean-up of a scratch folder that has moved away does nothing
    say(f"built {programs} in {time.monotonic() - started:.0f} s")


def _run_with_heartbeat(command: list[str], component: Component, environment: dict[str, str]) -> None:
    started = time.monotonic()
    with tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen(
            command, cwd=component.folder, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
        while True:
            try:
                status = process.wait(HEARTBEAT_SECONDS)
                break
            except subprocess.TimeoutExpired:
                say(f"still building {Path(command[-2]).name}, {time.monotonic() - started:.0f} s")
        if status != 0:
            log.seek(0)
            raise LocalkindError(f"go could not build {component.name}: {log.read().strip()[-1500:]}")


@cache
def _key(component: Component) -> str:
    """Hash of everything that decides the bytes: the pins or sources, the flags, the Go version."""
    digest = hashlib.sha256(f"{_go_version()}\0{component.flags}\0{component.cgo}".encode())
    for file in sorted(component.folder.iterdir()):
        digest.update(f"\0{file.name}\0".encode() + file.read_bytes())
    digest.update(repr(sorted(component.packages.items())).encode())
    return digest.hexdigest()[:16]


@cache
def _go_version() -> str:
    if shutil.which("go") is None and (_GO_DEFAULT / "go").exists():  # sudo's PATH leaves it out
        os.environ["PATH"] += f":{_GO_DEFAULT}"
    require_commands({"go": "golang-go"})
    # Asked in a module's folder, because its go line may select a newer toolchain than the installed one.
    answer = subprocess.run(
        ["go", "env", "GOVERSION", "GOARCH"], cwd=MODULES / "kubernetes", capture_output=True, text=True, check=False
    )
    if answer.returncode != 0:
        raise LocalkindError(f"the installed Go cannot be used ({answer.stderr.strip()}): install Go 1.26 or newer")
    return answer.stdout


def _link(link: Path, target: Path) -> None:
    if link.is_symlink() and link.readlink() == target:
        return
    fresh = link.with_name(f".{link.name}-{os.getpid()}")
    fresh.symlink_to(target)
    fresh.replace(link)


@contextlib.contextmanager
def _locked(path: Path, waiting: str) -> Iterator[None]:
    with path.open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(waiting)
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
