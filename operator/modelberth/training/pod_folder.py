"""The folder that the containers of a run's pod share, read as what it is: something that a stranger has written to.

The program may have put a link to our token in the place of any file. So nothing here follows a link, waits for a FIFO
or reads more than it has to.
"""

import json
import os
import stat
from collections.abc import Iterator, Mapping
from typing import Any

RUN, PACKAGE, DATA, EVALUATION, HOME, BIN, FILES = "run", "package", "data", "evaluation", "home", "bin", "files"
"""Folders: of what the harness writes, of the package (where the program runs and saves), of the data, of the program's
home, of the harness itself, and of what the report sends besides the version.
"""
CONFIG, PHASE, LOCK, LOADING, OUTCOME, LOG = "config.json", "phase.json", "lock", "loading.json", "outcome.json", "log"
"""Files in the folder `run`."""
WATCHED = "watched"
"""A file there, too: says that the report holds the lock's file, which the harness waits for; it holds the seal."""
_BLOCK = 1024 * 1024
_LARGEST = 16 * 1024 * 1024


class PodFolder:
    """`/modelberth` of a run's pod.

    Args:
        root: its path.
    """

    def __init__(self, root: str) -> None:
        self.root = os.path.abspath(root)

    def path(self, *parts: str) -> str:
        """A path in it."""
        return os.path.join(self.root, *parts)

    def open(self, name: str) -> int:
        """A descriptor to read a file of the folder `run`.

        Raises:
            OSError: it is not there, or is no plain file.
        """
        folder = os.open(self.path(RUN), os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
        finally:
            os.close(folder)
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            os.close(fd)
            raise OSError(f"{name} is no file")
        return fd

    def lock(self) -> int | None:
        """The run's lock, as it is in its place now; None where it is gone."""
        try:
            return self.open(LOCK)
        except OSError:
            return None

    def mark(self, name: str) -> None:
        """Make an empty file in the folder `run`, if there is none.

        Raises:
            OSError: it cannot be made.
        """
        path = self.path(RUN, name)
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK, 0o644))

    def put(self, name: str, value: Mapping[str, Any]) -> None:
        """Write an object to a file of the folder `run` at once: whoever sees it sees all of it.

        Raises:
            OSError: it cannot be written.
        """
        with open(self.path(RUN, f"{name}.new"), "w", encoding="utf-8") as file:
            json.dump(value, file)
        os.rename(self.path(RUN, f"{name}.new"), self.path(RUN, name))

    def has(self, name: str) -> bool:
        """Whether there is such a file in the folder `run`."""
        try:
            os.close(self.open(name))
        except OSError:
            return False
        return True

    def json(self, name: str) -> dict[str, Any]:
        """An object in the folder `run`; empty where there is none, or nothing that can be read as one."""
        try:
            with os.fdopen(self.open(name), "rb") as file:
                value = json.loads(file.read(_LARGEST))
        except (OSError, ValueError, RecursionError):
            return {}
        return value if isinstance(value, dict) else {}

    def log(self) -> Iterator[bytes]:
        """The program's output in blocks: its beginning, a line about what was left out, its end."""
        numbers = self._segments()
        yield from self._blocks(LOG)
        if numbers and numbers[0] > 1:
            yield b"\n[ ... the middle of the output was left out ... ]\n"
        for number in numbers:
            yield from self._blocks(f"{LOG}.{number}")

    def log_tail(self, size: int) -> bytes:
        """The last `size` bytes of the output, or fewer."""
        tail = b""
        for number in (*reversed(self._segments()), None):
            name = LOG if number is None else f"{LOG}.{number}"
            try:
                with os.fdopen(self.open(name), "rb") as file:
                    length = os.fstat(file.fileno()).st_size
                    file.seek(max(0, length - (size - len(tail))))
                    tail = file.read(size - len(tail)) + tail
            except OSError:
                continue
            if len(tail) >= size:
                break
        return tail

    def _blocks(self, name: str) -> Iterator[bytes]:
        try:
            fd = self.open(name)
        except OSError:
            return
        with os.fdopen(fd, "rb") as file:
            while block := file.read(_BLOCK):
                yield block

    def _segments(self) -> list[int]:
        try:
            names = os.listdir(self.path(RUN))
        except OSError:
            return []
        suffixes = (name.removeprefix(f"{LOG}.") for name in names if name.startswith(f"{LOG}."))
        return sorted(int(suffix) for suffix in suffixes if suffix.isdecimal() and suffix.isascii())
