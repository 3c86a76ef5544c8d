"""Is a folder exactly this tree? Is everything that the store holds of a version intact?"""

import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from modelberth.content.chunks import spans
from modelberth.content.layout import MAX_OBJECT_BYTES, Layout
from modelberth.content.paths import escape
from modelberth.content.tree import Entry, Tree
from modelberth.transfer.fetch import Fetcher, Wanted
from modelberth.transfer.files import BLOCK, NONBLOCK, Root, sha256_at
from modelberth.transfer.progress import Progress
from modelberth.transfer.workers import Buffers, for_each


@dataclass(frozen=True, slots=True)
class Difference:
    """How a folder is not the tree: the path and, in words, why."""

    path: str
    why: str

    def __str__(self) -> str:
        return f"{escape(self.path)} {self.why}"


def compare_folder(tree: Tree, layout: Layout, folder: str, *, workers: int, progress: Progress) -> list[Difference]:
    """Compare a folder with a tree, byte by byte; links are not followed.

    Args:
        tree: what the folder should be.
        layout: complete for the tree; it knows the chunks of large files.
        folder: its path.
        workers: how many threads read and hash.
        progress: counts the bytes read.

    Returns:
        The differences by path; none when the folder is exactly the tree.

    Raises:
        OSError: the folder cannot be read.
    """
    with Root(folder) as root:
        differences = Shape(tree).compare(root)
        different = {difference.path for difference in differences}
        files = [entry for entry in tree.entries if entry.is_file and entry.path not in different]
        progress.begin("verify", sum(entry.size for entry in files))
        damaged = damaged_chunks(root, files, layout, workers=workers, progress=progress)
    differences += [Difference(path, "has other bytes") for path in {entry.path for entry, _ in damaged}]
    return sorted(differences, key=lambda difference: difference.path)


def damaged_chunks(
    root: Root, files: Sequence[Entry], layout: Layout, *, workers: int, progress: Progress
) -> list[tuple[Entry, int]]:
    """The chunks of these files, as (entry, index), that are not what the layout says; missing ones are."""
    buffers = Buffers(BLOCK)
    damaged: list[tuple[Entry, int]] = []

    def check(task: tuple[Entry, int, str, int, int]) -> None:
        entry, index, digest, offset, length = task
        if _digest_at(root, entry.path, offset, length, buffers.mine()) != digest:
            damaged.append((entry, index))
        progress.add(length)

    def tasks() -> Iterator[tuple[Entry, int, str, int, int]]:
        for entry in files:
            for index, (digest, span) in enumerate(zip(layout.chunks_of(entry), spans(entry.size), strict=True)):
                yield entry, index, digest, *span

    for_each(tasks(), check, workers=workers)
    return damaged


def _digest_at(root: Root, path: str, offset: int, length: int, buffer: memoryview) -> str | None:
    fd = root.open(path, os.O_RDONLY | NONBLOCK)
    try:
        return sha256_at(fd, offset, length, buffer)
    finally:
        os.close(fd)


def objects_of(tree: Tree, layout: Layout) -> list[int]:
    """The numbers of the objects that hold the files of a tree, or of one folder of it, in order."""
    return sorted({layout.chunks[digest].object for entry in tree.entries for digest in layout.chunks_of(entry)})


def verify_stored(
    fetcher: Fetcher, layout: Layout, numbers: Sequence[int], *, workers: int, progress: Progress
) -> None:
    """Read these objects of a version, by their numbers, and check every byte, keeping nothing.

    Raises:
        Damaged: names the first object that is not what the layout says.
        TransferError: something could not be read.
    """
    chunks: list[list[tuple[int, int, str]]] = [[] for _ in layout.objects]
    for digest, piece in layout.chunks.items():
        chunks[piece.object].append((piece.offset, piece.length, digest))
    buffers = Buffers(MAX_OBJECT_BYTES)
    sizes = {number: layout.objects[number].size for number in numbers}
    progress.begin("verify", sum(sizes.values()))
    wanted = (Wanted(number, 0, size, tuple(chunks[number])) for number, size in sizes.items())

    def check(item: Wanted) -> None:
        fetcher.fetch(item, buffers.mine())

    for_each(wanted, check, workers=workers)


class Shape:
    """What a folder must look like without its bytes: names, types, sizes, and nothing else."""

    def __init__(self, tree: Tree) -> None:
        self._entries = {entry.path: entry for entry in tree.entries if entry.is_file}
        self._folders: set[str] = set()
        for entry in tree.entries:
            folder = entry.path.rpartition("/")[0] if entry.is_file else entry.path
            while folder and folder not in self._folders:
                self._folders.add(folder)
                folder = folder.rpartition("/")[0]

    def compare(self, root: Root) -> list[Difference]:
        """What is missing, too much, of another type or size."""
        missing = self._entries.keys() | self._folders
        differences = []
        for path, status in root.walk():
            missing.discard(path)
            why = self.why_not(path, status)
            if why:
                differences.append(Difference(path, why))
        return differences + [Difference(path, "is missing") for path in missing]

    def why_not(self, path: str, status: os.stat_result) -> str:
        """Why what lies at this path is not what the tree has there, or nothing."""
        if path in self._folders:
            return "" if stat.S_ISDIR(status.st_mode) else "is not a folder"
        entry = self._entries.get(path)
        if entry is None:
            return "is not part of the version"
        if not stat.S_ISREG(status.st_mode):
            return "is not a file"
        if status.st_size != entry.size:
            return f"has {status.st_size} bytes instead of {entry.size}"
        executable = bool(status.st_mode & stat.S_IXUSR)
        if os.name == "posix" and executable != (entry.type == "x"):
            return "is executable" if executable else "is not executable"
        return ""
