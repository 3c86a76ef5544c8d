"""How far a transfer is, counted by many threads and looked at by one."""

import threading
from collections.abc import Callable
from typing import Self


class Progress:
    """Bytes done out of a total, in a phase with a name (`hash`, `send`, `load`, `verify`)."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._phase = ""
        self._done = 0
        self._total = 0

    def begin(self, phase: str, total: int) -> None:
        """Start to count a phase of `total` bytes."""
        with self._lock:
            self._phase, self._done, self._total = phase, 0, total

    def add(self, count: int) -> None:
        """`count` more bytes are done."""
        with self._lock:
            self._done += count

    def read(self) -> tuple[str, int, int]:
        """(phase, bytes done, total bytes)."""
        with self._lock:
            return self._phase, self._done, self._total


class Reporter:
    """Calls `report` about every `seconds` from a thread of its own, and once more at the end.

    `report` must not raise: a display or a progress post that fails is no reason to fail a transfer.
    """

    def __init__(self, report: Callable[[], None], *, seconds: float) -> None:
        self._report = report
        self._seconds = seconds
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._loop, name="progress", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()
        self._report()

    def _loop(self) -> None:
        while not self._ended.wait(self._seconds):
            self._report()
