"""Chunks, the digest made from them, and packs whose borders follow from the content."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelberth.content.chunks import CHUNK_SIZE, EMPTY_SHA256, Chunk, chunk_count, chunk_length, file_digest, spans
from modelberth.content.packs import MAX_PACK_BYTES, MIN_PACK_BYTES, SMALL_CHUNK_BYTES, plan_packs


@given(st.integers(0, 10 * CHUNK_SIZE))
def test_spans_cover_a_file_once(size):
    """Offsets and lengths follow each other without a gap, and only the last may be short."""
    found = list(spans(size))
    assert len(found) == chunk_count(size)
    assert sum(length for _, length in found) == size
    assert [offset for offset, _ in found] == [n * CHUNK_SIZE for n in range(len(found))]
    assert [length for _, length in found] == [chunk_length(size, n) for n in range(len(found))]


def test_a_file_of_one_chunk_has_its_plain_digest():
    """Up to 8 MiB exactly, `sha256sum` says the same."""
    for size in (0, 1, CHUNK_SIZE):
        data = b"x" * size
        chunks = [hashlib.sha256(data).hexdigest()] if size else []
        assert file_digest(size, chunks) == hashlib.sha256(data).hexdigest()
    assert file_digest(0, []) == EMPTY_SHA256


def test_a_larger_file_has_the_digest_of_its_chunks():
    """One byte more, and it is the SHA-256 of a domain line and the raw digests."""
    first, last = hashlib.sha256(b"x" * CHUNK_SIZE), hashlib.sha256(b"x")
    expected = hashlib.sha256(b"modelberth-chunks/1\n" + first.digest() + last.digest()).hexdigest()
    assert file_digest(CHUNK_SIZE + 1, [first.hexdigest(), last.hexdigest()]) == expected


def test_a_wrong_number_of_chunks_is_an_error():
    """Size and chunks must fit."""
    with pytest.raises(ValueError, match="has 2 chunks, not 1"):
        file_digest(CHUNK_SIZE + 1, ["0" * 64])


def chunk(number, length):
    return Chunk(hashlib.sha256(str(number).encode()).hexdigest(), length)


chunks = st.lists(st.one_of(st.integers(1, 5000), st.integers(1, SMALL_CHUNK_BYTES - 1)), max_size=200).map(
    lambda lengths: [chunk(number, length) for number, length in enumerate(lengths)]
)


@given(chunks)
def test_packs_hold_every_chunk_once_in_order_within_the_limits(found):
    """Nothing is lost or moved; every pack but the last has at least 1 MiB, and none has more than 8."""
    packs = list(plan_packs(found))
    assert [c for pack in packs for c in pack] == found
    sizes = [sum(c.length for c in pack) for pack in packs]
    assert all(size <= MAX_PACK_BYTES for size in sizes)
    assert all(size >= MIN_PACK_BYTES for size in sizes[:-1])


def test_one_changed_file_changes_few_packs():
    """A change in the middle of 20,000 small files leaves nearly all packs as they were."""
    before = [chunk(number, 4096) for number in range(20_000)]
    after = [*before[:9000], chunk("changed", 5000), chunk("added", 300), *before[9001:]]
    old, new = set(plan_packs(before)), set(plan_packs(after))
    assert len(old) > 10
    assert 1 <= len(new - old) <= 2


@pytest.mark.parametrize("length", [100, 4096, 300_000])
def test_packs_have_near_4_mib_whatever_the_size_of_the_chunks(length):
    """The border rule counts bytes, not chunks."""
    packs = list(
        plan_packs(
            chunk(number, length) for number in range(400 * 1024 * 1024 // length // (1 if length > 1000 else 10))
        )
    )
    mean = sum(c.length for pack in packs for c in pack) / len(packs)
    assert 3 * 1024 * 1024 < mean < 5 * 1024 * 1024
