"""A ModelArtifact or a Dataset: what its versions add up to, and what its aliases stand for."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from modelberth.api.conditions import timestamp
from modelberth.content.versions import Version
from modelberth.domain.objects import Object, dig, generation_of, is_ready
from modelberth.domain.registered_model import moved_by
from modelberth.domain.verdicts import Standing, Verdict, summarise

_VERSION_KINDS = {"ModelArtifact": "ModelVersion", "Dataset": "DatasetVersion"}


def status_of(collection: Object, versions: Iterable[Object], *, now: datetime) -> dict[str, Any]:
    """The whole status. Only versions that are Ready count: of others nothing is known for certain."""
    ready = {version["metadata"]["name"]: version for version in versions if is_ready(version)}
    newest = max(ready, key=lambda name: Version.parse(str(dig(ready[name], "spec", "version"))), default=None)
    aliases = {alias: _alias(collection, alias, ready, now) for alias in dig(collection, "spec", "aliases") or {}}
    waiting = sorted(alias for alias, status in aliases.items() if status["state"] != "Resolved")
    generation = generation_of(collection)
    status: dict[str, Any] = {
        "observedGeneration": generation,
        "versionCount": len(ready),
        "logicalBytes": sum(int(dig(version, "status", "sizeBytes") or 0) for version in ready.values()),
        "aliases": aliases,
        "conditions": summarise(
            dig(collection, "status", "conditions") or [],
            _verdict(aliases, waiting, newest),
            generation=generation,
            now=now,
        ),
    }
    if newest is not None:
        status["latestVersion"] = newest
    return status


def _alias(collection: Object, alias: str, ready: Mapping[str, Object], now: datetime) -> dict[str, Any]:
    old = dig(collection, "status", "aliases", alias) or {}
    desired = str(dig(collection, "spec", "aliases", alias, "version"))
    found = ready.get(desired)
    status: dict[str, Any] = {
        "desired": desired,
        "current": desired if found else old.get("current"),
        "digest": dig(found, "status", "digest") if found else old.get("digest"),
        "state": "Resolved" if found else "Waiting",
        "reason": "Resolved" if found else "VersionNotReady",
        "message": desired
        if found
        else f"{_VERSION_KINDS[str(collection['kind'])]} {desired} is not there or not Ready",
        "movedBy": moved_by(collection, alias),
    }
    is_same = all(old.get(key) == status[key] for key in ("desired", "current", "state"))
    status["since"] = old["since"] if is_same and old.get("since") else timestamp(now)
    return {key: value for key, value in status.items() if value is not None}


def _verdict(aliases: Mapping[str, Mapping[str, Any]], waiting: list[str], newest: str | None) -> Verdict:
    if waiting:
        alias = waiting[0]
        return Verdict("Waiting", Standing.WORKING, "VersionNotReady", f"alias {alias}: {aliases[alias]['message']}")
    return Verdict("Ready", Standing.READY, "Ready", f"latest is {newest}" if newest else "no versions yet")
