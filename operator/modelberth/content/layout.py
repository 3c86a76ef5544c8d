"""The layout: where the bytes of a tree *lie*. Not part of the identity; repacking changes it and never a digest.

    modelberth-layout/1
    o <object sha256> <size> <ulid>                objects, sorted by digest, numbered from 0 in this order
    c <chunk sha256> <object number> <offset> <length>   every distinct chunk, sorted by digest
    f <file digest> <chunk sha256> <chunk sha256> …      every distinct file above 8 MiB, sorted by digest

An object lies at `data/<first two digits>/<sha256>/<ulid>`; it is one chunk, or a pack of small ones (packs.py).
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from modelberth.content.chunks import CHUNK_SIZE, chunk_count, chunk_length, file_digest, is_hex_digest
from modelberth.content.errors import FormatError, TooLarge
from modelberth.content.lines import LineSplitter, parse_number
from modelberth.content.paths import escape
from modelberth.content.tree import Entry, Tree

LAYOUT_HEADER = b"modelberth-layout/1\n"
MAX_LAYOUT_BYTES = 64 * 1024 * 1024
MAX_OBJECT_BYTES = CHUNK_SIZE

_ULID = re.compile(r"[0-7][0-9A-HJKMNP-TV-Z]{25}")
_FEED = 1024 * 1024
_SECTIONS = ("object", "chunk", "file")


def is_ulid(text: str) -> bool:
    """Whether this is a ULID in its one spelling: 26 digits of Crockford's base 32, upper case, at most 128 bits."""
    return _ULID.fullmatch(text) is not None


@dataclass(frozen=True, slots=True)
class StoredObject:
    """An object of the bucket: the SHA-256 of its bytes in hex, its size (1 byte to 8 MiB), its upload's ULID."""

    digest: str
    size: int
    ulid: str

    @property
    def key(self) -> str:
        """Where it lies in its space."""
        return f"data/{self.digest[:2]}/{self.digest}/{self.ulid}"


@dataclass(frozen=True, slots=True)
class Piece:
    """Where a chunk lies: the number of its object, and offset and length in bytes."""

    object: int
    offset: int
    length: int


