"""Progress for people, on stderr: a bar on a terminal, a line now and then elsewhere. Standard library only."""

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from modelberth.transfer.errors import TransferError
from modelberth.transfer.progress import Progress, Reporter

_BAR = 28
_TERMINAL_SECONDS = 0.2
_LOG_SECONDS = 10.0
_NOTICE_SECONDS = 30.0
# What the store has already counts as stored: of that nothing is sent.
_VERBS = {"hash": "hashing", "send": "storing", "load": "loading", "verify": "verifying"}


@contextmanager
def showing(progress: Progress, *, quiet: bool) -> Iterator[None]:
    """Show a progress while the block runs."""
    if quiet:
        yield
        return
    display = _Terminal(progress) if sys.stderr.isatty() else _Log(progress)
    with Reporter(display.show, seconds=display.seconds):
        yield
    display.end()


class Notices:
    """Says on stderr why a transfer waits; the same sentence, from whichever thread, once in half a minute."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._said: dict[str, float] = {}

    def __call__(self, error: TransferError) -> None:
        """Say that this error is waited out."""
        sentence, now = str(error), time.monotonic()
        with self._lock:
            if now - self._said.get(sentence, -_NOTICE_SECONDS) < _NOTICE_SECONDS:
                return
            self._said[sentence] = now
        print(f"\nwaiting, will try again: {sentence}", file=sys.stderr, flush=True)


class _Terminal:
    seconds = _TERMINAL_SECONDS

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._rate = _Rate()
        self._phase = ""

    def show(self) -> None:
        phase, done, total = self._progress.read()
        if not phase:
            return
        if phase != self._phase:
            self.end()
            self._phase = phase
            self._rate = _Rate()
        share = min(1.0, done / total) if total else 1.0
        bar = "█" * int(share * _BAR) + "░" * (_BAR - int(share * _BAR))
        speed = self._rate.of(done)
        line = f"\r{_VERBS[phase]:<9} {bar} {share:4.0%}  {size(done)} of {size(total)}  {size(speed)}/s"
        sys.stderr.write(f"{line:<90}")
        sys.stderr.flush()

    def end(self) -> None:
        if self._phase:
            sys.stderr.write("\n")


class _Log:
    """A line at each interval, and one at the end."""

    seconds = _LOG_SECONDS

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._last = ("", -1)

    def show(self) -> None:
        phase, done, total = self._progress.read()
        if phase and (phase, done) != self._last:
            self._last = (phase, done)
            print(f"{_VERBS[phase]}: {size(done)} of {size(total)}", file=sys.stderr, flush=True)

    def end(self) -> None:
        """The last line is written already."""


class _Rate:
    """Bytes per second since the phase began."""

    def __init__(self) -> None:
        self._began = time.monotonic()

    def of(self, done: int) -> float:
        return done / max(time.monotonic() - self._began, 0.001)


def size(count: float) -> str:
    """Bytes for people: 1023 B, 4.0 KiB, 1.2 GiB."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < 1024:
            return f"{count:.0f} B" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} TiB"
