"""The start of a run: its inputs are found once and written down, before anything of it exists."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from modelberth.api.conditions import timestamp
from modelberth.api.training_pipeline import Concurrency, TrainingPipelineSpec
from modelberth.api.training_run import TrainingRunSpec
from modelberth.api.training_template import TrainingTemplate
from modelberth.domain.objects import Object, dig, is_deleting, name_of, timestamps
from modelberth.domain.training import reasons
from modelberth.domain.training.inputs import Inputs, Lookup, Unresolved, resolve
from modelberth.domain.training.keys import run_key
from modelberth.domain.training.plan import MISSING_SINCE, Ending, Plan, has_ended
from modelberth.domain.training.template import Settled, TemplateError, effective, recorded, settle
from modelberth.domain.verdicts import Standing, Verdict, waiting

LOOK_AGAIN: Final = 30.0
"""Seconds until inputs that are missing are looked for again, events or not."""
_DEFAULT_START_DEADLINE: Final = 600


@dataclass(frozen=True, slots=True)
class Observed:
    """What a start is decided from.

    Attributes:
        run: the TrainingRun.
        spec: its spec.
        pipeline: the spec of its pipeline; None if it names none, or one that is not there.
        lookup: the objects of its namespace.
        siblings: the other runs of its pipeline.
    """

    run: Object
    spec: TrainingRunSpec
    pipeline: TrainingPipelineSpec | None
    lookup: Lookup
    siblings: tuple[Object, ...] = ()


@dataclass(frozen=True, slots=True)
class Pinned:
    """What a run is from now on."""

    inputs: Inputs
    settled: Settled
    key: str

    @property
    def may_be_skipped(self) -> bool:
        """Whether an equal run that has succeeded makes this one unnecessary."""
        return self.settled.template.cache


def decide(observed: Observed, *, now: datetime) -> Pinned | Plan:
    """What the run is to be; or why it is not to be yet, or never."""
    successor = replaced_by(observed.run, observed.pipeline, observed.siblings)
    if successor is not None:
        return ended(cancelled(successor))
    holder = waits_for(observed.run, observed.pipeline, observed.siblings)
    if holder is not None:
        return _wait(_held_by(holder, observed.pipeline))
    if observed.spec.pipeline is not None and observed.pipeline is None:
        missing = Unresolved(
            reasons.INPUT_NOT_FOUND, f"spec.pipeline: TrainingPipeline {observed.spec.pipeline} is not there: create it"
        )
        return _unresolved(observed, None, missing, now)
    try:
        settled = settle(effective(observed.spec, observed.pipeline))
    except TemplateError as error:
        return _unresolved(observed, None, Unresolved(reasons.BAD_PARAMETERS, str(error)), now)
    try:
        inputs = resolve(settled.template, observed.lookup)
    except Unresolved as missing:
        return _unresolved(observed, settled.template, missing, now)
    return Pinned(inputs, settled, run_key(inputs, settled))


def waits_for(run: Object, pipeline: TrainingPipelineSpec | None, siblings: Iterable[Object]) -> str | None:
    """The active run that this one, which has not started, has to wait for.

    With Forbid any that has started, or is older and will. With Replace one of the same second that has started: it
    ends for this one, and once both had started nobody could tell any more which came first.
    """
    if pipeline is None or pipeline.concurrency is Concurrency.ALLOW:
        return None
    active = [each for each in siblings if not has_ended(each) and not is_deleting(each)]
    if pipeline.concurrency is Concurrency.FORBID:
        holders = [each for each in active if _has_started(each) or _is_newer(run, each)]
    else:
        holders = [each for each in active if _has_started(each) and _created(each) == _created(run)]
    return min(map(name_of, holders), default=None)


def _held_by(holder: str, pipeline: TrainingPipelineSpec | None) -> Verdict:
    if pipeline is not None and pipeline.concurrency is Concurrency.FORBID:
        message = f"the pipeline's concurrency is Forbid, and run {holder} is active: it starts when that one has ended"
        return waiting("ConcurrencyForbidden", message)
    return waiting("Replacing", f"it takes the place of run {holder}, and starts when that one has ended")


def replaced_by(run: Object, pipeline: TrainingPipelineSpec | None, siblings: Iterable[Object]) -> str | None:
    """The newer run that takes this one's place, where the pipeline says Replace: not one that came to nothing."""
    if pipeline is None or pipeline.concurrency is not Concurrency.REPLACE:
        return None
    newer = [
        each
        for each in siblings
        if not is_deleting(each)
        and _is_newer(each, run)
        and (not has_ended(each) or dig(each, "status", "phase") == "Succeeded")
    ]
    return max(((_created(each), name_of(each)) for each in newer), default=("", None))[1]


