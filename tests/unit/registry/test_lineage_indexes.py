"""The index as a cache: made out of the bucket, kept up with it, never better than it."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from modelberth.content.collections import artifact, dataset
from modelberth.lineage.nodes import dataset_version, model_version, training_run
from modelberth.lineage.walk import walk
from modelberth.registry.lineage_indexes import FRESH_SECONDS, OLD_SECONDS, LineageIndexes
from modelberth.registry.problems import Problem
from modelberth.store import keys
from modelberth.store.content_store import ContentStore
from modelberth.store.errors import StoreUnavailable
from modelberth.store.run_types import RunId, RunRecord
from modelberth.store.types import NewAliasEntry, NewVersion, Space
from tests.unit.registry import lineage_records

START = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
MODEL = model_version("price-1.1")


class Clock:
    """Wall and monotonic time that a test turns."""

    def __init__(self):
        self.seconds = 0.0

    def __call__(self):
        return self.seconds

    def now(self):
        return START + timedelta(seconds=self.seconds)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def store(s3):
    bucket = s3.bucket()
    yield ContentStore(bucket, "cluster")
    bucket.close()


@pytest.fixture
def indexes(store, clock):
    return LineageIndexes(store, now=clock.now, monotonic=clock, patience=30.0)


@pytest.fixture
def space():
    return Space("s" * 26, "team", "uid")


def names(kept, root, direction="both"):
    return {node.id.name for node, _ in walk(kept.index, root, direction).nodes}


async def test_the_first_question_reads_every_record(store, space, indexes):
    """Versions of both families, drafts included, runs, and every entry of alias histories."""
    await lineage_records.fill(store, space)
    kept = await indexes.of(space)
    assert kept.as_of == "2026-11-21T09:00:00Z"
    assert names(kept, dataset_version("housing-v0"), "down") == {
        "housing-v0", "housing-v1", "run-0", "run-1", "price-1.1", "price-1.2", "prices:production", "prices",
    }  # fmt: skip
    assert kept.problems == []


async def test_later_ones_read_only_what_is_new(store, space, indexes, clock, s3):
    """Records never change, so what is in the index is not read again."""
    await lineage_records.fill(store, space)
    await indexes.of(space)
    await store.finish_run(space, lineage_records.run_record(7, dataset="housing-v0"))
    clock.seconds = 1.0
    before = len(s3.requests)
    kept = await indexes.of(space, fresh=True)
    read = [path for method, path in s3.requests[before:] if method == "GET" and "list-type" not in path]
    assert [path.rpartition("records/")[2] for path in read] == ["runs/run-7/uid-7/result"]
    assert "run-7" in names(kept, dataset_version("housing-v0"))


async def test_a_question_within_seconds_asks_the_store_nothing(store, space, indexes, clock, s3):
    """However many there are."""
    await lineage_records.fill(store, space)
    await indexes.of(space)
    before = len(s3.requests)
    clock.seconds = FRESH_SECONDS - 0.1
    for _ in range(10):
        await indexes.of(space)
    assert len(s3.requests) == before


async def test_a_question_after_seconds_is_answered_at_once(store, space, indexes, clock):
    """What is new is read behind it, and the answer says how old it is."""
    await indexes.of(space)
    await lineage_records.fill(store, space)
    clock.seconds = FRESH_SECONDS
    kept = await indexes.of(space)
    assert (kept.as_of, names(kept, MODEL)) == ("2026-11-21T09:00:00Z", {"price-1.1"})
    await kept.start()
    assert kept.as_of == "2026-11-21T09:00:05Z"
    assert "run-0" in names(kept, MODEL)


async def test_a_large_space_is_read_less_often(store, space, indexes, clock):
    """A look for news that took long is followed by ten times as long a rest; the first reading is none."""
    original = store.run_record

    async def slow(*arguments):
        clock.seconds += 2.0
        return await original(*arguments)

    store.run_record = slow
    await lineage_records.fill(store, space)
    kept = await indexes.of(space)
    assert kept.pause == FRESH_SECONDS
    for number in (7, 8):
        await store.finish_run(space, lineage_records.run_record(number))
    await indexes.of(space, fresh=True)
    assert kept.pause == pytest.approx(40.0)


async def test_an_old_answer_is_not_given_while_the_store_answers(store, space, indexes, clock):
    """After a minute the question waits for what is new."""
    await indexes.of(space)
    await lineage_records.fill(store, space)
    clock.seconds = OLD_SECONDS
    assert "run-0" in names(await indexes.of(space), MODEL)


async def test_an_old_answer_is_given_while_the_store_is_away(store, space, indexes, clock, s3):
    """With its age."""
    await lineage_records.fill(store, space)
    await indexes.of(space)
    clock.seconds = OLD_SECONDS
    s3.answer(403, "AccessDenied", method="GET", times=1)
    kept = await indexes.of(space, fresh=True)
    assert kept.as_of == "2026-11-21T09:00:00Z"
    assert "run-0" in names(kept, MODEL)


async def test_nothing_is_answered_that_was_never_read(space, indexes, s3):
    """Without a whole index a store that is away is an error, and the next question tries again."""
    s3.answer(503, "SlowDown", method="GET", times=2)
    with pytest.raises(StoreUnavailable):
        await indexes.of(space)
    assert (await indexes.of(space)).is_whole


async def test_a_store_that_goes_away_while_it_is_read(store, space, indexes, s3):
    """What was read stays; the next question reads the rest."""
    await lineage_records.fill(store, space)
    calls, original = [], store.version_record

    async def failing(*arguments):
        calls.append(arguments)
        if len(calls) == 2:
            raise StoreUnavailable("gone")
        return await original(*arguments)

    store.version_record = failing
    with pytest.raises(StoreUnavailable, match="gone"):
        await indexes.of(space)
    assert "run-0" in names(await indexes.of(space), MODEL)


async def test_a_question_does_not_wait_for_ever(store, space, clock):
    """It is told how far the reading is, and that it goes on."""
    await lineage_records.fill(store, space)
    gate, original = asyncio.Event(), store.run_record

    async def slow(*arguments):
        await gate.wait()
        return await original(*arguments)

    store.run_record = slow
    indexes = LineageIndexes(store, now=clock.now, monotonic=clock, patience=0.0)
    with pytest.raises(Problem, match="being read") as refused:
        await indexes.of(space)
    assert (refused.value.status, "Retry-After" in refused.value.headers) == (503, True)
    gate.set()
    kept = next(iter(indexes._kept.values()))
    await kept.start()
    assert "run-0" in names(await indexes.of(space), MODEL)


async def test_questions_at_once_read_once(store, space, indexes, s3):
    """They all wait for the same reading."""
    await lineage_records.fill(store, space)
    await asyncio.gather(*(indexes.of(space) for _ in range(5)))
    read = [path for method, path in s3.requests if method == "GET" and "list-type" not in path]
    assert len(read) == len(set(read))


async def test_a_record_that_is_broken_hides_no_other(store, space, indexes, clock, s3):
    """It is named in every answer, and read again when it may be whole."""
    await lineage_records.fill(store, space)
    key = keys.version(space, artifact("price"), "1.1")
    body = s3.objects[key].body
    s3.objects[key].body = body.replace(b'"price"', b'"other"')
    kept = await indexes.of(space)
    assert len(kept.problems) == 1
    assert key in kept.problems[0]
    assert "run-0" in names(kept, MODEL)
    s3.objects[key].body = body
    clock.seconds = 1.0
    assert (await indexes.of(space, fresh=True)).problems == []


async def test_many_broken_records_are_counted(store, space, indexes, s3):
    """An answer names ten of them."""
    for number in range(13):
        await store.reserve_version(space, NewVersion(dataset(f"e{number}"), f"sha256:{number:064x}", "jane"))
        s3.objects[keys.version(space, dataset(f"e{number}"), "v0")].body = b"{}"
    kept = await indexes.of(space)
    assert (len(kept.problems), kept.problems[-1]) == (11, "3 more records cannot be read")


async def test_keys_that_are_nobodys(store, space, indexes, s3):
    """What is no record's key is passed over: attempts of runs, and what somebody else put there."""
    await lineage_records.fill(store, space)
    some = next(iter(s3.objects.values()))
    for path in ("runs/x/y/attempts/0", "runs/x", "versions/a/nonsense", "aliases/m/a/last", "datasets/too/deep/v0"):
        s3.objects[f"{space.prefix}records/{path}"] = some
    kept = await indexes.of(space)
    assert kept.problems == []
    assert not kept.index.node(training_run("x", "y")).known


async def test_the_entries_of_an_alias(store, space, indexes):
    """An entry whose time is none is a broken record like any other."""
    entry = NewAliasEntry("m", "a", "Served", "m-v0", "", "", 1, 1, "jane", "yesterday", "u")
    await store.append_alias(space, entry, after=0)
    assert "yesterday" in (await indexes.of(space)).problems[0]


async def test_spaces_that_nobody_asks_for_are_forgotten(store, clock):
    """When they take too much memory; the space that was asked for stays."""
    indexes = LineageIndexes(store, memory=5 * 1300, now=clock.now, monotonic=clock)
    spaces = [Space(letter * 26, "team", letter) for letter in "abc"]
    for one in spaces:
        for number in range(3):
            await store.finish_run(one, RunRecord(RunId("r", str(number)), "", "Failed", "", ""))
    for one in (*spaces, spaces[0]):
        await indexes.of(one)
    assert list(indexes._kept) == [spaces[0].id]
