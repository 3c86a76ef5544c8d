"""`ContentStore`: the store over S3, as `port.StorePort` asks for it, and the parts of it that the registry serves."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import datetime
from pathlib import Path

from modelberth.content.collections import Collection, Family
from modelberth.store.alias_records import AliasRecords
from modelberth.store.bucket import Bucket
from modelberth.store.commits import Commits
from modelberth.store.connection import Endpoint, KeyFiles
from modelberth.store.contents import Contents
from modelberth.store.families import Families
from modelberth.store.inline import pack_inline
from modelberth.store.minors import reserve_minor
from modelberth.store.record_listing import RecordListing
from modelberth.store.run_records import RunRecords
from modelberth.store.run_types import AttemptRecord, KeyRecord, RunId, RunRecord
from modelberth.store.sessions import Sessions
from modelberth.store.spaces import Spaces
from modelberth.store.types import (
    AliasEntry,
    ContentSummary,
    NewAliasEntry,
    NewVersion,
    Reservation,
    Space,
    VersionRecord,
)
from modelberth.store.uploads import Uploads
from modelberth.store.version_records import VersionRecords, utc_now


def open_bucket(
    *,
    endpoint: str,
    bucket: str,
    region: str,
    access_key_file: Path,
    secret_key_file: Path,
    ca_file: Path | None,
    rest_seconds: float = 0.0,
) -> Bucket:
    """The bucket that the settings name; see `Bucket` for `rest_seconds`. Nothing is asked of the store yet.

    Raises:
        ValueError: the endpoint is no address of a store.
        OSError: the CA file cannot be read.
    """
    keys = KeyFiles(access_key_file, secret_key_file)
    return Bucket(Endpoint(endpoint), bucket, keys, region=region, ca_file=ca_file, rest_seconds=rest_seconds)


class ContentStore:
    """Spaces, records and content of one cluster in one bucket.

    Args:
        bucket: where everything lies.
        cluster_uid: the uid of the cluster's `kube-system` namespace.
        now: the wall time in UTC.

    Attributes:
        contents: trees and layouts.
        sessions: who signs URLs.
        uploads: what a push still has to send.
        commits: verification.
        listing: which records there are.
    """

    def __init__(self, bucket: Bucket, cluster_uid: str, *, now: Callable[[], datetime] = utc_now) -> None:
        self._bucket = bucket
        self._spaces = Spaces(bucket, cluster_uid)
        self._versions = VersionRecords(bucket, now=now)
        self._aliases = AliasRecords(bucket)
        self._families = Families(bucket)
        self._runs = RunRecords(bucket)
        self.contents = Contents(bucket)
        self.sessions = Sessions(bucket, now=now)
        self.uploads = Uploads(bucket, self.sessions)
        self.commits = Commits(bucket, self.contents)
        self.listing = RecordListing(bucket)

    async def space(self, namespace: str, namespace_uid: str) -> Space:
        """See `StorePort.space`."""
        return await self._spaces.enter(namespace, namespace_uid)

    def spaces(self) -> AsyncIterator[tuple[str, str]]:
        """See `Spaces.all`."""
        return self._spaces.all()

    async def version_record(self, space: Space, collection: Collection, version: str) -> VersionRecord | None:
        """See `StorePort.version_record`."""
        return await self._versions.get(space, collection, version)

    async def reserve_version(self, space: Space, new: NewVersion) -> Reservation:
        """See `StorePort.reserve_version`."""
        return await self._versions.reserve(space, new)

    async def find_by_digest(self, space: Space, collection: Collection, digest: str) -> str | None:
        """See `StorePort.find_by_digest`."""
        return await self._versions.find_by_digest(space, collection, digest)

    async def latest_version(self, space: Space, collection: Collection) -> str | None:
        """See `StorePort.latest_version`."""
        given = await self._versions.all(space, collection)
        return given[-1] if given else None

    async def versions(self, space: Space, collection: Collection) -> list[str]:
        """See `StorePort.versions`."""
        return await self._versions.all(space, collection)

    async def content(self, space: Space, digest: str) -> ContentSummary | None:
        """See `StorePort.content`."""
        return await self.contents.summary(space, digest)

    async def mark_content(self, space: Space, family: Family, digest: str) -> None:
        """See `StorePort.mark_content`."""
        await self._families.mark(space, family, digest)

    async def has_family(self, space: Space, family: Family, digest: str) -> bool:
        """See `StorePort.has_family`."""
        return await self._families.has(space, family, digest)

    async def put_inline(self, space: Space, files: Mapping[str, bytes]) -> ContentSummary:
        """See `StorePort.put_inline`."""
        content = await asyncio.to_thread(pack_inline, files)
        existing = await self.contents.summary(space, content.tree.digest)
        if existing is not None:
            return existing
        await self.contents.put_tree(space, content.tree.digest, content.tree.to_bytes())
        for stored in content.layout.objects:
            body = content.objects[stored.digest]
            await self._bucket.put(space.prefix + stored.key, body, sha256=stored.digest)
        return await self.commits.commit(space, content.tree.digest, content.layout)

    async def record_attempt(self, space: Space, record: AttemptRecord) -> AttemptRecord:
        """See `RunPort.record_attempt`."""
        return await self._runs.record_attempt(space, record)

    async def attempt(self, space: Space, run: RunId, number: int) -> AttemptRecord | None:
        """See `RunPort.attempt`."""
        return await self._runs.attempt(space, run, number)

    async def enter_run_content(self, space: Space, run: RunId, digest: str) -> None:
        """Remember that a run has itself sent content, every byte of it: only such may it call its own."""
        await self._runs.enter_content(space, run, digest)

    async def has_run_content(self, space: Space, run: RunId, digest: str) -> bool:
        """Whether a run has itself sent this content."""
        return await self._runs.has_content(space, run, digest)

    async def finish_run(self, space: Space, record: RunRecord) -> RunRecord:
        """See `RunPort.finish_run`."""
        return await self._runs.finish(space, record)

    async def run_record(self, space: Space, run: RunId) -> RunRecord | None:
        """See `RunPort.run_record`."""
        return await self._runs.result(space, run)

    async def find_runs(self, space: Space, name: str) -> list[RunId]:
        """See `RunPort.find_runs`."""
        return await self._runs.find(space, name)

    async def runs(self, space: Space) -> list[RunId]:
        """See `RunPort.runs`."""
        return await self._runs.all(space)

    async def remember_key(self, space: Space, record: KeyRecord, *, instead_of: KeyRecord | None = None) -> KeyRecord:
        """See `RunPort.remember_key`."""
        return await self._runs.remember_key(space, record, instead_of=instead_of)

    async def run_of_key(self, space: Space, key: str) -> KeyRecord | None:
        """See `RunPort.run_of_key`."""
        return await self._runs.of_key(space, key)

    async def reserve_minor(self, space: Space, new: NewVersion, *, major: int, base: str, run_uid: str) -> Reservation:
        """See `RunPort.reserve_minor`."""
        reservation = await reserve_minor(self._versions, space, new, major=major, base=base, run_uid=run_uid)
        await self._families.mark(space, "models", reservation.record.digest)
        return reservation

    async def append_alias(self, space: Space, entry: NewAliasEntry, *, after: int) -> AliasEntry:
        """See `StorePort.append_alias`."""
        return await self._aliases.append(space, entry, after=after)

    async def alias_history(self, space: Space, model: str, alias: str, *, last: int | None = None) -> list[AliasEntry]:
        """See `StorePort.alias_history`."""
        return await self._aliases.history(space, model, alias, last=last)

    async def alias_entry(self, space: Space, model: str, alias: str, sequence: int) -> AliasEntry:
        """One entry of an alias' history.

        Raises:
            NotFound: there is none of this number.
        """
        return await self._aliases.entry(space, model, alias, sequence)
