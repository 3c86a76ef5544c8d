"""Commit: prove that a layout holds every byte of a tree, then write it. Idempotent, and safe to repeat anywhere.

What the store verified itself (an object that is one chunk: its PUT was signed for its SHA-256) is only asked for its
size; packs are read and each piece is hashed, because their inner borders are nothing but the client's claim.
"""

import asyncio
import hashlib
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from modelberth.content.errors import FormatError
from modelberth.content.layout import MAX_OBJECT_BYTES, Layout, Piece, StoredObject
from modelberth.store.bucket import Bucket
from modelberth.store.contents import Contents, summarise
from modelberth.store.errors import NotFound, StoreError, Tampered
from modelberth.store.types import ContentSummary, Space

_AT_ONCE = 16
_PACKS_AT_ONCE = 4
"""Packs held in memory at a time: 8 MiB each."""


class Incomplete(StoreError):  # noqa: N818 (named after what is)
    """Some objects of the layout are not in the store (any more), or are not what the layout says.

    Attributes:
        missing: their SHA-256 in hex, sorted. Upload these again.
    """

    def __init__(self, missing: Iterable[str]) -> None:
        self.missing = tuple(sorted(missing))
        super().__init__(f"{len(self.missing)} objects are missing: upload these again and commit again")


@dataclass(frozen=True, slots=True)
class Commits:
    """Commits content into a bucket."""

    bucket: Bucket
    contents: Contents

    async def commit(self, space: Space, digest: str, layout: Layout) -> ContentSummary:
        """Verify a layout and make its content committed.

        Content that is committed and whole keeps the layout it has. One whose objects were lost gets the new layout:
        pushing the same bytes again is the mend.

        Raises:
            NotFound: the tree was never stored.
            FormatError: the layout is not complete for the tree, or a pack does not hold what it claims.
            Incomplete: objects are missing.
        """
        tree = await self.contents.tree(space, digest)
        existing = await self._existing(space, digest)
        if existing is not None and not await self._missing(space, existing.objects):
            return summarise(tree, existing)
        await asyncio.to_thread(layout.check_complete, tree)
        missing = await self._missing(space, layout.objects)
        if missing:
            raise Incomplete(missing)
        await self._verify_packs(space, layout)
        summary = summarise(tree, layout)
        await self.contents.write_layout(space, layout, summary)
        return summary

    async def _existing(self, space: Space, digest: str) -> Layout | None:
        try:
            return await self.contents.layout(space, digest)
        except (NotFound, Tampered):
            return None

    async def _missing(self, space: Space, objects: tuple[StoredObject, ...]) -> set[str]:
        missing: set[str] = set()
        for start in range(0, len(objects), _AT_ONCE):
            page = objects[start : start + _AT_ONCE]
            found = await asyncio.gather(*(self.bucket.head(space.prefix + stored.key) for stored in page))
            for stored, info in zip(page, found, strict=True):
                if info is None or info.size != stored.size:
                    missing.add(stored.digest)
        return missing

    async def _verify_packs(self, space: Space, layout: Layout) -> None:
        packs = list(_packs(layout).items())
        for start in range(0, len(packs), _PACKS_AT_ONCE):
            page = packs[start : start + _PACKS_AT_ONCE]
            await asyncio.gather(*(self._verify_pack(space, layout.objects[number], pieces) for number, pieces in page))

    async def _verify_pack(self, space: Space, stored: StoredObject, pieces: list[tuple[str, Piece]]) -> None:
        body = await self.bucket.get(space.prefix + stored.key, limit=MAX_OBJECT_BYTES)
        wrong = await asyncio.to_thread(_first_wrong, body, pieces)
        if wrong is not None:
            raise FormatError(f"layout: chunk {wrong} is not what lies at its place in the object {stored.digest}")


def _packs(layout: Layout) -> dict[int, list[tuple[str, Piece]]]:
    """Object number → the chunks that are only a part of it."""
    packs: dict[int, list[tuple[str, Piece]]] = defaultdict(list)
    for digest, piece in layout.chunks.items():
        if not layout.is_whole_object(piece):
            packs[piece.object].append((digest, piece))
    return packs


def _first_wrong(body: bytes, pieces: list[tuple[str, Piece]]) -> str | None:
    view = memoryview(body)
    for digest, piece in pieces:
        if hashlib.sha256(view[piece.offset : piece.offset + piece.length]).hexdigest() != digest:
            return digest
    return None
