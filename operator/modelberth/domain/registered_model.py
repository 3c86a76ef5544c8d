"""A RegisteredModel: what each alias asks for, what it currently stands for, and what became of every move.

``desired`` is the spec's word; ``current`` is the last version that passed and, where ModelDeployments follow the
alias, that all of them serve.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from modelberth.api import names
from modelberth.api.common import USER_NAME_LIMIT
from modelberth.api.conditions import set_condition, timestamp
from modelberth.domain import alias_history, targets
from modelberth.domain.alias_history import Entry
from modelberth.domain.objects import Object, annotation, dig, generation_of, name_of
from modelberth.domain.targets import AliasFacts, Target
from modelberth.domain.verdicts import Event, Standing, Verdict, blocked, summarise, waiting

_PASSED = frozenset({"Served", "Resolved"})


@dataclass(frozen=True, slots=True)
class Observed:
    """A model with its versions, their artifacts and the ModelDeployments that follow it; all from one namespace."""

    model: Object
    versions: Mapping[str, Object]
    artifacts: Mapping[str, Object]
    followers: tuple[Object, ...]

    @property
    def aliases(self) -> Mapping[str, Mapping[str, Any]]:
        """The aliases that the spec asks for."""
        return dig(self.model, "spec", "aliases") or {}

    def facts(self, alias: str) -> AliasFacts:
        """What ``targets.resolve`` needs to know of one alias."""
        version = self.versions.get(str(self.aliases[alias].get("version")))
        return AliasFacts(alias, self.model, version, self.artifacts.get(str(dig(version, "spec", "artifact"))))


def judge_alias(observed: Observed, alias: str) -> Verdict:
    """How an alias stands: what keeps it away, or how far the ModelDeployments that follow it are."""
    target = targets.resolve(observed.facts(alias))
    if isinstance(target, Verdict):
        return target
    followers = [f for f in observed.followers if dig(f, "spec", "alias") == alias]
    if not followers:
        return Verdict("Resolved", Standing.READY, "Resolved", f"{target.version}; no ModelDeployment follows")
    behind = [verdict for follower in followers if (verdict := _behind(follower, target))]
    if not behind and all(dig(follower, "status", "state") == "Suspended" for follower in followers):
        return Verdict("Resolved", Standing.READY, "Resolved", f"{target.version}; all that follow are scaled to zero")
    if not behind:
        return Verdict("Served", Standing.READY, "Served", f"{target.version} answers")
    return min(behind, key=lambda verdict: _URGENCY.index(verdict.state))


_URGENCY = ("Blocked", "Degraded", "Progressing", "Waiting")


def _behind(follower: Object, target: Target) -> Verdict | None:
    """What keeps a ModelDeployment from serving the target; None when it serves it."""
    status = follower.get("status") or {}
    is_news = status.get("observedGeneration") == generation_of(follower) and (
        dig(status, "desired", "digest") == target.digest and dig(status, "desired", "version") == target.version
    )
    if not is_news:
        return Verdict("Progressing", Standing.WORKING, "Rolling", f"ModelDeployment {name_of(follower)} takes it up")
    state = str(status.get("state"))
    if state in ("Served", "Suspended"):
        return None
    ready: dict[str, Any] = next((c for c in status.get("conditions") or () if c.get("type") == "Ready"), {})
    stalled = any(c.get("type") == "Stalled" and c.get("status") == "True" for c in status.get("conditions") or ())
    return Verdict(
        state if state in _URGENCY else "Progressing",
        Standing.STALLED if stalled else Standing.WORKING,
        str(ready.get("reason") or "Rolling"),
        f"ModelDeployment {name_of(follower)}: {ready.get('message') or state}",
    )


def known_history(model: Object, alias: str) -> list[Entry]:
    """The alias' entries that the status carries, recorded or not, oldest first (the status shows the newest first)."""
    said = dig(model, "status", "aliases", alias, "history") or ()
    return [alias_history.from_status(entry) for entry in reversed(said)]


def report_alias(observed: Observed, alias: str, *, now: datetime) -> dict[str, Any]:
    """An alias' new status; its history still to be completed by what could be recorded (``news_of``)."""
    old: dict[str, Any] = dict(dig(observed.model, "status", "aliases", alias) or {})
    verdict = judge_alias(observed, alias)
    desired = str(observed.aliases[alias].get("version"))
    passed = verdict.state in _PASSED
    digest = dig(observed.versions.get(desired), "status", "digest") if passed else old.get("digest")
    status: dict[str, Any] = {
        "desired": desired,
        "current": desired if passed else old.get("current"),
        "digest": digest,
        "state": verdict.state,
        "reason": verdict.reason,
        "message": verdict.message,
        "movedBy": moved_by(observed.model, alias),
    }
    is_same = all(old.get(key) == status[key] for key in ("desired", "current", "state"))
    status["since"] = old["since"] if is_same and old.get("since") else timestamp(now)
    return {key: value for key, value in status.items() if value is not None}


def news_of(observed: Observed, alias: str, status: Mapping[str, Any], *, now: datetime) -> list[Entry]:
    """What happened to an alias since the last entry that its status carries."""
    generation = generation_of(observed.model)
    seen = int(dig(observed.model, "status", "observedGeneration") or 0)
    desired = str(status["desired"])
    base = Entry(
        event="Moved",
        version="",
        digest=str(dig(observed.versions.get(desired), "status", "digest") or ""),
        previous="",
        first_generation=min(generation, max(1, seen + 1)),
        generation=generation,
        moved_by=str(status.get("movedBy") or ""),
        at=timestamp(now),
    )
    known = known_history(observed.model, alias)
    return alias_history.news(known, desired=desired, is_served=status["state"] == "Served", base=base)


