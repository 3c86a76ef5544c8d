"""What lies in a folder that is to be pushed, and its digests.

Links inside of the folder are followed (a Hugging Face cache is all links). Links that leave it, FIFOs, sockets and
devices are refused with their path, and so is a file that changes between the first look at it and the last.
"""

import os
import stat
import struct
import sys
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

from modelberth.content.chunks import CHUNK_SIZE, EMPTY_SHA256, chunk_count, file_digest, spans
from modelberth.content.errors import TooLarge
from modelberth.content.paths import check_path, escape
from modelberth.content.tree import FOLDER_HEX, MAX_TREE_ENTRIES, Entry, EntryType, Tree
from modelberth.transfer.errors import SourceRefused
from modelberth.transfer.files import BINARY, BLOCK, NOFOLLOW, NONBLOCK, read_at, sha256_at
from modelberth.transfer.progress import Progress
from modelberth.transfer.workers import Buffers, for_each

MAX_DEPTH = 200
"""Folders in folders; far more than people make, and few enough for every program that walks through them."""
_KINDS = {
    stat.S_IFIFO: "a FIFO",
    stat.S_IFSOCK: "a socket",
    stat.S_IFBLK: "a block device",
    stat.S_IFCHR: "a character device",
}


@dataclass(frozen=True, slots=True)
class Source:
    """An entry of the folder as it was found.

    Attributes:
        path: in the tree.
        type: as in the tree.
        size: in bytes.
        location: the file itself when a link or another spelling leads there; None when it lies at `path`.
        state: which file it is and when it last changed; b"" for folders.
    """

    path: str
    type: EntryType
    size: int
    location: str | None
    state: bytes


@dataclass(frozen=True, slots=True)
class Folder:
    """A scanned folder: where it is, its tree, its sources in the tree's order, and the chunks of its large files."""

    root: str
    tree: Tree
    sources: tuple[Source, ...]
    large: dict[str, tuple[str, ...]]

    def chunks_of(self, entry: Entry) -> tuple[str, ...]:
        """The digests of the entry's chunks, in order."""
        if not entry.is_file or entry.size == 0:
            return ()
        return self.large[entry.digest] if entry.is_large else (entry.digest,)

    def check_unchanged(self) -> None:
        """Look at every file once more.

        Raises:
            SourceRefused: one is not the file that was scanned any more; the message names it.
        """
        for source in self.sources:
            if source.type != "d":
                try:
                    state = _state(os.lstat(_location(self.root, source)))
                except OSError:
                    raise changed(source) from None
                if state != source.state:
                    raise changed(source)


def scan(root: str, *, workers: int, progress: Progress) -> Folder:
    """Look at every file of a folder and hash it, on several threads.

    Raises:
        SourceRefused: something in it cannot be part of a version, or changed meanwhile; the message names its path.
        FormatError: a path that no tree may hold, or too many files.
    """
    try:
        base = os.path.realpath(root, strict=True)
    except OSError as error:
        raise SourceRefused(f"{escape(root)}: {error.strerror}") from None
    if not os.path.isdir(base):
        raise SourceRefused(f"{escape(root)} is not a folder: push the folder that holds the file")
    sources = list(_walk(base))
    if not sources:
        raise SourceRefused(f"{escape(root)} is empty: there is nothing to push")
    sources.sort(key=lambda source: source.path.encode())
    progress.begin("hash", sum(source.size for source in sources))
    digests = _Digests(base, sources, progress)
    for_each(digests.tasks(), digests.hash, workers=workers)
    entries = [
        Entry(source.type, digests.of(number), source.size, source.path) for number, source in enumerate(sources)
    ]
    large = {entry.digest: digests.chunks(number) for number, entry in enumerate(entries) if entry.is_large}
    return Folder(base, Tree.build(entries), tuple(sources), large)


