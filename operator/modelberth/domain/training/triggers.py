"""What starts the runs of a pipeline: times of the clock and new data. Each of them once, whatever happens meanwhile.

A run's name follows from what it is started for, so that a trigger that is seen twice, or by two operators, makes one
run. What has been dealt with is written down only after the run is there.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from modelberth.api import names
from modelberth.api.conditions import remove_condition, set_condition, timestamp
from modelberth.api.training_pipeline import ACTIVE_SHOWN, Concurrency, TrainingPipelineSpec
from modelberth.content.versions import Version, split_object_name
from modelberth.domain.objects import (
    Object,
    dig,
    generation_of,
    is_deleting,
    label,
    name_of,
    namespace_of,
    timestamps,
    uid_of,
)
from modelberth.domain.training.inputs import Unresolved
from modelberth.domain.training.plan import has_ended
from modelberth.domain.training.schedule import Schedule, ScheduleError
from modelberth.domain.verdicts import Event, Standing, Verdict, blocked, summarise, waiting

TRIGGER_LOOP: Final = "TriggerLoop"
LOOK_AGAIN: Final = 3600.0
"""Seconds until a pipeline with a schedule is looked at again at the latest: clocks are set."""


@dataclass(frozen=True, slots=True)
class Observed:
    """What a pipeline is decided from.

    Attributes:
        pipeline: the TrainingPipeline.
        spec: its spec.
        runs: all its runs that are there.
        standing: the version that the dataset's alias stands for now; None for none.
        is_older: whether that version was there before the pipeline.
        loops: whether that version comes from this pipeline.
        missing: what a run would lack that started now; None for nothing.
    """

    pipeline: Object
    spec: TrainingPipelineSpec
    runs: tuple[Object, ...] = ()
    standing: str | None = None
    is_older: bool = False
    loops: bool = False
    missing: Unresolved | None = None

    @property
    def active(self) -> tuple[Object, ...]:
        """The runs that have not ended."""
        return tuple(run for run in self.runs if not has_ended(run) and not is_deleting(run))


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be done: create, then say, and only if there was nothing to create: delete."""

    status: Mapping[str, Any]
    create: tuple[Object, ...] = ()
    delete: tuple[Object, ...] = ()
    events: tuple[Event, ...] = ()
    requeue_after: float | None = None


@dataclass(slots=True)
class _Findings:
    """What the triggers have come to, before it becomes a plan."""

    create: list[Object] = field(default_factory=list)
    fault: Verdict | None = None
    requeue_after: float | None = None


def decide(seen: Observed, *, now: datetime) -> Plan:
    """The runs that are to be made and those that are to go, and the status."""
    found = _Findings()
    schedule = _schedule(seen, found, now)
    data = _dataset(seen, found)
    status = _status(seen, found, schedule, data, now)
    delete = () if found.create else _too_old(seen)
    events = tuple(Event("Normal", "RunStarted", f"run {name_of(run)}: {_why(run)}") for run in found.create)
    return Plan(status, tuple(found.create), delete, events, found.requeue_after)


def _schedule(seen: Observed, found: _Findings, now: datetime) -> dict[str, Any] | None:
    trigger = seen.spec.triggers.schedule if seen.spec.triggers else None
    if trigger is None:
        return None
    before = dig(seen.pipeline, "status", "schedule") or {}
    try:
        schedule = Schedule.parse(trigger.cron, trigger.time_zone)
    except ScheduleError as error:
        found.fault = blocked("ScheduleInvalid", str(error))
        return {"cron": trigger.cron, "timeZone": trigger.time_zone, "until": before.get("until") or timestamp(now)}
    until = _dealt_with(seen, before, trigger.cron, trigger.time_zone, now)
    if until > schedule.after(now):  # the clock had jumped ahead: the names of its runs keep doubles away
        until = now
    status = {"cron": trigger.cron, "timeZone": trigger.time_zone, "until": timestamp(until)}
    if before.get("last"):
        status["last"] = before["last"]
    due = schedule.last_due(after=until, until=now)
    if due is not None:
        status["until"] = timestamp(due)
        if not seen.spec.suspend and not (seen.spec.concurrency is Concurrency.FORBID and seen.active):
            status["last"] = timestamp(due)
            trigger_of_run = {"type": "Schedule", "scheduledAt": timestamp(due)}
            found.create.append(_run(seen, f"{int(due.timestamp()) // 60:08d}", trigger_of_run))
    upcoming = schedule.after(max(now, until))
    status["next"] = timestamp(upcoming)
    found.requeue_after = min(max((upcoming - now).total_seconds(), 1.0), LOOK_AGAIN)
    return status


def _dealt_with(seen: Observed, before: Mapping[str, Any], cron: str, zone: str, now: datetime) -> datetime:
    """Times up to here are nobody's any more: those before the schedule was what it is now are not missed."""
    created = next(timestamps(dig(seen.pipeline, "metadata", "creationTimestamp")), now)
    if not before:
        return created if generation_of(seen.pipeline) <= 1 else now
    if (before.get("cron"), before.get("timeZone")) != (cron, zone):
        return now
    return next(timestamps(before.get("until")), created)


