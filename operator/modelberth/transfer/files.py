"""Files below a folder, without following a link anywhere on the way; the differences between systems live here."""

import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from typing import Self

from modelberth.content.paths import escape
from modelberth.transfer.errors import TransferError

BLOCK = 1024 * 1024  # bytes per read: hashed while they are in the processor's cache

NOFOLLOW: int = getattr(os, "O_NOFOLLOW", 0)
BINARY: int = getattr(os, "O_BINARY", 0)
NONBLOCK: int = getattr(os, "O_NONBLOCK", 0)  # opening a FIFO that took a file's place must not wait for a writer

_DIRECTORY: int = getattr(os, "O_DIRECTORY", 0)
_HAS_DIR_FD = os.open in os.supports_dir_fd and bool(NOFOLLOW)


def read_at(fd: int, block: memoryview, offset: int) -> int:
    """Fill `block` from `offset`, as far as the file goes; the descriptor must not be shared between threads.

    Returns:
        How many bytes were read; less than the block has at the end of the file only.
    """
    filled = 0
    while filled < len(block):
        if hasattr(os, "preadv"):
            count = os.preadv(fd, [block[filled:]], offset + filled)
        else:
            os.lseek(fd, offset + filled, os.SEEK_SET)
            data = os.read(fd, len(block) - filled)
            count = len(data)
            block[filled : filled + count] = data
        if not count:
            break
        filled += count
    return filled


def sha256_at(fd: int, offset: int, length: int, buffer: memoryview) -> str | None:
    """The SHA-256 in hex of a run of bytes, read through `buffer`; None when the file ends before."""
    hasher = hashlib.sha256()
    end = offset + length
    while offset < end:
        block = buffer[: min(len(buffer), end - offset)]
        if read_at(fd, block, offset) < len(block):
            return None
        hasher.update(block)
        offset += len(block)
    return hasher.hexdigest()


def write_at(fd: int, data: memoryview, offset: int) -> None:
    """Write all of `data` at `offset`; the descriptor must not be shared between threads (Windows seeks)."""
    if not hasattr(os, "pwrite"):
        os.lseek(fd, offset, os.SEEK_SET)
    while data:
        written = os.pwrite(fd, data, offset) if hasattr(os, "pwrite") else os.write(fd, data)
        data = data[written:]
        offset += written


def set_mode(fd: int, mode: int) -> None:
    """Set a file's permissions whatever the umask, where the system has them."""
    if hasattr(os, "fchmod"):
        os.fchmod(fd, mode)


def sync_folder(path: str) -> None:
    """Bring a folder's own entries to the disk, where the system lets folders be opened."""
    if _HAS_DIR_FD:
        fd = os.open(path, os.O_RDONLY | _DIRECTORY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)


class Root:
    """A folder whose content is reached part by part, refusing links: none of its paths can lead out of it.

    Where the system has no `dir_fd` (Windows) each part is looked at before it is used.

    Raises:
        TransferError: a part of a path is a link, or not a folder.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._fd = os.open(path, os.O_RDONLY | _DIRECTORY | NOFOLLOW) if _HAS_DIR_FD else -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._fd >= 0:
            os.close(self._fd)

    def open(self, path: str, flags: int, mode: int = 0o600, *, make_folders: bool = False) -> int:
        """A descriptor of the file at `path` (`/` between its parts); the caller closes it."""
        *folders, name = path.split("/")
        parent = self._parent(folders, path, make_folders=make_folders)
        try:
            if parent is None:
                location = os.path.join(self.path, *folders, name)
                _refuse_link(location, path)
                return os.open(location, flags | BINARY, mode)
            return os.open(name, flags | NOFOLLOW, mode, dir_fd=parent)
        except OSError as error:
            raise self._failed(path, error) from None
        finally:
            self._close(parent)

    def make_folder(self, path: str) -> None:
        """Make a folder and those above it."""
        self._close(self._parent(path.split("/"), path, make_folders=True))

    def sync_folders(self) -> None:
        """Bring the folders themselves to the disk, deepest first, so that no file in them is lost in a crash."""
        for folder, _, _ in os.walk(self.path, topdown=False):
            sync_folder(folder)

    def walk(self) -> Iterator[tuple[str, os.stat_result]]:
        """(path, state) of everything below, links not followed; a folder comes before what it holds."""
        yield from _walk(self.path, "")

    def _parent(self, folders: list[str], path: str, *, make_folders: bool) -> int | None:
        """A descriptor of the folder, to be closed with `_close`; None where there are no folder descriptors."""
        if not _HAS_DIR_FD:
            self._check_parts(folders, path, make_folders=make_folders)
            return None
        fd = self._fd
        try:
            for name in folders:
                below = _open_folder(fd, name, make=make_folders)
                self._close(fd)
                fd = below
        except OSError as error:
            self._close(fd)
            raise self._failed(path, error) from None
        return fd

    def _check_parts(self, folders: list[str], path: str, *, make_folders: bool) -> None:
        location = self.path
        for name in folders:
            location = os.path.join(location, name)
            _refuse_link(location, path)
            if make_folders and not os.path.isdir(location):
                os.mkdir(location)

    def _close(self, fd: int | None) -> None:
        if fd is not None and fd != self._fd:
            os.close(fd)

    def _failed(self, path: str, error: OSError) -> TransferError:
        return TransferError(
            f"{escape(path)} in {self.path} cannot be opened without following links: {error.strerror}"
        )


def _open_folder(parent: int, name: str, *, make: bool) -> int:
    flags = os.O_RDONLY | _DIRECTORY | NOFOLLOW
    try:
        return os.open(name, flags, dir_fd=parent)
    except FileNotFoundError:
        if not make:
            raise
    with suppress(FileExistsError):  # another thread was first
        os.mkdir(name, 0o755, dir_fd=parent)
    fd = os.open(name, flags, dir_fd=parent)
    os.fchmod(fd, 0o755)  # whatever the umask: the server may run as another user
    return fd


def _refuse_link(location: str, path: str) -> None:
    if os.path.islink(location):
        raise TransferError(f"{escape(path)}: {location} is a link; links are not followed")


def _walk(folder: str, prefix: str) -> Iterator[tuple[str, os.stat_result]]:
    with os.scandir(folder) as found:
        entries = sorted(found, key=lambda entry: entry.name)
    for entry in entries:
        path = prefix + entry.name
        status = os.lstat(entry.path)
        yield path, status
        if stat.S_ISDIR(status.st_mode):
            yield from _walk(entry.path, path + "/")
