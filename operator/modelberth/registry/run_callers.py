"""A run's pod before the registry: its token names the pod, and the run's status says which pod is the run's.

Who may make pods in a namespace may put any label on them; the operator alone writes a run's status. So a pod counts as
a run's where the uid that its token is bound to stands in `status.pod.uid`, and as nothing else before.
"""

import time
from collections.abc import Callable
from typing import Any

from modelberth.domain.objects import dig
from modelberth.registry.caches import AgingCache
from modelberth.registry.callers import PodCaller, RunCaller
from modelberth.registry.limits import RateLimit
from modelberth.registry.problems import Problem, forbidden, unavailable
from modelberth.runtime.kube import KubeApi
from modelberth.runtime.resources import TRAINING_RUNS, Object

RUN_HEADER = "Modelberth-Run"
POSITIVE_SECONDS = 10.0
"""How long a pod counts as a run's without asking again; a report of its attempt is its own whenever it comes."""
_REMEMBERED = 10_000
_MAX_NAME = 63


class RunPods:
    """Tells which run a pod is of.

    Args:
        kube: the API server.
        monotonic: seconds since some point.
    """

    def __init__(self, kube: KubeApi, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._kube = kube
        # Each pod that is asked about in vain costs the API server a read.
        self._refusals = RateLimit(per_second=5, burst=100, monotonic=monotonic)
        self._known: AgingCache[tuple[str, str, str], RunCaller] = AgingCache(
            seconds=POSITIVE_SECONDS, weight=_REMEMBERED
        )

    async def identify(self, caller: PodCaller, namespace: str, run: str) -> RunCaller:
        """The run's pod that this pod is.

        Raises:
            Problem: 403 for a pod that is not the run's (any more); 503 for one that is not in its status yet.
            ApiError: the API server does not answer.
        """
        if caller.namespace != namespace or not caller.pod_uid or not 0 < len(run) <= _MAX_NAME:
            raise _not_of(run)
        key = (namespace, run, caller.pod_uid)
        known = self._known.get(key)
        if known is not None:
            return known
        self._refusals.check(namespace)
        found = await self._kube.get(TRAINING_RUNS, namespace, run)
        if found is None or dig(found, "status", "pod", "uid") != caller.pod_uid:
            self._refusals.take(namespace)
            raise _refusal(found, caller, run)
        attempt = dig(found, "status", "attempt")
        identified = RunCaller(
            user=caller.user,
            namespace=namespace,
            run=run,
            run_uid=str(found["metadata"]["uid"]),
            attempt=attempt if isinstance(attempt, int) else 0,
            pod_uid=caller.pod_uid,
        )
        self._known.put(key, identified)
        return identified


def _refusal(run: Object | None, caller: PodCaller, name: str) -> Problem:
    """A pod that started before the status that names it was written is asked to come again."""
    status: dict[str, Any] = (run or {}).get("status") or {}
    attempt = caller.pod.removeprefix(f"{name}-")
    is_early = run is not None and attempt.isdecimal() and int(attempt) >= int(status.get("attempt") or 0)
    if is_early and dig(status, "pod", "name") != caller.pod:
        return unavailable("RunNotReady", f"TrainingRun {name}: its status does not name this pod yet")
    return _not_of(name)


def _not_of(run: str) -> Problem:
    return forbidden(
        f"this pod is not the one that TrainingRun {run[:_MAX_NAME]!a} names in status.pod: only that one speaks for it"
    )
