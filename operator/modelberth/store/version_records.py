"""Version records: which content `(collection, version)` means, in every cluster, after every rebuild.

A record is written once, with If-None-Match, before a byte of content is sent. Numbers are never used again: the
record itself keeps its number, also for content that never arrived.
"""

import secrets
from collections.abc import Callable
from datetime import UTC, datetime

from modelberth.api.conditions import timestamp
from modelberth.content.collections import Collection
from modelberth.content.errors import FormatError
from modelberth.content.versions import Version, Versioning, first_version, is_version
from modelberth.store import keys
from modelberth.store.bucket import Bucket
from modelberth.store.documents import FORMAT, MAX_RECORD_BYTES, from_json, to_json
from modelberth.store.errors import NotFound, StoreUnavailable, Tampered, VersionTaken
from modelberth.store.types import NewVersion, Reservation, Space, VersionRecord

_ATTEMPTS = 64


def utc_now() -> datetime:
    """The wall time in UTC."""
    return datetime.now(UTC)


class VersionRecords:
    """The version records of a bucket.

    Args:
        bucket: where they lie.
        now: the wall time that records carry.
    """

    def __init__(self, bucket: Bucket, *, now: Callable[[], datetime] = utc_now) -> None:
        self._bucket = bucket
        self._now = now

    async def get(self, space: Space, collection: Collection, version: str) -> VersionRecord | None:
        """What a number means; None if it was never given."""
        key = keys.version(space, collection, version)
        try:
            return _parse(key, collection, version, await self._bucket.get(key, limit=MAX_RECORD_BYTES))
        except NotFound:
            return None

    async def find_by_digest(self, space: Space, collection: Collection, digest: str) -> str | None:
        """The first version of the collection that had this content."""
        key = keys.version_of_digest(space, collection, digest)
        try:
            version = from_json(key, await self._bucket.get(key, limit=MAX_RECORD_BYTES)).text("version")
        except NotFound:
            return None
        record = await self.get(space, collection, version)
        if record is None or record.digest != digest:
            raise Tampered(key, f"version {version} of {collection} does not have the content that it claims")
        return version

    async def all(self, space: Space, collection: Collection) -> list[str]:
        """Every number that was ever given, in ascending order."""
        listed = await self._bucket.list_objects(keys.versions(space, collection))
        found = [number for number in (keys.last_part(info.key) for info in listed) if is_version(number)]
        return sorted(found, key=Version.parse)

    async def reserve(self, space: Space, new: NewVersion) -> Reservation:
        """Give a number its meaning (see `port.StorePort.reserve_version`).

        Two writers of the same new content can both get a number; the digest's own record decides which one is told
        to everybody, and the other number stays a hole that means the same content.
        """
        if new.version is not None:
            return await self._reserve_number(space, new, _checked(new.version, new.versioning))
        existing = await self.find_by_digest(space, new.collection, new.digest)
        if existing is not None:
            return Reservation(await self._must_get(space, new.collection, existing), created=False)
        reservation = await self._reserve_next(space, new)
        first = await self.find_by_digest(space, new.collection, new.digest)
        if first is None or first == reservation.record.version:
            return reservation
        return Reservation(await self._must_get(space, new.collection, first), created=False)

    async def _reserve_next(self, space: Space, new: NewVersion) -> Reservation:
        for _ in range(_ATTEMPTS):
            number = _next_number(await self.all(space, new.collection), new.versioning)
            try:
                reservation = await self._reserve_number(space, new, number)
            except VersionTaken:  # another writer was faster
                continue
            return reservation
        raise StoreUnavailable(f"versions of {new.collection}: too many writers at once; try again")

    async def _reserve_number(self, space: Space, new: NewVersion, number: str) -> Reservation:
        record = VersionRecord(
            collection=new.collection,
            version=number,
            digest=new.digest,
            created_at=timestamp(self._now()),
            created_by=new.created_by,
            source=new.source,
            spec=new.spec,
            nonce=secrets.token_hex(16),
        )
        created = await self._bucket.put_if_absent(keys.version(space, new.collection, number), _serialise(record))
        if not created:
            record = await self._must_get(space, new.collection, number)
        if record.digest != new.digest:
            raise VersionTaken(new.collection, number, record.digest)
        await self._enter_digest(space, record)
        return Reservation(record, created)

    async def _enter_digest(self, space: Space, record: VersionRecord) -> None:
        key = keys.version_of_digest(space, record.collection, record.digest)
        await self._bucket.put_if_absent(key, to_json({"format": FORMAT, "version": record.version}))

    async def _must_get(self, space: Space, collection: Collection, version: str) -> VersionRecord:
        record = await self.get(space, collection, version)
        if record is None:
            raise Tampered(keys.version(space, collection, version), "it was removed, and records stay for ever")
        return record


def _next_number(given: list[str], versioning: Versioning) -> str:
    numbers = [number for number in map(Version.parse, given) if number.versioning == versioning]
    number = str(max(numbers).next() if numbers else first_version(versioning))
    if not is_version(number):
        raise FormatError(f"version: nothing follows {max(numbers)} by itself: give a smaller number that is free")
    return number


def _checked(number: str, versioning: Versioning) -> str:
    if Version.parse(number).versioning != versioning:
        form = "v<number> (as v4)" if versioning == "Sequence" else "<major>.<minor> (as 1.1)"
        raise FormatError(f"version {number}: the collection's versioning is {versioning}: write it as {form}")
    return number


def _serialise(record: VersionRecord) -> bytes:
    return to_json(
        {
            "format": FORMAT,
            record.collection.field: record.collection.name,
            "version": record.version,
            "digest": record.digest,
            "nonce": record.nonce,
            "createdAt": record.created_at,
            "createdBy": record.created_by,
            "source": record.source,
            "spec": dict(record.spec),
        }
    )


def _parse(key: str, collection: Collection, version: str, body: bytes) -> VersionRecord:
    fields = from_json(key, body)
    fields.expect(collection.field, collection.name)
    fields.expect("version", version)
    source = fields.text("source")
    if source not in ("pushed", "inline"):
        raise Tampered(key, f"its field source is {source[:40]!a}; pushed and inline are known")
    return VersionRecord(
        collection=collection,
        version=version,
        digest=fields.text("digest"),
        created_at=fields.text("createdAt"),
        created_by=fields.text("createdBy"),
        source="pushed" if source == "pushed" else "inline",
        spec=fields.mapping("spec"),
        nonce=fields.text("nonce"),
    )
