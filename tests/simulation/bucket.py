"""The store in memory: records written once, alias histories that only grow, content that is committed or not.

`Bucket` is what lies in the store and outlives every process; `GatedStore` is one process' `StorePort` onto it, each of
its requests answered by the scheduler. A request that is refused by an outage may have been carried out all the same.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any, Protocol

from modelberth.content.collections import Collection, Family
from modelberth.content.versions import Version, first_version
from modelberth.store.errors import VersionTaken
from modelberth.store.run_types import AttemptRecord, KeyRecord, RunId, RunRecord
from modelberth.store.types import (
    AliasEntry,
    ContentSummary,
    NewAliasEntry,
    NewVersion,
    Reservation,
    Space,
    VersionRecord,
    already_said,
)
from tests.simulation.run_bucket import GatedRuns

_SIZE = 1024


class Caller(Protocol):
    """A process: sends a request and waits for the scheduler's answer."""

    async def call(
        self, label: str, perform: Callable[[], Any], *, target: str = "kube", is_write: bool = False
    ) -> Any: ...


class TakenSequence(Exception):  # noqa: N818 - as the store says it: 412
    """Another writer appended first."""


def digest_of(text: str) -> str:
    """A digest for content that the simulation only names."""
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


class Bucket:
    """What lies in the store."""

    def __init__(self) -> None:
        self.records: dict[tuple[str, Collection, str], VersionRecord] = {}
        self.families: set[tuple[str, Family, str]] = set()
        self.contents: dict[tuple[str, str], ContentSummary] = {}
        self.aliases: dict[tuple[str, str, str], list[AliasEntry]] = {}
        self.attempts: dict[tuple[str, RunId, int], AttemptRecord] = {}
        self.runs: dict[tuple[str, RunId], RunRecord] = {}
        self.run_keys: dict[tuple[str, str], list[KeyRecord]] = {}
        self.writes = 0

    def push(self, space: str, family: Family, digest: str) -> None:
        """Somebody of a family sends content, every byte of it proven."""
        self.commit(space, digest)
        self.families.add((space, family, digest))

    def commit(self, space: str, digest: str) -> ContentSummary:
        """Content arrives."""
        summary = ContentSummary(digest=digest, file_count=1, size_bytes=_SIZE, stored_bytes=_SIZE)
        return self.contents.setdefault((space, digest), summary)

    def reserve(self, space: str, new: NewVersion) -> Reservation:
        """Write a record if there is none; without a number, the version that has the content or the next one."""
        known = self.numbers(space, new.collection)
        if new.version is None:
            same = self.find(space, new.collection, new.digest)
            if same is not None:
                return Reservation(self.records[space, new.collection, same], created=False)
        number = new.version or str(Version.parse(known[-1]).next() if known else first_version(new.versioning))
        there = self.records.get((space, new.collection, number))
        if there is not None:
            if there.digest != new.digest:
                raise VersionTaken(new.collection, number, there.digest)
            return Reservation(there, created=False)
        record = VersionRecord(
            collection=new.collection,
            version=number,
            digest=new.digest,
            created_at="2026-01-31T12:00:00Z",
            created_by=new.created_by,
            source=new.source,
            spec=new.spec,
        )
        self.records[space, new.collection, number] = record
        self.writes += 1
        return Reservation(record, created=True)

    def numbers(self, space: str, collection: Collection) -> list[str]:
        """Every version number of a collection, ascending."""
        found = [number for where, name, number in self.records if (where, name) == (space, collection)]
        return sorted(found, key=Version.parse)

    def find(self, space: str, collection: Collection, digest: str) -> str | None:
        """The first version with this content."""
        of_digest = (n for n in self.numbers(space, collection) if self.records[space, collection, n].digest == digest)
        return next(of_digest, None)

    def put_entry(self, space: str, entry: AliasEntry) -> AliasEntry:
        """Append under the next sequence if nobody has (If-None-Match).

        Raises:
            TakenSequence: somebody has.
        """
        history = self.aliases.setdefault((space, entry.model, entry.alias), [])
        if len(history) + 1 != entry.sequence:
            raise TakenSequence
        history.append(entry)
        self.writes += 1
        return entry

    def entries(self, space: str, model: str, alias: str) -> list[AliasEntry]:
        """A history, oldest first."""
        return list(self.aliases.get((space, model, alias), ()))