def removed_aliases(observed: Observed) -> list[str]:
    """Aliases that the status still knows and the spec no longer has."""
    return sorted(set(dig(observed.model, "status", "aliases") or {}) - set(observed.aliases))


def removal_of(observed: Observed, alias: str, *, now: datetime) -> list[Entry]:
    """The entry that ends an alias' history, unless it is there already."""
    known = known_history(observed.model, alias)
    if not known or known[-1].event == "Removed":
        return []
    generation = generation_of(observed.model)
    return [
        Entry(
            event="Removed",
            version="",
            digest="",
            previous=known[-1].version,
            first_generation=generation,
            generation=generation,
            moved_by=moved_by(observed.model, alias) or "",
            at=timestamp(now),
        )
    ]


def moved_by(model: Object, alias: str) -> str | None:
    """Who moved an alias last: the admission policy's stamp, else the field manager that owns the entry.

    Servers before 1.36 have no MutatingAdmissionPolicy; a field manager's name (`kubectl`, `argocd-controller`) is
    what they know.
    """
    stamped = annotation(model, names.moved_by(alias))
    if stamped:
        return stamped[:USER_NAME_LIMIT]
    owners = [
        entry
        for entry in dig(model, "metadata", "managedFields") or ()
        if dig(entry, "fieldsV1", "f:spec", "f:aliases", f"f:{alias}") is not None
    ]
    latest = max(owners, key=lambda entry: str(entry.get("time") or ""), default=None)
    return str(latest["manager"]) if latest and latest.get("manager") else None


def links_verdict(observed: Observed) -> Verdict | None:
    """The first link (by name) that cannot hold: a version of another type, or one that is not there (yet)."""
    missing = None
    for name in sorted(dig(observed.model, "spec", "links") or {}):
        version = observed.versions.get(name)
        artifact = observed.artifacts.get(str(dig(version, "spec", "artifact")))
        if version is not None and artifact is not None:
            mismatch = targets.type_mismatch(observed.model, name, artifact, verb="link")
            if mismatch is not None:
                return blocked(mismatch.reason, f"spec.links: {mismatch.message}")
        elif missing is None:
            missing = waiting("VersionNotFound", f"spec.links: ModelVersion {name} does not exist in this namespace")
    return missing


def summary(aliases: Mapping[str, Mapping[str, Any]]) -> str:
    """One line for `kubectl get`: `production=mnist-v3 staging=mnist-v4(Waiting)`."""
    return " ".join(
        f"{alias}={status['desired']}" + ("" if status["state"] in _PASSED else f"({status['state']})")
        for alias, status in sorted(aliases.items())
    )


def overall(observed: Observed, aliases: Mapping[str, Mapping[str, Any]]) -> Verdict:
    """The model's own verdict: its first alias (by urgency, then name) that has not passed, else its links'."""
    verdicts = {alias: judge_alias(observed, alias) for alias in observed.aliases}
    behind = {alias: verdict for alias, verdict in verdicts.items() if verdict.state not in _PASSED}
    if behind:
        alias = min(behind, key=lambda name: (_URGENCY.index(behind[name].state), name))
        return replace(behind[alias], message=f"alias {alias}: {behind[alias].message}")
    return links_verdict(observed) or Verdict("Ready", Standing.READY, "Ready", summary(aliases) or "no aliases")


def status_of(
    observed: Observed, aliases: Mapping[str, dict[str, Any]], unrecorded: Verdict | None, *, now: datetime
) -> dict[str, Any]:
    """The whole status. ``unrecorded`` says why moves wait outside the bucket; that makes no model unready."""
    old = dig(observed.model, "status", "conditions") or []
    present = {alias: status for alias, status in aliases.items() if alias in observed.aliases}
    verdict = overall(observed, present)
    generation = generation_of(observed.model)
    conditions = set_condition(
        summarise(old, verdict, generation=generation, now=now),
        type="Recorded",
        status="False" if unrecorded else "True",
        reason=unrecorded.reason if unrecorded else "Recorded",
        message=f"moves wait in the status: {unrecorded.message}"
        if unrecorded
        else "the bucket holds every move of every alias",
        generation=generation,
        now=now,
    )
    return {
        "observedGeneration": generation,
        "aliases": dict(aliases),
        "summary": summary(present),
        "linkCount": len(set(dig(observed.model, "spec", "links") or {}) | _aliased(observed)),
        "conditions": conditions,
    }


def _aliased(observed: Observed) -> set[str]:
    """Being aliased links a version."""
    return {str(entry.get("version")) for entry in observed.aliases.values()}


def events_of(observed: Observed, aliases: Mapping[str, Mapping[str, Any]]) -> tuple[Event, ...]:
    """One event for each alias that moved, is served now, or got stuck; with old and new value."""
    found = []
    for alias, new in sorted(aliases.items()):
        old = dig(observed.model, "status", "aliases", alias) or {}
        if old.get("desired") != new["desired"]:
            was = old.get("desired") or "nothing"
            found.append(Event("Normal", "AliasMoved", f"{alias}: {was} → {new['desired']}"))
        if old.get("state") == new["state"] or (new["state"] == "Resolved" and old.get("current") == new["desired"]):
            continue
        if new["state"] in _PASSED:
            found.append(Event("Normal", f"Alias{new['state']}", f"{alias}: {new['message']}"))
        elif new["state"] in ("Blocked", "Waiting", "Degraded"):
            found.append(Event("Warning", f"Alias{new['state']}", f"{alias}: {new['message']}"))
    return tuple(found)
