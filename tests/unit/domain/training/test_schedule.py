"""Cron lines: across daylight saving, far apart, missed, and those that have no times at all."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelberth.domain.training.schedule import Schedule, ScheduleError

BERLIN = "Europe/Berlin"


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def times(cron: str, zone: str, start: str, count: int) -> list[str]:
    schedule, moment, found = Schedule.parse(cron, zone), utc(start), []
    for _ in range(count):
        moment = schedule.after(moment)
        found.append(f"{moment:%m-%d %H:%M}")
    return found


def test_an_hour_that_is_left_out():
    """In the night when clocks go forward, half past two is at three, and only that night."""
    assert times("30 2 * * *", BERLIN, "2026-03-27T12:00", 3) == ["03-28 01:30", "03-29 01:00", "03-30 00:30"]


def test_an_hour_that_comes_twice():
    """In the night when clocks go back, half past two comes once."""
    assert times("30 2 * * *", BERLIN, "2026-10-24T12:00", 3) == ["10-25 00:30", "10-26 01:30", "10-27 01:30"]


def test_every_hour_is_every_hour():
    """A line for every hour fires every hour that passes, whatever the clock shows."""
    assert times("0 * * * *", BERLIN, "2026-10-24T23:30", 4) == [
        "10-25 00:00",
        "10-25 01:00",
        "10-25 02:00",
        "10-25 03:00",
    ]
    assert times("0 * * * *", BERLIN, "2026-03-28T23:30", 3) == ["03-29 00:00", "03-29 01:00", "03-29 02:00"]


@pytest.mark.parametrize(
    ("cron", "zone", "says"),
    [
        ("0 0 30 2 *", "UTC", "triggers.schedule.cron: '0 0 30 2 *' is no cron line that ever fires"),
        ("0 0 31 2,4,6,9,11 *", "UTC", "is no cron line that ever fires"),
        ("nonsense", "UTC", "has not five fields"),
        ("0 0 0 * * *", "UTC", "has not five fields"),
        ("61 * * * *", "UTC", "Bad minute"),
        ("@daily", "UTC", "has not five fields"),
        ("* * * * *", "Mars/Olympus", "triggers.schedule.timeZone: 'Mars/Olympus' is no time zone"),
        ("* * * * *", "../etc/passwd", "is no time zone"),
        ("* * * * *", "Europe", "is no time zone"),
    ],
)
def test_what_is_no_schedule(cron: str, zone: str, says: str):
    """A line that never fires, one that is none, and a zone that is none: the message names the field."""
    with pytest.raises(ScheduleError) as error:
        Schedule.parse(cron, zone)
    assert says in str(error.value)


def test_a_leap_day_is_waited_for():
    """A line that fires every four years is one."""
    assert Schedule.parse("0 0 29 2 *", "UTC").after(utc("2026-01-01T00:00")) == utc("2028-02-29T00:00")


def test_of_what_was_missed_the_last_counts():
    """However much was missed, there is one last time; and none where nothing was due."""
    schedule = Schedule.parse("*/10 * * * *", "UTC")
    assert schedule.last_due(after=utc("2020-01-01T00:00"), until=utc("2026-03-03T14:05")) == utc("2026-03-03T14:00")
    assert schedule.last_due(after=utc("2026-03-03T14:00"), until=utc("2026-03-03T14:05")) is None
    assert schedule.last_due(after=utc("2026-03-04T00:00"), until=utc("2026-03-03T14:05")) is None


LINES = st.sampled_from(
    [
        "30 2 * * *",
        "0 * * * *",
        "*/17 * * * *",
        "0 3 * * 1",
        "15 1,2,3 * * *",
        "59 23 31 12 *",
        "0 0 29 2 *",
        "*/5 2 * * *",
    ]
)
ZONES = st.sampled_from(["UTC", BERLIN, "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"])
MOMENTS = st.datetimes(datetime(2024, 1, 1), datetime(2028, 1, 1)).map(lambda each: each.replace(tzinfo=UTC))  # noqa: DTZ001


@settings(max_examples=150)
@given(LINES, ZONES, MOMENTS, st.timedeltas(timedelta(0), timedelta(days=3)))
def test_looking_often_and_looking_once_find_the_same(cron: str, zone: str, start: datetime, span: timedelta):
    """The last time of a span is the last of those found by going through it one by one, and lies within."""
    schedule, end, found = Schedule.parse(cron, zone), start + span, None
    moment = schedule.after(start)
    while moment <= end:
        found, moment = moment, schedule.after(moment)
    assert schedule.last_due(after=start, until=end) == found
    assert found is None or start < found <= end


@settings(max_examples=100)
@given(LINES, ZONES, MOMENTS)
def test_times_come_in_order_and_never_twice(cron: str, zone: str, start: datetime):
    """Each time is after the one before it, across every change of the clock."""
    schedule, moment = Schedule.parse(cron, zone), start
    for _ in range(8):
        following = schedule.after(moment)
        assert following > moment
        moment = following