def pinned_fields(observed: Observed, pinned: Pinned, *, now: datetime) -> dict[str, Any]:
    """What the status says of a run from its start on."""
    inputs = pinned.inputs
    fields: dict[str, Any] = {
        "phase": "Waiting",
        "inputs": inputs.status(),
        "template": recorded(
            pinned.settled,
            package=inputs.package,
            dataset=inputs.dataset.reference(),
            evaluation=inputs.evaluation.reference() if inputs.evaluation else None,
        ),
        "parameters": {
            **pinned.settled.parameters,
            **{name: f"(secret {where})" for name, where in pinned.settled.secrets.items()},
        },
        "key": pinned.key,
        "attempt": 0,
        "startedAt": timestamp(now),
        MISSING_SINCE: None,
    }
    return fields | ({"pipeline": observed.spec.pipeline} if observed.spec.pipeline else {})


def starting(changes: dict[str, Any]) -> Plan:
    """The plan of a run whose inputs have just been found."""
    return Plan(waiting("Starting", "the inputs are found; its pod is made next"), changes, requeue_after=0.0)


def cancelled(successor: str) -> Ending:
    """The ending of a run whose place another one takes."""
    return Ending("Failed", reasons.CANCELLED, f"run {successor} is newer, and the pipeline's concurrency is Replace")


def ended(ending: Ending, changes: Mapping[str, Any] | None = None, delete: tuple[Object, ...] = ()) -> Plan:
    """The plan of a run that fails."""
    verdict = Verdict("Failed", Standing.STALLED, ending.reason, ending.message)
    return Plan(verdict, changes or {}, delete, ending=ending)


def _unresolved(observed: Observed, template: TrainingTemplate | None, missing: Unresolved, now: datetime) -> Plan:
    deadline = template.start_deadline_seconds if template else _DEFAULT_START_DEADLINE
    since = missing_since(observed.run, now)
    left = (since + timedelta(seconds=deadline) - now).total_seconds()
    if missing.is_final or left <= 0:
        return ended(Ending("Failed", missing.reason, missing.message))
    return _wait(waiting(missing.reason, missing.message), min(left, LOOK_AGAIN), since=timestamp(since))


def missing_since(run: Object, now: datetime) -> datetime:
    """Since when something has been missing without which the run cannot go on: as long as that has been observed."""
    return next(timestamps(dig(run, "status", MISSING_SINCE)), now)


def _wait(verdict: Verdict, requeue_after: float | None = None, *, since: str | None = None) -> Plan:
    return Plan(verdict, {"phase": "Waiting", MISSING_SINCE: since}, requeue_after=requeue_after)


def _is_newer(run: Object, other: Object) -> bool:
    """Whether a run came after another one, as far as anybody can tell.

    The API server counts in seconds. Of two runs of one second that has come first which was started first, and where
    neither was, the names decide; one that has ended is no newcomer.
    """
    if _created(run) != _created(other):
        return _created(run) > _created(other)
    if has_ended(run):
        return False
    if _has_started(run) != _has_started(other):
        return _has_started(other)
    return name_of(run) > name_of(other)


def _has_started(run: Object) -> bool:
    return dig(run, "status", "inputs") is not None


def _created(run: Object) -> str:
    return str(dig(run, "metadata", "creationTimestamp") or "")
