"""Who signs URLs: STS sessions of our identity, one *reader* and one *writer* per space, cut down to its objects.

Bucket-wide keys must never sign a URL. A presigned PUT with an unsigned `x-amz-copy-source` header copies whatever
the signer can read, and the key id that stands in every URL was enough to forge an upload. A session that can only
write into (or only read from) the objects of one space makes both worthless.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Literal

from modelberth.store import keys
from modelberth.store.bucket import Bucket, SessionKeys
from modelberth.store.connection import Endpoint
from modelberth.store.signing import URL_SECONDS, Presigner
from modelberth.store.types import Space

Scope = Literal["reader", "writer"]

SESSION_SECONDS = 3600
_MARGIN = timedelta(seconds=URL_SECONDS + 300)
"""What a session must still have to sign: the life of a URL, and 5 minutes for clocks that differ."""
_KEPT = 2048
_ACTIONS: dict[Scope, str] = {"reader": "s3:GetObject", "writer": "s3:PutObject"}


def policy(bucket: str, prefix: str, scope: Scope) -> dict[str, Any]:
    """The inline policy of a session: one action, on the objects under one prefix."""
    return {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Action": [_ACTIONS[scope]], "Resource": [f"arn:aws:s3:::{bucket}/{prefix}*"]}
        ],
    }


class Sessions:
    """The sessions that sign, renewed before a URL could outlive them.

    Args:
        bucket: makes them, under our own identity.
        now: the wall time in UTC.
    """

    def __init__(self, bucket: Bucket, *, now: Callable[[], datetime]) -> None:
        self._bucket = bucket
        self._now = now
        self._known: OrderedDict[tuple[str, Scope], SessionKeys] = OrderedDict()
        self._locks: dict[tuple[str, Scope], asyncio.Lock] = {}

    async def presigner(self, space: Space, scope: Scope, endpoint: Endpoint) -> tuple[Presigner, datetime]:
        """What signs URLs for the objects of a space, and when those URLs expire.

        Args:
            space: whose objects.
            scope: `reader` for GET, `writer` for PUT.
            endpoint: the address that the caller of the URLs reaches.
        """
        session = await self._session(space, scope)
        now = self._now()
        presigner = Presigner(endpoint, self._bucket.name, self._bucket.region, session, now=now)
        return presigner, now + timedelta(seconds=URL_SECONDS)

    async def _session(self, space: Space, scope: Scope) -> SessionKeys:
        name = (space.id, scope)
        async with self._locks.setdefault(name, asyncio.Lock()):
            known = self._known.get(name)
            if known is None or known.expires_at - self._now() < _MARGIN:
                allowed = policy(self._bucket.name, keys.data(space), scope)
                known = await self._bucket.assume_role(allowed, seconds=SESSION_SECONDS)
                self._known[name] = known
            self._known.move_to_end(name)
            while len(self._known) > _KEPT:
                dropped, _ = self._known.popitem(last=False)
                self._locks.pop(dropped, None)
            return known
