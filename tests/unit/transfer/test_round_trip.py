"""A folder that is pushed and loaded again is the same folder, over real sockets and with every fault in between."""

import itertools
import os

import pytest

from modelberth.transfer.errors import TransferError
from tests.unit.transfer.conftest import content, fill, noise
from tests.unit.transfer.fake_registry import SECRET

MIB = 1024 * 1024
MIXED = {
    "large.bin": noise(9 * MIB + 17, "large"),
    "again/large.bin": noise(9 * MIB + 17, "large"),
    "exact.bin": noise(8 * MIB, "exact"),
    "medium.bin": noise(2 * MIB, "medium"),
    "empty": b"",
    "small/with space.txt": b"one",
    "small/Größe-数字.json": b"{}",
    "small/twin.json": b"{}",
    "void/": None,
    "deep/void/": None,
}
TOTAL_DISTINCT = 9 * MIB + 17 + 8 * MIB + 2 * MIB + 3 + 2


def test_what_was_pushed_is_loaded(push, fetch, registry, tmp_path):
    """Large, exact, small, empty files and empty folders come back byte for byte, and every chunk was sent once."""
    source = fill(tmp_path / "source", MIXED)
    digest, sent = push(source)
    assert sent.sent_bytes == registry.sent_bytes == TOTAL_DISTINCT
    loaded = fetch(digest, tmp_path / "out" / "model")
    assert content(tmp_path / "out" / "model") == content(source)
    assert loaded.file_count == 8
    assert os.listdir(tmp_path / "out") == ["model"]


def test_executables_stay_executable(push, fetch, tmp_path):
    """The one permission that a tree knows comes back; everything is readable for other users."""
    source = fill(tmp_path / "source", {"run.sh": b"#!/bin/sh\n", "data": b"x"})
    (source / "run.sh").chmod(0o700)
    digest, _ = push(source)
    fetch(digest, tmp_path / "model")
    assert (tmp_path / "model" / "run.sh").stat().st_mode & 0o777 == 0o755
    assert (tmp_path / "model" / "data").stat().st_mode & 0o777 == 0o644
    assert (tmp_path / "model").stat().st_mode & 0o777 == 0o755


def test_a_second_push_sends_nothing(push, registry, tmp_path):
    """The same folder pushed again finds every object in the store."""
    source = fill(tmp_path / "source", MIXED)
    push(source)
    registry.sent_bytes = 0
    _, sent = push(source)
    assert sent.sent_bytes == registry.sent_bytes == 0


def test_a_change_sends_only_what_changed(push, fetch, registry, tmp_path):
    """A byte changed in a large file sends one chunk of it again."""
    source = fill(tmp_path / "source", MIXED)
    push(source)
    changed = bytearray(MIXED["large.bin"])
    changed[8 * MIB + 5] ^= 1
    (source / "large.bin").write_bytes(changed)
    digest, sent = push(source)
    assert sent.sent_bytes == MIB + 17
    fetch(digest, tmp_path / "model")
    assert content(tmp_path / "model") == content(source)


def test_many_small_files_travel_in_packs(push, fetch, registry, tmp_path):
    """1,000 files of 4 KiB need a handful of objects, and one changed file sends one or two packs again."""
    source = fill(tmp_path / "source", {f"part-{n % 7}/{n:05}.txt": noise(4096, n) for n in range(1000)})
    push(source)
    assert len(registry.objects) < 8
    (source / "part-3" / "00003.txt").write_bytes(b"other")
    digest, sent = push(source)
    assert 0 < sent.sent_bytes <= 16 * MIB
    assert registry.requests["PUT object"] <= 10
    fetch(digest, tmp_path / "model")
    assert content(tmp_path / "model") == content(source)


