"""A version of a model or a dataset: Ready once its content lies in the store under its record's digest, for ever."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from modelberth.api.conditions import STORED, set_condition
from modelberth.content import collections
from modelberth.content.collections import Collection, CollectionFamily
from modelberth.content.versions import Version
from modelberth.domain.objects import Object, dig, generation_of, is_ready
from modelberth.domain.run_claims import CLAIM, claims_run
from modelberth.domain.verdicts import Event, Standing, Verdict, blocked, summarise, waiting

_IDENTITY = frozenset({"artifact", "dataset", "version", "digest", "source"})
COLLECTION_KINDS: Mapping[CollectionFamily, str] = {"models": "ModelArtifact", "datasets": "Dataset"}
_EXAMPLE = {"Sequence": "v4", "Semantic": "1.1"}


@dataclass(frozen=True, slots=True)
class Stored:
    """What the store knows of a version: its record's digest and author, and the content of the digest asked for."""

    record_digest: str | None
    record_by: str | None
    digest: str | None  # of the content that is there, None while it is not
    file_count: int = 0
    size_bytes: int = 0
    stored_bytes: int = 0


def collection_of(version: Object) -> Collection:
    """What a version belongs to: the field of its spec that names it says the family, too."""
    spec = version["spec"]
    if "dataset" in spec:
        return collections.dataset(str(spec["dataset"]))
    return collections.artifact(str(spec["artifact"]))


def number_of(version: Object) -> str:
    """Its number within the collection."""
    return str(dig(version, "spec", "version"))


def described(version: Object) -> Mapping[str, Any]:
    """What the spec says besides its number and its content."""
    return {field: value for field, value in version["spec"].items() if field not in _IDENTITY}


def judge_collection(version: Object, holder: Object | None) -> Verdict | None:
    """Whether the collection is there and numbers its versions this way."""
    collection = collection_of(version)
    kind = COLLECTION_KINDS[collection.family]
    if holder is None:
        return waiting(
            f"{collection.field.capitalize()}NotFound",
            f"spec.{collection.field}: {kind} {collection.name} does not exist in this namespace",
        )
    scheme = str(dig(holder, "spec", "versioning") or "Sequence")
    number = Version.parse(number_of(version))
    if number.versioning != scheme:
        return blocked(
            "VersioningMismatch",
            f"spec.version: {number} does not count as {kind} {collection.name} does (versioning {scheme}): "
            f"name it like {_EXAMPLE[scheme]}",
        )
    return None


def judge_content(version: Object, stored: Stored) -> Verdict:
    """How a version stands whose store has been asked."""
    pinned = dig(version, "spec", "digest")
    number = f"{collection_of(version).name}:{number_of(version)}"
    expected = pinned or stored.digest
    if stored.record_digest is not None and expected is not None and stored.record_digest != expected:
        return blocked(
            "VersionTaken",
            f"spec.version: {number} is {stored.record_digest} for ever, not {expected}: use the next number",
        )
    if stored.digest is None:
        return waiting("ContentMissing", f"content {pinned} is not in the store: run `modelberth push` again")
    if pinned and pinned != stored.digest:
        return blocked(
            "DigestMismatch",
            f"spec.digest is {pinned}, the source's content has {stored.digest}: correct the digest or the source",
        )
    if stored.record_digest is None and claims_run(version["spec"]):
        return blocked("RunClaimed", CLAIM)
    return Verdict("Ready", Standing.READY, "Ready", f"{number} is stored and proven")


def is_settled(version: Object) -> bool:
    """Whether nothing can change any more: Ready for this generation, and neither spec nor content ever change."""
    return is_ready(version) and bool(dig(version, "status", "digest"))


def status_of(
    version: Object, verdict: Verdict, stored: Stored | None, users: list[str], *, now: datetime
) -> dict[str, Any]:
    """The whole status; what is proven once is kept word for word."""
    old = version.get("status") or {}
    generation = generation_of(version)
    status: dict[str, Any] = {
        "observedGeneration": generation,
        "usedBy": users,
        "conditions": old.get("conditions") or [],
    }
    for field in ("digest", "fileCount", "sizeBytes", "storedBytes", "pushedBy"):
        if field in old:
            status[field] = old[field]
    if is_settled(version):
        return status
    if verdict.standing is Standing.READY and stored is not None:
        status |= {
            "digest": stored.digest,
            "fileCount": stored.file_count,
            "sizeBytes": stored.size_bytes,
            "storedBytes": stored.stored_bytes,
        }
        if stored.record_by:
            status["pushedBy"] = stored.record_by
    status["conditions"] = _conditions(status["conditions"], verdict, stored, generation=generation, now=now)
    return status


def _conditions(
    old: list[dict[str, Any]], verdict: Verdict, stored: Stored | None, *, generation: int, now: datetime
) -> list[dict[str, Any]]:
    conditions = summarise(old, verdict, generation=generation, now=now)
    if stored is None:
        return conditions  # the store was not asked or did not answer: what is said of it stays
    is_stored = stored.digest is not None
    return set_condition(
        conditions,
        type=STORED,
        status="True" if is_stored else "False",
        reason="Stored" if is_stored else "ContentMissing",
        message="every file lies in the store" if is_stored else "the store does not have the content",
        generation=generation,
        now=now,
    )


def events_of(version: Object, verdict: Verdict) -> tuple[Event, ...]:
    """One event when a version becomes Ready, one when it cannot."""
    before: dict[str, Any] = next(
        (c for c in dig(version, "status", "conditions") or () if c.get("type") == "Ready"), {}
    )
    if before.get("reason") == verdict.reason:
        return ()
    if verdict.standing is Standing.READY:
        return (Event("Normal", "Ready", verdict.message),)
    if verdict.standing is Standing.STALLED:
        return (Event("Warning", verdict.reason, verdict.message),)
    return ()
