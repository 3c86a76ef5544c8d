"""A run between its start and its end: one pod after the other, until one has done it or another one makes no sense."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from modelberth.api.conditions import timestamp
from modelberth.api.training_run import RunPhase
from modelberth.domain.objects import Object, dig, is_deleting, name_of, timestamps, uid_of
from modelberth.domain.pods import Trouble
from modelberth.domain.rollouts import LoaderProgress
from modelberth.domain.training import going, pod_state, reasons
from modelberth.domain.training.inputs import Inputs
from modelberth.domain.training.plan import (
    MISSING_SINCE,
    Ending,
    Plan,
    Told,
    failures_of,
    with_failure,
)
from modelberth.domain.training.pod import Attempt, attempt_of, is_ours, pod_name, render
from modelberth.domain.training.pod_state import PodState, Stage
from modelberth.domain.training.start import cancelled, ended, missing_since
from modelberth.domain.training.template import Settled
from modelberth.domain.verdicts import Standing, Verdict, waiting

LOOK_AGAIN: Final = 30.0
"""Seconds until a pod that was refused is tried again: a quota that has room again makes no event."""
_DEADLINE_GRACE: Final = timedelta(seconds=120)
"""The program's deadline is held by its supervisor; this long after it something is wrong with that."""
_START_TROUBLES: Final = frozenset({reasons.IMAGE_PULL_FAILED, reasons.CONTAINER_NOT_CREATED})


@dataclass(frozen=True, slots=True)
class Observed:
    """What an attempt is decided from.

    Attributes:
        run: the TrainingRun, whose status says what it runs.
        inputs: what goes in.
        settled: what is executed.
        operator_image: of our two containers.
        pod: what has the name of the attempt's pod, whoever made it.
        record: how the attempt ended; asked for once its pod is over, or another run takes its place.
        progress: what the pod told the registry last.
        strays: other pods of this run that still run.
        replaced_by: the run that takes this one's place.
    """

    run: Object
    inputs: Inputs
    settled: Settled
    operator_image: str
    pod: Object | None = None
    record: Told | None = None
    progress: LoaderProgress | None = None
    strays: tuple[Object, ...] = ()
    replaced_by: str | None = None

    @property
    def number(self) -> int:
        """Of the attempt, from 0."""
        return int(dig(self.run, "status", "attempt") or 0)

    @property
    def own_pod(self) -> Object | None:
        """The attempt's pod, if it is ours."""
        return self.pod if self.pod is not None and is_ours(self.pod, self.run) else None


def is_over(run: Object, pod: Object | None, *, now: datetime) -> bool:
    """Whether nothing more will come of the pod, so that its record is what counts."""
    if pod is None or not is_ours(pod, run):
        return dig(run, "status", "pod") is not None
    return pod_state.read(pod, now=now).stage is Stage.ENDED


def decide(seen: Observed, *, now: datetime) -> Plan:
    """The next step of the run.

    A recorded success goes before everything: its version may be there already, by one who was killed while making it.
    """
    if seen.record is not None and seen.record.status == "Succeeded":
        return _over(seen, now)
    if seen.replaced_by is not None:
        return ended(cancelled(seen.replaced_by), delete=_running(seen.own_pod, *seen.strays))
    if seen.own_pod is None:
        return _without_pod(seen, now)
    state = pod_state.read(seen.own_pod, now=now)
    if state.stage is Stage.ENDED:
        return _over(seen, now)
    given_up = _given_up(seen, seen.own_pod, state, now)
    if given_up is not None:
        return _failed(seen, given_up, now)
    patience = _patience(seen, seen.own_pod, now)
    return going.decide(seen.run, seen.own_pod, state, progress=seen.progress, strays=seen.strays, patience=patience)


def refused(seen: Observed, words: str, *, is_forbidden: bool, now: datetime) -> Plan:
    """What follows from the API server's refusal of the pod, in its words."""
    reason = reasons.QUOTA_EXCEEDED if is_forbidden and "exceeded quota" in words else reasons.POD_REFUSED
    since = missing_since(seen.run, now)
    left = (since + timedelta(seconds=seen.settled.template.start_deadline_seconds) - now).total_seconds()
    if left <= 0:
        return _end(seen, Trouble(reason, words), now)
    changes = {"phase": "Waiting", MISSING_SINCE: timestamp(since)}
    return Plan(waiting(reason, words), changes, seen.strays, requeue_after=min(max(left, 1.0), LOOK_AGAIN))


def _without_pod(seen: Observed, now: datetime) -> Plan:
    if dig(seen.run, "status", "pod") is not None:
        return _over(seen, now)
    left = _rest(seen, now)
    if left > 0:
        return Plan(_retrying(seen), {"phase": "Waiting"}, seen.strays, requeue_after=left)
    if seen.pod is not None:
        words = f"pod {name_of(seen.pod)} is somebody else's; the next attempt has another name"
        return _failed(seen, Trouble(reasons.POD_REFUSED, words), now)
    pod = render(Attempt(seen.run, seen.number, seen.inputs, seen.settled, seen.operator_image))
    return Plan(going.STARTING, {"phase": "Waiting"}, seen.strays, create=pod, requeue_after=LOOK_AGAIN)


def _over(seen: Observed, now: datetime) -> Plan:
    """The pod is done; its record says how, and where it says nothing, the pod does."""
    pod, record = seen.own_pod, seen.record
    if record is None:
        return _failed(seen, pod_state.failure(pod), now)
    if record.status == "Succeeded" and record.output is None:
        return _failed(
            seen, Trouble(reasons.BAD_OUTPUT, "the run succeeded and left nothing to make a version of"), now
        )
    if record.status == "Succeeded":
        verdict = Verdict("Succeeded", Standing.READY, "Succeeded", record.message)
        return Plan(verdict, {}, seen.strays, ending=Ending("Succeeded", "Succeeded", record.message))
    return _failed(seen, pod_state.cause(pod, Trouble(record.reason, record.message)), now)