@pytest.mark.parametrize("fault", [503, 500, 429, "break"])
def test_every_kind_of_request_survives_a_passing_fault(push, fetch, registry, tmp_path, fault):
    """Each third request of any kind fails once in a while, and both ways go through."""
    turns = itertools.count(1)
    registry.faults = lambda method, kind, path: fault if next(turns) % 3 == 0 else None
    source = fill(tmp_path / "source", MIXED)
    digest, _ = push(source)
    fetch(digest, tmp_path / "model")
    assert content(tmp_path / "model") == content(source)


def test_a_lost_answer_to_an_upload_is_asked_about(push, registry, tmp_path):
    """An object that arrived although its answer was lost is found by asking, and not sent a second time."""
    registry.faults = lambda method, kind, path: "lose answer" if (method, kind) == ("PUT", "object") else None
    source = fill(tmp_path / "source", MIXED)
    push(source)
    assert registry.sent_bytes == TOTAL_DISTINCT


def test_expired_urls_are_asked_for_again(push, fetch, registry, tmp_path):
    """URLs that expire in the middle of both ways are replaced."""
    turns = itertools.count(1)

    def expire(method, kind, path):
        if kind == "object" and next(turns) % 4 == 0:
            registry.generation += 1

    registry.faults = expire
    source = fill(tmp_path / "source", MIXED)
    digest, _ = push(source)
    fetch(digest, tmp_path / "model")
    assert content(tmp_path / "model") == content(source)


def test_a_url_that_is_always_refused_ends_the_load(push, fetch, registry, tmp_path):
    """A store that answers 403 to fresh URLs too is an error after a few, and its message carries no signature."""
    digest, _ = push(fill(tmp_path / "source", {"a": b"1"}))
    registry.faults = lambda method, kind, path: 403 if (method, kind) == ("GET", "object") else None
    with pytest.raises(TransferError, match="403") as caught:
        fetch(digest, tmp_path / "model")
    assert registry.requests["GET object"] <= 5
    assert SECRET not in str(caught.value)


def test_a_store_that_stays_away_ends_the_load_without_its_secrets(push, fetch, registry, tmp_path):
    """When patience is at its end the error names the object's place and not the signed query."""
    digest, _ = push(fill(tmp_path / "source", {"a": b"1"}))
    registry.faults = lambda method, kind, path: "break" if (method, kind) == ("GET", "object") else None
    with pytest.raises(TransferError, match=r"/data/") as caught:
        fetch(digest, tmp_path / "model")
    assert SECRET not in str(caught.value)
    assert not (tmp_path / "model").exists()


def test_a_commit_is_waited_for(push, registry, tmp_path):
    """202 means: ask again with the same body."""
    registry.pending_commits = 3
    push(fill(tmp_path / "source", {"a": b"1"}))
    assert registry.requests["POST commits"] == 4


def test_objects_that_the_commit_misses_are_sent_again(push, registry, tmp_path):
    """409 names what is missing; it is sent again and committed."""
    dropped = []

    def drop_first(method, kind, path):
        if kind == "commits" and not dropped:
            dropped.append(registry.objects.pop(next(iter(registry.objects))))

    registry.faults = drop_first
    digest, _ = push(fill(tmp_path / "source", MIXED))
    assert dropped
    assert digest in registry.layouts


def test_a_digest_that_is_none_is_refused(client, registry):
    """What the registry calls a digest becomes a part of file names: it must be one, and the one that was asked for."""
    registry.records["evil"] = [("v0", "sha256:../../../etc")]
    with pytest.raises(TransferError, match="digest"):
        client.resolve("evil:v0")
    registry.records["other"] = [("v0", "sha256:" + "0" * 64)]
    assert client.resolve("other:v0").digest == "sha256:" + "0" * 64


def test_a_refused_push_says_what_the_registry_said(push, registry, tmp_path):
    """The registry's own sentence reaches the person who pushes."""
    registry.faults = lambda method, kind, path: 400 if kind == "uploads" else None
    with pytest.raises(TransferError, match="as the test asked"):
        push(fill(tmp_path / "source", {"a": b"1"}))
