"""Bring a version into a folder: fetched in parallel, verified as it comes, made visible by one rename.

The bytes go into a staging folder beside the target. What a stopped load left there is used again after it was hashed,
and a target that is intact is proved and left alone. Until the rename nobody sees a byte, and nothing unverified is
ever written.
"""

import os
import shutil
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from modelberth.content.layout import MAX_OBJECT_BYTES, Layout
from modelberth.content.tree import Entry, Tree
from modelberth.transfer.errors import TransferError
from modelberth.transfer.fetch import Fetcher
from modelberth.transfer.files import Root, set_mode, sync_folder, write_at
from modelberth.transfer.http import Http
from modelberth.transfer.plan import Job, plan
from modelberth.transfer.progress import Progress
from modelberth.transfer.registry_client import RegistryClient, UrlPages
from modelberth.transfer.verify import Difference, Shape, compare_folder, damaged_chunks
from modelberth.transfer.workers import Buffers, for_each

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

_SHOWN_DIFFERENCES = 3


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a load did: where the version is, its size, and how much of it had to be fetched, in bytes."""

    path: str
    digest: str
    file_count: int
    size_bytes: int
    fetched_bytes: int


def load(
    client: RegistryClient,
    http: Http,
    digest: str,
    target: str,
    *,
    workers: int,
    progress: Progress,
    replace: bool = False,
) -> Loaded:
    """Make `target` the folder with this digest.

    Args:
        client: the registry.
        http: the connections to the store.
        digest: of the tree, `sha256:<hex>`.
        target: the folder; the ones above it are made. It may exist: intact, it is left alone.
        workers: how many threads fetch, verify and write; each holds 8 MiB.
        progress: counts the bytes that are there.
        replace: whether a target that holds something else is replaced by the version.

    Raises:
        Damaged: an object of the store is not what it should be; nothing became visible.
        TransferError: the target is something else, or the version could not be read.
        OSError: the disk is full or may not be written.
    """
    tree = client.tree(digest)
    layout = client.layout(digest)
    check_complete(tree, layout)
    target = os.path.abspath(target)
    parent = os.path.dirname(target)
    os.makedirs(parent, exist_ok=True)
    with _alone_in(parent) as alone:
        differences = _existing(tree, layout, target, workers=workers, progress=progress)
        if differences == []:
            return Loaded(target, digest, tree.file_count, tree.size_bytes, 0)
        if differences and not replace:
            raise _occupied(target, digest, differences)
        staging = _Staging(tree, layout, _staging_path(target, digest))
        lacking = staging.prepare(workers=workers, progress=progress)
        fetched = _fetch(client, http, staging, lacking, workers=workers, progress=progress)
        staging.settle(workers=workers)
        _swap_in(staging.path, target)
        if alone:
            _remove_left_overs(target)
    return Loaded(target, digest, tree.file_count, tree.size_bytes, fetched)


def check_complete(tree: Tree, layout: Layout) -> None:
    """Refuse a layout that is not this tree's.

    Raises:
        TransferError: names the first thing that does not fit.
    """
    try:
        layout.check_complete(tree)
    except ValueError as error:
        raise TransferError(f"refused: the layout of {tree.digest} does not fit its tree: {error}") from None


def _existing(tree: Tree, layout: Layout, target: str, *, workers: int, progress: Progress) -> list[Difference] | None:
    """How an existing target differs from the tree; None when there is none or an empty folder."""
    if not os.path.lexists(target):
        return None
    if os.path.islink(target) or not os.path.isdir(target):
        raise TransferError(f"{target} is not a folder (links are not followed): remove it or choose another one")
    if tree.entries and not os.listdir(target):
        return None
    return compare_folder(tree, layout, target, workers=workers, progress=progress)


def _occupied(target: str, digest: str, differences: Sequence[Difference]) -> TransferError:
    shown = "; ".join(str(difference) for difference in differences[:_SHOWN_DIFFERENCES])
    more = len(differences) - _SHOWN_DIFFERENCES
    return TransferError(
        f"{target} exists and is not {digest}: {shown}"
        + (f"; and {more} more" if more > 0 else "")
        + ". Choose another folder, or let it be replaced (--replace)"
    )


def _fetch(
    client: RegistryClient,
    http: Http,
    staging: "_Staging",
    lacking: list[tuple[Entry, int]],
    *,
    workers: int,
    progress: Progress,
) -> int:
    """Fetch what the staging folder lacks; returns the number of bytes that takes."""
    jobs = plan(staging.layout, lacking)
    needed = sum(job.wanted.length for job in jobs)
    free = shutil.disk_usage(staging.path).free
    if needed > free:
        raise TransferError(f"{staging.path}: {needed} more bytes are needed and {free} are free")
    urls = UrlPages(client, staging.tree.digest, [job.wanted.object for job in jobs])
    fetcher = Fetcher(http, urls, staging.layout, patience=client.patience, arrived=progress.add)
    buffers = Buffers(MAX_OBJECT_BYTES)
    progress.begin("load", needed)

    def work(job: Job) -> None:
        staging.write(job, fetcher.fetch(job.wanted, buffers.mine()))

    for_each(jobs, work, workers=workers)
    return needed


class _Staging:
    """The folder beside the target in which the version is put together. Its name holds the digest, so that the next
    start finds what this one had.
    """

    def __init__(self, tree: Tree, layout: Layout, path: str) -> None:
        self.tree = tree
        self.layout = layout
        self.path = path

    def prepare(self, *, workers: int, progress: Progress) -> list[tuple[Entry, int]]:
        """Remove what does not belong, make folders and empty files, and find out which chunks are lacking.

        Returns:
            (entry, index of the chunk) of all that must be fetched, in the tree's order.
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
            lacking = damaged_chunks(root, old, self.layout, workers=workers, progress=progress)
        places = {entry.path: number for number, entry in enumerate(self.tree.entries)}
        for entry in self.tree.entries:
            if entry.is_file and entry.path not in kept:
                lacking += [(entry, index) for index in range(len(self.layout.chunks_of(entry)))]
        lacking.sort(key=lambda chunk: (places[chunk[0].path], chunk[1]))
        return lacking

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
            _remove(os.path.join(self.path, path))
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


