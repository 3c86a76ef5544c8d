"""Content that stands in a ModelVersion itself: a few small files, stored under our own identity."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from modelberth.content.chunks import CHUNK_SIZE, Chunk
from modelberth.content.errors import TooLarge
from modelberth.content.layout import Layout
from modelberth.content.packs import is_small, plan_packs
from modelberth.content.paths import escape
from modelberth.content.tree import Entry, Tree
from modelberth.store.ulids import new_ulid


@dataclass(frozen=True, slots=True)
class InlineContent:
    """Tree and layout of the files, and the objects' bytes by their SHA-256 in hex."""

    tree: Tree
    layout: Layout
    objects: Mapping[str, bytes]


def pack_inline(files: Mapping[str, bytes]) -> InlineContent:
    """What is to be stored for these files, given by path.

    Raises:
        FormatError: a path that no tree may hold, or a file of more than one chunk.
    """
    chunks: dict[str, bytes] = {}
    entries = []
    for path, body in files.items():
        if len(body) > CHUNK_SIZE:
            raise TooLarge(f"path {escape(path)} has {len(body)} bytes; push files of more than {CHUNK_SIZE} bytes")
        digest = hashlib.sha256(body).hexdigest()
        entries.append(Entry("f", digest, len(body), path))
        chunks[digest] = body
    tree = Tree.build(entries)
    ordered = dict.fromkeys(Chunk(entry.digest, entry.size) for entry in tree.entries if entry.size)
    large = [(chunk,) for chunk in ordered if not is_small(chunk.length)]
    packs = [*large, *plan_packs(chunk for chunk in ordered if is_small(chunk.length))]
    return _lay_out(tree, packs, chunks)


def _lay_out(tree: Tree, packs: list[tuple[Chunk, ...]], chunks: Mapping[str, bytes]) -> InlineContent:
    objects: dict[str, bytes] = {}
    places: dict[str, tuple[str, int, int]] = {}
    for pack in packs:
        body = b"".join(chunks[chunk.digest] for chunk in pack)
        name = hashlib.sha256(body).hexdigest()
        objects[name] = body
        offset = 0
        for chunk in pack:
            places[chunk.digest] = (name, offset, chunk.length)
            offset += chunk.length
    layout = Layout.build({name: (len(body), new_ulid()) for name, body in objects.items()}, places, {})
    return InlineContent(tree, layout, objects)
