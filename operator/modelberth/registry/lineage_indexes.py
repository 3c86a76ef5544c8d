"""The lineage indexes of this process: caches that can be made again out of the bucket at any time.

A first question waits until the records of its space are read. Later ones are answered from what is there, while what
is new is read behind them, at most once in some seconds, and for a tenth of the time at most: to list the records of a
large space takes seconds by itself. Answers say how old they are.

So that the first question seldom waits, the records of spaces that nobody has asked about are read ahead, one after the
other, beside all requests. A question does not wait for that: it reads on with all speed.
"""

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import AsyncIterable, Callable
from datetime import datetime

from modelberth.api.conditions import timestamp
from modelberth.lineage.index import Index
from modelberth.registry.lineage_reader import AT_ONCE, LineageReader
from modelberth.registry.problems import unavailable
from modelberth.store.content_store import ContentStore
from modelberth.store.types import Space
from modelberth.store.version_records import utc_now

FRESH_SECONDS = 5.0
OLD_SECONDS = 60.0
RECORDS_LIMIT = 500_000
AHEAD_LIMIT = 100_000
"""Records in memory from which on nothing is read ahead."""
_PATIENCE_SECONDS = 20.0
_REST = 10.0
"""How many times as long as the last reading took the next one waits."""

log = logging.getLogger(__name__)


class LineageIndexes:
    """Indexes by space; those that were not asked for longest go when all together have too many records.

    Args:
        store: where the records are.
        now: the wall time in UTC; goes into `as_of`.
        monotonic: seconds since some point.
        patience: how long a question waits for records to be read, in seconds.
    """

    def __init__(
        self,
        store: ContentStore,
        *,
        now: Callable[[], datetime] = utc_now,
        monotonic: Callable[[], float] = time.monotonic,
        patience: float = _PATIENCE_SECONDS,
    ) -> None:
        self._store = store
        self._now = now
        self._monotonic = monotonic
        self._patience = patience
        self._kept: OrderedDict[str, KeptIndex] = OrderedDict()

    async def of(self, space: Space, *, fresh: bool = False) -> "KeptIndex":
        """The index of a space.

        Args:
            space: whose.
            fresh: wait until everything is in that was recorded before the question.

        Raises:
            Problem: 503 while it is being made for the first time; the message says how far it is.
            StoreError: it was never made, and the store does not answer.
        """
        kept = self._index_of(space)
        self._kept.move_to_end(space.id)
        asked = self._monotonic()
        if not kept.is_whole or fresh:
            await kept.catch_up(asked, self._patience)
        elif asked - kept.whole_at >= max(OLD_SECONDS, 2 * kept.pause):
            await kept.catch_up(asked - kept.pause, self._patience)
        elif asked - kept.whole_at >= kept.pause:
            kept.start()
        self._make_room()
        return kept

    async def read_ahead(self, spaces: AsyncIterable[Space]) -> None:
        """Make the indexes of these spaces, one after the other, until there is enough in memory."""
        async for space in spaces:
            if len(self) >= AHEAD_LIMIT:
                break
            await self._index_of(space).read_ahead()

    def __len__(self) -> int:
        """How many records are in memory."""
        return sum(map(len, self._kept.values()))

    def _index_of(self, space: Space) -> "KeptIndex":
        if space.id not in self._kept:
            self._kept[space.id] = KeptIndex(LineageReader(self._store, space), self._now, self._monotonic)
        return self._kept[space.id]

    def _make_room(self) -> None:
        while len(self._kept) > 1 and len(self) > RECORDS_LIMIT:
            _, dropped = self._kept.popitem(last=False)
            dropped.close()


class KeptIndex:
    """The index of one space, and how old it is.

    Attributes:
        as_of: RFC 3339; everything recorded before is in the index. Empty until it is whole.
        whole_at: the same moment in monotonic seconds.
        pause: how old it may be before what is new is read, in seconds.
    """

    def __init__(self, reader: LineageReader, now: Callable[[], datetime], monotonic: Callable[[], float]) -> None:
        self._reader = reader
        self._now = now
        self._monotonic = monotonic
        self._reading: asyncio.Task[None] | None = None
        self._is_ahead = False  # of every question: it takes its time
        self.as_of = ""
        self.whole_at = float("-inf")
        self.pause = FRESH_SECONDS

    def __len__(self) -> int:
        """How many records are in it."""
        return len(self._reader)

    @property
    def index(self) -> Index:
        """The index."""
        return self._reader.index

    @property
    def problems(self) -> list[str]:
        """What could not be read, a sentence each."""
        return self._reader.problems

    @property
    def is_whole(self) -> bool:
        """Whether all records were read once."""
        return bool(self.as_of)

    def start(self) -> "asyncio.Task[None]":
        """Read what is new, unless that is under way already."""
        if self._is_ahead:
            self.close()  # what was read stays
        return self._start(at_once=AT_ONCE)

    async def read_ahead(self) -> None:
        """Read one record after the other, until all are read, or somebody asks and goes on by himself."""
        if self._reading is None:
            self._is_ahead = True
            await asyncio.wait({self._start(at_once=1)})

    def _start(self, *, at_once: int) -> "asyncio.Task[None]":
        if self._reading is None or self._reading.done():
            self._reading = asyncio.create_task(self._read(at_once))
            self._reading.add_done_callback(_end_quietly)
        return self._reading

    async def catch_up(self, moment: float, patience: float) -> None:
        """Wait until everything is in that was recorded before `moment`, or patience ends.

        An index that is whole answers without that, too: it says how old it is.
        """
        deadline = self._monotonic() + patience
        while self.whole_at < moment:
            reading = self.start()
            done, _ = await asyncio.wait({reading}, timeout=max(0.0, deadline - self._monotonic()))
            if not done:
                break
            error = None if reading.cancelled() else reading.exception()
            if error is not None and not self.is_whole:
                raise error
            if error is not None or reading.cancelled():
                break
        if not self.is_whole:
            raise unavailable(
                "LineageNotReady", f"the records are being read ({len(self):,} so far): ask again in some seconds"
            )

    def close(self) -> None:
        """Read no more."""
        if self._reading is not None:
            self._reading.cancel()
        self._reading, self._is_ahead = None, False

    async def _read(self, at_once: int) -> None:
        as_of, started = self._now(), self._monotonic()
        try:
            await self._reader.catch_up(at_once=at_once)
        except BaseExceptionGroup as failed:  # of the readers of one page; what stopped the first one stops all
            raise _first(failed) from None
        if self.is_whole:  # to read everything for the first time says nothing of how long it takes to look for news
            self.pause = max(FRESH_SECONDS, _REST * (self._monotonic() - started))
        self.as_of = timestamp(as_of)
        self.whole_at = started


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    found: BaseException = group
    while isinstance(found, BaseExceptionGroup):
        found = found.exceptions[0]
    return found


def _end_quietly(task: "asyncio.Task[None]") -> None:
    """Whoever waits for it sees its error; where nobody does, the log tells it."""
    if not task.cancelled() and task.exception() is not None:
        log.warning("lineage is not up to date", extra={"why": str(task.exception())})
