"""What a push still has to send, and the URLs to send it to.

An object that lies under its digest was verified by the store when it came in (its PUT was signed for that digest), so
being there is enough to be used again; a space never learns what another one has.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from modelberth.store import keys
from modelberth.store.bucket import Bucket
from modelberth.store.connection import Endpoint
from modelberth.store.sessions import Sessions
from modelberth.store.signing import Upload
from modelberth.store.types import Space
from modelberth.store.ulids import new_ulid


@dataclass(frozen=True, slots=True)
class WantedObject:
    """An object that a push needs in the store: SHA-256 in hex, size in bytes."""

    digest: str
    size: int


@dataclass(frozen=True, slots=True)
class PlannedObject:
    """Where the object lies or is to lie; `upload` is None if it is there."""

    digest: str
    ulid: str
    upload: Upload | None


@dataclass(frozen=True, slots=True)
class UploadPlan:
    """The objects in the order asked for, and when the URLs expire."""

    objects: tuple[PlannedObject, ...]
    expires_at: datetime


class Uploads:
    """Plans uploads into the bucket."""

    def __init__(self, bucket: Bucket, sessions: Sessions) -> None:
        self._bucket = bucket
        self._sessions = sessions

    async def plan(self, space: Space, wanted: Sequence[WantedObject], endpoint: Endpoint) -> UploadPlan:
        """Which of these objects are there, and a presigned PUT for each of the others."""
        present = await asyncio.gather(*(self._find(space, item) for item in wanted))
        presigner, expires_at = await self._sessions.presigner(space, "writer", endpoint)
        planned = []
        for item, found in zip(wanted, present, strict=True):
            ulid = found or new_ulid()
            key = keys.uploads(space, item.digest) + ulid
            upload = None if found else presigner.put(key, item.digest, item.size)
            planned.append(PlannedObject(item.digest, ulid, upload))
        return UploadPlan(tuple(planned), expires_at)

    async def _find(self, space: Space, wanted: WantedObject) -> str | None:
        """The upload that has this content; another size cannot have it, and tells that somebody swapped it."""
        for info in await self._bucket.list_objects(keys.uploads(space, wanted.digest)):
            if info.size == wanted.size:
                return keys.last_part(info.key)
        return None
