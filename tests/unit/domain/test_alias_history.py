"""The history of an alias, without gaps and without doubles."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from modelberth.domain.alias_history import SHOWN, Entry, from_status, news, pending, shown, to_status

BASE = Entry("Moved", "", "sha256:x", "", 2, 5, "alice", "2026-03-03T14:05:00Z")


def test_the_first_target_is_a_move_from_nothing():
    """An alias that was never seen before has moved."""
    [entry] = news([], desired="mnist-v3", is_served=False, base=BASE)
    assert (entry.event, entry.version, entry.previous) == ("Moved", "mnist-v3", "")


def test_a_move_that_is_served_at_once_makes_two_entries():
    """What was asked for, and that it answers, are two happenings."""
    found = news([replace(BASE, version="mnist-v3")], desired="mnist-v4", is_served=True, base=BASE)
    assert [(e.event, e.version, e.previous) for e in found] == [
        ("Moved", "mnist-v4", "mnist-v3"),
        ("Served", "mnist-v4", ""),
    ]


def test_an_alias_that_comes_back_after_its_removal_has_moved():
    """Even to the version that it pointed at before."""
    known = [replace(BASE, version="mnist-v3"), replace(BASE, event="Removed", version="", previous="mnist-v3")]
    assert [e.event for e in news(known, desired="mnist-v3", is_served=False, base=BASE)] == ["Moved"]


def test_more_waiting_moves_than_the_status_holds_are_coalesced():
    """The oldest entry left stands for the generations of those before it."""
    known = [
        replace(BASE, version=f"m-v{n}", previous=f"m-v{n - 1}", first_generation=n, generation=n) for n in range(1, 15)
    ]
    waiting = pending(known)
    assert len(waiting) == SHOWN
    assert (waiting[0].version, waiting[0].previous, waiting[0].first_generation) == ("m-v5", "m-v0", 1)
    assert waiting[1:] == known[5:]


entries = st.builds(
    Entry,
    event=st.sampled_from(["Moved", "Served", "Removed"]),
    version=st.sampled_from(["m-v1", "m-v2", ""]),
    digest=st.sampled_from(["", "sha256:1"]),
    previous=st.sampled_from(["", "m-v1"]),
    first_generation=st.integers(1, 9),
    generation=st.integers(1, 9),
    moved_by=st.sampled_from(["", "alice"]),
    at=st.just("2026-03-03T14:05:00Z"),
    sequence=st.none() | st.integers(1, 99),
)


@given(entries)
def test_an_entry_survives_the_status(entry):
    """from_status is the inverse of to_status."""
    assert from_status(to_status(entry)) == entry


@given(st.lists(entries, max_size=25), st.sampled_from(["m-v1", "m-v2"]), st.booleans())
def test_what_was_told_once_is_no_news_again(known, desired, is_served):
    """Looking twice at the same alias adds nothing: otherwise a retried reconcile would double entries."""
    told = [*known, *news(known, desired=desired, is_served=is_served, base=BASE)]
    assert news(told, desired=desired, is_served=is_served, base=BASE) == []


@given(st.lists(entries, max_size=25), st.lists(entries, max_size=25))
def test_nothing_that_waits_is_dropped_for_what_is_recorded(recorded, known):
    """The bucket holds the recorded ones anyway."""
    waiting = pending(known)
    kept = shown(recorded, waiting)
    assert len(kept) <= SHOWN
    assert kept[len(kept) - len(waiting) :] == waiting
