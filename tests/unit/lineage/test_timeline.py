"""Which version answered when."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelberth.lineage.facts import AliasFact
from modelberth.lineage.nodes import Interval
from modelberth.lineage.timeline import Timeline, at_time, timeline, utc_second


def minute(number):
    return f"2026-11-21T09:{number:02d}:00Z"


def entry(sequence, event, version="", *, at=None, uid="u", by="jane"):
    return AliasFact("digits", "production", uid, sequence, event, version, minute(at or sequence), by)


def spans(found):
    return [(span.version, span.interval.since[14:16], span.interval.until[14:16]) for span in found]


def test_a_version_answers_until_another_one_is_served():
    """That the alias was moved in between changes nothing for who asks it."""
    found = timeline(
        [entry(1, "Moved", "m-v0"), entry(2, "Served", "m-v0"), entry(3, "Moved", "m-v1"), entry(5, "Served", "m-v1")]
    )
    assert spans(found.answered) == [("m-v0", "02", "05"), ("m-v1", "05", "")]
    assert spans(found.asked) == [("m-v0", "01", "03"), ("m-v1", "03", "")]


def test_a_move_that_was_taken_back_leaves_one_interval():
    """Served, asked for another one, asked for the first again: it never stopped to answer."""
    found = timeline(
        [entry(1, "Served", "m-v0"), entry(2, "Moved", "m-v1"), entry(3, "Moved", "m-v0"), entry(4, "Served", "m-v0")]
    )
    assert spans(found.answered) == [("m-v0", "01", "")]


def test_a_removed_alias_answers_no_more():
    """Until it is served again."""
    found = timeline([entry(1, "Served", "m-v0"), entry(2, "Removed"), entry(3, "Served", "m-v0")])
    assert spans(found.answered) == [("m-v0", "01", "02"), ("m-v0", "03", "")]


def test_another_model_of_the_name_ends_the_old_ones_time():
    """A RegisteredModel that was deleted leaves no entry; the next one of its name does."""
    found = timeline([entry(1, "Served", "m-v0"), entry(2, "Moved", "m-v0", uid="other")])
    assert spans(found.answered) == [("m-v0", "01", "02")]
    assert spans(found.asked) == [("m-v0", "01", "02"), ("m-v0", "02", "")]


def test_a_clock_that_goes_backwards_never_makes_a_negative_time():
    """The sequence counts."""
    found = timeline(
        [entry(1, "Served", "m-v0", at=30), entry(2, "Served", "m-v1", at=10), entry(3, "Served", "m-v2", at=40)]
    )
    assert spans(found.answered) == [("m-v0", "30", "30"), ("m-v1", "30", "40"), ("m-v2", "40", "")]


def test_which_one_at_a_time():
    """Its beginning belongs to a version, its end to the next one."""
    answered = timeline([entry(2, "Served", "m-v0"), entry(4, "Served", "m-v1"), entry(6, "Removed")]).answered
    times = [minute(1), minute(2), "2026-11-21T10:03:59+01:00", minute(4), minute(6)]
    assert [span and span.version for span in (at_time(answered, at) for at in times)] == [
        None,
        "m-v0",
        "m-v0",
        "m-v1",
        None,
    ]


@pytest.mark.parametrize("text", ["", "yesterday", "2026-13-01", "0001-01-01T00:00:00+14:00"])
def test_what_is_no_time(text):
    """The refusal shows the form."""
    with pytest.raises(ValueError, match="write it as"):
        utc_second(text)


entries = st.lists(
    st.tuples(
        st.sampled_from(["Moved", "Served", "Removed"]),
        st.sampled_from(["m-v0", "m-v1"]),
        st.integers(0, 59),
        st.sampled_from("ab"),
    ),
    max_size=12,
)


@given(entries, st.randoms(use_true_random=False))
def test_intervals_follow_each_other_whatever_the_order(said, random):
    """No two overlap, only the last may be open, and the order in which entries come in does not matter."""
    facts = [
        AliasFact("d", "p", uid, sequence, event, "" if event == "Removed" else version, minute(at))
        for sequence, (event, version, at, uid) in enumerate(said, start=1)
    ]
    found = timeline(facts)
    for part in found:
        times = [time for span in part for time in (span.interval.since, span.interval.until)]
        assert all(times[:-1])
        assert times[:-1] == sorted(times[:-1])
    shuffled = list(facts)
    random.shuffle(shuffled)
    assert timeline(shuffled) == found


def test_intervals_of_a_version():
    """A version may answer more than once."""
    found = timeline([entry(1, "Served", "m-v0"), entry(2, "Served", "m-v1"), entry(3, "Served", "m-v0")])
    assert found.intervals("m-v0") == (Interval(minute(1), minute(2)), Interval(minute(3)))
    assert Timeline((), ()).intervals("m-v0") == ()
