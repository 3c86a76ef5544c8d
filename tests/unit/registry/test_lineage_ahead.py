"""Indexes that are made before anybody asks."""

import asyncio

import pytest

from modelberth.registry.lineage_indexes import LineageIndexes
from modelberth.registry.problems import Problem
from modelberth.store.errors import StoreDenied
from modelberth.store.run_types import RunId, RunRecord
from modelberth.store.types import Space
from tests.unit.registry import lineage_records
from tests.unit.registry.test_lineage_indexes import MODEL, clock, indexes, names, space, store

__all__ = ["clock", "indexes", "space", "store"]

RUN = 1300
"""What a run without edges weighs, in bytes."""


def read(s3, before):
    """The records that were asked for since then."""
    return [path for method, path in s3.requests[before:] if method == "GET" and "list-type" not in path]


async def each(*spaces):
    """What there is to read ahead."""
    for one in spaces:
        yield one


async def test_what_was_read_ahead_is_answered_at_once(store, space, indexes, s3):
    """The first question asks the store nothing."""
    await lineage_records.fill(store, space)
    await indexes.read_ahead(each(space))
    before = len(s3.requests)
    kept = await indexes.of(space)
    assert "run-0" in names(kept, MODEL)
    assert len(s3.requests) == before


async def test_it_is_read_ahead_one_by_one_until_somebody_asks(store, space, indexes):
    """The question reads on with all speed, and nothing twice."""
    await lineage_records.fill(store, space)
    started, gate, read, original = asyncio.Event(), asyncio.Event(), [], store.version_record

    async def slow(*arguments):
        read.append(arguments)
        started.set()
        await gate.wait()
        return await original(*arguments)

    store.version_record = slow
    ahead = asyncio.create_task(indexes.read_ahead(each(space)))
    await started.wait()
    await asyncio.sleep(0)
    assert len(read) == 1
    question = asyncio.create_task(indexes.of(space))
    await ahead
    gate.set()
    assert "run-0" in names(await question, MODEL)
    assert len(read[1:]) == len({arguments[1:] for arguments in read[1:]})


async def failures(store, space, count):
    """Runs that failed at once: a node each."""
    for number in range(count):
        await store.finish_run(space, RunRecord(RunId("r", str(number)), "", "Failed", "", ""))


async def test_nothing_is_read_ahead_beyond_what_fits(store, clock):
    """Spaces that nobody asks about take half of the memory at most: the rest is for questions."""
    indexes = LineageIndexes(store, memory=4 * RUN, now=clock.now, monotonic=clock)
    spaces = [Space(letter * 26, "team", letter) for letter in "abc"]
    for one in spaces:
        await failures(store, one, 1)
    await indexes.read_ahead(each(*spaces))
    assert list(indexes._kept) == [one.id for one in spaces[:2]]


async def test_a_large_space_is_read_ahead_as_far_as_it_fits(store, space, clock, s3):
    """The registry starts whatever there is; a question reads on from there."""
    indexes = LineageIndexes(store, memory=10 * RUN, now=clock.now, monotonic=clock)
    await failures(store, space, 9)
    await indexes.read_ahead(each(space))
    assert (indexes.weight, indexes._kept[space.id].is_whole) == (5 * RUN, False)
    before = len(s3.requests)
    assert len((await indexes.of(space)).index) == 9
    assert len(read(s3, before)) == 4


async def test_a_space_that_does_not_fit_by_itself_is_refused(store, space, clock, s3):
    """In words that name the setting, at once the next time, and at no other's cost."""
    other = Space("t" * 26, "other", "uid")
    await failures(store, space, 12)
    await failures(store, other, 3)
    indexes = LineageIndexes(store, memory=10 * RUN, now=clock.now, monotonic=clock)
    with pytest.raises(
        Problem, match=r"more than 10 records, which take 0 MiB: set registry\.lineageMemoryMiB"
    ) as refused:
        await indexes.of(space)
    assert (refused.value.status, refused.value.code) == (422, "LineageTooLarge")
    assert indexes.weight == 0
    before = len(s3.requests)
    with pytest.raises(Problem, match="LineageTooLarge"):
        await indexes.of(space)
    assert len(s3.requests) == before
    assert len((await indexes.of(other)).index) == 3


async def test_records_that_cannot_be_read_take_room_as_well(store, space, clock, s3):
    """Each is kept in mind with what is wrong with it."""
    await failures(store, space, 9)
    for path in [path for path in s3.objects if path.endswith("/result")]:
        s3.objects[path].body = b"{}"
    indexes = LineageIndexes(store, memory=5000, now=clock.now, monotonic=clock)
    await indexes.read_ahead(each(space))
    assert (indexes.weight, indexes._kept[space.id].is_whole) == (3000, False)
    with pytest.raises(Problem, match="LineageTooLarge"):
        await indexes.of(space)


async def test_a_space_that_grows_too_large_is_refused(store, space, clock):
    """What is new does not fit: an old answer for ever would be a wrong one."""
    indexes = LineageIndexes(store, memory=3 * RUN, now=clock.now, monotonic=clock)
    await failures(store, space, 3)
    await indexes.of(space)
    await failures(store, space, 4)
    clock.seconds = 1.0
    with pytest.raises(Problem, match="LineageTooLarge"):
        await indexes.of(space, fresh=True)


async def test_two_that_are_asked_at_once_and_do_not_fit_together(store, clock):
    """One is read, the other asked for again, and then it is the first one's turn to go."""
    indexes = LineageIndexes(store, memory=10 * RUN, now=clock.now, monotonic=clock)
    spaces = [Space(letter * 26, "team", letter) for letter in "ab"]
    for one in spaces:
        await failures(store, one, 8)
    first = await asyncio.gather(*map(indexes.of, spaces), return_exceptions=True)
    [refused] = [answer for answer in first if isinstance(answer, BaseException)]
    assert "LineageNotReady" in str(refused)
    for one in spaces:
        assert len((await indexes.of(one)).index) == 8
        assert indexes.weight <= 10 * RUN


async def test_a_space_that_cannot_be_read_ahead_keeps_no_other(store, space, indexes, s3):
    """It is told, so that it is tried again, by whoever asks at the latest."""
    other = Space("t" * 26, "other", "uid")
    await lineage_records.fill(store, space)
    await lineage_records.fill(store, other)
    s3.answer(403, "AccessDenied", method="GET", times=1)
    with pytest.raises(StoreDenied):
        await indexes.read_ahead(each(space, other))
    before = len(s3.requests)
    assert "run-0" in names(await indexes.of(other), MODEL)
    assert len(s3.requests) == before
    assert "run-0" in names(await indexes.of(space), MODEL)