class _Digests:
    """The digests of all sources, filled in by many threads: a task is one chunk, so one large file keeps all busy."""

    def __init__(self, root: str, sources: list[Source], progress: Progress) -> None:
        self._root = root
        self._sources = sources
        self._progress = progress
        self._small: list[str] = [""] * len(sources)
        self._large: dict[int, list[str]] = {
            number: [""] * chunk_count(source.size) for number, source in enumerate(sources) if source.size > CHUNK_SIZE
        }
        self._buffers = Buffers(BLOCK)

    def tasks(self) -> Iterator[tuple[int, int, int]]:
        """(number of the source, offset, length) of every chunk."""
        for number, source in enumerate(self._sources):
            for offset, length in spans(source.size):
                yield number, offset, length

    def hash(self, task: tuple[int, int, int]) -> None:
        number, offset, length = task
        with Reader(self._root, self._sources[number]) as reader:
            digest = reader.digest(offset, length, self._buffers.mine())
        if number in self._large:
            self._large[number][offset // CHUNK_SIZE] = digest
        else:
            self._small[number] = digest
        self._progress.add(length)

    def of(self, number: int) -> str:
        source = self._sources[number]
        if source.type == "d":
            return FOLDER_HEX
        if source.size == 0:
            return EMPTY_SHA256
        return file_digest(source.size, self.chunks(number)) if number in self._large else self._small[number]

    def chunks(self, number: int) -> tuple[str, ...]:
        return tuple(self._large[number])


class Reader:
    """An open source file; leaving it proves that the file is still the one that was scanned.

    Raises:
        SourceRefused: the file cannot be read, or has changed.
    """

    def __init__(self, root: str, source: Source) -> None:
        self._source = source
        self._location = _location(root, source)
        self._fd = -1

    def __enter__(self) -> Self:
        try:
            self._fd = os.open(self._location, os.O_RDONLY | NOFOLLOW | NONBLOCK | BINARY)
        except OSError as error:
            raise self._unreadable(error) from None
        try:
            self.check_unchanged()
        except SourceRefused:
            os.close(self._fd)
            raise
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        try:
            if kind is None:
                self.check_unchanged()
        finally:
            os.close(self._fd)

    def read(self, block: memoryview, offset: int) -> None:
        """Fill `block` from `offset`."""
        try:
            filled = read_at(self._fd, block, offset)
        except OSError as error:
            raise self._unreadable(error) from None
        if filled < len(block):
            raise changed(self._source)

    def digest(self, offset: int, length: int, buffer: memoryview) -> str:
        """The SHA-256 of a run of bytes, in hex, read through `buffer`."""
        try:
            digest = sha256_at(self._fd, offset, length, buffer)
        except OSError as error:
            raise self._unreadable(error) from None
        if digest is None:
            raise changed(self._source)
        return digest

    def check_unchanged(self) -> None:
        """Compare the open file with what was scanned."""
        if _state(os.fstat(self._fd)) != self._source.state:
            raise changed(self._source)

    def _unreadable(self, error: OSError) -> SourceRefused:
        return SourceRefused(f"{escape(self._source.path)} cannot be read: {error.strerror}")


def _location(root: str, source: Source) -> str:
    return source.location or os.path.join(root, *source.path.split("/"))


def changed(source: Source) -> SourceRefused:
    """The refusal of a file that something else writes to."""
    return SourceRefused(f"{escape(source.path)} changed during the push: push again when nothing writes to it")


def _state(status: os.stat_result) -> bytes:
    """Which file it is and when it changed, in 40 bytes: there may be 250,000 of them."""
    return struct.pack(
        "<QQQqq",
        status.st_dev & (2**64 - 1),
        status.st_ino & (2**64 - 1),
        status.st_size,
        status.st_mtime_ns,
        status.st_ctime_ns,
    )


def _walk(base: str) -> Iterator[Source]:
    """Every file and every empty folder below `base`, links followed."""
    for count, source in enumerate(_entries_of(base, base, "", (_identity(base),))):
        if count >= MAX_TREE_ENTRIES:
            raise TooLarge(
                f"the folder has more than {MAX_TREE_ENTRIES} files and empty folders; pack some of it into an archive"
            )
        yield source


def _entries_of(base: str, folder: str, prefix: str, above: tuple[tuple[int, int], ...]) -> Iterator[Source]:
    """The entries below one folder.

    Args:
        base: the real path of the pushed folder: no link may lead out of it.
        folder: the real path of this one.
        prefix: its path in the tree, with a slash at its end, or "".
        above: the identities of the folders on the way here: a link to one of them would never end.
    """
    if len(above) > MAX_DEPTH + 1:
        raise SourceRefused(f"{escape(prefix[:-1])} lies more than {MAX_DEPTH} folders deep: pack it into an archive")
    try:
        with os.scandir(folder) as found:
            names = [entry.name for entry in found]
    except OSError as error:
        raise SourceRefused(f"{escape(prefix or '.')} cannot be read: {error.strerror}") from None
    if not names and prefix:
        yield Source(prefix[:-1], "d", 0, None, b"")
    for name in names:
        path = prefix + _spelling(name)
        check_path(path)
        location = os.path.join(folder, name)
        real, status = _follow(base, location, path)
        if stat.S_ISDIR(status.st_mode):
            identity = (status.st_dev, status.st_ino)
            if identity in above:
                raise SourceRefused(f"{escape(path)} is a link to a folder that it lies in: it would never end")
            yield from _entries_of(base, real, path + "/", (*above, identity))
        else:
            at_path = os.path.join(base, *path.split("/"))
            kind: EntryType = "x" if status.st_mode & stat.S_IXUSR and os.name == "posix" else "f"
            yield Source(path, kind, status.st_size, None if real == at_path else real, _state(status))


def _follow(base: str, location: str, path: str) -> tuple[str, os.stat_result]:
    """The real place of an entry and its state, refusing what is neither a file nor a folder inside of `base`."""
    try:
        status = os.lstat(location)
        real = location
        if stat.S_ISLNK(status.st_mode) or os.path.islink(location):
            real = os.path.realpath(location, strict=True)
            status = os.lstat(real)
    except OSError as error:
        why = "is a broken link" if os.path.islink(location) else f"cannot be read: {error.strerror}"
        raise SourceRefused(f"{escape(path)} {why}: remove it or mend it") from None
    if real != location and not (real == base or real.startswith(base.rstrip(os.sep) + os.sep)):
        raise SourceRefused(f"{escape(path)} is a link that leaves the pushed folder: copy the file in its place")
    mode = stat.S_IFMT(status.st_mode)
    if mode not in (stat.S_IFREG, stat.S_IFDIR):
        raise SourceRefused(f"{escape(path)} is {_KINDS.get(mode, 'neither a file nor a folder')}: remove it")
    return real, status


def _spelling(name: str) -> str:
    """The name as the tree spells it. macOS takes both Unicode forms for one file, and its tools write either."""
    return unicodedata.normalize("NFC", name) if sys.platform == "darwin" else name


def _identity(folder: str) -> tuple[int, int]:
    status = os.stat(folder)
    return status.st_dev, status.st_ino
