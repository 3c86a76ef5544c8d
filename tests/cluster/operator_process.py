"""The operator as a process of this machine: start, look at, kill."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

from tests.localkind.fixture import RunningCluster


def eventually(condition: Callable[[], Any], what: str, seconds: float = 60.0) -> Any:
    """Wait until a condition holds and return what it gave; asked ten times a second."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"{what}: not within {seconds:.0f} s")
        time.sleep(0.1)
    return found


@dataclass
class OperatorProcess:
    """One running operator."""

    identity: str
    process: subprocess.Popen[bytes]
    log_file: Path
    _port: int | None = field(default=None)

    def log(self) -> list[dict[str, Any]]:
        """Its log so far, one record a line."""
        return [json.loads(line) for line in self.log_file.read_text().splitlines() if line.startswith("{")]

    def said(self, message: str) -> list[dict[str, Any]]:
        """The records with this message."""
        return [record for record in self.log() if record["message"] == message]

    @property
    def port(self) -> int:
        """Where it serves metrics and health."""
        if self._port is None:
            self._port = eventually(lambda: self.said("serving metrics and health"), "the endpoints")[0]["port"]
        return self._port

    def ask(self, path: str) -> tuple[int, str]:
        """Status and text of one of its endpoints; status 0 when nobody answers."""
        try:
            with urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except HTTPError as error:
            return error.code, error.read().decode()
        except OSError as error:
            return 0, str(error)

    def metric(self, name: str) -> float:
        """The sum of a metric over all its labels."""
        lines = self.ask("/metrics")[1].splitlines()
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.split("{")[0].split(" ")[0] == name)

    def is_leading(self) -> bool:
        """Whether it acts, by its own word."""
        return self.metric("leader_election_master_status") == 1

    def wait_ready(self) -> None:
        """Until its cache is complete."""
        eventually(lambda: self.ask("/readyz")[0] == 200, f"{self.identity} ready")

    def kill(self) -> None:
        """SIGKILL: no goodbye."""
        self.process.kill()
        self.process.wait(10)

    def stop(self) -> int:
        """SIGTERM, as the kubelet does; the exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(20)


@contextmanager
def operator(
    cluster: RunningCluster,
    folder: Path,
    *,
    identity: str = "operator-0",
    namespace: str,
    kubeconfig: Path | None = None,
    **variables: str,
) -> Iterator[OperatorProcess]:
    """Run an operator while the context lasts; whatever is left of it is killed at the end."""
    access, secret = folder / "access-key", folder / "secret-key"
    access.write_text(cluster.minio.access_key)
    secret.write_text(cluster.minio.secret_key)
    environment = {
        **os.environ,
        "KUBECONFIG": str(kubeconfig or cluster.kubeconfig),
        "MODELBERTH_NAMESPACE": namespace,
        "MODELBERTH_POD_NAME": identity,
        "MODELBERTH_STORE_ENDPOINT": cluster.minio.endpoint,
        "MODELBERTH_STORE_ACCESS_KEY_FILE": str(access),
        "MODELBERTH_STORE_SECRET_KEY_FILE": str(secret),
        "MODELBERTH_LOADER_IMAGE": "localhost/modelberth:test",
        "MODELBERTH_METRICS_PORT": "0",
        "PYTHONPATH": "operator",
        **variables,
    }
    log_file = folder / f"{identity}-{time.monotonic_ns()}.log"
    program = "from modelberth.handlers import main; raise SystemExit(main())"
    with log_file.open("wb") as log:
        process = subprocess.Popen([sys.executable, "-c", program], env=environment, stdout=log, stderr=log)
    running = OperatorProcess(identity, process, log_file)
    try:
        yield running
    finally:
        if process.poll() is None:
            running.kill()
