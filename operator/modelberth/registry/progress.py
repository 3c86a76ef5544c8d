"""How far loaders are: what pods tell, kept in memory and forgotten when they fall silent.

Each replica knows what was told to itself. A question to one is answered with what all of them know (peers.py), else
a loader that reports to one replica would look stuck to an operator that asks another.
"""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from modelberth.registry.models import PhaseEntry, ProgressEntry, ProgressReport

FORGOTTEN_SECONDS = 3600.0
_REMEMBERED = 50_000


@dataclass(slots=True)
class _Told:
    namespace: str
    pod: str
    digest: str
    bytes: int
    total: int
    phase: str
    phases: tuple[PhaseEntry, ...]
    advanced_at: float
    heard_at: float


class ProgressBoard:
    """The last report of each pod.

    Args:
        monotonic: seconds since some point.
    """

    def __init__(self, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._by_pod: dict[str, _Told] = {}

    def report(self, namespace: str, pod: str, pod_uid: str, said: ProgressReport) -> None:
        """Take what a pod says. Only more bytes, other content or another phase count."""
        now = self._monotonic()
        before = self._by_pod.pop(pod_uid, None)
        is_further = (
            before is None or (before.digest, before.phase) != (said.digest, said.phase) or before.bytes < said.bytes
        )
        advanced_at = now if before is None or is_further else before.advanced_at
        self._by_pod[pod_uid] = _Told(
            namespace=namespace,
            pod=pod,
            digest=said.digest,
            bytes=said.bytes,
            total=said.total,
            phase=said.phase,
            phases=said.phases,
            advanced_at=advanced_at,
            heard_at=now,
        )
        if len(self._by_pod) > _REMEMBERED:
            del self._by_pod[next(iter(self._by_pod))]  # the one that has been silent for longest

    def entries(self) -> list[ProgressEntry]:
        """What is known, of the pods that were heard within the last hour."""
        now = self._monotonic()
        silent = [uid for uid, told in self._by_pod.items() if now - told.heard_at > FORGOTTEN_SECONDS]
        for uid in silent:
            del self._by_pod[uid]
        return [
            ProgressEntry(
                namespace=told.namespace,
                pod=told.pod,
                pod_uid=uid,
                digest=told.digest,
                bytes=told.bytes,
                total=told.total,
                idle_seconds=max(0.0, now - told.advanced_at),
                phase=told.phase,
                phases=told.phases,
            )
            for uid, told in self._by_pod.items()
        ]


def merged(replicas: Iterable[Iterable[ProgressEntry]]) -> list[ProgressEntry]:
    """One entry per pod out of what several replicas know: the one that got on last."""
    latest: dict[str, ProgressEntry] = {}
    for entries in replicas:
        for entry in entries:
            known = latest.get(entry.pod_uid)
            if known is None or entry.idle_seconds < known.idle_seconds:
                latest[entry.pod_uid] = entry
    return sorted(latest.values(), key=lambda entry: (entry.namespace, entry.pod))
