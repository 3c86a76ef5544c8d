"""What the status of a ModelDeployment says, and which events tell of a change. Nothing unobserved is claimed."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from modelberth.api.conditions import timestamp
from modelberth.domain import rollouts, targets
from modelberth.domain.injection import selector
from modelberth.domain.model_deployment import Observed, Plan
from modelberth.domain.objects import Object, dig, generation_of, name_of, timestamps
from modelberth.domain.pods import Trouble
from modelberth.domain.rollouts import Mark, Rollout, Served
from modelberth.domain.targets import AliasFacts
from modelberth.domain.verdicts import Event, Standing, Verdict, blocked, summarise

POLL = 2.0
"""Seconds between looks at pods and loaders while a roll goes on: neither sends us events."""
POLL_STUCK = 30.0
SERVED_SHOWN = 16
"""Revisions in the status, as many as the CRD takes: quick moves over many pods can leave more of them serving."""
RETRY_REFUSED = 60.0
"""Seconds until what was refused is tried again: quotas, policies and other people's objects send no events."""
_REFUSED = frozenset({"TemplateRefused", "TemplateForbidden", "NameTaken"})


@dataclass(frozen=True, slots=True)
class Report:
    """The status to write, the events to send after it was written, and when to look again (seconds)."""

    status: dict[str, Any]
    events: tuple[Event, ...]
    requeue_after: float | None


def report(observed: Observed, plan: Plan, *, now: datetime) -> Report:
    """Tell how things stand after the plan's writes; ``observed.workload`` is the Deployment as they left it."""
    old = dict(observed.deployment.get("status") or {})
    served = rollouts.served(observed.replica_sets)[:SERVED_SHOWN]
    rollout = rollouts.read(observed.workload)
    started = _started(old, plan, now)
    mark = _mark(observed, plan, rollout, started=started, now=now)
    verdict = _mention_served(_judge(observed, plan, rollout, mark=mark, now=now), served)
    loading = rollouts.loading(_new_pods(observed, plan), observed.progress or {})
    status: dict[str, Any] = {
        "observedGeneration": generation_of(observed.deployment),
        "state": verdict.state,
        "desired": _desired(observed),
        "served": [_served_entry(entry) for entry in served],
        "serving": ",".join(sorted({entry.version for entry in served})),
        "lastPassed": _last_passed(old, plan, verdict),
        "loading": {"bytes": loading[0], "total": loading[1]} if loading else None,
        "revision": plan.revision.name if plan.revision else None,
        "rollStartedAt": timestamp(started) if started else None,
        "rollProgress": _mark_entry(mark) if mark else None,
        "replicas": rollout.replicas,
        "readyReplicas": rollout.ready,
        "selector": ",".join(f"{k}={v}" for k, v in sorted(selector(name_of(observed.deployment)).items())),
        "conditions": summarise(
            old.get("conditions") or [], verdict, generation=generation_of(observed.deployment), now=now
        ),
    }
    return Report(
        status={key: value for key, value in status.items() if value is not None},
        events=_events(old, verdict, served, plan),
        requeue_after=_look_again(verdict),
    )


def _judge(observed: Observed, plan: Plan, rollout: Rollout, *, mark: Mark | None, now: datetime) -> Verdict:
    if isinstance(plan.target, Verdict):
        return plan.target
    if rollout.is_complete:
        return _complete(plan.target.version, rollout)
    return _incomplete(observed, plan, plan.target.version, rollout, mark=mark, now=now)


def _complete(version: str, rollout: Rollout) -> Verdict:
    if rollout.wanted == 0:
        return Verdict("Suspended", Standing.READY, "ScaledToZero", f"{version} is scaled to zero")
    return Verdict("Served", Standing.READY, "Served", f"{version} answers")


def _incomplete(
    observed: Observed, plan: Plan, version: str, rollout: Rollout, *, mark: Mark | None, now: datetime
) -> Verdict:
    trouble = rollouts.trouble(observed.workload, _new_pods(observed, plan)) if rollout.is_current else None
    if _has_passed(observed, plan) and rollout.replicas == rollout.updated:
        return _degraded(version, trouble)
    if trouble is None:
        trouble = Trouble("Rolling", f"{version} is getting ready")
    if mark is not None and _is_stuck(observed, mark, now):
        return Verdict("Progressing", Standing.STALLED, "NoProgress", _no_progress(observed, trouble))
    return Verdict("Progressing", Standing.WORKING, trouble.reason, trouble.message)


def _degraded(version: str, trouble: Trouble | None) -> Verdict:
    """All pods are of the version that passed, but not all are ready: they failed, or more of them were asked for."""
    if trouble is None:
        return Verdict("Progressing", Standing.WORKING, "ReplicasNotReady", f"not all replicas of {version} are ready")
    return Verdict("Degraded", Standing.WORKING, trouble.reason, trouble.message)


def _is_stuck(observed: Observed, mark: Mark, now: datetime) -> bool:
    """Nothing got further for too long. Loaders that cannot be asked are unknown, not standing still."""
    return observed.progress is not None and now - mark.at >= timedelta(seconds=observed.spec.no_progress_seconds)


def _no_progress(observed: Observed, trouble: Trouble) -> str:
    return f"no progress for {observed.spec.no_progress_seconds} s (spec.noProgressSeconds): {trouble.message}"


