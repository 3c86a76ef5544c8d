"""The namespaces of a cluster: starting them, running programs in them, seeing and ending what runs there.

Nothing is written down about processes: they are found in /proc by the PID namespace they belong to. So what is
reported is what is, also after somebody killed a part or an earlier run crashed.
"""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from .cluster import Cluster
from .host import LocalkindError
from .tools import bin_folder

_INIT = Path(__file__).with_name("init.py")
_CGROUPS = Path("/sys/fs/cgroup")
_SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def start(cluster: Cluster) -> None:
    """Make the cluster's namespaces and its link to the host.

    Raises:
        LocalkindError: with the words of the program that refused.
    """
    log = cluster.folder / "logs" / "init.log"
    namespaces = ["--mount", "--net", "--pid", "--uts", "--ipc", "--fork", "--mount-proc", "--propagation", "private"]
    command = [sys.executable, "-I", str(_INIT), str(cluster.folder), cluster.node_name]
    with log.open("w") as errors:
        process = subprocess.Popen(
            ["unshare", *namespaces, *command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            start_new_session=True,
        )
    assert process.stdout is not None
    with process.stdout as answer:
        if answer.readline() != b"ready\n":
            process.wait()
            raise LocalkindError(f"the cluster's namespaces could not be made: {log.read_text().strip()[-600:]}")
    _connect(cluster)


def _connect(cluster: Cluster) -> None:
    """Lay the veth pair; one route on the host leads to all pods, Services and the node."""
    holder = require_holder(cluster)
    _ip("link", "add", cluster.link, "type", "veth", "peer", "name", "eth0", "netns", str(holder))
    _ip("address", "add", f"{cluster.host_ip}/30", "dev", cluster.link)
    _ip("link", "set", cluster.link, "up")
    for arguments in (
        ("address", "add", f"{cluster.node_ip}/30", "dev", "eth0"),
        ("link", "set", "eth0", "up"),
        ("route", "add", "default", "via", cluster.host_ip),
    ):
        subprocess.run([*entering(holder, "--net"), "ip", *arguments], check=True)
    _ip("route", "add", cluster.cidr, "via", cluster.node_ip)


def _ip(*arguments: str) -> None:
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise LocalkindError(f"ip {' '.join(arguments)}: {done.stderr.strip()}")


def entering(holder: int, *namespaces: str) -> list[str]:
    """The command prefix that runs a program in the namespaces of process `holder`."""
    return ["nsenter", f"--target={holder}", *namespaces]


def run(cluster: Cluster, *command: str, stdin: int = subprocess.DEVNULL) -> subprocess.CompletedProcess[str]:
    """Run a program with the cluster's files, network and processes, and return what it said."""
    prefix = entering(require_holder(cluster), "--mount", "--net", "--pid", "--uts", "--ipc")
    return subprocess.run([*prefix, *command], stdin=stdin, capture_output=True, text=True, check=False)


def spawn(cluster: Cluster, name: str, command: list[str], environment: Mapping[str, str]) -> None:
    """Start a component that outlives this process; what it prints is appended to `logs/<name>.log`.

    `setsid --fork` lets the component's parent end at once: the component becomes a child of the cluster's init. Of the
    caller's environment nothing is passed on: a proxy setting would send the components' own traffic out.
    """
    prefix = entering(require_holder(cluster), "--mount", "--net", "--pid", "--uts", "--ipc", "--wd=/")
    with (cluster.folder / "logs" / f"{name}.log").open("ab") as log:
        subprocess.run(
            [*prefix, "setsid", "--fork", *command],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env={"PATH": f"{bin_folder()}:{_SYSTEM_PATH}", "HOME": "/root", "LANG": "C.UTF-8", **environment},
            start_new_session=True,
            check=True,
        )


def holder(cluster: Cluster) -> int | None:
    """PID (of the host) of the cluster's init, or None when it does not run.

    Found by its command line, which names the state folder, and by being PID 1 of a namespace (its parent, unshare,
    has the same words). Another checkout's clusters are found, too: names are given once per machine.
    """
    script, folder = f"/{_INIT.parent.name}/{_INIT.name}".encode(), str(cluster.folder).encode()
    for process in _processes():
        words = _read(process / "cmdline").split(b"\0")
        is_ours = folder in words and any(word.endswith(script) for word in words)
        if is_ours and _numbers_in_namespaces(process)[-1:] == ["1"]:
            return int(process.name)
    return None


def require_holder(cluster: Cluster) -> int:
    """PID of the cluster's init, which must run."""
    found = holder(cluster)
    if found is None:
        raise LocalkindError(
            f"cluster {cluster.name!r} does not run any more (machine restarted, or its init killed):"
            f" `localkind delete cluster --name {cluster.name}` and create it again"
        )
    return found


def components(cluster: Cluster) -> dict[str, int]:
    """The programs that run in the cluster's namespaces, containers aside: name → PID of the host."""
    init = holder(cluster)
    if init is None:
        return {}
    namespace = _pid_namespace(Path(f"/proc/{init}"))
    running = {}
    for process in _processes():
        if _pid_namespace(process) == namespace and (words := _read(process / "cmdline").split(b"\0"))[0]:
            program = Path(words[0].decode()).name
            script = Path(words[2].decode()).stem if program.startswith("python") and len(words) > 2 else ""
            running[script or program] = int(process.name)
    return running


def stop(cluster: Cluster) -> None:
    """End every process of the cluster and take away its link and cgroups; without effect on what is gone already.

    Raises:
        LocalkindError: when the kernel does not let the processes go within half a minute.
    """
    init = holder(cluster)
    if init is not None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(init, signal.SIGKILL)
        _wait_gone(init, cluster)
    # The kernel takes the veth pair with the network namespace, but later: the next cluster may want the name at once.
    subprocess.run(["ip", "link", "delete", cluster.link], capture_output=True, check=False)
    for tree in cgroup_folders(cluster):
        _remove_cgroups(tree)


def _wait_gone(init: int, cluster: Cluster) -> None:
    """Wait until init has ended, or is a zombie nobody collects: before that the kernel ends all of its namespace."""
    deadline = time.monotonic() + 30
    while _state(Path(f"/proc/{init}")) not in ("", "Z"):
        if time.monotonic() > deadline:
            raise LocalkindError(f"processes of cluster {cluster.name!r} do not end; see `ps -ef` and try again")
        time.sleep(0.02)


def cgroup_folders(cluster: Cluster) -> list[Path]:
    """The cluster's cgroup in every hierarchy of this machine: one for cgroup v2, one per controller for v1."""
    if _is_cgroup_v2():
        return [_CGROUPS / cluster.cgroup]
    return [tree / cluster.cgroup for tree in sorted(_CGROUPS.iterdir()) if (tree / "cgroup.procs").exists()]


def make_cgroups(cluster: Cluster) -> None:
    """Make the cgroup below which the kubelet keeps its pods; it clears up below it and must not see other clusters'."""
    if _is_cgroup_v2():
        controllers = (_CGROUPS / "cgroup.controllers").read_text().split()
        (_CGROUPS / "cgroup.subtree_control").write_text(" ".join(f"+{name}" for name in controllers))
    for folder in cgroup_folders(cluster):
        folder.mkdir(exist_ok=True)
        for setting in ("cpuset.cpus", "cpuset.mems"):  # a new cpuset of v1 is empty and takes no process
            if not _is_cgroup_v2() and (folder / setting).exists():
                (folder / setting).write_text((folder.parent / setting).read_text())


def _is_cgroup_v2() -> bool:
    return (_CGROUPS / "cgroup.controllers").exists()


def _remove_cgroups(tree: Path) -> None:
    for folder, _, _ in os.walk(tree, topdown=False):
        deadline = time.monotonic() + 5
        while True:
            try:
                os.rmdir(folder)
            except FileNotFoundError:
                break
            except OSError as error:  # a killed process leaves its cgroup a moment later
                if time.monotonic() > deadline:
                    raise LocalkindError(f"{folder} cannot be removed: {error.strerror}") from error
                time.sleep(0.02)
            else:
                break


def _processes() -> list[Path]:
    return [entry for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError:  # the process has ended
        return b""


def _state(process: Path) -> str:
    """The letter of a process's state; empty when there is no such process."""
    return _read(process / "stat").decode(errors="replace").rpartition(")")[2].strip()[:1]


def _numbers_in_namespaces(process: Path) -> list[str]:
    """A process's PID in each PID namespace it is in, outermost first."""
    for line in _read(process / "status").decode().splitlines():
        if line.startswith("NSpid:"):
            return line.split()[1:]
    return []


def _pid_namespace(process: Path) -> str:
    try:
        return str((process / "ns" / "pid").readlink())
    except OSError:
        return ""
