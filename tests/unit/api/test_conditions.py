"""Conditions change only by what changed."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelberth.api.conditions import (
    MESSAGE_LIMIT,
    find_condition,
    remove_condition,
    set_condition,
    timestamp,
)

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
LATER = NOON + timedelta(hours=1)

types = st.sampled_from(["Ready", "Reconciling", "Stalled", "Stored"])
statuses = st.sampled_from(["True", "False", "Unknown"])
settings = st.tuples(types, statuses, st.text(max_size=8))


def put(old, type="Ready", status="True", message="", *, now=NOON, generation=1):  # noqa: A002
    return set_condition(
        old, type=type, status=status, reason="Because", message=message, generation=generation, now=now
    )


def test_the_time_moves_with_the_status():
    """A condition whose status flips gets the time of the flip."""
    flipped = put(put([], status="False"), status="True", now=LATER)
    assert flipped[0]["lastTransitionTime"] == "2026-01-01T13:00:00Z"


def test_the_time_stays_with_the_status():
    """Reason, message and generation may change without moving the time."""
    (condition,) = put(put([]), message="new words", now=LATER, generation=2)
    assert condition["lastTransitionTime"] == "2026-01-01T12:00:00Z"
    assert (condition["message"], condition["observedGeneration"]) == ("new words", 2)


@given(st.lists(settings, max_size=12))
def test_the_list_stays_a_sorted_map(changes):
    """After any changes each type is there once, in order, with what was said of it last."""
    conditions, last = [], {}
    for type_, status, message in changes:
        conditions = put(conditions, type_, status, message)
        last[type_] = (status, message)
    assert [entry["type"] for entry in conditions] == sorted(last)
    assert {entry["type"]: (entry["status"], entry["message"]) for entry in conditions} == last


@given(st.lists(settings, min_size=1, max_size=12))
def test_saying_the_same_again_changes_nothing(changes):
    """What is said a second time, at whatever later time, leaves an equal list: no write is needed."""
    conditions = []
    for type_, status, message in changes:
        conditions = put(conditions, type_, status, message)
    type_, status, message = changes[-1]
    assert put(conditions, type_, status, message, now=LATER) == conditions


def test_what_was_there_is_left_alone():
    """The old list and its entries are not changed in place."""
    old = put([])
    put(old, status="False", now=LATER)
    assert old == put([])


def test_removal():
    """A removed condition is gone, the others stay; removing what is not there is nothing."""
    both = put(put([]), "Stalled")
    assert remove_condition(both, "Stalled") == put([])
    assert remove_condition(put([]), "Stalled") == put([])


def test_reading():
    """A condition is found by its type."""
    conditions = put(put([]), "Stored", "Unknown")
    assert find_condition(conditions, "Stored")["status"] == "Unknown"
    assert find_condition(conditions, "Stalled") is None


def test_a_long_message_is_cut():
    """A message fits the CRD's limit, and one can see that something is missing."""
    (condition,) = put([], message="x" * (MESSAGE_LIMIT + 1))
    assert len(condition["message"]) == MESSAGE_LIMIT
    assert condition["message"].endswith("x…")
    (condition,) = put([], message="x" * MESSAGE_LIMIT)
    assert condition["message"] == "x" * MESSAGE_LIMIT


def test_a_status_that_is_none():
    """A boolean or a misspelt status is an error, not a condition."""
    with pytest.raises(ValueError, match="status 'true' is not True, False or Unknown"):
        put([], status="true")


def test_time_zones():
    """Times are written in UTC; a time without a zone is an error."""
    assert timestamp(datetime(2026, 1, 1, 2, tzinfo=timezone(timedelta(hours=2)))) == "2026-01-01T00:00:00Z"
    with pytest.raises(ValueError, match="time zone"):
        timestamp(datetime(2026, 1, 1))  # noqa: DTZ001
