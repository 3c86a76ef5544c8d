"""Trying again: what passes, how long to pause, and when to give up. Standard library only."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from random import random
from typing import TypeVar

from modelberth.transfer.errors import HttpFailure, TransferError, Unreachable

T = TypeVar("T")

_BUSY = frozenset({429, 500, 502, 503, 504})
_TAMPERED = "Tampered"
"""The registry's code for something of the store that is not what its name says."""
_TELL_AFTER = 2.0


def is_passing(error: TransferError) -> bool:
    """Whether trying the same again later makes sense: what was tampered with does not mend itself."""
    if isinstance(error, HttpFailure):
        return error.status in _BUSY and error.code != _TAMPERED
    return isinstance(error, Unreachable)


@dataclass(frozen=True)
class Patience:
    """How long to go on trying.

    Attributes:
        seconds: give up when failures have followed each other for this long without any success in between.
        first: the first pause in seconds; each further one doubles, up to `longest`, with jitter.
        notice: is told the error when trying has gone on for some seconds, once for each time that it begins.
        passes: which failures are worth trying again.
        sleep: for tests.
    """

    seconds: float = 120.0
    first: float = 0.2
    longest: float = 10.0
    notice: Callable[[TransferError], None] = lambda _: None
    passes: Callable[[TransferError], bool] = is_passing
    sleep: Callable[[float], None] = time.sleep

    def run(self, attempt: Callable[[], T]) -> T:
        """Call `attempt` until it returns, fails for good, or patience ends.

        Raises:
            TransferError: what the last attempt raised.
        """
        waits = Waits(self)
        while True:
            try:
                return attempt()
            except TransferError as error:
                waits.after(error)


class Waits:
    """The pauses of one operation that is tried again and again."""

    def __init__(self, patience: Patience) -> None:
        self._patience = patience
        self._pause = patience.first
        self._waited = 0.0
        self._has_told = False

    def after(self, error: TransferError) -> None:
        """Pause after a failure.

        Raises:
            TransferError: `error` itself, when it is no passing one or patience is at its end.
        """
        if not self._patience.passes(error) or self._waited >= self._patience.seconds:
            raise error
        if self._waited >= _TELL_AFTER and not self._has_told:
            self._has_told = True
            self._patience.notice(error)
        asked = error.retry_after if isinstance(error, HttpFailure) else None
        pause = min(asked, self._patience.seconds) if asked is not None else self._pause * (0.5 + random())  # noqa: S311
        self._patience.sleep(pause)
        self._waited += pause
        self._pause = min(self._pause * 2, self._patience.longest)

    def succeeded(self) -> None:
        """There was progress: count failures from the beginning again."""
        self._has_told = False
        self._pause = self._patience.first
        self._waited = 0.0
