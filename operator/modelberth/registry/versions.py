"""Routes of records: addresses, versions of an artifact, the history of an alias."""

import asyncio
from typing import Annotated

from fastapi import APIRouter, Query

from modelberth.content import collections
from modelberth.content.addresses import Address
from modelberth.content.collections import Collection
from modelberth.registry.access import Access, Pusher, RecordReader
from modelberth.registry.models import HistoryEntry, Reserved, ReserveRequest, Resolution, VersionEntry
from modelberth.registry.parameters import REFUSALS, AliasPath, ArtifactPath, ModelPath, Namespace
from modelberth.registry.problems import Problem, forbidden
from modelberth.store.types import NewVersion

_AT_ONCE = 16

router = APIRouter(prefix="/v1/namespaces/{ns}", tags=["records"], responses=REFUSALS)


@router.get("/resolve")
async def resolve(
    ns: Namespace,
    access: RecordReader,
    address: Annotated[str, Query(max_length=400)],
    desired: Annotated[bool, Query()] = False,  # noqa: FBT002 - a query parameter has a name
) -> Resolution:
    """What an address stands for. An alias means its current version; `desired` asks for the wish."""
    parsed = Address.parse(address)
    if parsed.namespace not in (None, ns):
        raise Problem(
            400, "OtherNamespace", f"address: it names namespace {parsed.namespace}, the request {ns}: ask there"
        )
    found = await access.backend.resolver.resolve(access.space, parsed, desired=desired)
    access.check_artifact(found.artifact)
    return found


@router.get("/artifacts/{artifact}/versions")
async def versions(
    ns: Namespace,  # noqa: ARG001 - in access
    artifact: ArtifactPath,
    access: RecordReader,
    last: Annotated[int | None, Query(ge=1, le=100_000)] = None,
) -> list[VersionEntry]:
    """The versions of an artifact in ascending order, those without an object too; only the `last` so many if given."""
    access.check_artifact(artifact)
    collection = collections.artifact(artifact)
    numbers = await access.store.versions(access.space, collection)
    entries: list[VersionEntry] = []
    wanted = numbers if last is None else numbers[-last:]
    for start in range(0, len(wanted), _AT_ONCE):
        page = wanted[start : start + _AT_ONCE]
        found = await asyncio.gather(*(_entry(access, collection, number) for number in page))
        entries += [entry for entry in found if entry is not None]
    return entries


@router.post("/artifacts/{artifact}/versions")
async def reserve(ns: Namespace, artifact: ArtifactPath, wanted: ReserveRequest, access: Pusher) -> Reserved:  # noqa: ARG001
    """Reserve a version. The same content again gets the version that it has."""
    access.check_artifact(artifact)
    new = NewVersion(
        collections.artifact(artifact),
        digest=wanted.digest,
        created_by=access.caller.user,
        versioning=wanted.versioning,
        version=wanted.version,
        spec=wanted.spec.as_record(),
    )
    reservation = await access.store.reserve_version(access.space, new)
    has_it = await access.store.has_family(access.space, "models", wanted.digest)
    summary = await access.store.content(access.space, wanted.digest) if has_it else None
    return Reserved(
        version=reservation.record.version,
        digest=reservation.record.digest,
        committed=summary is not None,
        created=reservation.created,
    )


@router.get("/models/{model}/aliases/{alias}/history")
async def history(
    ns: Namespace,  # noqa: ARG001 - in access
    model: ModelPath,
    alias: AliasPath,
    access: RecordReader,
    last: Annotated[int | None, Query(ge=1, le=10_000)] = None,
) -> list[HistoryEntry]:
    """Everything that happened to an alias, oldest first; only the `last` so many entries if given."""
    if access.artifact is not None:
        raise forbidden(f"the session is for artifact {access.artifact} only: create one without spec.artifact")
    entries = await access.store.alias_history(access.space, model, alias, last=last)
    return [
        HistoryEntry(
            sequence=entry.sequence,
            event=entry.event,
            version=entry.version,
            digest=entry.digest,
            previous=entry.previous,
            generation=entry.generation,
            first_generation=entry.first_generation,
            moved_by=entry.moved_by,
            at=entry.at,
        )
        for entry in entries
    ]


async def _entry(access: Access, collection: Collection, number: str) -> VersionEntry | None:
    record = await access.store.version_record(access.space, collection, number)
    if record is None:
        return None
    return VersionEntry(
        version=record.version,
        digest=record.digest,
        committed=await access.store.content(access.space, record.digest) is not None,
        created_at=record.created_at,
        created_by=record.created_by,
    )
