"""The lineage indexes of this process: caches that can be made again out of the bucket at any time.

A first question waits until the records of its space are read. Later ones are answered from what is there, while what
is new is read behind them, at most once in some seconds, and for a tenth of the time at most: to list the records of a
large space takes seconds by itself. Answers say how old they are.

So that the first question seldom waits, the records of spaces that nobody has asked about are read ahead, one after the
other, beside all requests. A question does not wait for that: it reads on with all speed.

All indexes together take no more memory than they are given, also while they are read.
"""

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import AsyncIterable, Callable
from datetime import datetime
from functools import partial
from types import NoneType

from modelberth.api.conditions import timestamp
from modelberth.lineage.index import Index
from modelberth.registry.lineage_reader import AT_ONCE, LineageReader, NoRoom
from modelberth.registry.problems import Problem, unavailable
from modelberth.store.content_store import ContentStore
from modelberth.store.errors import StoreError
from modelberth.store.types import Space
from modelberth.store.version_records import utc_now

FRESH_SECONDS = 5.0
OLD_SECONDS = 60.0
MEMORY = 400 * 1024 * 1024
"""Bytes for all indexes together: far from what the registry has, as pushes need memory, too."""
AHEAD_SHARE = 0.5
"""How much of it what nobody has asked for may take."""
_PATIENCE_SECONDS = 20.0
_REST = 10.0
"""How many times as long as the last reading took the next one waits."""

log = logging.getLogger(__name__)


class LineageIndexes:
    """Indexes by space; those that were not asked for longest go when all together take too much memory.

    Args:
        store: where the records are.
        memory: how much they may take, in bytes.
        now: the wall time in UTC; goes into `as_of`.
        monotonic: seconds since some point.
        patience: how long a question waits for records to be read, in seconds.
    """

    def __init__(
        self,
        store: ContentStore,
        *,
        memory: int = MEMORY,
        now: Callable[[], datetime] = utc_now,
        monotonic: Callable[[], float] = time.monotonic,
        patience: float = _PATIENCE_SECONDS,
    ) -> None:
        self._store = store
        self._memory = memory
        self._now = now
        self._monotonic = monotonic
        self._patience = patience
        self._kept: OrderedDict[str, KeptIndex] = OrderedDict()
        self._too_large: dict[str, int] = {}  # records stay, so that what did not fit once never will

    async def of(self, space: Space, *, fresh: bool = False) -> "KeptIndex":
        """The index of a space.

        Args:
            space: whose.
            fresh: wait until everything is in that was recorded before the question.

        Raises:
            Problem: 503 while it is being made for the first time; the message says how far it is. 422 where it does
                not fit into the memory.
            StoreError: it was never made, and the store does not answer.
        """
        if space.id in self._too_large:
            raise self._refusal(space)
        kept = self._index_of(space)
        self._kept.move_to_end(space.id)
        asked = self._monotonic()
        try:
            if not kept.is_whole or fresh:
                await kept.catch_up(asked, self._patience)
            elif asked - kept.whole_at >= max(OLD_SECONDS, 2 * kept.pause):
                await kept.catch_up(asked - kept.pause, self._patience)
            elif asked - kept.whole_at >= kept.pause:
                kept.start()
        except NoRoom:
            raise self._refusal(space) from None
        return kept

    async def read_ahead(self, spaces: AsyncIterable[Space]) -> None:
        """Make the indexes of these spaces, one after the other, until there is enough in memory.

        Raises:
            StoreError: some could not be read; the others were.
        """
        failed: StoreError | None = None
        async for space in spaces:
            if not self._has_room_ahead():
                break
            failed = await self._index_of(space).read_ahead(self._has_room_ahead) or failed
        if failed is not None:
            raise failed

    @property
    def weight(self) -> int:
        """About how many bytes of memory all of them take."""
        return sum(kept.weight for kept in self._kept.values())

    def _index_of(self, space: Space) -> "KeptIndex":
        if space.id not in self._kept:
            reader = LineageReader(self._store, space)
            has_room = partial(self._has_room, space.id)
            self._kept[space.id] = KeptIndex(reader, has_room, self._now, self._monotonic)
        return self._kept[space.id]

    def _has_room_ahead(self) -> bool:
        return self.weight < AHEAD_SHARE * self._memory

    def _has_room(self, wanted: str) -> bool:
        """Whether the index of a space may grow. The others go for it, but those that are being read.

        Where two that are read do not fit together, the first to notice stops: it is not read any more then, and goes
        for the other one.
        """
        if wanted not in self._kept:
            return False
        for other in list(self._kept):
            if self.weight < self._memory:
                return True
            if other != wanted and not self._kept[other].is_asked:
                self._kept.pop(other).close()
        if self._kept[wanted].weight >= self._memory:
            self._too_large[wanted] = len(self._kept.pop(wanted))
            log.warning("lineage does not fit into memory", extra={"space": wanted, "MiB": self._memory // 2**20})
            return False
        return self.weight < self._memory

    def _refusal(self, space: Space) -> Problem:
        if space.id not in self._too_large:
            return unavailable("LineageNotReady", "the memory is taken by what others ask: ask again in some seconds")
        return Problem(
            422,
            "LineageTooLarge",
            f"the lineage of namespace {space.namespace} has more than {self._too_large[space.id]:,} records, which "
            f"take {self._memory // 2**20} MiB: set registry.lineageMemoryMiB and the registry's memory limit higher",
        )


class KeptIndex:
    """The index of one space, and how old it is.

    Attributes:
        as_of: RFC 3339; everything recorded before is in the index. Empty until it is whole.
        whole_at: the same moment in monotonic seconds.
        pause: how old it may be before what is new is read, in seconds.
    """

    def __init__(
        self,
        reader: LineageReader,
        has_room: Callable[[], bool],
        now: Callable[[], datetime],
        monotonic: Callable[[], float],
    ) -> None:
        self._reader = reader
        self._has_room = has_room
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
    def weight(self) -> int:
        """About how many bytes of memory it takes."""
        return self._reader.weight

    @property
    def is_asked(self) -> bool:
        """Whether it is being read for somebody who has asked."""
        return self._reading is not None and not self._reading.done() and not self._is_ahead

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
        return self._start(self._has_room, at_once=AT_ONCE)

    async def read_ahead(self, has_room: Callable[[], bool]) -> StoreError | None:
        """Read one record after the other, until all are read, or somebody asks and goes on by himself.

        Args:
            has_room: whether another record may be taken; what was read until then stays.

        Returns:
            Why it could not be read.
        """
        if self.is_whole or self.is_asked:
            return None
        self._is_ahead = True
        reading = self._start(has_room, at_once=1)
        await asyncio.wait({reading})
        error = None if reading.cancelled() else reading.exception()
        return error if isinstance(error, StoreError) else None

    def _start(self, has_room: Callable[[], bool], *, at_once: int) -> "asyncio.Task[None]":
        if self._reading is None or self._reading.done():
            self._reading = asyncio.create_task(self._read(has_room, at_once))
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
            if isinstance(error, NoRoom) or (error is not None and not self.is_whole):
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

    async def _read(self, has_room: Callable[[], bool], at_once: int) -> None:
        as_of, started = self._now(), self._monotonic()
        try:
            await self._reader.catch_up(at_once=at_once, has_room=has_room)
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
    if not task.cancelled() and not isinstance(task.exception(), NoRoom | NoneType):
        log.warning("lineage is not up to date", extra={"why": str(task.exception())})
