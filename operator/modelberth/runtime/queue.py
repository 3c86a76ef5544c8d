"""The work queue: keys to reconcile, each at most once at a time, each retried with growing patience.

The rules are client-go's (`util/workqueue`): a key that is added while it waits is one piece of work; a key that is
added while it is being worked on is worked on again afterwards, never by two workers at once. Keys that are only looked
at to be sure, such as all of them when an operator begins, are added in the *background*: they wait behind everything
that changed, but for a share of the workers' attention that keeps them from starving.

The clock comes in from outside and the queue itself never sleeps: `take` says what is ready now, `next_due` when to ask
again. `get` waits for real on top of both.
"""

import asyncio
import heapq
import random
from collections.abc import Hashable
from typing import Generic, Protocol, TypeVar

from modelberth.runtime.clock import Clock

FIRST_BACKOFF = 0.005
"""Seconds before the first retry; each further one doubles."""
LAST_BACKOFF = 300.0
"""Seconds that no retry passes, jitter aside."""
_JITTER = 0.1
_DOUBLINGS = 40
_BACKGROUND_SHARE = 8  # every eighth key comes from the background

K = TypeVar("K", bound=Hashable)
K_contra = TypeVar("K_contra", bound=Hashable, contravariant=True)


class QueueHooks(Protocol[K_contra]):
    """What metrics hear of. Times are in seconds."""

    def added(self, key: K_contra) -> None:
        """A key became ready that was not."""

    def started(self, key: K_contra, waited: float) -> None:
        """A worker took a key that had been ready for `waited`."""

    def finished(self, key: K_contra, worked: float) -> None:
        """A worker is done with a key."""

    def retried(self, key: K_contra) -> None:
        """A key failed and will come again."""


class NoHooks:
    """Nobody listens."""

    def added(self, key: Hashable) -> None:
        """Ignore it."""

    def started(self, key: Hashable, waited: float) -> None:
        """Ignore it."""

    def finished(self, key: Hashable, worked: float) -> None:
        """Ignore it."""

    def retried(self, key: Hashable) -> None:
        """Ignore it."""


