"""The timeline of a move: what happened when, read from the API server's watches and from the answers."""

import contextlib
import json
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import IO, Any, Self

from demo.cluster import Cluster

Object = dict[str, Any]


@dataclass(frozen=True)
class Moment:
    """Something that happened, in seconds since the manifest was applied."""

    seconds: float
    what: str


class Timeline:
    """Watches a RegisteredModel, the Deployment that follows it and its pods: when each first shows the new version.

    Times are those of the watch events' arrival here; the load generator's clock is the node's, which is this
    machine's.
    """

    def __init__(self, cluster: Cluster, namespace: str, name: str, version: str) -> None:
        self._cluster, self._namespace, self._name, self._version = cluster, namespace, name, version
        self._noted: dict[str, float] = {}
        self._served = threading.Event()
        self._watches: list[tuple[subprocess.Popen[str], threading.Thread]] = []
        self._old_pods: set[str] = set()
        self._applied = 0.0

    def __enter__(self) -> Self:
        """Start the watches; each first delivers what there is now."""
        pods = f"--selector=modelberth.io/deployment={self._name}"
        self._watch(self._see_workload, "deployment", f"{self._name}-a")
        self._watch(self._see_model, "registeredmodel", self._name)
        self._watch(self._see_pod, "pods", pods)
        return self

    def __exit__(self, *_: object) -> None:
        """End the watches."""
        for watch, listener in self._watches:
            with watch:
                watch.terminate()
                listener.join()

    def applied(self) -> None:
        """The manifest is about to be applied: time counts from here."""
        self._applied = time.time()

    def wait_served(self, seconds: float) -> bool:
        """Until the alias is `Served` and the last old pod is gone; False if that takes longer."""
        deadline = time.monotonic() + seconds
        if not self._served.wait(seconds):
            return False
        while self._old_pods:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.1)
        return True

    def moments(self, first_answer: float | None) -> list[Moment]:
        """What happened, in order of time."""
        noted = dict(self._noted)
        if first_answer is not None:
            noted["first answer of the new model"] = first_answer
        moments = [Moment(at - self._applied, what) for what, at in noted.items()]
        return [Moment(0.0, "kubectl apply begins"), *sorted(moments, key=lambda moment: moment.seconds)]

    def note(self, what: str) -> None:
        """This happened now, unless it has happened before."""
        if self._applied:
            self._noted.setdefault(what, time.time())

    def _see_model(self, _: str, model: Object) -> None:
        for alias in (model.get("status", {}).get("aliases") or {}).values():
            if alias.get("desired") == self._version:
                self.note("status: alias observed (status is written last)")
                if alias.get("state") == "Served" and alias.get("current") == self._version:
                    self.note("status: alias Served")
                    self._served.set()

    def _see_workload(self, _: str, workload: Object) -> None:
        if workload["metadata"].get("annotations", {}).get("modelberth.io/version") == self._version:
            self.note("Deployment patched")

    def _see_pod(self, event: str, pod: Object) -> None:
        name = pod["metadata"]["name"]
        new = pod["metadata"].get("annotations", {}).get("modelberth.io/version") == self._version
        if event == "DELETED":
            self._old_pods.discard(name)
            if not new and not self._old_pods:
                self.note("last old pod gone")
            return
        if not new:
            self._old_pods.add(name)
            return
        self.note("first new pod created")
        loaders = pod.get("status", {}).get("initContainerStatuses") or []
        if any(loader.get("state", {}).get("terminated", {}).get("exitCode") == 0 for loader in loaders):
            self.note("model loaded and verified")
        conditions = {entry["type"]: entry["status"] for entry in pod.get("status", {}).get("conditions") or []}
        if conditions.get("Ready") == "True":
            self.note("first new pod ready")

    def _watch(self, see: Callable[[str, Object], None], *what: str) -> None:
        options = ["--watch", "--output-watch-events", "--output=json", "--namespace", self._namespace]
        command = [*self._cluster.kubectl_command(), "get", *what, *options]
        watch = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert watch.stdout is not None  # noqa: S101 - asked for above
        listener = threading.Thread(target=_listen, args=(watch.stdout, see), daemon=True)
        listener.start()
        self._watches.append((watch, listener))


def _listen(stream: IO[str], see: Callable[[str, Object], None]) -> None:
    for event in _documents(stream):
        see(event["type"], event["object"])


def _documents(stream: IO[str]) -> Iterator[Object]:
    """The JSON documents of a stream, each on one line or, from older kubectls, on many."""
    text = ""
    for line in stream:
        text += line
        with contextlib.suppress(json.JSONDecodeError):  # not complete yet
            yield json.loads(text)
            text = ""