@dataclass(frozen=True, slots=True)
class Layout:
    """The objects in their order, each chunk's place by its digest, and the chunks of each large file by its digest."""

    objects: tuple[StoredObject, ...]
    chunks: Mapping[str, Piece]
    files: Mapping[str, tuple[str, ...]]

    @classmethod
    def build(
        cls,
        objects: Mapping[str, tuple[int, str]],
        chunks: Mapping[str, tuple[str, int, int]],
        files: Mapping[str, tuple[str, ...]],
    ) -> "Layout":
        """The layout of these parts.

        Args:
            objects: digest → (size, ulid).
            chunks: digest → (digest of the object, offset, length).
            files: digest of a file above 8 MiB → the digests of its chunks in order.

        Raises:
            FormatError: the parts do not fit together.
        """
        digests = sorted(objects)
        numbers = {digest: number for number, digest in enumerate(digests)}
        builder = _Builder()
        for digest in digests:
            builder.add_object(StoredObject(digest, *objects[digest]))
        for digest in sorted(chunks):
            holder, offset, length = chunks[digest]
            if holder not in numbers:
                raise FormatError(f"layout: chunk {digest} lies in the object {holder[:70]!a}, which is not listed")
            builder.add_chunk(digest, Piece(numbers[holder], offset, length))
        for digest in sorted(files):
            builder.add_file(digest, files[digest])
        layout = builder.layout()
        if sum(map(len, layout.lines())) > MAX_LAYOUT_BYTES:
            raise TooLarge(f"layout: more than {MAX_LAYOUT_BYTES} bytes")
        return layout

    @classmethod
    def parse(cls, data: bytes) -> "Layout":
        """The layout that this text is.

        Raises:
            FormatError: it is not canonical or contradicts itself; `TooLarge` is a kind of it.
        """
        parser = LayoutParser()
        for start in range(0, len(data), _FEED):
            parser.feed(data[start : start + _FEED])
        return parser.close()

    def lines(self) -> Iterator[bytes]:
        """The canonical text, line by line."""
        yield LAYOUT_HEADER
        for stored in self.objects:
            yield _object_line(stored)
        for digest, piece in self.chunks.items():
            yield _chunk_line(digest, piece)
        for digest, chunks in self.files.items():
            yield _file_line(digest, chunks)

    def to_bytes(self) -> bytes:
        """The canonical text."""
        return b"".join(self.lines())

    @property
    def stored_bytes(self) -> int:
        """The bytes of all objects."""
        return sum(stored.size for stored in self.objects)

    def is_whole_object(self, piece: Piece) -> bool:
        """Whether the piece is all of its object, so that the store's own check of the object is the chunk's, too."""
        return piece.offset == 0 and piece.length == self.objects[piece.object].size

    def chunks_of(self, entry: Entry) -> tuple[str, ...]:
        """The digests of the chunks of a file, in order; none for an empty file or a folder.

        Raises:
            FormatError: the layout has no line for this large file.
        """
        if not entry.is_file or entry.size == 0:
            return ()
        if not entry.is_large:
            return (entry.digest,)
        try:
            return self.files[entry.digest]
        except KeyError:
            raise FormatError(f"layout: no line for the file {entry.digest} ({escape(entry.path)})") from None

    def check_complete(self, tree: Tree) -> None:
        """Refuse a layout that does not hold every byte of the tree, or that holds lines the tree has no use for.

        Raises:
            FormatError: names the first file, chunk or object that does not fit.
        """
        chunks: set[str] = set()
        files: set[str] = set()
        for entry in tree.entries:
            digests = self.chunks_of(entry)
            if entry.is_large:
                if entry.digest in files:
                    self._check_sizes(entry, digests)
                    continue
                files.add(entry.digest)
            self._check_file(entry, digests)
            chunks.update(digests)
        _refuse_surplus("file", files, self.files)
        _refuse_surplus("chunk", chunks, self.chunks)
        used = {piece.object for piece in self.chunks.values()}
        if len(used) != len(self.objects):
            surplus = next(stored for number, stored in enumerate(self.objects) if number not in used)
            raise FormatError(f"layout: object {surplus.digest} is used by no chunk")

    def _check_file(self, entry: Entry, digests: tuple[str, ...]) -> None:
        self._check_sizes(entry, digests)
        if entry.is_large and file_digest(entry.size, digests) != entry.digest:
            raise FormatError(f"layout: the chunks of {escape(entry.path)} do not make its digest {entry.digest}")

    def _check_sizes(self, entry: Entry, digests: tuple[str, ...]) -> None:
        if len(digests) != chunk_count(entry.size):
            raise FormatError(
                f"layout: {escape(entry.path)} has {entry.size} bytes "
                f"and so {chunk_count(entry.size)} chunks, not {len(digests)}"
            )
        for index, digest in enumerate(digests):
            piece = self.chunks.get(digest)
            if piece is None:
                raise FormatError(f"layout: no line for chunk {digest} of {escape(entry.path)}")
            if piece.length != chunk_length(entry.size, index):
                raise FormatError(
                    f"layout: chunk {digest} has {piece.length} bytes; "
                    f"{escape(entry.path)} needs {chunk_length(entry.size, index)} there"
                )


def _refuse_surplus(what: str, used: set[str], listed: Mapping[str, object]) -> None:
    if len(used) != len(listed):
        surplus = next(digest for digest in listed if digest not in used)
        raise FormatError(f"layout: {what} {surplus} is not part of the tree")


def _object_line(stored: StoredObject) -> bytes:
    return f"o {stored.digest} {stored.size} {stored.ulid}\n".encode()


def _chunk_line(digest: str, piece: Piece) -> bytes:
    return f"c {digest} {piece.object} {piece.offset} {piece.length}\n".encode()


def _file_line(digest: str, chunks: tuple[str, ...]) -> bytes:
    return " ".join(("f", digest, *chunks)).encode() + b"\n"


