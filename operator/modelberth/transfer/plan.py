"""Which runs of which objects bring the chunks that a folder lacks, and where in the folder each chunk goes."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from modelberth.content.chunks import CHUNK_SIZE
from modelberth.content.layout import Layout
from modelberth.content.tree import Entry
from modelberth.transfer.fetch import Wanted

Lacking = tuple[Entry, int]
"""A chunk that is not there: the file, and the chunk's index in it."""


@dataclass(frozen=True, slots=True)
class Job:
    """One run to fetch, and for each of its chunks the places: (index into `wanted.chunks`, entry, offset in file)."""

    wanted: Wanted
    places: tuple[tuple[int, Entry, int], ...]


class Plan:
    """The jobs that bring some chunks, in the order in which their objects are first needed.

    A chunk that several files have is fetched once. Of a pack only the run from the first to the last needed chunk is
    fetched. Jobs are made when they are drawn: with very many small files all of them at once would be most of the
    loader's memory.

    Args:
        layout: complete for the tree.
        lacking: what is to be brought.

    Attributes:
        objects: the numbers of the objects, in the order of the jobs.
        size: of all runs together, in bytes.
    """

    def __init__(self, layout: Layout, lacking: Iterable[Lacking]) -> None:
        self._layout = layout
        self._lacking: dict[int, list[Lacking]] = {}
        for chunk in lacking:
            entry, index = chunk
            number = layout.chunks[layout.chunks_of(entry)[index]].object
            self._lacking.setdefault(number, []).append(chunk)
        self.objects = list(self._lacking)
        self.size = sum(self._run(number)[1] for number in self.objects)

    def jobs(self) -> Iterator[Job]:
        """The jobs; to be drawn once."""
        for number in self.objects:
            yield self._job(number)

    def _job(self, number: int) -> Job:
        chunks: dict[str, list[tuple[Entry, int]]] = {}
        for entry, index in self._lacking[number]:
            digest = self._layout.chunks_of(entry)[index]
            chunks.setdefault(digest, []).append((entry, index * CHUNK_SIZE))
        pieces = [(self._layout.chunks[digest].offset, self._layout.chunks[digest].length, digest) for digest in chunks]
        places = tuple((at, *place) for at, found in enumerate(chunks.values()) for place in found)
        return Job(Wanted(number, *self._run(number), tuple(pieces)), places)

    def _run(self, number: int) -> tuple[int, int]:
        """(start, length) of what is needed of an object."""
        pieces = [self._layout.chunks[self._layout.chunks_of(entry)[index]] for entry, index in self._lacking[number]]
        start = min(piece.offset for piece in pieces)
        return start, max(piece.offset + piece.length for piece in pieces) - start
