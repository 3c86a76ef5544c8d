"""Alias history: no gap, no double, whatever is lost between two leaders."""

import asyncio
from dataclasses import replace

import pytest

from modelberth.store.errors import StoreUnavailable, Tampered
from modelberth.store.types import NewAliasEntry
from tests.unit.store.s3_double import Stored

MOVE = NewAliasEntry(
    model="digits",
    alias="production",
    event="Moved",
    version="mnist-v0",
    digest="sha256:" + "0" * 64,
    previous="",
    generation=1,
    first_generation=1,
    moved_by="alice",
    at="2026-11-21T09:00:00Z",
    uid="uid",
)


def moved(number):
    return replace(MOVE, version=f"mnist-v{number}", previous=f"mnist-v{number - 1}", generation=number)


async def test_entries_are_counted(store, space):
    """Entries get the sequences 1, 2, 3, … and are read back as they were given, oldest first."""
    appended = [await store.append_alias(space, moved(n), after=n) for n in range(12)]
    assert [entry.sequence for entry in appended] == list(range(1, 13))
    assert await store.alias_history(space, "digits", "production") == appended
    assert await store.alias_history(space, "digits", "production", last=2) == appended[-2:]
    assert await store.alias_history(space, "digits", "staging") == []


async def test_the_same_is_said_once(store, space):
    """What the bucket says already behind the last known sequence is returned instead of said again."""
    first = await store.append_alias(space, MOVE, after=0)
    assert await store.append_alias(space, replace(MOVE, at="later"), after=0) == first
    assert len(await store.alias_history(space, "digits", "production")) == 1


async def test_several_that_wait_are_said_once_each(store, space):
    """Entries that were appended before their answer was lost are all found again, also those behind others."""
    waiting = [moved(n) for n in range(3)]
    for _ in range(2):
        for entry in waiting:
            await store.append_alias(space, entry, after=0)
    versions = [entry.version for entry in await store.alias_history(space, "digits", "production")]
    assert versions == ["mnist-v0", "mnist-v1", "mnist-v2"]


async def test_moved_away_and_back_is_news(store, space):
    """A → B → A is three entries: the return is of another generation than what was said before."""
    for entry in (moved(0), moved(1), replace(moved(0), generation=2)):
        await store.append_alias(space, entry, after=0)
    versions = [entry.version for entry in await store.alias_history(space, "digits", "production")]
    assert versions == ["mnist-v0", "mnist-v1", "mnist-v0"]


async def test_a_lost_answer_is_said_once(store, space, s3):
    """An append whose answer was lost is found again by its retry."""
    s3.lose()
    assert (await store.append_alias(space, MOVE, after=0)).sequence == 1
    s3.lose(times=2)
    with pytest.raises(StoreUnavailable):
        await store.append_alias(space, moved(2), after=1)
    assert (await store.append_alias(space, moved(2), after=1)).sequence == 2
    assert len(await store.alias_history(space, "digits", "production")) == 2


async def test_two_leaders_say_it_once(store, space):
    """Leaders that notice the same move at the same moment leave one entry; different moves each leave theirs."""
    same = await asyncio.gather(*(store.append_alias(space, MOVE, after=0) for _ in range(4)))
    assert {entry.sequence for entry in same} == {1}
    await asyncio.gather(*(store.append_alias(space, moved(n), after=1) for n in range(1, 5)))
    history = await store.alias_history(space, "digits", "production")
    assert [entry.sequence for entry in history] == [1, 2, 3, 4, 5]
    assert {entry.version for entry in history} == {f"mnist-v{n}" for n in range(5)}


async def test_a_stale_leader_reads_on(store, space):
    """Who knows an old sequence only finds the end by itself."""
    for number in range(5):
        await store.append_alias(space, moved(number), after=number)
    assert (await store.append_alias(space, moved(9), after=1)).sequence == 6


async def test_holes_and_forgeries_are_noticed(store, space, s3):
    """A removed entry, one under another name and one with other fields are errors naming the object."""
    for number in range(3):
        await store.append_alias(space, moved(number), after=number)
    keys = sorted(key for key in s3.objects if "/records/aliases/" in key)
    hole = s3.objects.pop(keys[1])
    with pytest.raises(Tampered, match=keys[1]):
        await store.alias_history(space, "digits", "production")
    s3.objects[keys[1]] = s3.objects[keys[0]]
    with pytest.raises(Tampered, match="sequence"):
        await store.alias_history(space, "digits", "production")
    s3.objects[keys[1]] = Stored(hole.body.replace(b"Moved", b"Stolen"), {})
    with pytest.raises(Tampered, match="event"):
        await store.alias_history(space, "digits", "production")
    s3.objects[keys[1]] = hole
    s3.objects[keys[0].rpartition("/")[0] + "/notes"] = hole
    with pytest.raises(Tampered, match="notes"):
        await store.alias_history(space, "digits", "production")
