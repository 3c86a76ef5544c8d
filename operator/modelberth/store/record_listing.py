"""Which records a space has: versions of both families, finished runs, entries of alias histories.

Records never change, so a list of keys is all that it takes to know what is new. Read them by the methods of the port.
"""

from collections.abc import AsyncIterator
from typing import NamedTuple

from modelberth.content.collections import Collection, CollectionFamily
from modelberth.content.versions import is_version
from modelberth.store import keys
from modelberth.store.bucket import Bucket
from modelberth.store.run_types import RunId
from modelberth.store.types import Space

PAGE = 5000
"""Keys that are held in memory at a time."""


class VersionKey(NamedTuple):
    """The record of a version."""

    collection: Collection
    version: str


class AliasKey(NamedTuple):
    """An entry of an alias' history."""

    model: str
    alias: str
    sequence: int


RecordKey = VersionKey | RunId | AliasKey
"""What a record is about; `RunId` is the final record of a run."""


class RecordListing:
    """Lists the records of a bucket."""

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket

    async def pages(self, space: Space) -> AsyncIterator[list[RecordKey]]:
        """All records of a space, some thousand at a time. What is no record's key is passed over."""
        for folder in keys.RECORD_FOLDERS:
            prefix = f"{space.prefix}{folder}"
            last: str | None = None
            while True:
                listed = await self._bucket.list_objects(prefix, start_after=last, limit=PAGE)
                found = (_record_key(folder, info.key.removeprefix(prefix)) for info in listed)
                yield [key for key in found if key is not None]
                if len(listed) < PAGE:
                    break
                last = listed[-1].key


_FAMILIES: dict[str, CollectionFamily] = {keys.MODEL_VERSIONS: "models", keys.DATASET_VERSIONS: "datasets"}


def _record_key(folder: str, path: str) -> RecordKey | None:
    match path.split("/"):
        case [collection, version] if folder in _FAMILIES and is_version(version):
            return VersionKey(Collection(_FAMILIES[folder], collection), version)
        case [name, uid, "result"] if folder == keys.RUNS:
            return RunId(name, uid)
        case [model, alias, sequence] if folder == keys.ALIASES and sequence.isdecimal():
            return AliasKey(model, alias, int(sequence))
    return None
