"""Time as a collaborator: whoever needs it gets a `Clock`, so that tests and the simulator own time."""

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Wall time for what people read, monotonic time for what is measured or scheduled."""

    def now(self) -> datetime:
        """The wall time, in UTC, with its time zone set."""
        ...

    def monotonic(self) -> float:
        """Seconds since an arbitrary point; never goes backwards."""
        ...


class SystemClock:
    """The machine's own clocks."""

    def now(self) -> datetime:
        """The wall time in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds since the machine started, or another point."""
        return time.monotonic()


def rfc3339_micro(moment: datetime) -> str:
    """A moment as Kubernetes writes `MicroTime` (Leases, events): always six digits of a second."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def parse_rfc3339(text: str) -> datetime:
    """The moment that a Kubernetes `Time` or `MicroTime` names.

    Raises:
        ValueError: the text is no RFC 3339 time with a zone.
    """
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text!r}: a time needs its zone, as in 2026-01-31T12:00:00Z")
    return moment.astimezone(UTC)
