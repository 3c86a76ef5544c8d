"""Who signs URLs: STS sessions of our identity, cut down to what one caller may do in one space.

Bucket-wide keys must never sign a URL. A presigned PUT with an unsigned `x-amz-copy-source` header copies whatever
the signer can read, and the key id that stands in every URL was enough to write whatever the signer may write. So:

- a *reader* may get the objects of one space, and nothing else;
- a *writer* belongs to one push. It may put objects of one space whose ULID belongs to the push's own series, and
  read nothing. What others have stored, or the same push an hour ago, is out of its reach, whatever the store forgets
  to check.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from modelberth.store import keys
from modelberth.store.bucket import Bucket
from modelberth.store.connection import Endpoint
from modelberth.store.objects import SessionKeys
from modelberth.store.signing import URL_SECONDS, Presigner
from modelberth.store.types import Space
from modelberth.store.ulids import new_series

SESSION_SECONDS = 3600
_MARGIN = timedelta(seconds=URL_SECONDS + 300)
"""What a session must still have to sign: the life of a URL, and 5 minutes for clocks that differ."""
_KEPT = 2048

Name = tuple[str, str]
"""(space id, who writes); nobody for the reader."""


def reader_policy(bucket: str, folder: str) -> dict[str, Any]:
    """The inline policy of a session that reads the objects below a folder."""
    return _allow("s3:GetObject", f"{bucket}/{folder}*")


def writer_policy(bucket: str, folder: str, series: str) -> dict[str, Any]:
    """The inline policy of a session that stores objects of one series of ULIDs below a folder."""
    return _allow("s3:PutObject", f"{bucket}/{folder}*/{series}*")


def _allow(action: str, resource: str) -> dict[str, Any]:
    statement = {"Effect": "Allow", "Action": [action], "Resource": [f"arn:aws:s3:::{resource}"]}
    return {"Version": "2012-10-17", "Statement": [statement]}


@dataclass(frozen=True, slots=True)
class Signer:
    """What signs URLs for a while.

    Attributes:
        presigner: makes them.
        expires_at: when the URLs that it makes stop working.
        series: what the ULIDs begin with that it may write; empty for a reader.
    """

    presigner: Presigner
    expires_at: datetime
    series: str


@dataclass(frozen=True, slots=True)
class _Session:
    keys: SessionKeys
    series: str


class Sessions:
    """The sessions that sign, renewed before a URL could outlive them.

    Args:
        bucket: makes them, under our own identity.
        now: the wall time in UTC.
    """

    def __init__(self, bucket: Bucket, *, now: Callable[[], datetime]) -> None:
        self._bucket = bucket
        self._now = now
        self._known: OrderedDict[Name, _Session] = OrderedDict()
        self._locks: dict[Name, asyncio.Lock] = {}

    async def reader(self, space: Space, endpoint: Endpoint) -> Signer:
        """What signs GET for the objects of a space, for callers who reach the store at this address."""
        return self._signer(await self._session(space, ""), endpoint)

    async def writer(self, space: Space, endpoint: Endpoint, *, who: str) -> Signer:
        """What signs PUT for one push.

        Args:
            space: where its objects go.
            endpoint: the address at which the caller reaches the store.
            who: names the push; not empty.
        """
        return self._signer(await self._session(space, who), endpoint)

    def _signer(self, session: _Session, endpoint: Endpoint) -> Signer:
        now = self._now()
        presigner = Presigner(endpoint, self._bucket.name, self._bucket.region, session.keys, now=now)
        return Signer(presigner, now + timedelta(seconds=URL_SECONDS), session.series)

    async def _session(self, space: Space, who: str) -> _Session:
        name = (space.id, who)
        async with self._locks.setdefault(name, asyncio.Lock()):
            known = self._known.get(name)
            if known is None or known.keys.expires_at - self._now() < _MARGIN:
                known = await self._begin(space, series=new_series() if who else "")
                self._known[name] = known
            self._known.move_to_end(name)
            while len(self._known) > _KEPT:
                dropped, _ = self._known.popitem(last=False)
                self._locks.pop(dropped, None)
            return known

    async def _begin(self, space: Space, *, series: str) -> _Session:
        bucket, folder = self._bucket.name, keys.data(space)
        allowed = writer_policy(bucket, folder, series) if series else reader_policy(bucket, folder)
        return _Session(await self._bucket.assume_role(allowed, seconds=SESSION_SECONDS), series)
