"""Inference requests from a pod, at a fixed rate, each on a fresh connection; counted here by who answered them."""

import json
import subprocess
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from demo.cluster import Cluster
from demo.images import MODELBERTH

PER_SECOND = 20
POD = "traffic"
_SCRIPT = Path(__file__).with_name("pod") / "load.py"


@dataclass
class Tally:
    """Answers of one version."""

    answered: int = 0
    right: int = 0

    @property
    def accuracy(self) -> float:
        """The share of right answers."""
        return self.right / self.answered if self.answered else 0.0


@dataclass
class Count:
    """What has come back so far. Times are seconds since the epoch."""

    versions: dict[str, Tally] = field(default_factory=dict)
    first_answer: dict[str, float] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)
    slowest: float = 0.0

    @property
    def sent(self) -> int:
        """Requests with an outcome."""
        return len(self.errors) + sum(tally.answered for tally in self.versions.values())

    def add(self, outcome: dict[str, object]) -> None:
        """Count one line of the pod's."""
        if "error" in outcome:
            self.errors.append(str(outcome["error"]))
            return
        version, at, seconds = str(outcome["version"]), float(str(outcome["at"])), float(str(outcome["seconds"]))
        tally = self.versions.setdefault(version, Tally())
        tally.answered += 1
        tally.right += bool(outcome["right"])
        self.first_answer[version] = min(at + seconds, self.first_answer.get(version, at + seconds))
        self.slowest = max(self.slowest, seconds)


class Traffic:
    """Runs from entering to leaving the context."""

    def __init__(self, cluster: Cluster, namespace: str, images: Path) -> None:
        self._cluster, self._namespace, self._images = cluster, namespace, images
        self._lock = threading.Lock()
        self._count = Count()

    def __enter__(self) -> Self:
        """Start the pod and listen to it."""
        self._remove()
        manifests = json.dumps({"apiVersion": "v1", "kind": "List", "items": [self._config_map(), _pod()]})
        self._cluster.kubectl("apply", "--namespace", self._namespace, "--filename=-", input=manifests)
        self._cluster.kubectl("wait", "--namespace", self._namespace, "--for=condition=Ready", f"pod/{POD}")
        command = [*self._cluster.kubectl_command(), "logs", "--namespace", self._namespace, "--follow", POD]
        self._logs = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End the pod."""
        with self._logs:
            self._logs.terminate()
            self._listener.join()
        self._remove()

    def so_far(self) -> Count:
        """What has come back since the start or the last `begin`."""
        with self._lock:
            count = self._count
            tallies = {version: Tally(tally.answered, tally.right) for version, tally in count.versions.items()}
            return Count(tallies, dict(count.first_answer), list(count.errors), count.slowest)

    def begin(self) -> None:
        """Count anew from now on."""
        with self._lock:
            self._count = Count()

    def wait_for(self, version: str, answers: int, seconds: float) -> None:
        """Until a version has answered so many requests.

        Raises:
            TimeoutError: it has not, in that time.
        """
        deadline = time.monotonic() + seconds
        while (tally := self.so_far().versions.get(version)) is None or tally.answered < answers:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{version} has not answered {answers} requests in {seconds:.0f} s: {self.so_far()}")
            time.sleep(0.2)

    def _listen(self) -> None:
        assert self._logs.stdout is not None  # noqa: S101 - asked for in __enter__
        for line in self._logs.stdout:
            if line.endswith("\n"):  # the last one may have been cut off
                with self._lock:
                    self._count.add(json.loads(line))

    def _remove(self) -> None:
        what = ["pod", POD, "--namespace", self._namespace, "--ignore-not-found", "--now", "--wait"]
        self._cluster.kubectl("delete", *what)

    def _config_map(self) -> dict[str, object]:
        data = {"load.py": _SCRIPT.read_text(), "images.json": self._images.read_text()}
        return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": POD}, "data": data}


def _pod() -> dict[str, object]:
    url = "http://digits/v2/models/digits/infer"  # the Service's name: as any client in the cluster asks
    container = {
        "name": "load",
        "image": MODELBERTH,
        "command": ["python", "/traffic/load.py", url, "/traffic/images.json", str(PER_SECOND)],
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
        "volumeMounts": [{"name": "traffic", "mountPath": "/traffic"}],
    }
    spec = {
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": 1,
        "automountServiceAccountToken": False,
        "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [container],
        "volumes": [{"name": "traffic", "configMap": {"name": POD}}],
    }
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": POD}, "spec": spec}
