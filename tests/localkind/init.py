"""The first process of a cluster: PID 1 in the cluster's own namespaces.

Run by sandbox.py as `unshare … python init.py STATE HOSTNAME`. It makes the file system the components expect, then
only collects processes that were re-parented to it. When it dies the kernel kills every process of its PID namespace,
and with the last of them go the mounts, the network and the host's end of the veth pair: that is how a cluster leaves
nothing behind.
"""

import os
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

INSIDE = Path("/run/localkind")

# The kubelet insists on these values and would write them for the whole machine. It reads a file before it writes it:
# covered by one that has the wanted value, the machine's own setting stays untouched.
KUBELET_SYSCTLS = {
    "vm/overcommit_memory": "1",
    "vm/panic_on_oom": "0",
    "kernel/panic": "10",
    "kernel/panic_on_oops": "1",
    "kernel/keys/root_maxkeys": "1000000",
    "kernel/keys/root_maxbytes": "25000000",
}


def main() -> None:
    """Prepare, report on stdout, then reap for ever."""
    state, hostname = sys.argv[1:]
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
    socket.sethostname(hostname)
    _prepare_file_system(Path(state))
    _prepare_network()
    print("ready", flush=True)
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # the starter's pipe must not stay open
    while True:
        signal.sigwait({signal.SIGCHLD})
        _reap()


def _prepare_file_system(state: Path) -> None:
    """Private /run and /var/lib: what components leave at fixed paths stays in here; the state folder at a short path."""
    _mount("--make-rshared", "/")  # volumes and containers propagate between the components, never to the host
    handle = os.open(state, os.O_RDONLY | os.O_DIRECTORY)  # the folder may stand below what is covered next
    _mount("-t", "tmpfs", "-o", "mode=755", "localkind-run", "/run")
    INSIDE.mkdir()
    _mount("--bind", f"/proc/self/fd/{handle}", str(INSIDE), keep=handle)
    os.close(handle)
    upper, work = Path("/run/var-lib/upper"), Path("/run/var-lib/work")
    upper.mkdir(parents=True)
    work.mkdir()
    overlay = f"lowerdir=/var/lib,upperdir={upper},workdir={work}"
    _mount("-t", "overlay", "-o", overlay, "localkind-var-lib", "/var/lib")
    with tempfile.TemporaryDirectory(dir="/run") as values:
        for number, (name, value) in enumerate(KUBELET_SYSCTLS.items()):
            cover = Path(values, str(number))
            cover.write_text(f"{value}\n")
            _mount("--bind", str(cover), f"/proc/sys/{name}")


def _prepare_network() -> None:
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    Path("/proc/sys/net/ipv4/ip_forward").write_text("1\n")


def _mount(*arguments: str, keep: int | None = None) -> None:
    subprocess.run(["mount", *arguments], check=True, pass_fds=() if keep is None else (keep,))


def _reap() -> None:
    try:
        while os.waitpid(-1, os.WNOHANG) != (0, 0):
            pass
    except ChildProcessError:
        pass


if __name__ == "__main__":
    main()