def _dataset(seen: Observed, found: _Findings) -> dict[str, Any] | None:
    if seen.spec.triggers is None or seen.spec.triggers.on_dataset_version is None:
        return None
    where = {"dataset": str(seen.spec.dataset.name), "alias": seen.spec.dataset.alias}
    before = dig(seen.pipeline, "status", "onDatasetVersion") or {}
    if {name: before.get(name) for name in where} != where:
        return {**where, "count": 0} | ({"version": seen.standing} if seen.standing else {})
    if seen.loops:
        found.fault = found.fault or blocked(
            TRIGGER_LOOP,
            f"triggers.onDatasetVersion: {seen.standing} comes from this pipeline itself and starts nothing; feed the "
            "pipeline from another dataset, or start runs by hand",
        )
    if seen.standing is None or seen.standing == before.get("version"):
        return dict(before)
    if not before.get("version") and seen.is_older:  # it was there, and only became Ready after the pipeline was seen
        return {**before, "version": seen.standing}
    if not seen.loops:
        if seen.spec.suspend or (seen.spec.concurrency is Concurrency.FORBID and (seen.active or found.create)):
            return dict(before)
        count = int(before.get("count") or 0)
        text = f"{uid_of(seen.pipeline)} {seen.standing} {count}"
        suffix = hashlib.sha256(text.encode()).hexdigest()[:10]
        found.create.append(_run(seen, suffix, {"type": "DatasetVersion", "datasetVersion": seen.standing}))
    return {**where, "version": seen.standing, "count": int(before.get("count") or 0) + 1}


def _run(seen: Observed, suffix: str, trigger: Mapping[str, str]) -> Object:
    pipeline = name_of(seen.pipeline)
    return {
        "apiVersion": names.API_VERSION,
        "kind": "TrainingRun",
        "metadata": {
            "name": f"{pipeline}-{suffix}",
            "namespace": namespace_of(seen.pipeline),
            "labels": {names.LABEL_MANAGED_BY: names.MANAGED_BY, names.LABEL_PIPELINE: pipeline},
        },
        "spec": {"pipeline": pipeline, "trigger": dict(trigger)},
    }


def _why(run: Object) -> str:
    trigger = run["spec"]["trigger"]
    if trigger["type"] == "Schedule":
        return f"due at {trigger['scheduledAt']}"
    return f"{trigger['datasetVersion']} is new"


def is_same_run(there: Object, wanted: Object) -> bool:
    """Whether a run that has the name of a wanted one was made for the same."""
    return all(
        dig(there, "spec", *path) == dig(wanted, "spec", *path)
        for path in (("pipeline",), ("trigger", "type"), ("trigger", "scheduledAt"), ("trigger", "datasetVersion"))
    )


def _too_old(seen: Observed) -> tuple[Object, ...]:
    """Triggered runs that have ended and are more than the history is to hold, oldest first."""
    ended = sorted(
        (run for run in seen.runs if has_ended(run) and not is_deleting(run) and _is_triggered(run)), key=_age
    )
    failed = [run for run in ended if dig(run, "status", "phase") == "Failed"]
    succeeded = [run for run in ended if dig(run, "status", "phase") != "Failed"]
    return (
        *failed[: max(0, len(failed) - seen.spec.failed_runs_history_limit)],
        *succeeded[: max(0, len(succeeded) - seen.spec.successful_runs_history_limit)],
    )


def _is_triggered(run: Object) -> bool:
    return label(run, names.LABEL_MANAGED_BY) == names.MANAGED_BY


def _age(run: Object) -> tuple[str, str]:
    return str(dig(run, "status", "finishedAt") or ""), name_of(run)


def _status(
    seen: Observed, found: _Findings, schedule: Mapping[str, Any] | None, data: Mapping[str, Any] | None, now: datetime
) -> dict[str, Any]:
    generation = generation_of(seen.pipeline)
    verdict = found.fault or _lacking(seen.missing) or _healthy(seen)
    conditions = summarise(dig(seen.pipeline, "status", "conditions") or [], verdict, generation=generation, now=now)
    if seen.loops and data is not None:
        conditions = set_condition(
            conditions,
            type=TRIGGER_LOOP,
            status="True",
            reason=TRIGGER_LOOP,
            message=f"{seen.standing} comes from this pipeline itself",
            generation=generation,
            now=now,
        )
    else:
        conditions = remove_condition(conditions, TRIGGER_LOOP)
    made = [str(dig(run, "status", "version")) for run in seen.runs if dig(run, "status", "phase") == "Succeeded"]
    newest = max((name for name in made if name != "None"), key=_number, default=None)
    last = name_of(found.create[-1]) if found.create else _last_run(seen)
    active = sorted(map(name_of, (*seen.active, *found.create)))[:ACTIVE_SHOWN]
    status = {
        "active": active or None,
        "lastRun": last,
        "lastVersion": newest or dig(seen.pipeline, "status", "lastVersion"),
        "schedule": schedule,
        "onDatasetVersion": data,
        "observedGeneration": generation,
        "conditions": conditions,
    }
    return {name: value for name, value in status.items() if value is not None}


def _lacking(missing: Unresolved | None) -> Verdict | None:
    """What keeps runs from being started; triggers make them all the same, and they wait for it themselves."""
    if missing is None:
        return None
    return (blocked if missing.is_final else waiting)(missing.reason, missing.message)


def _healthy(seen: Observed) -> Verdict:
    if seen.spec.suspend:
        return Verdict("Ready", Standing.READY, "Suspended", "spec.suspend: triggers start nothing")
    return Verdict("Ready", Standing.READY, "Ready", "runs can be made")


def _last_run(seen: Observed) -> str | None:
    newest = max(seen.runs, key=_created, default=None)
    if newest is not None:
        return name_of(newest)
    known = dig(seen.pipeline, "status", "lastRun")
    return str(known) if known else None


def _created(run: Object) -> tuple[str, str]:
    return str(dig(run, "metadata", "creationTimestamp") or ""), name_of(run)


def _number(version: str) -> tuple[str, Version]:
    artifact, number = split_object_name(version)
    return artifact, Version.parse(number)
