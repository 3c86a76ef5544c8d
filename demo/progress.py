"""What the demo shows: headlines, results, and one line that always tells what is going on and for how long."""

import contextlib
import sys
import threading
import time
from collections.abc import Iterator

_BLANK = "\r\033[K"
_TERMINAL_TICK = 0.2
_LOG_TICK = 20.0


class Progress:
    """Prints to stdout. In a terminal the line of the running step is rewritten, in a log it is repeated at times."""

    def __init__(self) -> None:
        self._terminal = sys.stdout.isatty()
        self._lock = threading.Lock()
        self._step = ""
        self._detail = ""
        self._started = 0.0

    def headline(self, text: str) -> None:
        """A part of the demo begins."""
        self._print(f"\n== {text}")

    def say(self, text: str) -> None:
        """A result."""
        self._print(text)

    def detail(self, text: str) -> None:
        """What the running step is doing right now."""
        with self._lock:
            self._detail = text

    @contextlib.contextmanager
    def step(self, text: str) -> Iterator[None]:
        """Show that something is going on until the block ends, and then how long it took."""
        with self._lock:
            self._step, self._detail, self._started = text, "", time.monotonic()
        done = threading.Event()
        ticker = threading.Thread(target=self._tick, args=(done,), daemon=True)
        self._print(f"   {text} …") if not self._terminal else None
        ticker.start()
        try:
            yield
        except BaseException:
            self._end(done, ticker)
            self._print(f" ✗ {text}, after {self._elapsed():.1f} s")
            raise
        self._end(done, ticker)
        self._print(f" ✓ {text} ({self._elapsed():.1f} s)")

    def _end(self, done: threading.Event, ticker: threading.Thread) -> None:
        done.set()
        ticker.join()
        with self._lock:
            self._step = ""

    def _elapsed(self) -> float:
        return time.monotonic() - self._started

    def _tick(self, done: threading.Event) -> None:
        while not done.wait(_TERMINAL_TICK if self._terminal else _LOG_TICK):
            with self._lock:
                line = f"   {self._step} … {self._elapsed():.0f} s  {self._detail}"
                if self._terminal:
                    sys.stdout.write(f"{_BLANK}{line[:110]}")
                else:
                    sys.stdout.write(f"{line}\n")
                sys.stdout.flush()

    def _print(self, text: str) -> None:
        with self._lock:
            sys.stdout.write((_BLANK if self._terminal else "") + text + "\n")
            sys.stdout.flush()
