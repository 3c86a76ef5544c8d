"""What is to be done about a run now, and what its status then says."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Literal

from modelberth.api.conditions import set_condition
from modelberth.api.training_run import ATTEMPTS_SHOWN, METRICS_SHOWN
from modelberth.domain.objects import Object, dig, generation_of
from modelberth.domain.rollouts import PhaseProgress
from modelberth.domain.verdicts import Event, Standing, Verdict, summarise
from modelberth.training.moments import is_moment

COMPLETE: Final = "Complete"
MISSING_SINCE: Final = "missingSince"
"""The status field that a start deadline counts from."""
ENDED: Final = frozenset({"Succeeded", "Failed", "Skipped"})
_ENDING_STANDING: Final = {
    "Succeeded": Standing.READY,
    "Skipped": Standing.READY,
    "Failed": Standing.STALLED,
}
_PHASES_SHOWN: Final = 32


@dataclass(frozen=True, slots=True)
class Told:
    """How an attempt or a run ended, as its record has it.

    Attributes:
        status: Succeeded or Failed; of a run Skipped, too.
        reason: why, in one CamelCase word.
        message: a sentence.
        version: of a run: the ModelVersion that it made or was skipped to; empty for none.
        output: `sha256:<hex>` of what is to become a version.
        files: `sha256:<hex>` of the run's files.
        metrics: what was measured, by name.
        phases: what it has been through, in order.
        python: the version of Python that ran it.
        packages: versions of installed libraries, by name.
        finished_at: RFC 3339.
    """

    status: str
    reason: str
    message: str
    version: str = ""
    output: str | None = None
    files: str | None = None
    metrics: Mapping[str, float] = field(default_factory=dict)
    phases: tuple[PhaseProgress, ...] = ()
    python: str = ""
    packages: Mapping[str, str] = field(default_factory=dict)
    finished_at: str = ""


@dataclass(frozen=True, slots=True)
class Ending:
    """How a run ends; a success makes its version first, a run that is skipped names the one that is there."""

    status: Literal["Succeeded", "Failed", "Skipped"]
    reason: str
    message: str
    version: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be done, in this order: delete, create, end; and then what to say.

    Attributes:
        verdict: for the conditions.
        changes: fields of the status; None takes one away.
        delete: pods that are to go.
        create: the pod that is to be.
        ending: how the run ends, if it does.
        requeue_after: seconds until the next look.
    """

    verdict: Verdict
    changes: Mapping[str, Any] = field(default_factory=dict)
    delete: tuple[Object, ...] = ()
    create: Object | None = None
    ending: Ending | None = None
    requeue_after: float | None = None


def has_ended(run: Object) -> bool:
    """Whether a run's status says that it is over, which it then is for ever."""
    return dig(run, "status", "phase") in ENDED


def status_of(run: Object, plan: Plan, *, now: datetime) -> dict[str, Any]:
    """The whole status of a run that goes on."""
    status = {**(run.get("status") or {}), **plan.changes}
    return _with_conditions(run, status, plan.verdict, is_over=False, now=now)


def final_status(run: Object, changes: Mapping[str, Any], result: Told, *, now: datetime) -> dict[str, Any]:
    """The whole status of a run that is over, by its record."""
    said: dict[str, Any] = {
        "phase": result.status,
        "reason": result.reason,
        "message": result.message[:4096],
        "version": result.version or None,
        "metrics": dict(sorted(result.metrics.items())[:METRICS_SHOWN]) or None,
        "files": result.files,
        "phases": phases_shown(result.phases) or None,
        "finishedAt": result.finished_at,
        "progress": None,
        "pod": None,
        MISSING_SINCE: None,
    }
    status = {**(run.get("status") or {}), **changes, **said}
    verdict = Verdict(result.status, _ENDING_STANDING[result.status], result.reason, result.message)
    return _with_conditions(run, status, verdict, is_over=True, now=now)


def ending_events(result: Told) -> tuple[Event, ...]:
    """What happened when a run ended."""
    kind = "Warning" if result.status == "Failed" else "Normal"
    return (Event(kind, result.reason, result.message),)


def phases_shown(phases: Sequence[PhaseProgress]) -> list[dict[str, Any]]:
    """Phases as a status has them: one that began at no moment would have the whole status refused."""
    return [
        {"name": phase.name, "startedAt": phase.started_at, "seconds": round(float(phase.seconds), 3)}
        for phase in phases
        if is_moment(phase.started_at)
    ][:_PHASES_SHOWN]


def failures_of(run: Object) -> list[dict[str, Any]]:
    """The attempts that have failed so far, oldest first."""
    return [*(dig(run, "status", "attempts") or ())]


def with_failure(run: Object, entry: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The failed attempts and another one."""
    return [*failures_of(run), dict(entry)][-ATTEMPTS_SHOWN:]


def _with_conditions(
    run: Object, status: Mapping[str, Any], verdict: Verdict, *, is_over: bool, now: datetime
) -> dict[str, Any]:
    generation = generation_of(run)
    conditions = summarise(dig(run, "status", "conditions") or [], verdict, generation=generation, now=now)
    conditions = set_condition(
        conditions,
        type=COMPLETE,
        status="True" if is_over else "False",
        reason=verdict.reason,
        message=verdict.message,
        generation=generation,
        now=now,
    )
    whole = {**status, "observedGeneration": generation, "conditions": conditions}
    return {name: value for name, value in whole.items() if value is not None}
