"""What the host must offer: Linux, root, namespaces, a few Debian packages; each lack is one sentence with its mend."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

CNI_PLUGINS = Path("/usr/lib/cni")


class LocalkindError(Exception):
    """A failure whose message is meant for the user: what is wrong and what to do about it."""


def say(message: str) -> None:
    """Print one line of progress; stdout stays free for answers that scripts read."""
    print(f"localkind: {message}", file=sys.stderr, flush=True)


def require_cluster_host() -> None:
    """Check that this machine can hold a cluster's namespaces.

    Raises:
        LocalkindError: naming the first thing that is missing and what to do.
    """
    if sys.platform != "linux":
        raise LocalkindError(f"a cluster needs Linux namespaces and this is {sys.platform}: use kind with Docker here")
    if os.geteuid() != 0:
        raise LocalkindError("a cluster needs root for its namespaces and network: run it with sudo, or use kind")
    require_commands({"unshare": "util-linux", "nsenter": "util-linux", "ip": "iproute2", "openssl": "openssl"})
    probe = subprocess.run(
        ["unshare", "--mount", "--net", "--pid", "--uts", "--ipc", "--fork", "--mount-proc", "true"],
        capture_output=True,
        text=True,
        check=False,
    )
    if probe.returncode != 0:
        raise LocalkindError(
            f"this root may not make namespaces ({probe.stderr.strip()}): run the container with --privileged, or use kind"
        )


def require_node_host() -> None:
    """Check for what a cluster with a kubelet needs on top, and install it where that is possible."""
    require_commands({"nft": "nftables"})
    require_files({CNI_PLUGINS / "ptp": "containernetworking-plugins"})


def require_commands(packages: Mapping[str, str]) -> None:
    """Install the Debian package of every command that is missing (command → package)."""
    _install(sorted({package for command, package in packages.items() if shutil.which(command) is None}))


def require_files(packages: Mapping[Path, str]) -> None:
    """Install the Debian package of every file that is missing (file → package)."""
    _install(sorted({package for file, package in packages.items() if not file.exists()}))


def _install(packages: list[str]) -> None:
    if not packages:
        return
    wanted = " ".join(packages)
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise LocalkindError(f"missing on this machine: {wanted}; install these (names of Debian) and try again")
    say(f"installing {wanted} with apt")
    started = time.monotonic()
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    install = ["apt-get", "install", "-y", "-q", "--no-install-recommends", *packages]
    done = subprocess.run(install, capture_output=True, text=True, env=environment, check=False)
    if done.returncode != 0:
        subprocess.run(["apt-get", "update", "-q"], capture_output=True, env=environment, check=False)
        done = subprocess.run(install, capture_output=True, text=True, env=environment, check=False)
    if done.returncode != 0:
        raise LocalkindError(f"apt could not install {wanted}: {done.stderr.strip()[-400:]}")
    say(f"installed {wanted} in {time.monotonic() - started:.0f} s")