class LayoutParser:
    """Reads a layout as it comes in; refuses it at the first line that breaks a rule."""

    def __init__(self) -> None:
        # One file can be the whole layout, so a line is only bounded by the text.
        self._lines = LineSplitter("layout", max_bytes=MAX_LAYOUT_BYTES, max_line=MAX_LAYOUT_BYTES)
        self._builder = _Builder()
        self._has_header = False

    def feed(self, data: bytes) -> None:
        """Take the next piece of the text.

        Raises:
            FormatError: a rule is broken; `TooLarge` is a kind of it.
        """
        lines = self._lines.feed(data)
        if lines and not self._has_header:
            if lines.pop(0) + b"\n" != LAYOUT_HEADER:
                raise FormatError(f"layout: the first line is not {LAYOUT_HEADER.decode().strip()!r}")
            self._has_header = True
        for line in lines:
            self._take(line)

    def close(self) -> Layout:
        """Say that the text ends here.

        Raises:
            FormatError: the text is cut off.
        """
        self._lines.close()
        if not self._has_header:
            raise FormatError(f"layout: the first line is not {LAYOUT_HEADER.decode().strip()!r}")
        return self._builder.layout()

    def _take(self, line: bytes) -> None:
        if not line.isascii():
            raise FormatError(f"layout: line {line[:300]!a} is not ASCII")
        kind, *fields = line.decode().split(" ")
        if kind == "o" and len(fields) == 3:
            self._builder.add_object(StoredObject(fields[0], parse_number(fields[1], "layout: object size"), fields[2]))
        elif kind == "c" and len(fields) == 4:
            numbers = [parse_number(text, "layout: place of a chunk") for text in fields[1:]]
            self._builder.add_chunk(fields[0], Piece(*numbers))
        elif kind == "f" and len(fields) >= 3:
            self._builder.add_file(fields[0], tuple(fields[1:]))
        else:
            raise FormatError(f"layout: line {line[:300].decode()!a} is no object, chunk or file line")


class _Builder:
    """Takes lines in their canonical order and holds the rules that can be checked without the tree.

    Every field has exactly one spelling and the order is strict, so what passes here serialises to the same bytes.
    """

    def __init__(self) -> None:
        self._objects: list[StoredObject] = []
        self._chunks: dict[str, Piece] = {}
        self._files: dict[str, tuple[str, ...]] = {}
        self._last = (0, "")

    def add_object(self, stored: StoredObject) -> None:
        self._in_order("object", stored.digest)
        if not 1 <= stored.size <= MAX_OBJECT_BYTES:
            raise FormatError(
                f"layout: object {stored.digest} has {stored.size} bytes; 1 to {MAX_OBJECT_BYTES} are allowed"
            )
        if not is_ulid(stored.ulid):
            raise FormatError(f"layout: object {stored.digest}: {stored.ulid[:40]!a} is not a ULID")
        self._objects.append(stored)

    def add_chunk(self, digest: str, piece: Piece) -> None:
        self._in_order("chunk", digest)
        if piece.object >= len(self._objects):
            raise FormatError(f"layout: chunk {digest} lies in object number {piece.object}, which does not exist")
        stored = self._objects[piece.object]
        if piece.length < 1 or piece.offset + piece.length > stored.size:
            raise FormatError(f"layout: chunk {digest} does not lie inside of its object {stored.digest}")
        if piece.length == stored.size and digest != stored.digest:
            raise FormatError(f"layout: chunk {digest} is all of the object {stored.digest} and has another digest")
        self._chunks[digest] = piece

    def add_file(self, digest: str, chunks: tuple[str, ...]) -> None:
        self._in_order("file", digest)
        if len(chunks) < 2:
            raise FormatError(f"layout: file {digest} has one chunk; only files above {CHUNK_SIZE} bytes are listed")
        for chunk in chunks:
            if chunk not in self._chunks:
                raise FormatError(f"layout: file {digest} has the chunk {chunk[:70]!a}, which is not listed")
        self._files[digest] = chunks

    def layout(self) -> Layout:
        return Layout(tuple(self._objects), MappingProxyType(self._chunks), MappingProxyType(self._files))

    def _in_order(self, section: str, digest: str) -> None:
        if not is_hex_digest(digest):
            raise FormatError(f"layout: {digest[:70]!a} is not a digest of 64 lower-case hexadecimal digits")
        place = (_SECTIONS.index(section), digest)
        if place <= self._last:
            raise FormatError(f"layout: {section} {digest} is out of order or doubled")
        self._last = place
