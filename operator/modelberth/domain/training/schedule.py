"""Times of a cron line in a time zone, daylight saving as Debian's cron has it.

A line with a fixed hour fires once where an hour comes twice, and at its end where the hour is left out; a line for
every hour fires every hour that passes.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

_FIELDS = 5
_MARGIN = timedelta(days=1)
"""Going back in time may miss a time that daylight saving has moved; going forward again from a day before does not."""


class ScheduleError(ValueError):
    """A schedule that has no times; the message names the field and the mend."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """A cron line that fires, in a time zone that there is."""

    cron: str
    zone: ZoneInfo

    @classmethod
    def parse(cls, cron: str, time_zone: str) -> Self:
        """The schedule that two fields of a spec mean.

        Raises:
            ScheduleError: no such zone, no cron line, or one that never fires.
        """
        try:
            zone = ZoneInfo(time_zone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ScheduleError(
                f"triggers.schedule.timeZone: {time_zone!r} is no time zone: write it as Europe/Berlin or UTC"
            ) from None
        if len(cron.split()) != _FIELDS:
            raise ScheduleError(
                f"triggers.schedule.cron: {cron!r} has not five fields: minute, hour, day of month, month, day of week"
            )
        try:
            next(CronSim(cron, datetime(2024, 1, 1, tzinfo=UTC)))
        except (CronSimError, StopIteration) as error:
            raise ScheduleError(
                f"triggers.schedule.cron: {cron!r} is no cron line that ever fires ({error}): correct it"
            ) from None
        return cls(cron, zone)

    def after(self, moment: datetime) -> datetime:
        """The first time after a moment, in UTC."""
        return next(self._from(moment))

    def last_due(self, *, after: datetime, until: datetime) -> datetime | None:
        """The last time after one moment and not after another one, in UTC; None if there is none."""
        if until <= after:
            return None
        last = None
        for moment in self._from(max(after, self._shortly_before(until))):
            if moment > until:
                break
            last = moment
        return last

    def _from(self, moment: datetime) -> Iterator[datetime]:
        """All times after a moment, in order and no two of them the same."""
        last = moment.astimezone(UTC)
        for found in CronSim(self.cron, last.astimezone(self.zone)):
            in_utc = found.astimezone(UTC)
            if in_utc > last:
                last = in_utc
                yield in_utc

    def _shortly_before(self, moment: datetime) -> datetime:
        """A moment with a time between it and the given one: counting from there, few times have to be counted."""
        backwards = CronSim(self.cron, moment.astimezone(self.zone), reverse=True)
        try:
            found = next(backwards).astimezone(UTC)
        except StopIteration:
            return moment - timedelta(days=366 * 50)
        return found - _MARGIN
