"""Alias history: compare-and-append. An entry's sequence is one more than the last, written with If-None-Match."""

import asyncio
from dataclasses import asdict
from typing import cast

from modelberth.store import keys
from modelberth.store.bucket import Bucket
from modelberth.store.documents import FORMAT, MAX_RECORD_BYTES, Document, from_json, to_json
from modelberth.store.errors import StoreUnavailable, Tampered
from modelberth.store.types import AliasEntry, AliasEvent, NewAliasEntry, Space, already_said

_ATTEMPTS = 16
_AT_ONCE = 8
_EVENTS = ("Moved", "Served", "Removed")


class AliasRecords:
    """The alias histories of a bucket."""

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket

    async def append(self, space: Space, entry: NewAliasEntry, *, after: int) -> AliasEntry:
        """Append an entry, or return the one behind `after` that says it already (see `port.StorePort.append_alias`).

        A 412 means that somebody appended meanwhile, or that our own earlier answer was lost: read on and decide again.
        """
        replayed: list[AliasEntry] = []
        for _ in range(_ATTEMPTS):
            last = replayed[-1].sequence if replayed else after
            replayed += await self._behind(space, entry.model, entry.alias, last)
            found = already_said(replayed, entry)
            if found is not None:
                return found
            sequence = replayed[-1].sequence + 1 if replayed else after + 1
            appended = AliasEntry(**asdict(entry), sequence=sequence)
            if await self._bucket.put_if_absent(
                keys.alias_entry(space, entry.model, entry.alias, sequence), _serialise(appended)
            ):
                return appended
        raise StoreUnavailable(f"history of {entry.model}:{entry.alias}: too many writers at once; try again")

    async def history(self, space: Space, model: str, alias: str, *, last: int | None = None) -> list[AliasEntry]:
        """The entries, oldest first; only the `last` so many if given.

        Raises:
            Tampered: an entry is missing or not what its key says.
        """
        listed = await self._bucket.list_objects(keys.alias_history(space, model, alias))
        sequences = [_sequence(info.key) for info in listed]
        for expected, found in enumerate(sequences, start=keys.FIRST_ENTRY):
            if found != expected:
                raise Tampered(keys.alias_entry(space, model, alias, expected), "it was removed from the history")
        wanted = sequences if last is None else sequences[max(0, len(sequences) - last) :]
        return await self._read(space, model, alias, wanted)

    async def entry(self, space: Space, model: str, alias: str, sequence: int) -> AliasEntry:
        """One entry.

        Raises:
            NotFound: there is none of this number.
            Tampered: it is not what its key says.
        """
        key = keys.alias_entry(space, model, alias, sequence)
        fields = from_json(key, await self._bucket.get(key, limit=MAX_RECORD_BYTES))
        fields.expect("model", model)
        fields.expect("alias", alias)
        fields.expect("sequence", sequence)
        return _parse(key, fields)

    async def _behind(self, space: Space, model: str, alias: str, after: int) -> list[AliasEntry]:
        folder = keys.alias_history(space, model, alias)
        listed = await self._bucket.list_objects(folder, start_after=keys.alias_entry(space, model, alias, after))
        return await self._read(space, model, alias, [_sequence(info.key) for info in listed])

    async def _read(self, space: Space, model: str, alias: str, sequences: list[int]) -> list[AliasEntry]:
        entries: list[AliasEntry] = []
        for start in range(0, len(sequences), _AT_ONCE):
            page = sequences[start : start + _AT_ONCE]
            entries += await asyncio.gather(*(self.entry(space, model, alias, sequence) for sequence in page))
        return entries


def _sequence(key: str) -> int:
    text = keys.last_part(key)
    if len(text) != 20 or not text.isdecimal():
        raise Tampered(key, "its name is no sequence number of 20 digits")
    return int(text)


def _serialise(entry: AliasEntry) -> bytes:
    return to_json(
        {
            "format": FORMAT,
            "sequence": entry.sequence,
            "model": entry.model,
            "alias": entry.alias,
            "event": entry.event,
            "version": entry.version,
            "digest": entry.digest,
            "previous": entry.previous,
            "generation": entry.generation,
            "firstGeneration": entry.first_generation,
            "movedBy": entry.moved_by,
            "at": entry.at,
            "uid": entry.uid,
        }
    )


def _parse(key: str, fields: Document) -> AliasEntry:
    event = fields.text("event")
    if event not in _EVENTS:
        raise Tampered(key, f"its field event is {event[:40]!a}; {', '.join(_EVENTS)} are known")
    return AliasEntry(
        model=fields.text("model"),
        alias=fields.text("alias"),
        event=cast("AliasEvent", event),
        version=fields.text("version"),
        digest=fields.text("digest"),
        previous=fields.text("previous"),
        generation=fields.integer("generation"),
        first_generation=fields.integer("firstGeneration"),
        moved_by=fields.text("movedBy"),
        at=fields.text("at"),
        uid=fields.text("uid"),
        sequence=fields.integer("sequence"),
    )