class GatedStore(GatedRuns):
    """The `StorePort` of one process."""

    def __init__(self, caller: Caller, bucket: Bucket) -> None:
        self._caller = caller
        self._bucket = bucket

    async def space(self, namespace: str, namespace_uid: str) -> Space:
        """Made from the uid: no request is needed once the space is known."""
        return Space(id=f"space-of-{namespace_uid}", namespace=namespace, namespace_uid=namespace_uid)

    async def version_record(self, space: Space, collection: Collection, version: str) -> VersionRecord | None:
        record: VersionRecord | None = await self._ask(
            f"record {collection}:{version}", lambda: self._bucket.records.get((space.id, collection, version))
        )
        return record

    async def reserve_version(self, space: Space, new: NewVersion) -> Reservation:
        reservation: Reservation = await self._ask(
            f"reserve {new.collection}:{new.version}", lambda: self._bucket.reserve(space.id, new), is_write=True
        )
        return reservation

    async def find_by_digest(self, space: Space, collection: Collection, digest: str) -> str | None:
        found: str | None = await self._ask(
            f"find {collection} {digest[:15]}", lambda: self._bucket.find(space.id, collection, digest)
        )
        return found

    async def latest_version(self, space: Space, collection: Collection) -> str | None:
        numbers = await self.versions(space, collection)
        return numbers[-1] if numbers else None

    async def versions(self, space: Space, collection: Collection) -> list[str]:
        found: list[str] = await self._ask(
            f"versions of {collection}", lambda: self._bucket.numbers(space.id, collection)
        )
        return found

    async def content(self, space: Space, digest: str) -> ContentSummary | None:
        summary: ContentSummary | None = await self._ask(
            f"content {digest[:15]}", lambda: self._bucket.contents.get((space.id, digest))
        )
        return summary

    async def mark_content(self, space: Space, family: Family, digest: str) -> None:
        await self._ask(
            f"mark {family} {digest[:15]}",
            lambda: self._bucket.families.add((space.id, family, digest)),
            is_write=True,
        )

    async def has_family(self, space: Space, family: Family, digest: str) -> bool:
        found: bool = await self._ask(
            f"is {family} {digest[:15]}", lambda: (space.id, family, digest) in self._bucket.families
        )
        return found

    async def put_inline(self, space: Space, files: Mapping[str, bytes]) -> ContentSummary:
        digest = digest_of(repr(sorted(files.items())))
        summary: ContentSummary = await self._ask(
            f"put inline {digest[:15]}", lambda: self._bucket.commit(space.id, digest), is_write=True
        )
        return summary

    async def append_alias(self, space: Space, entry: NewAliasEntry, *, after: int) -> AliasEntry:
        while True:
            behind = (await self.alias_history(space, entry.model, entry.alias))[after:]
            there = already_said(behind, entry)
            if there is not None:
                return there
            new = AliasEntry(**asdict(entry), sequence=after + len(behind) + 1)
            try:
                return await self._put(space, new)
            except TakenSequence:
                continue

    async def _put(self, space: Space, entry: AliasEntry) -> AliasEntry:
        written: AliasEntry = await self._ask(
            f"append {entry.model}:{entry.alias} {entry.sequence}",
            lambda: self._bucket.put_entry(space.id, entry),
            is_write=True,
        )
        return written

    async def alias_history(self, space: Space, model: str, alias: str, *, last: int | None = None) -> list[AliasEntry]:
        entries: list[AliasEntry] = await self._ask(
            f"history {model}:{alias}", lambda: self._bucket.entries(space.id, model, alias)
        )
        return entries if last is None else entries[-last:]

    async def _ask(self, label: str, perform: Callable[[], Any], *, is_write: bool = False) -> Any:
        return await self._caller.call(f"store: {label}", perform, target="store", is_write=is_write)
