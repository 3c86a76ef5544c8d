"""Follows a training run: its phases as they come, and what its program prints, until it has ended."""

import sys
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import urlencode

from modelberth.cli.cluster import Cluster
from modelberth.cli.display import size
from modelberth.cli.errors import CommandError
from modelberth.domain.objects import condition, dig
from modelberth.runtime.resources import PODS, TRAINING_RUNS, Object
from modelberth.transfer.errors import TransferError

POLL_SECONDS = 1.0
ENDED = ("Succeeded", "Failed", "Skipped")
CONTAINER = "train"
_ON_ITS_WAY = ("Starting",)
"""Reasons of a run that has not ended and that nothing is wrong with, besides its phase."""


def follow(cluster: Cluster, namespace: str, name: str, *, uid: str, log: bool = True) -> Object:
    """Wait for the end of a run, telling on stderr how far it is; what it prints goes to stdout as it is.

    Args:
        cluster: as the user.
        namespace: the run's.
        name: the run's.
        uid: the run's; another one of the name is not waited for.
        log: whether to show what the program prints.

    Returns:
        The run as it ended.

    Raises:
        CommandError: the run was deleted.
        TransferError: the API server refused, or does not answer for long.
    """
    told = ""
    logs: dict[str, PodLog] = {}
    try:
        while True:
            run = cluster.get(TRAINING_RUNS, namespace, name)
            if run is None or dig(run, "metadata", "uid") != uid:
                raise CommandError(f"TrainingRun {name} was deleted before it had ended")
            pod = dig(run, "status", "pod", "name")
            if log and isinstance(pod, str) and pod not in logs:
                logs[pod] = PodLog(cluster, namespace, pod)
                logs[pod].start()
            line = state_line(run)
            if line != told:
                print(line, file=sys.stderr, flush=True)
                told = line
            if has_ended(run):
                return run
            time.sleep(POLL_SECONDS)
    finally:
        for shown in logs.values():
            shown.end()


def has_ended(run: Mapping[str, Any]) -> bool:
    """Whether a run is through."""
    return dig(run, "status", "phase") in ENDED


def state_line(run: Mapping[str, Any]) -> str:
    """How far a run is, in a line."""
    status = run.get("status") or {}
    phase = str(status.get("phase") or "Waiting")
    words = [phase]
    total = dig(status, "progress", "total")
    if phase in ("Loading", "Uploading") and total:
        words.append(f"{size(dig(status, 'progress', 'bytes') or 0)} of {size(total)}")
    if status.get("attempt") and phase not in ENDED:
        words.append(f"attempt {status['attempt'] + 1}")
    if status.get("version"):
        words.append(str(status["version"]))
    why = why_of(run)
    return " ".join(words) + (f": {why}" if why and (phase in ENDED or _says_more(run)) else "")


def ending_line(record: Mapping[str, Any]) -> str:
    """How a run ended, in the same line, from its record."""
    reason = "" if record["reason"] == record["status"] else record["reason"]
    why = ": ".join(part for part in (reason, record["message"]) if part)
    return " ".join(filter(None, (record["status"], record["version"]))) + (f": {why}" if why else "")


def is_held_up(run: Mapping[str, Any]) -> bool:
    """Whether something keeps a run that has not ended from going on."""
    return not has_ended(run) and _says_more(run) and _ready(run).get("reason") not in _ON_ITS_WAY


def _says_more(run: Mapping[str, Any]) -> bool:
    """Whether its condition Ready has a reason besides the phase that it is in."""
    return (_ready(run).get("reason") or "") not in ("", dig(run, "status", "phase") or "Waiting")


def _ready(run: Mapping[str, Any]) -> Mapping[str, Any]:
    return condition(run, "Ready") or {}


def why_of(run: Mapping[str, Any]) -> str:
    """Why a run is as it is: its own words, else those of its condition Ready."""
    status = run.get("status") or {}
    said = status if status.get("message") else _ready(run)
    reason, message = str(said.get("reason") or ""), str(said.get("message") or "")
    if status.get("phase") == "Succeeded":
        return message if status.get("message") else ""
    if message and reason == status.get("phase"):
        return message
    return f"{reason}: {message}" if reason and message else message or reason


class PodLog(threading.Thread):
    """Copies what a container prints to stdout, across connections that end."""

    def __init__(self, cluster: Cluster, namespace: str, pod: str) -> None:
        super().__init__(name=f"log of {pod}", daemon=True)
        self._cluster = cluster
        self._path = f"{PODS.path(namespace, pod)}/log"
        self._last = b""
        self._over = threading.Event()

    def run(self) -> None:
        """Read until the run has ended, and once more what is there then."""
        is_last = self._over.is_set()
        while True:
            with suppress(TransferError, OSError):
                self._read(follow=not is_last)
            if is_last:
                return
            is_last = self._over.wait(POLL_SECONDS)

    def end(self) -> None:
        """The run has ended: what is on the way is still shown."""
        self._over.set()
        self.join(timeout=5)

    def _read(self, *, follow: bool) -> None:
        query = {"container": CONTAINER, "follow": str(follow).lower(), "timestamps": "true"}
        if self._last:
            query["sinceTime"] = self._last.decode("ascii", "replace")
        for line in self._cluster.lines(f"{self._path}?{urlencode(query)}"):
            stamp, _, text = line.partition(b" ")
            if stamp <= self._last:  # the API server counts from the second on: this line was shown
                continue
            self._last = stamp
            sys.stdout.buffer.write(text)
            sys.stdout.flush()
