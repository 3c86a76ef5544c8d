"""Files as chunks of 8 MiB, and the digest of a file made from the digests of its chunks.

So a large file is hashed and verified in parallel, resumed in the middle, and a bad chunk is known at once.
The chunk size is part of the format for ever.
"""

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

CHUNK_SIZE = 8 * 1024 * 1024
COMPOSITE_HEADER = b"modelberth-chunks/1\n"
EMPTY_SHA256 = hashlib.sha256(b"").hexdigest()

_HEX = re.compile(r"[0-9a-f]{64}")


def is_hex_digest(text: str) -> bool:
    """Whether this is a SHA-256 in its one spelling: 64 lower-case hexadecimal digits."""
    return _HEX.fullmatch(text) is not None


@dataclass(frozen=True, slots=True)
class Chunk:
    """A run of bytes: its SHA-256 in hex and its length, 1 to `CHUNK_SIZE`."""

    digest: str
    length: int


def chunk_count(size: int) -> int:
    """How many chunks a file of `size` bytes has; an empty file has none."""
    return -(-size // CHUNK_SIZE)


def chunk_length(size: int, index: int) -> int:
    """The length of chunk `index` of a file of `size` bytes: `CHUNK_SIZE`, or what is left for the last one."""
    return min(CHUNK_SIZE, size - index * CHUNK_SIZE)


def spans(size: int) -> Iterator[tuple[int, int]]:
    """The (offset, length) of each chunk of a file of `size` bytes."""
    for offset in range(0, size, CHUNK_SIZE):
        yield offset, min(CHUNK_SIZE, size - offset)


def file_digest(size: int, chunks: Sequence[str]) -> str:
    """The digest of a file, in hex, from the digests of its chunks in order.

    Up to `CHUNK_SIZE` bytes it is the plain SHA-256 of the file; above, the SHA-256 over a domain line and the raw
    chunk digests. The two can never be confused, because a digest stands beside the file's size wherever it is used.

    Raises:
        ValueError: the number of chunks is not the one that the size asks for.
    """
    if len(chunks) != chunk_count(size):
        raise ValueError(f"a file of {size} bytes has {chunk_count(size)} chunks, not {len(chunks)}")
    if size == 0:
        return EMPTY_SHA256
    if len(chunks) == 1:
        return chunks[0]
    composite = hashlib.sha256(COMPOSITE_HEADER)
    for chunk in chunks:
        composite.update(bytes.fromhex(chunk))
    return composite.hexdigest()
