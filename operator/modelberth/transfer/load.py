"""Bring a version into a folder: fetched in parallel, verified as it comes, made visible by one rename.

The bytes go into a staging folder beside the target. What a stopped load left there is used again after it was hashed,
and a target that is intact is proved and left alone. Until the rename nobody sees a byte, and nothing unverified is
ever written.
"""

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from modelberth.content.collections import Family
from modelberth.content.errors import FormatError
from modelberth.content.layout import MAX_OBJECT_BYTES, Layout
from modelberth.content.tree import Tree
from modelberth.transfer.errors import TransferError
from modelberth.transfer.fetch import Fetcher
from modelberth.transfer.files import sync_folder
from modelberth.transfer.http import Http
from modelberth.transfer.plan import Job, Plan
from modelberth.transfer.progress import Progress
from modelberth.transfer.registry_client import RegistryClient
from modelberth.transfer.staging import Staging, remove, staging_path
from modelberth.transfer.urls import UrlPages
from modelberth.transfer.verify import Difference, compare_folder
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
    folder: str | None = None,
    family: Family = "models",
) -> Loaded:
    """Make `target` the folder with this digest, or one folder of it.

    Args:
        client: the registry.
        http: the connections to the store.
        digest: of the tree, `sha256:<hex>`.
        target: the folder; the ones above it are made. It may exist: intact, it is left alone.
        workers: how many threads fetch, verify and write; each holds 8 MiB.
        progress: counts the bytes that are there.
        replace: whether a target that holds something else is replaced by the version.
        folder: loads what is below this folder only, with paths from there on; None for everything. It is proven by
            the digest of the whole all the same.
        family: whose content it is asked for as.

    Raises:
        Damaged: an object of the store is not what it should be; nothing became visible.
        TransferError: the target is something else, there is no such folder, or the version could not be read.
        OSError: the disk is full or may not be written.
    """
    whole = client.tree(digest, family=family)
    layout = client.layout(digest, family=family)
    check_complete(whole, layout)
    tree = whole if folder is None else part_of(whole, folder)
    target = os.path.abspath(target)
    parent = os.path.dirname(target)
    os.makedirs(parent, exist_ok=True)
    with _alone_in(parent) as alone:
        differences = _existing(tree, layout, target, workers=workers, progress=progress)
        if differences == []:
            return Loaded(target, digest, tree.file_count, tree.size_bytes, 0)
        if differences and not replace:
            raise _occupied(target, digest if folder is None else f"{digest}#{folder}", differences)
        staging = Staging(tree, layout, staging_path(target, tree.digest))
        lacking = staging.prepare(workers=workers, progress=progress)
        plan = Plan(layout, lacking)
        urls = UrlPages(client, digest, plan.objects, family=family)
        fetcher = Fetcher(http, urls, layout, patience=client.patience, arrived=progress.add)
        _fetch(fetcher, staging, plan, workers=workers, progress=progress)
        staging.settle(workers=workers)
        _swap_in(staging.path, target)
        if alone:
            _remove_left_overs(target)
    return Loaded(target, digest, tree.file_count, tree.size_bytes, plan.size)


def part_of(tree: Tree, folder: str) -> Tree:
    """One folder of a tree, as a tree of its own.

    Raises:
        TransferError: names the folders that there are.
    """
    try:
        return tree.below(folder)
    except FormatError as error:
        raise TransferError(f"{tree.digest}: {error}") from None


def check_complete(tree: Tree, layout: Layout) -> None:
    """Refuse a layout that is not this tree's.

    Raises:
        TransferError: names the first thing that does not fit.
    """
    try:
        layout.check_complete(tree)
    except FormatError as error:
        raise TransferError(f"refused: the layout of {tree.digest} does not fit its tree: {error}") from None


def _existing(tree: Tree, layout: Layout, target: str, *, workers: int, progress: Progress) -> list[Difference] | None:
    """How an existing target differs from the tree; None when there is none or an empty folder."""
    if not os.path.lexists(target):
        return None
    if os.path.islink(target) or not os.path.isdir(target):
        raise TransferError(f"{target} is not a folder (links are not followed): remove it or choose another one")
    if os.path.ismount(target):
        raise TransferError(f"{target} is a mount point and cannot be replaced by a rename: choose a folder below it")
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


def _fetch(fetcher: Fetcher, staging: Staging, plan: Plan, *, workers: int, progress: Progress) -> None:
    """Fetch what the staging folder lacks."""
    free = shutil.disk_usage(staging.path).free
    if plan.size > free:
        raise TransferError(f"{staging.path}: {plan.size} more bytes are needed and {free} are free")
    buffers = Buffers(MAX_OBJECT_BYTES)
    progress.begin("load", plan.size)

    def work(job: Job) -> None:
        staging.write(job, fetcher.fetch(job.wanted, buffers.mine()))

    for_each(plan.jobs(), work, workers=workers)


def _swap_in(staging: str, target: str) -> None:
    """Make the staging folder the target. The moment without a target is as short as a rename."""
    folder, name = os.path.split(target)
    old = os.path.join(folder, f".{name}.old.partial")
    if os.path.lexists(old):
        remove(old)
    if os.path.lexists(target):
        os.rename(target, old)
    os.rename(staging, target)
    sync_folder(folder)
    if os.path.lexists(old):
        remove(old)


def _remove_left_overs(target: str) -> None:
    """Remove what stopped loads of other versions left beside the target; only the holder of the lock may."""
    folder, name = os.path.split(target)
    for entry in os.listdir(folder):
        if entry.startswith(f".{name}.") and entry.endswith(".partial"):
            remove(os.path.join(folder, entry))


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
