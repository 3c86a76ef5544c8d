"""Which records a space has."""

import pytest

from modelberth.content.collections import artifact, dataset
from modelberth.store import record_listing
from modelberth.store.record_listing import AliasKey, RecordListing, VersionKey
from modelberth.store.run_types import RunId, RunRecord
from modelberth.store.types import NewAliasEntry, NewVersion


@pytest.mark.parametrize("page", [2, 5000])
async def test_all_of_them_page_by_page(store, bucket, space, monkeypatch, page):
    """Versions of both families, ends of runs, entries of aliases; no more in memory than a page."""
    monkeypatch.setattr(record_listing, "PAGE", page)
    for number in range(3):
        await store.reserve_version(space, NewVersion(artifact("m"), f"sha256:{number:064x}", "jane"))
    await store.reserve_version(space, NewVersion(dataset("d"), f"sha256:{0:064x}", "jane"))
    await store.finish_run(space, RunRecord(RunId("r", "u"), "", "Failed", "Killed", ""))
    entry = NewAliasEntry("m", "production", "Served", "m-v0", "", "", 1, 1, "jane", "2026-11-21T09:00:00Z", "u")
    await store.append_alias(space, entry, after=0)
    pages = [keys async for keys in RecordListing(bucket).pages(space)]
    assert max(map(len, pages)) <= page
    assert {key for keys in pages for key in keys} == {
        *(VersionKey(artifact("m"), f"v{number}") for number in range(3)),
        VersionKey(dataset("d"), "v0"),
        RunId("r", "u"),
        AliasKey("m", "production", 1),
    }


async def test_what_is_no_record(bucket, space):
    """Attempts of runs, and keys that somebody else put there, are passed over."""
    for path in ("runs/x/y/attempts/0", "runs/x", "versions/a/nonsense", "versions/a/b/v0", "aliases/m/a/last"):
        await bucket.put(f"{space.prefix}records/{path}", b"")
    assert [key async for keys in RecordListing(bucket).pages(space) for key in keys] == []


async def test_an_entry_of_an_alias(store, space):
    """Is read by itself."""
    entry = NewAliasEntry("m", "production", "Served", "m-v0", "", "", 1, 1, "jane", "2026-11-21T09:00:00Z", "u")
    await store.append_alias(space, entry, after=0)
    assert (await store.alias_entry(space, "m", "production", 1)).version == "m-v0"