def _new_pods(observed: Observed, plan: Plan) -> tuple[Object, ...]:
    return rollouts.of_revision(observed.pods, plan.revision.name) if plan.revision else ()


def _has_passed(observed: Observed, plan: Plan) -> bool:
    passed = dig(observed.deployment, "status", "lastPassed", "revision")
    return plan.revision is not None and passed == plan.revision.name


def _started(old: dict[str, Any], plan: Plan, now: datetime) -> datetime | None:
    """When the roll to this revision began; kept as long as the revision is the same."""
    if plan.revision is None:
        return None
    known = next(timestamps(old.get("rollStartedAt")), None)
    return known if known is not None and _is_same_roll(old, plan) else now


def _is_same_roll(old: dict[str, Any], plan: Plan) -> bool:
    return plan.revision is not None and old.get("revision") == plan.revision.name


def _mark(observed: Observed, plan: Plan, rollout: Rollout, *, started: datetime | None, now: datetime) -> Mark | None:
    """How far the roll to this revision has ever been; None when there is no roll, or it has come to its end."""
    if started is None or rollout.is_complete:
        return None
    old = observed.deployment.get("status") or {}
    before = _mark_of(old.get("rollProgress")) if _is_same_roll(old, plan) else None
    if isinstance(plan.target, Verdict):
        return before
    pods = _new_pods(observed, plan)
    return rollouts.furthest(before, pods, observed.progress or {}, replicas=rollout.wanted, started=started, now=now)


def _mark_of(entry: dict[str, Any] | None) -> Mark | None:
    at = next(timestamps(dig(entry, "at")), None)
    return Mark(entry["replicas"], entry["steps"], entry["bytes"], at) if entry and at else None


def _mark_entry(mark: Mark) -> dict[str, Any]:
    return {"replicas": mark.replicas, "steps": mark.steps, "bytes": mark.bytes, "at": timestamp(mark.at)}


def _mention_served(verdict: Verdict, served: tuple[Served, ...]) -> Verdict:
    """Where something keeps the new version away, say what goes on serving meanwhile."""
    if verdict.state in ("Served", "Suspended", "Degraded") or verdict.reason in ("Rolling", "ReplicasNotReady"):
        return verdict
    versions = ", ".join(sorted({entry.version for entry in served}))
    tail = f"{versions} goes on serving" if versions else "nothing serves yet"
    return replace(verdict, message=f"{verdict.message}; {tail}")


def desired(facts: AliasFacts) -> dict[str, str] | None:
    """What the alias asks for, by name and, once it may be followed, by digest; None where there is no such alias.

    Whatever else keeps the ModelDeployment from it: by the digest the RegisteredModel tells that it was taken up.
    """
    if dig(facts.model, "spec", "aliases", facts.alias, "version") is None:
        return None
    target = targets.resolve(facts)
    return {"version": facts.wanted} | ({} if isinstance(target, Verdict) else {"digest": target.digest})


def _desired(observed: Observed) -> dict[str, str] | None:
    if observed.model is None:
        return None
    return desired(AliasFacts(observed.spec.alias, observed.model, observed.version, observed.artifact))


def _last_passed(old: dict[str, Any], plan: Plan, verdict: Verdict) -> dict[str, str] | None:
    if verdict.state != "Served" or plan.revision is None:
        return old.get("lastPassed")
    return {
        "version": plan.revision.version,
        "digest": plan.revision.digest,
        "revision": plan.revision.name,
    }


def _served_entry(entry: Served) -> dict[str, Any]:
    return {
        "version": entry.version,
        "digest": entry.digest,
        "revision": entry.revision,
        "readyReplicas": entry.ready_replicas,
    }


def _events(old: dict[str, Any], verdict: Verdict, served: tuple[Served, ...], plan: Plan) -> tuple[Event, ...]:
    before = next((c.get("reason") for c in old.get("conditions") or () if c.get("type") == "Ready"), None)
    wanted = plan.revision.version if plan.revision else None
    same_target = old.get("revision") == (plan.revision.name if plan.revision else None)
    if old.get("state") == verdict.state and before == verdict.reason and same_target:
        return ()
    if verdict.state == "Served":
        earlier = dig(old, "lastPassed", "version")
        was = f" (was {earlier})" if earlier and earlier != wanted else ""
        return (Event("Normal", "Served", f"{wanted} answers{was}"),)
    if verdict.reason == "Rolling":
        from_versions = ", ".join(sorted({entry.version for entry in served} - {wanted or ""}))
        text = f"from {from_versions} to {wanted}" if from_versions else f"to {wanted}"
        return (Event("Normal", "Rolling", text),)
    quiet = verdict.standing is Standing.READY or verdict.reason == "ReplicasNotReady"
    return (Event("Normal" if quiet else "Warning", verdict.reason, verdict.message),)


def _look_again(verdict: Verdict) -> float | None:
    if verdict.reason in _REFUSED:
        return RETRY_REFUSED
    if verdict.state == "Degraded" or (verdict.state == "Progressing" and verdict.standing is Standing.STALLED):
        return POLL_STUCK
    if verdict.state == "Progressing":
        return POLL
    return None


def refused(message: str, *, by_policy: bool) -> Verdict:
    """The verdict on a write that the API server refused, in its own words."""
    return blocked("TemplateForbidden" if by_policy else "TemplateRefused", message)
