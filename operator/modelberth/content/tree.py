"""The tree: what a version *is*. A canonical text whose SHA-256 is the version's digest.

    modelberth-tree/1
    <type> <hex> <size> <path>

One line per entry, sorted by the UTF-8 bytes of the path; types: `f` file, `x` executable file, `d` empty folder.
Where the bytes lie is the layout's business (layout.py) and never part of the identity.
"""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Literal, Self, cast

from modelberth.content.chunks import CHUNK_SIZE, EMPTY_SHA256, is_hex_digest
from modelberth.content.errors import FormatError, TooLarge
from modelberth.content.lines import MAX_NUMBER, LineSplitter, parse_number
from modelberth.content.paths import MAX_PATH_BYTES, PathSet, escape

TREE_HEADER = b"modelberth-tree/1\n"
MAX_TREE_ENTRIES = 250_000
MAX_TREE_BYTES = 32 * 1024 * 1024
FOLDER_HEX = "0" * 64

EntryType = Literal["f", "x", "d"]

_MAX_LINE = 2 + 65 + 20 + MAX_PATH_BYTES + 1
_FEED = 1024 * 1024
_SHOWN_FOLDERS = 20


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of a tree.

    Attributes:
        type: `f` file, `x` executable file, `d` empty folder.
        digest: the file's digest in hex (see chunks.file_digest); 64 zeros for a folder.
        size: in bytes.
        path: relative, `/` between its parts.
    """

    type: EntryType
    digest: str
    size: int
    path: str

    @property
    def is_file(self) -> bool:
        """Whether there are bytes to it (possibly none)."""
        return self.type != "d"

    @property
    def is_large(self) -> bool:
        """Whether the digest is made from the digests of several chunks."""
        return self.size > CHUNK_SIZE

    def to_line(self) -> bytes:
        """The entry's line with its newline."""
        return f"{self.type} {self.digest} {self.size} {self.path}\n".encode()


@dataclass(frozen=True, slots=True)
class Tree:
    """The entries of a version in their order, and the digest over their text (`sha256:<hex>`)."""

    entries: tuple[Entry, ...]
    digest: str

    @classmethod
    def build(cls, entries: Iterable[Entry]) -> Self:
        """The tree of these entries, in whatever order they come.

        Raises:
            FormatError: an entry that no tree may hold; `UnsafePath` and `TooLarge` are kinds of it.
        """
        ordered = sorted(entries, key=lambda entry: entry.path.encode(errors="surrogatepass"))
        checker = _EntryChecker()
        hasher = hashlib.sha256(TREE_HEADER)
        size = len(TREE_HEADER)
        for entry in ordered:
            checker.check(entry)
            line = entry.to_line()
            size += len(line)
            if size > MAX_TREE_BYTES:
                raise TooLarge(
                    f"tree: more than {MAX_TREE_BYTES} bytes; pack folders with very many files into an archive"
                )
            hasher.update(line)
        return cls(tuple(ordered), "sha256:" + hasher.hexdigest())

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """The tree that this text is.

        Raises:
            FormatError: it is not canonical or breaks a rule; `UnsafePath` and `TooLarge` are kinds of it.
        """
        parser = TreeParser()
        entries: list[Entry] = []
        for start in range(0, len(data), _FEED):
            entries += parser.feed(data[start : start + _FEED])
        return cls(tuple(entries), parser.close())

    def lines(self) -> Iterator[bytes]:
        """The canonical text, line by line."""
        yield TREE_HEADER
        for entry in self.entries:
            yield entry.to_line()

    def to_bytes(self) -> bytes:
        """The canonical text."""
        return b"".join(self.lines())

    def below(self, folder: str) -> "Tree":
        """The folder's own tree: its entries, with their paths from there on.

        Raises:
            FormatError: there is no such folder; names those that there are.
        """
        prefix = f"{folder}/"
        inside = [
            replace(entry, path=entry.path[len(prefix) :]) for entry in self.entries if entry.path.startswith(prefix)
        ]
        if not inside and not any(entry.path == folder and not entry.is_file for entry in self.entries):
            raise FormatError(f"folder {escape(folder)} is not there; {self._what_folders()}")
        return Tree.build(inside)

    def _what_folders(self) -> str:
        found: set[str] = set()
        for entry in self.entries:
            folder = entry.path.rpartition("/")[0] if entry.is_file else entry.path
            while folder and folder not in found:
                found.add(folder)
                folder = folder.rpartition("/")[0]
        if not found:
            return "there are no folders"
        shown = sorted(found, key=lambda folder: (folder.count("/"), folder))
        more = f" and {len(shown) - _SHOWN_FOLDERS} more" if len(shown) > _SHOWN_FOLDERS else ""
        return "the folders are " + ", ".join(map(escape, shown[:_SHOWN_FOLDERS])) + more

    @property
    def file_count(self) -> int:
        """How many files there are, empty ones included."""
        return sum(entry.is_file for entry in self.entries)

    @property
    def size_bytes(self) -> int:
        """The bytes of all files, as loaded into a folder."""
        return sum(entry.size for entry in self.entries)