def _given_up(seen: Observed, pod: Object, state: PodState, now: datetime) -> Trouble | None:
    """Why a pod is not waited for any longer."""
    template = seen.settled.template
    if state.stage is Stage.BROKEN:
        return pod_state.failure(pod)
    if state.trouble is not None and state.trouble.reason in _START_TROUBLES and _patience(seen, pod, now) <= 0:
        return state.trouble
    ended = pod_state.program_ended(pod)
    patience = timedelta(seconds=template.start_deadline_seconds)
    # Where it ended before the harness could say that it had begun, our reporter waits for that word for ever.
    if ended is not None and now >= ended + patience and not _has_begun(seen):
        return pod_state.never_heard_of(pod)
    started = pod_state.program_started(pod)
    if template.active_deadline_seconds is not None and started is not None:
        end = started + timedelta(seconds=template.active_deadline_seconds) + _DEADLINE_GRACE
        if now >= end:
            return Trouble(
                reasons.DEADLINE_EXCEEDED,
                "the program ran longer than activeDeadlineSeconds; make it faster or raise the field",
            )
    return None


def _has_begun(seen: Observed) -> bool:
    """Whether the harness was ever heard of; the status remembers it where the registry has forgotten."""
    told = [seen.progress.phase] if seen.progress is not None else []
    known = [str(entry.get("name")) for entry in dig(seen.run, "status", "phases") or ()]
    return any(phase not in {"", RunPhase.WAITING, RunPhase.LOADING} for phase in [*told, *known])


def _patience(seen: Observed, pod: Object, now: datetime) -> float:
    """Seconds that a pod has left to start in. Nothing counts in which it could not have started."""
    since = pod_state.could_start(pod) or now
    return (since + timedelta(seconds=seen.settled.template.start_deadline_seconds) - now).total_seconds()


def _failed(seen: Observed, trouble: Trouble, now: datetime) -> Plan:
    """An attempt has come to nothing: another one, or the end."""
    failures = [str(entry.get("reason")) for entry in failures_of(seen.run)]
    pause = reasons.pause_before_next([*failures, trouble.reason], backoff_limit=seen.settled.template.backoff_limit)
    if pause is None:
        return _end(seen, trouble, now)
    changes: dict[str, Any] = {
        "phase": "Waiting",
        "attempt": seen.number + 1,
        "attempts": with_failure(seen.run, _entry(seen, trouble, now)),
        "pod": None,
        "imageID": None,
        "progress": None,
        "phases": None,
        MISSING_SINCE: None,
    }
    delete = _running(seen.own_pod, *seen.strays)
    return Plan(_tried_again(trouble.reason, trouble.message), changes, delete, requeue_after=pause)


def _end(seen: Observed, trouble: Trouble, now: datetime) -> Plan:
    changes = {"attempts": with_failure(seen.run, _entry(seen, trouble, now))}
    ending = Ending("Failed", trouble.reason, trouble.message)
    return ended(ending, changes, _running(seen.own_pod, *seen.strays))


def _entry(seen: Observed, trouble: Trouble, now: datetime) -> Mapping[str, Any]:
    known = dig(seen.run, "status", "pod") or {}
    pod = seen.own_pod
    entry = {
        "number": seen.number,
        "pod": name_of(pod) if pod else known.get("name") or pod_name(name_of(seen.run), seen.number),
        "podUID": uid_of(pod) if pod else known.get("uid"),
        "startedAt": dig(pod, "metadata", "creationTimestamp"),
        "finishedAt": timestamp(now),
        "reason": trouble.reason[:128],
        "message": trouble.message[:1024],
    }
    return {name: value for name, value in entry.items() if value is not None}


def _rest(seen: Observed, now: datetime) -> float:
    """Seconds until the attempt may begin. A clock that was set back makes nobody wait for what it showed before."""
    failures = [str(each.get("reason")) for each in failures_of(seen.run)]
    if not failures:
        return 0.0
    pause = reasons.pause_before_next(failures, backoff_limit=seen.settled.template.backoff_limit) or 0.0
    passed = (now - _waits_since(seen)).total_seconds()
    return pause - passed if 0 <= passed < pause else 0.0


def _waits_since(seen: Observed) -> datetime:
    last = [each.get("finishedAt") for each in failures_of(seen.run)][-1:]
    found = next(timestamps(*last, dig(seen.run, "status", "startedAt")), None)
    assert found is not None  # noqa: S101 - a start is written with its time
    return found


def _retrying(seen: Observed) -> Verdict:
    last = failures_of(seen.run)[-1]
    return _tried_again(str(last.get("reason")), str(last.get("message")))


def _tried_again(reason: str, message: str) -> Verdict:
    return waiting("Retrying", f"an attempt failed ({reason}: {message}); another one follows")


def _running(*pods: Object | None) -> tuple[Object, ...]:
    """The pods that have to be ended."""
    return tuple(
        pod
        for pod in pods
        if pod is not None and not is_deleting(pod) and dig(pod, "status", "phase") not in {"Succeeded", "Failed"}
    )


def strays(run: Object, pods: tuple[Object, ...]) -> tuple[Object, ...]:
    """Pods of the run that are not the one of its attempt, and still run."""
    number = None if dig(run, "status", "phase") is None else dig(run, "status", "attempt")
    return _running(*(pod for pod in pods if is_ours(pod, run) and attempt_of(pod) != number))
