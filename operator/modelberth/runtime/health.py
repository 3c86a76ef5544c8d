"""Whether this process still does its work, as the kubelet asks.

*Live* is about being stuck: a watch that asks for nothing any more, a worker that never comes back, a queue that nobody
empties. An API server or a store that is away makes nobody unlive: restarting would mend nothing. *Ready* means that
the caches are complete, so that this replica could act.

Signs of a watch's life are its own requests and its events. A healthy one makes at least one request in each
`WATCH_SECONDS` (the server ends it by then, kopf after 70 quiet seconds), and keeps trying when the server is away.
"""

from collections.abc import Callable

from modelberth.runtime.clock import Clock
from modelberth.runtime.metrics import Item
from modelberth.runtime.queue import WorkQueue

WATCH_SECONDS = 300
"""After which the server ends a watch, so that a new one has to be asked for."""
WATCH_SILENCE = WATCH_SECONDS + 120.0
"""How long a watch may show no sign of life."""
STUCK_SECONDS = 300.0
"""How long a worker may hold one key, and how long ready keys may wait while no worker takes one."""


class Health:
    """The signs of life of one process. Everything in here is in the clock's monotonic seconds."""

    def __init__(self, *, clock: Clock, queue: WorkQueue[Item], leading: Callable[[], bool]) -> None:
        """A process that has just begun.

        Args:
            clock: what ages are measured with.
            queue: what workers work on.
            leading: whether workers are supposed to work in this replica.
        """
        self._clock = clock
        self._queue = queue
        self._leading = leading
        self._watches: dict[str, float] = {}
        self._following_since = clock.monotonic()
        self._unready = "the first lists are not complete"

    def expect_watch(self, name: str) -> None:
        """From now on a watch has to show signs of life."""
        self._watches.setdefault(name, self._clock.monotonic())

    def watch_alive(self, name: str) -> None:
        """A watch asked for something, or told something."""
        if name in self._watches:
            self._watches[name] = self._clock.monotonic()

    def ready(self) -> None:
        """The caches are complete."""
        self._unready = ""

    def unready_reason(self) -> str:
        """Why this replica could not act now; "" if it could."""
        return self._unready

    def watch_ages(self) -> dict[str, float]:
        """Seconds since each watch's last sign of life."""
        now = self._clock.monotonic()
        return {name: now - last for name, last in self._watches.items()}

    def problems(self) -> list[str]:
        """What is stuck, each in a sentence; empty for a process that lives."""
        found = [
            f"the watch of {name} has shown no sign of life for {age:.0f} s"
            for name, age in sorted(self.watch_ages().items())
            if age > WATCH_SILENCE
        ]
        longest = self._queue.longest_working()
        if longest > STUCK_SECONDS:
            found.append(f"a worker has held its key for {longest:.0f} s")
        waiting = self._without_progress()
        if waiting > STUCK_SECONDS:
            found.append(f"ready keys have waited for {waiting:.0f} s and no worker took one")
        return found

    def _without_progress(self) -> float:
        """For how long keys have been ready, workers supposed to work, and none taken."""
        now = self._clock.monotonic()
        if not self._leading():
            self._following_since = now
            return 0.0
        return min(self._queue.oldest_ready(), now - max(self._following_since, self._queue.last_taken))
