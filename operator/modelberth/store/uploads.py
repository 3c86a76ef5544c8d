"""What a push still has to send, and the URLs to send it to.

An object is used again only if the store itself computed the SHA-256 under which it lies. Being there is not enough:
some stores let the holder of one upload URL put other bytes under any key of the space. What another space has is never
looked at.
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

    async def plan(self, space: Space, wanted: Sequence[WantedObject], endpoint: Endpoint, *, who: str) -> UploadPlan:
        """Which of these objects are there, and a presigned PUT for each of the others.

        Args:
            space: where they are looked for and go to.
            wanted: what the push needs.
            endpoint: the address at which the caller reaches the store.
            who: names the push (see `sessions.Sessions.writer`).
        """
        present = await asyncio.gather(*(self._find(space, item) for item in wanted))
        signer = await self._sessions.writer(space, endpoint, who=who)
        planned = []
        for item, found in zip(wanted, present, strict=True):
            ulid = found or new_ulid(signer.series)
            key = keys.uploads(space, item.digest) + ulid
            upload = None if found else signer.presigner.put(key, item.digest, item.size)
            planned.append(PlannedObject(item.digest, ulid, upload))
        return UploadPlan(tuple(planned), signer.expires_at)

    async def _find(self, space: Space, wanted: WantedObject) -> str | None:
        """The upload that has this content, by the store's own word."""
        for listed in await self._bucket.list_objects(keys.uploads(space, wanted.digest)):
            if listed.size != wanted.size:
                continue
            info = await self._bucket.head(listed.key)
            if info is not None and info.sha256 == wanted.digest:
                return keys.last_part(listed.key)
        return None
