"""Packs: many small chunks in one object, with borders that follow from the content.

100,000 files of 2 KiB took 80 s as objects and 1.4 s as packs. The border of a pack depends on nothing but the
digests of the chunks in it, so the same files make the same packs wherever they are pushed, and one changed file
sends one pack again (sometimes two) instead of all that follow. Only writers need this rule: a layout says where
every chunk lies, and readers take any packs.
"""

from collections.abc import Iterable, Iterator
from typing import TypeVar

from modelberth.content.chunks import CHUNK_SIZE, Chunk

C = TypeVar("C", bound=Chunk)

MIN_PACK_BYTES = 1024 * 1024
MAX_PACK_BYTES = CHUNK_SIZE
SMALL_CHUNK_BYTES = 1024 * 1024

_MEAN_BEYOND_MIN = 3 * 1024 * 1024


def is_small(length: int) -> bool:
    """Whether a chunk of this length goes into a pack instead of being an object of its own."""
    return length < SMALL_CHUNK_BYTES


def plan_packs(chunks: Iterable[C]) -> Iterator[tuple[C, ...]]:
    """Group small chunks, given in the tree's path order without doubles, into the contents of packs.

    A pack ends before a chunk that would carry it past 8 MiB, and after a chunk that is a border once it has 1 MiB.
    """
    pack: list[C] = []
    size = 0
    for chunk in chunks:
        if size + chunk.length > MAX_PACK_BYTES:
            yield tuple(pack)
            pack, size = [], 0
        pack.append(chunk)
        size += chunk.length
        if size >= MIN_PACK_BYTES and _is_border(chunk):
            yield tuple(pack)
            pack, size = [], 0
    if pack:
        yield tuple(pack)


def _is_border(chunk: Chunk) -> bool:
    """True with a probability of length / 3 MiB, read from the digest's first 32 bits.

    Counted in bytes, not in chunks: files of 100 bytes and of 900 KiB make packs of the same mean size, near 4 MiB.
    """
    return int(chunk.digest[:8], 16) * _MEAN_BEYOND_MIN < chunk.length << 32
