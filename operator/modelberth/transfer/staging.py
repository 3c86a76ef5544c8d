"""The folder beside the target in which a version is put together, chunk by verified chunk."""

import os
import shutil
import stat
from collections.abc import Iterable, Mapping, Sequence

from modelberth.content.layout import Layout
from modelberth.content.tree import Entry, Tree
from modelberth.transfer.errors import TransferError
from modelberth.transfer.files import Root, set_mode, write_at
from modelberth.transfer.plan import Job, Lacking
from modelberth.transfer.progress import Progress
from modelberth.transfer.verify import Shape, damaged_chunks
from modelberth.transfer.workers import for_each


class Staging:
    """The folder beside the target in which the version is put together. Its name holds the digest, so that the next
    start finds what this one had.
    """

    def __init__(self, tree: Tree, layout: Layout, path: str) -> None:
        self.tree = tree
        self.layout = layout
        self.path = path

    def prepare(self, *, workers: int, progress: Progress) -> list[Lacking]:
        """Remove what does not belong, make folders and empty files, and find out which chunks are lacking.

        Returns:
            All that must be fetched, in the tree's order.
        """
        if os.path.islink(self.path):
            raise TransferError(f"{self.path} is a link: remove it")
        os.makedirs(self.path, exist_ok=True)
        os.chmod(self.path, 0o755)  # noqa: S103 (a server that runs as another user reads it)
        with Root(self.path) as root:
            kept = self._remove_foreign(root)
            for entry in self.tree.entries:
                if not entry.is_file:
                    root.make_folder(entry.path)
                elif entry.size == 0:
                    self._write_file(root, entry, memoryview(b""), 0)
            old = [entry for entry in self.tree.entries if entry.path in kept and entry.size]
            progress.begin("verify", sum(entry.size for entry in old))
            damaged: dict[str, list[int]] = {}
            for entry, index in damaged_chunks(root, old, self.layout, workers=workers, progress=progress):
                damaged.setdefault(entry.path, []).append(index)
        return [(entry, index) for entry in self.tree.entries for index in self._lacking_of(entry, kept, damaged)]

    def _lacking_of(self, entry: Entry, kept: set[str], damaged: Mapping[str, Sequence[int]]) -> Iterable[int]:
        if entry.path in kept:
            return sorted(damaged.get(entry.path, ()))
        return range(len(self.layout.chunks_of(entry)))

    def write(self, job: Job, run: memoryview) -> None:
        """Put verified chunks where they belong."""
        with Root(self.path) as root:
            for at, entry, offset in job.places:
                place, length, _ = job.wanted.chunks[at]
                begin = place - job.wanted.start
                self._write_file(root, entry, run[begin : begin + length], offset)

    def settle(self, *, workers: int) -> None:
        """Give the files their modes and bring everything to the disk, files first."""
        with Root(self.path) as root:
            files = (entry for entry in self.tree.entries if entry.is_file)
            for_each(files, lambda entry: _settle_file(root, entry), workers=workers)
            root.sync_folders()

    def _remove_foreign(self, root: Root) -> set[str]:
        """Remove what the tree does not have; returns the paths of files that may hold some of it already."""
        shape = Shape(self.tree)
        sizes = {entry.path: entry.size for entry in self.tree.entries if entry.is_file}
        kept: set[str] = set()
        foreign: list[str] = []
        for path, status in root.walk():
            if foreign and path.startswith(foreign[-1] + "/"):
                continue
            if stat.S_ISREG(status.st_mode) and status.st_size <= sizes.get(path, -1):
                kept.add(path)
            elif shape.why_not(path, status):
                foreign.append(path)
        for path in foreign:
            remove(os.path.join(self.path, path))
        return kept

    @staticmethod
    def _write_file(root: Root, entry: Entry, data: memoryview, offset: int) -> None:
        fd = root.open(entry.path, os.O_WRONLY | os.O_CREAT, make_folders=True)
        try:
            write_at(fd, data, offset)
        finally:
            os.close(fd)


def _settle_file(root: Root, entry: Entry) -> None:
    fd = root.open(entry.path, os.O_RDWR)
    try:
        set_mode(fd, 0o755 if entry.type == "x" else 0o644)
        os.fsync(fd)
    finally:
        os.close(fd)


def staging_path(target: str, digest: str) -> str:
    """Where the staging folder of a target lies: beside it, so that a rename is enough."""
    folder, name = os.path.split(target)
    return os.path.join(folder, f".{name}.{digest.removeprefix('sha256:')[:16]}.partial")


def remove(path: str) -> None:
    """Remove a file, a link or a folder with all that is in it."""
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
    else:
        os.unlink(path)