def _staging_path(target: str, digest: str) -> str:
    folder, name = os.path.split(target)
    return os.path.join(folder, f".{name}.{digest.removeprefix('sha256:')[:16]}.partial")


def _swap_in(staging: str, target: str) -> None:
    """Make the staging folder the target. The moment without a target is as short as a rename."""
    folder, name = os.path.split(target)
    old = os.path.join(folder, f".{name}.old.partial")
    if os.path.lexists(old):
        _remove(old)
    if os.path.lexists(target):
        os.rename(target, old)
    os.rename(staging, target)
    sync_folder(folder)
    if os.path.lexists(old):
        _remove(old)


def _remove_left_overs(target: str) -> None:
    """Remove what stopped loads of other versions left beside the target; only the holder of the lock may."""
    folder, name = os.path.split(target)
    for entry in os.listdir(folder):
        if entry.startswith(f".{name}.") and entry.endswith(".partial"):
            _remove(os.path.join(folder, entry))


def _remove(path: str) -> None:
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
    else:
        os.unlink(path)


@contextmanager
def _alone_in(folder: str) -> Iterator[bool]:
    """Wait until no other load works in this folder; yields False where the system has no such locks.

    Two loads of one target, say of two notebooks into one cache, come one after the other, and the second finds the
    work done.
    """
    if fcntl is None:
        yield False
        return
    fd = os.open(folder, os.O_RDONLY)
    try:
        alone = False
        with suppress(OSError):  # some network file systems have no locks
            fcntl.flock(fd, fcntl.LOCK_EX)
            alone = True
        yield alone
    finally:
        os.close(fd)
