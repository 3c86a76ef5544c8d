"""When an alias asked for which version, and which version answered: intervals out of the history's entries.

A version answers from its `Served` until another one is `Served`, the alias is removed, or the model of the name is
another object: that an alias was *moved* changes nothing for who asks it. Where an observer's clock went backwards, the
sequence counts: an entry is never earlier than the one before it.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from modelberth.lineage.facts import AliasFact
from modelberth.lineage.nodes import Interval


class Span(NamedTuple):
    """A version, and the time for which an alias had it."""

    version: str
    interval: Interval
    moved_by: str


class Timeline(NamedTuple):
    """An alias over time, oldest first; the spans of each list do not overlap."""

    asked: tuple[Span, ...]
    answered: tuple[Span, ...]

    def intervals(self, version: str) -> tuple[Interval, ...]:
        """When the version answered."""
        return tuple(span.interval for span in self.answered if span.version == version)


def timeline(entries: Iterable[AliasFact]) -> Timeline:
    """The timeline that these entries of one alias tell, given in any order."""
    asked, answered = _Spans(), _Spans()
    now, uid, moved_by = "", None, ""
    for entry in sorted(entries, key=lambda entry: entry.sequence):
        now = max(now, utc_second(entry.at))
        if entry.uid != uid:
            asked.end(now)
            answered.end(now)
        uid = entry.uid
        match entry.event:
            case "Moved":
                moved_by = entry.moved_by
                asked.begin(entry.version, now, moved_by)
            case "Served":
                asked.begin(entry.version, now, moved_by)
                answered.begin(entry.version, now, moved_by)
            case "Removed":
                asked.end(now)
                answered.end(now)
    return Timeline(tuple(asked.spans), tuple(answered.spans))


def at_time(spans: Sequence[Span], at: str) -> Span | None:
    """The span that holds a time.

    Args:
        spans: of one alias, oldest first.
        at: RFC 3339; without an offset it is UTC.

    Raises:
        ValueError: it is no time.
    """
    moment = utc_second(at)
    return next(
        (
            span
            for span in reversed(spans)
            if span.interval.since <= moment and (not span.interval.until or moment < span.interval.until)
        ),
        None,
    )


class _Spans:
    """Spans that follow each other; the last one may be open."""

    def __init__(self) -> None:
        self.spans: list[Span] = []
        self._is_open = False

    def begin(self, version: str, now: str, moved_by: str) -> None:
        if self._is_open and self.spans[-1].version == version:
            return
        self.end(now)
        self.spans.append(Span(version, Interval(now), moved_by))
        self._is_open = True

    def end(self, now: str) -> None:
        if self._is_open:
            last = self.spans[-1]
            self.spans[-1] = last._replace(interval=Interval(last.interval.since, now))
        self._is_open = False


def utc_second(at: str) -> str:
    """A time in the one spelling that sorts: UTC, whole seconds, `Z`.

    Args:
        at: RFC 3339; without an offset it is UTC.

    Raises:
        ValueError: it is no time.
    """
    try:
        moment = datetime.fromisoformat(at)
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError(f"{at[:40]!a} is no time: write it as 2026-11-21T09:00:00Z") from None
    return moment.isoformat(timespec="seconds").removesuffix("+00:00") + "Z"