class WorkQueue(Generic[K]):
    """A de-duplicating, delaying, backing-off queue of keys. Belongs to one event loop."""

    def __init__(
        self, *, clock: Clock, hooks: QueueHooks[K] | None = None, randomness: random.Random | None = None
    ) -> None:
        """Start empty.

        Args:
            clock: what delays and durations are measured with.
            hooks: who hears of what happens.
            randomness: the source of the jitter.
        """
        self._clock = clock
        self._hooks: QueueHooks[K] = hooks or NoHooks()
        self._random = randomness or random.Random()  # noqa: S311 (jitter is no secret)
        self._ready: dict[K, float] = {}  # key → since when; dicts keep the order of insertion
        self._background: dict[K, float] = {}  # as _ready; no key is in both
        self._taken = 0
        self._again: dict[K, float] = {}  # added while being worked on
        self._working: dict[K, float] = {}  # key → since when
        self._due: dict[K, float] = {}  # the one pending delay of a key
        self._delays: list[tuple[float, int, K]] = []  # a heap; entries that _due no longer names are void
        self._sequence = 0
        self._failures: dict[K, int] = {}
        self._last_taken = clock.monotonic()
        self._wake = asyncio.Event()
        self._closed = False

    def __len__(self) -> int:
        """How many keys are ready for a worker."""
        return len(self._ready) + len(self._background)

    @property
    def working(self) -> int:
        """How many keys workers hold."""
        return len(self._working)

    @property
    def last_taken(self) -> float:
        """When a worker last took a key, in the clock's monotonic seconds."""
        return self._last_taken

    @property
    def idle(self) -> bool:
        """Whether there is nothing to do now: delayed keys may remain."""
        self._promote()
        return not (self._ready or self._background or self._working)

    def add(self, key: K, *, background: bool = False) -> None:
        """Have a key worked on as soon as possible. Any pending delay of it is void: its reason will be looked at.

        Args:
            key: what to work on.
            background: nothing is known to have changed, so others go first.
        """
        self._due.pop(key, None)
        now = self._clock.monotonic()
        if key in self._working:
            self._again.setdefault(key, now)
        elif key in self._background and not background:
            self._ready[key] = self._background.pop(key)
        elif key not in self._ready and key not in self._background:
            (self._background if background else self._ready)[key] = now
            self._hooks.added(key)
            self._wake.set()

    def add_after(self, key: K, seconds: float) -> None:
        """Have a key worked on after a delay; of several pending delays the shortest counts."""
        if seconds <= 0:
            self.add(key)
            return
        if key in self._ready or key in self._background or key in self._again:
            return
        due = self._clock.monotonic() + seconds
        if due >= self._due.get(key, float("inf")):
            return
        self._due[key] = due
        self._sequence += 1
        heapq.heappush(self._delays, (due, self._sequence, key))
        self._wake.set()

    def retry(self, key: K, *, at_least: float = 0.0) -> float:
        """Have a key worked on again after its back-off, which doubles with each failure; says how long that is.

        Args:
            key: what failed.
            at_least: seconds that whoever refused it asked for.
        """
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        backoff = min(FIRST_BACKOFF * 2.0 ** min(failures, _DOUBLINGS), LAST_BACKOFF)
        backoff = max(at_least, backoff * (1 + self._random.uniform(-_JITTER, _JITTER)))
        self._hooks.retried(key)
        self.add_after(key, backoff)
        return backoff

    def forget(self, key: K) -> None:
        """A key succeeded: its next failure starts with the shortest back-off again."""
        self._failures.pop(key, None)

    def failures(self, key: K) -> int:
        """How often a key has failed in a row."""
        return self._failures.get(key, 0)

    def take(self) -> K | None:
        """The key that has been ready for longest, now in the caller's hands until `done`; None if none is ready."""
        self._promote()
        if not len(self):
            return None
        self._taken += 1
        turn_of_background = self._taken % _BACKGROUND_SHARE == 0
        source = self._background if self._background and (turn_of_background or not self._ready) else self._ready
        key = next(iter(source))
        since = source.pop(key)
        now = self._clock.monotonic()
        self._working[key] = self._last_taken = now
        self._hooks.started(key, now - since)
        return key

    def done(self, key: K) -> None:
        """Give a key back. If it was added meanwhile, it is ready again.

        Raises:
            KeyError: nobody holds that key.
        """
        now = self._clock.monotonic()
        self._hooks.finished(key, now - self._working.pop(key))
        if key in self._again:
            self._ready[key] = self._again.pop(key)
            self._hooks.added(key)
            self._wake.set()

    def next_due(self) -> float | None:
        """When the next delayed key becomes ready, in the clock's monotonic seconds; None if none is delayed."""
        while self._delays and self._due.get(self._delays[0][2]) != self._delays[0][0]:
            heapq.heappop(self._delays)
        return self._delays[0][0] if self._delays else None

    async def get(self) -> K | None:
        """Wait for the next key; None once the queue is closed."""
        while not self._closed:
            key = self.take()
            if key is not None:
                return key
            self._wake.clear()
            await self._woken()
        return None

    def close(self) -> None:
        """Give out nothing any more. Keys that workers hold are theirs to finish."""
        self._closed = True
        self._wake.set()

    def oldest_ready(self) -> float:
        """For how many seconds a key has been waiting for a worker, the longest of them; 0 if none waits."""
        self._promote()
        return max(self._age(self._ready), self._age(self._background))

    def longest_working(self) -> float:
        """For how many seconds a worker has been holding its key, the longest of them; 0 if all are free."""
        return self._age(self._working)

    def held(self) -> dict[K, float]:
        """The keys that workers hold, and for how many seconds."""
        now = self._clock.monotonic()
        return {key: now - since for key, since in self._working.items()}

    def _age(self, since: dict[K, float]) -> float:
        return self._clock.monotonic() - min(since.values()) if since else 0.0

    def _promote(self) -> None:
        """Make ready what is due."""
        now = self._clock.monotonic()
        due = self.next_due()
        while due is not None and due <= now:
            self.add(heapq.heappop(self._delays)[2])
            due = self.next_due()

    async def _woken(self) -> None:
        """Until something was added or closed, or the next delay is over."""
        due = self.next_due()
        seconds = None if due is None else max(0.0, due - self._clock.monotonic())
        try:
            async with asyncio.timeout(seconds):
                await self._wake.wait()
        except TimeoutError:
            return
