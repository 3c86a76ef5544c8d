"""Which runs of which objects bring the chunks that a folder lacks, and where in the folder each chunk goes."""

from collections.abc import Iterable
from dataclasses import dataclass

from modelberth.content.chunks import CHUNK_SIZE
from modelberth.content.layout import Layout
from modelberth.content.tree import Entry
from modelberth.transfer.fetch import Wanted


@dataclass(frozen=True, slots=True)
class Job:
    """One run to fetch, and for each of its chunks the places: (index into `wanted.chunks`, entry, offset in file)."""

    wanted: Wanted
    places: tuple[tuple[int, Entry, int], ...]


def plan(layout: Layout, lacking: Iterable[tuple[Entry, int]]) -> list[Job]:
    """The jobs that bring these chunks, in the order in which their objects are first needed.

    A chunk that several files have is fetched once. Of a pack only the run from the first to the last needed chunk is
    fetched.

    Args:
        layout: complete for the tree.
        lacking: (entry, index of the chunk in it).
    """
    by_object: dict[int, dict[str, list[tuple[Entry, int]]]] = {}
    for entry, index in lacking:
        digest = layout.chunks_of(entry)[index]
        places = by_object.setdefault(layout.chunks[digest].object, {}).setdefault(digest, [])
        places.append((entry, index * CHUNK_SIZE))
    return [_job(layout, number, chunks) for number, chunks in by_object.items()]


def _job(layout: Layout, number: int, chunks: dict[str, list[tuple[Entry, int]]]) -> Job:
    pieces = [(layout.chunks[digest].offset, layout.chunks[digest].length, digest) for digest in chunks]
    start = min(offset for offset, _, _ in pieces)
    end = max(offset + length for offset, length, _ in pieces)
    places = tuple((at, *place) for at, found in enumerate(chunks.values()) for place in found)
    return Job(Wanted(number, start, end - start, tuple(pieces)), places)
