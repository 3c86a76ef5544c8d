"""How far a roll is, read from the Deployment, its ReplicaSets and pods. Only what they say; nothing is assumed."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from modelberth.api import names
from modelberth.domain import pods as pod_words
from modelberth.domain.objects import Object, annotation, condition, dig, generation_of, uid_of
from modelberth.domain.pods import Trouble


@dataclass(frozen=True, slots=True)
class PhaseProgress:
    """A phase that a training run's pod has been through, or is in: since when (RFC 3339), how long, how many bytes."""

    name: str
    started_at: str
    seconds: float
    bytes: int = 0


@dataclass(frozen=True, slots=True)
class LoaderProgress:
    """What one pod's loader, or a training run's pod, told the registry last."""

    bytes: int
    total: int
    idle_seconds: float
    phase: str = ""
    phases: tuple[PhaseProgress, ...] = ()


@dataclass(frozen=True, slots=True, order=True)
class Served:
    """Ready pods of one revision."""

    version: str
    digest: str
    revision: str
    ready_replicas: int


@dataclass(frozen=True, slots=True)
class Mark:
    """The furthest that a roll has ever been, and when it got there.

    It is remembered because pods are forgotten: one that is evicted and replaced again and again reaches the same
    steps for ever, and gets the roll no further.

    Attributes:
        replicas: how many pods were wanted.
        steps: the steps that the pods had behind them, all together.
        bytes: at that many steps, the bytes that the running loaders had.
        at: when the last step or byte came.
    """

    replicas: int
    steps: int
    bytes: int
    at: datetime


@dataclass(frozen=True, slots=True)
class Rollout:
    """A Deployment's replicas, as its controller has last reported them for the generation that is there now."""

    wanted: int
    replicas: int
    updated: int
    ready: int
    available: int
    is_current: bool  # the controller has seen the newest generation

    @property
    def is_complete(self) -> bool:
        """All pods are of the newest template and available, and no other is left."""
        return self.is_current and self.replicas == self.updated == self.available == self.wanted


NOTHING = Rollout(wanted=0, replicas=0, updated=0, ready=0, available=0, is_current=False)


def read(workload: Object | None) -> Rollout:
    """The replica counts of a Deployment; zeros where there is none."""
    if workload is None:
        return NOTHING
    status = workload.get("status") or {}
    wanted = dig(workload, "spec", "replicas")
    return Rollout(
        wanted=1 if wanted is None else int(wanted),
        replicas=int(status.get("replicas") or 0),
        updated=int(status.get("updatedReplicas") or 0),
        ready=int(status.get("readyReplicas") or 0),
        available=int(status.get("availableReplicas") or 0),
        is_current=int(status.get("observedGeneration") or 0) >= generation_of(workload),
    )


def served(replica_sets: Iterable[Object]) -> tuple[Served, ...]:
    """What answers now: for each revision with ready pods, how many. Sorted by version."""
    found = []
    for replica_set in replica_sets:
        ready = int(dig(replica_set, "status", "readyReplicas") or 0)
        template = {"metadata": dig(replica_set, "spec", "template", "metadata") or {}}
        digest = annotation(template, names.ANNOTATION_DIGEST)
        if ready and digest:
            found.append(
                Served(
                    version=annotation(template, names.ANNOTATION_VERSION) or "",
                    digest=digest,
                    revision=annotation(template, names.ANNOTATION_REVISION) or "",
                    ready_replicas=ready,
                )
            )
    return tuple(sorted(found))


def of_revision(pods: Iterable[Object], revision: str) -> tuple[Object, ...]:
    """The pods made from one revision."""
    return tuple(pod for pod in pods if annotation(pod, names.ANNOTATION_REVISION) == revision)


def trouble(workload: Object | None, pods: Sequence[Object]) -> Trouble | None:
    """What keeps a roll from getting on: the pods' own words, else why no pod could be made."""
    words = pod_words.first_trouble(pods)
    if words is not None:
        return words
    failure = condition(workload, "ReplicaFailure")
    if failure and failure.get("status") == "True":
        return Trouble("PodsNotCreated", str(failure.get("message") or "the pods were refused"))
    return None


def loading(pods: Sequence[Object], progress: Mapping[str, LoaderProgress]) -> tuple[int, int] | None:
    """(bytes, total) of the loaders that still run; None when none does."""
    running = [
        progress[uid_of(pod)]
        for pod in pods
        if uid_of(pod) in progress and not pod_words.is_ready(pod) and _loader_runs(pod)
    ]
    if not running:
        return None
    return sum(p.bytes for p in running), sum(p.total for p in running)


def furthest(
    before: Mark | None,
    pods: Sequence[Object],
    progress: Mapping[str, LoaderProgress],
    *,
    replicas: int,
    started: datetime,
    now: datetime,
) -> Mark:
    """The mark of a roll that ``started`` once: moved on if its pods are further now than any were ``before``.

    Another number of replicas begins anew: fewer pods have fewer steps behind them.
    """
    loaded = loading(pods, progress)
    here = (pod_words.steps(pods), loaded[0] if loaded else 0)
    if before is not None and before.replicas == replicas and here <= (before.steps, before.bytes):
        return before
    ours = set(map(uid_of, pods))
    moments = [started if before is None else before.at]
    moments += [now - timedelta(seconds=p.idle_seconds) for uid, p in progress.items() if uid in ours]
    last = pod_words.last_progress(pods)
    if last is not None:
        moments.append(last)
    return Mark(replicas, *here, max(moments))


def _loader_runs(pod: Object) -> bool:
    return any(
        status.get("name") == names.LOADER_CONTAINER and dig(status, "state", "running") is not None
        for status in dig(pod, "status", "initContainerStatuses") or ()
    )
