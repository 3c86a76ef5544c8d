"""The runs' part of a process' `StorePort` onto the bucket in memory: each record is written once."""

from collections.abc import Callable
from typing import Any

from modelberth.content.collections import Collection
from modelberth.store.minors import reserve_minor
from modelberth.store.run_types import AttemptRecord, KeyRecord, RunId, RunRecord
from modelberth.store.types import NewVersion, Reservation, Space, VersionRecord


class GatedRuns:
    """Answers from `_bucket`, request by request through `_ask`."""

    _bucket: Any

    async def record_attempt(self, space: Space, record: AttemptRecord) -> AttemptRecord:
        key = (space.id, record.run, record.number)
        written: AttemptRecord = await self._write_once(
            f"attempt {record.run.name} {record.number}", "attempts", key, record
        )
        return written

    async def attempt(self, space: Space, run: RunId, number: int) -> AttemptRecord | None:
        found: AttemptRecord | None = await self._ask(
            f"attempt of {run.name} {number}", lambda: self._bucket.attempts.get((space.id, run, number))
        )
        return found

    async def finish_run(self, space: Space, record: RunRecord) -> RunRecord:
        written: RunRecord = await self._write_once(f"finish {record.run.name}", "runs", (space.id, record.run), record)
        return written

    async def run_record(self, space: Space, run: RunId) -> RunRecord | None:
        found: RunRecord | None = await self._ask(f"run {run.name}", lambda: self._bucket.runs.get((space.id, run)))
        return found

    async def find_runs(self, space: Space, name: str) -> list[RunId]:
        return [run for run in await self.runs(space) if run.name == name]

    async def runs(self, space: Space) -> list[RunId]:
        found: list[RunId] = await self._ask(
            "runs", lambda: sorted(run for where, run in self._bucket.runs if where == space.id)
        )
        return found

    async def remember_key(self, space: Space, record: KeyRecord, *, instead_of: KeyRecord | None = None) -> KeyRecord:
        def perform() -> KeyRecord:
            generations: list[KeyRecord] = self._bucket.run_keys.setdefault((space.id, record.key), [])
            if generations and generations[-1] != instead_of:
                return generations[-1]
            generations.append(record)
            self._bucket.writes += 1
            return record

        written: KeyRecord = await self._ask(f"remember key {record.key[:8]}", perform, is_write=True)
        return written

    async def run_of_key(self, space: Space, key: str) -> KeyRecord | None:
        found: KeyRecord | None = await self._ask(
            f"run of key {key[:8]}", lambda: (self._bucket.run_keys.get((space.id, key)) or [None])[-1]
        )
        return found

    async def reserve_minor(self, space: Space, new: NewVersion, *, major: int, base: str, run_uid: str) -> Reservation:
        """The store's own way upwards, over the bucket in memory, a request for each number."""
        found = await reserve_minor(_Shelf(self), space, new, major=major, base=base, run_uid=run_uid)
        await self.mark_content(space, "models", found.record.digest)  # type: ignore[attr-defined]
        return found

    async def _write_once(self, label: str, shelf: str, key: Any, record: Any) -> Any:
        def perform() -> Any:
            records = getattr(self._bucket, shelf)
            self._bucket.writes += key not in records
            return records.setdefault(key, record)

        return await self._ask(label, perform, is_write=True)

    async def _ask(self, label: str, perform: Callable[[], Any], *, is_write: bool = False) -> Any:
        raise NotImplementedError


class _Shelf:
    """Version records of a gated store, as the store's own code reads them."""

    def __init__(self, store: Any) -> None:
        self._store = store

    async def get(self, space: Space, collection: Collection, version: str) -> VersionRecord | None:
        record: VersionRecord | None = await self._store.version_record(space, collection, version)
        return record

    async def reserve(self, space: Space, new: NewVersion) -> Reservation:
        reservation: Reservation = await self._store.reserve_version(space, new)
        return reservation
