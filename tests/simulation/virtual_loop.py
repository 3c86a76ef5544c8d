"""An asyncio event loop without I/O and without waiting: the scheduler owns time and decides when anything runs.

Tasks, futures, locks, queues and timeouts of asyncio work as usual; callbacks run in the order in which they were
scheduled, so that a run is a function of the decisions of the scheduler alone. Sockets, threads and signals do not exist.
"""

import asyncio
import heapq
from asyncio import events
from collections import deque
from collections.abc import Callable, Coroutine
from contextvars import Context
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVarTuple

_START = datetime(2026, 1, 31, 12, 0, 0, tzinfo=UTC)
_TOO_MANY = 100_000

Ts = TypeVarTuple("Ts")


class VirtualLoop(asyncio.AbstractEventLoop):
    """Runs what is ready when told to; time moves when told to."""

    def __init__(self) -> None:
        self._now = 0.0
        self._ready: deque[asyncio.Handle] = deque()
        self._timers: list[tuple[float, int, asyncio.TimerHandle]] = []
        self._timer_count = 0
        self.failures: list[dict[str, Any]] = []

    def run_ready(self) -> None:
        """Run callbacks until none is ready at the present moment.

        Raises:
            RuntimeError: tasks keep waking each other without end.
        """
        previous = events._get_running_loop()
        events._set_running_loop(self)
        try:
            for _ in range(_TOO_MANY):
                if not self._ready:
                    return
                handle = self._ready.popleft()
                if not handle.cancelled():
                    handle._run()
            raise RuntimeError(f"{_TOO_MANY} callbacks at one moment: a task is spinning")
        finally:
            events._set_running_loop(previous)

    def next_timer(self) -> float | None:
        """When the next timer is due, in this loop's time; None if there is none."""
        while self._timers and self._timers[0][2].cancelled():
            heapq.heappop(self._timers)
        return self._timers[0][0] if self._timers else None

    def advance(self, moment: float) -> None:
        """Let time pass up to ``moment``, running each timer at its own time on the way."""
        while (due := self.next_timer()) is not None and due <= moment:
            self._now = max(self._now, due)
            _, _, timer = heapq.heappop(self._timers)
            self._ready.append(timer)
            self.run_ready()
        self._now = max(self._now, moment)

    def time(self) -> float:
        return self._now

    def call_soon(
        self, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.Handle:
        handle = asyncio.Handle(callback, args, self, context)
        self._ready.append(handle)
        return handle

    def call_later(
        self, delay: float, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.TimerHandle:
        return self.call_at(self._now + delay, callback, *args, context=context)

    def call_at(
        self, when: float, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.TimerHandle:
        timer = asyncio.TimerHandle(when, callback, args, self, context)
        self._timer_count += 1
        heapq.heappush(self._timers, (when, self._timer_count, timer))
        return timer

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """Nothing to do: cancelled timers are passed over when their time comes."""

    def create_future(self) -> asyncio.Future[Any]:
        return asyncio.Future(loop=self)

    def create_task(self, coro: Any, *, name: str | None = None, context: Context | None = None) -> asyncio.Task[Any]:
        return asyncio.Task(coro, loop=self, name=name, context=context)

    def get_debug(self) -> bool:
        return False

    def is_running(self) -> bool:
        return events._get_running_loop() is self

    def is_closed(self) -> bool:
        return False

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        self.failures.append(context)

    def run(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        """Run a coroutine that waits for nothing but other callbacks of the present moment; for unit tests.

        Raises:
            RuntimeError: the coroutine waits for something that nobody brings.
        """
        task = self.create_task(coroutine)
        self.run_ready()
        if not task.done():
            task.cancel()
            self.run_ready()
            raise RuntimeError("the coroutine waits for something that has not happened")
        return task.result()


class VirtualClock:
    """The operator's `Clock` on the loop's time."""

    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop
        self._set_by = timedelta(0)

    def now(self) -> datetime:
        return _START + timedelta(seconds=self._loop.time()) + self._set_by

    def set_by(self, seconds: float) -> None:
        """Somebody sets the clock on the wall; timers do not mind."""
        self._set_by += timedelta(seconds=seconds)

    def monotonic(self) -> float:
        return self._loop.time()


def new_loop() -> VirtualLoop:
    """A loop at time 0. It implements what coroutines need and leaves out what needs an operating system."""
    return VirtualLoop()  # type: ignore[abstract]