class TreeParser:
    """Reads a tree as it comes in, in bounded memory: nothing but paths already seen and one unfinished line is kept.

    A text that breaks a rule is refused at the first line that does, however much would follow.
    """

    def __init__(self) -> None:
        self._lines = LineSplitter("tree", max_bytes=MAX_TREE_BYTES, max_line=_MAX_LINE)
        self._hasher = hashlib.sha256()
        self._checker = _EntryChecker()
        self._has_header = False
        self._last_path = b""

    def feed(self, data: bytes) -> list[Entry]:
        """The entries that this piece of the text completes.

        Raises:
            FormatError: a rule is broken; `UnsafePath` and `TooLarge` are kinds of it.
        """
        lines = self._lines.feed(data)
        self._hasher.update(data)
        if lines and not self._has_header:
            _check_header(lines.pop(0))
            self._has_header = True
        return [self._entry(line) for line in lines]

    def close(self) -> str:
        """Say that the text ends here.

        Returns:
            The digest, `sha256:<hex>`.

        Raises:
            FormatError: the text is cut off.
        """
        self._lines.close()
        if not self._has_header:
            raise FormatError(f"tree: the first line is not {TREE_HEADER.decode().strip()!r}")
        return "sha256:" + self._hasher.hexdigest()

    def _entry(self, line: bytes) -> Entry:
        entry = _parse_line(line)
        path = entry.path.encode()
        if path <= self._last_path:
            raise FormatError(f"tree: path {escape(entry.path)} is out of order or doubled (sorted by UTF-8 bytes)")
        self._last_path = path
        self._checker.check(entry)
        return entry


def _check_header(line: bytes) -> None:
    if line + b"\n" != TREE_HEADER:
        raise FormatError(f"tree: the first line is not {TREE_HEADER.decode().strip()!r}")


def _parse_line(line: bytes) -> Entry:
    try:
        text = line.decode()
    except UnicodeDecodeError:
        raise FormatError(f"tree: line {line[:300]!a} is not UTF-8") from None
    fields = text.split(" ", 3)
    if len(fields) != 4:
        raise FormatError(f"tree: line {escape(text)} is not '<type> <hex> <size> <path>'")
    entry = Entry(cast("EntryType", fields[0]), fields[1], parse_number(fields[2], "tree: size"), fields[3])
    if entry.to_line()[:-1] != line:
        raise FormatError(f"tree: line {escape(text)} is not canonical")
    return entry


class _EntryChecker:
    """The rules that every entry keeps, whether it is read or about to be written."""

    def __init__(self) -> None:
        self._paths = PathSet()
        self._count = 0
        self._total = 0

    def check(self, entry: Entry) -> None:
        self._count += 1
        if self._count > MAX_TREE_ENTRIES:
            raise TooLarge(
                f"tree: more than {MAX_TREE_ENTRIES} entries; pack folders with very many files into an archive"
            )
        self._paths.add(entry.path)
        _check_content(entry)
        self._total += entry.size
        if self._total > MAX_NUMBER:
            raise TooLarge(f"tree: the files have more than {MAX_NUMBER} bytes together")


def _check_content(entry: Entry) -> None:
    where = f"tree: path {escape(entry.path)}"
    if entry.type not in ("f", "x", "d"):
        raise FormatError(f"{where}: unknown type {entry.type[:40]!a}; f, x and d are known")
    if not is_hex_digest(entry.digest):
        raise FormatError(f"{where}: the digest is not 64 lower-case hexadecimal digits")
    if entry.type == "d" and (entry.digest != FOLDER_HEX or entry.size != 0):
        raise FormatError(f"{where}: an empty folder has 64 zeros for its digest and the size 0")
    if entry.type != "d" and (entry.size == 0) != (entry.digest == EMPTY_SHA256):
        raise FormatError(f"{where}: the size 0 and the digest of no bytes belong together")
