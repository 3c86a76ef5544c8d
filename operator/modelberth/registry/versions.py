"""Routes of records: addresses, versions of an artifact or a dataset, the history of an alias."""

import asyncio
from typing import Annotated

from fastapi import APIRouter, Query

from modelberth.content import collections
from modelberth.content.addresses import Address
from modelberth.content.collections import Collection
from modelberth.domain.run_claims import CLAIM, claims_run
from modelberth.registry.access import Access, Pusher, RecordReader
from modelberth.registry.models import (
    HistoryEntry,
    Reserved,
    ReserveDatasetRequest,
    ReserveRequest,
    Resolution,
    VersionEntry,
)
from modelberth.registry.parameters import (
    REFUSALS,
    AliasPath,
    ArtifactPath,
    CollectionFamilyQuery,
    DatasetPath,
    ModelPath,
    Namespace,
)
from modelberth.registry.problems import Problem, forbidden
from modelberth.store.types import NewVersion

_AT_ONCE = 16
Last = Annotated[int | None, Query(ge=1, le=100_000)]

router = APIRouter(prefix="/v1/namespaces/{ns}", tags=["records"], responses=REFUSALS)


@router.get("/resolve")
async def resolve(
    ns: Namespace,
    access: RecordReader,
    address: Annotated[str, Query(max_length=1500)],
    desired: Annotated[bool, Query()] = False,  # noqa: FBT002 - a query parameter has a name
    family: CollectionFamilyQuery = None,
) -> Resolution:
    """What an address stands for. An alias means its current version; `desired` asks for the wish."""
    parsed = Address.parse(address)
    if parsed.namespace not in (None, ns):
        raise Problem(
            400, "OtherNamespace", f"address: it names namespace {parsed.namespace}, the request {ns}: ask there"
        )
    found = await access.backend.resolver.resolve(access.space, parsed, desired=desired, family=family)
    await access.check_records(Collection(found.family, found.name))
    return found


@router.get("/artifacts/{artifact}/versions")
async def artifact_versions(
    ns: Namespace,  # noqa: ARG001 - in access
    artifact: ArtifactPath,
    access: RecordReader,
    last: Last = None,
) -> list[VersionEntry]:
    """The versions of an artifact in ascending order, those without an object too; only the `last` so many if given."""
    return await _versions(access, collections.artifact(artifact), last)


@router.get("/datasets/{dataset}/versions")
async def dataset_versions(
    ns: Namespace,  # noqa: ARG001 - in access
    dataset: DatasetPath,
    access: RecordReader,
    last: Last = None,
) -> list[VersionEntry]:
    """The versions of a dataset in ascending order, those without an object too; only the `last` so many if given."""
    return await _versions(access, collections.dataset(dataset), last)


@router.post("/artifacts/{artifact}/versions")
async def reserve_artifact_version(
    ns: Namespace,  # noqa: ARG001 - in access
    artifact: ArtifactPath,
    wanted: ReserveRequest,
    access: Pusher,
) -> Reserved:
    """Reserve a version of an artifact. The same content again gets the version that it has."""
    new = NewVersion(
        collections.artifact(artifact),
        digest=wanted.digest,
        created_by=access.caller.user,
        versioning=wanted.versioning,
        version=wanted.version,
        spec=wanted.spec.as_record(),
    )
    return await _reserve(access, new)


@router.post("/datasets/{dataset}/versions")
async def reserve_dataset_version(
    ns: Namespace,  # noqa: ARG001 - in access
    dataset: DatasetPath,
    wanted: ReserveDatasetRequest,
    access: Pusher,
) -> Reserved:
    """Reserve a version of a dataset. The same content again gets the version that it has."""
    new = NewVersion(
        collections.dataset(dataset),
        digest=wanted.digest,
        created_by=access.caller.user,
        version=wanted.version,
        spec=wanted.spec.as_record(),
    )
    return await _reserve(access, new)


@router.get("/models/{model}/aliases/{alias}/history")
async def history(
    ns: Namespace,  # noqa: ARG001 - in access
    model: ModelPath,
    alias: AliasPath,
    access: RecordReader,
    last: Annotated[int | None, Query(ge=1, le=10_000)] = None,
) -> list[HistoryEntry]:
    """Everything that happened to an alias, oldest first; only the `last` so many entries if given."""
    access.check_all()
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


async def _versions(access: Access, collection: Collection, last: int | None) -> list[VersionEntry]:
    await access.check_records(collection)
    numbers = await access.store.versions(access.space, collection)
    entries: list[VersionEntry] = []
    wanted = numbers if last is None else numbers[-last:]
    for start in range(0, len(wanted), _AT_ONCE):
        page = wanted[start : start + _AT_ONCE]
        found = await asyncio.gather(*(_entry(access, collection, number) for number in page))
        entries += [entry for entry in found if entry is not None]
    return entries


async def _reserve(access: Access, new: NewVersion) -> Reserved:
    access.check_push(new.collection)
    if claims_run(new.spec):
        raise forbidden(CLAIM)
    reservation = await access.store.reserve_version(access.space, new)
    has_it = await access.store.has_family(access.space, new.collection.family, new.digest)
    summary = await access.store.content(access.space, new.digest) if has_it else None
    return Reserved(
        version=reservation.record.version,
        digest=reservation.record.digest,
        committed=summary is not None,
        created=reservation.created,
        spec=dict(reservation.record.spec),
    )


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
