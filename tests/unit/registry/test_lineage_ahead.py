"""Indexes that are made before anybody asks."""

import asyncio

from modelberth.registry.lineage_indexes import LineageIndexes
from modelberth.store.run_types import RunId, RunRecord
from modelberth.store.types import Space
from tests.unit.registry import lineage_records
from tests.unit.registry.test_lineage_indexes import MODEL, clock, indexes, names, space, store

__all__ = ["clock", "indexes", "space", "store"]


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


async def test_nothing_is_read_ahead_beyond_what_fits(store, clock, monkeypatch):
    """Spaces that nobody asks about take no room from others."""
    monkeypatch.setattr("modelberth.registry.lineage_indexes.AHEAD_LIMIT", 2)
    indexes = LineageIndexes(store, now=clock.now, monotonic=clock)
    spaces = [Space(letter * 26, "team", letter) for letter in "abc"]
    for one in spaces:
        await store.finish_run(one, RunRecord(RunId("r", "0"), "", "Failed", "", ""))
    await indexes.read_ahead(each(*spaces))
    assert list(indexes._kept) == [one.id for one in spaces[:2]]


async def test_a_space_that_cannot_be_read_ahead_keeps_no_other(store, space, indexes, s3):
    """It is tried again by whoever asks."""
    other = Space("t" * 26, "other", "uid")
    await lineage_records.fill(store, space)
    await lineage_records.fill(store, other)
    s3.answer(403, "AccessDenied", method="GET", times=1)
    await indexes.read_ahead(each(space, other))
    before = len(s3.requests)
    assert "run-0" in names(await indexes.of(other), MODEL)
    assert len(s3.requests) == before
    assert "run-0" in names(await indexes.of(space), MODEL)
