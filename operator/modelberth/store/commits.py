"""Commit: prove that a layout holds every byte of a tree, then write it. Idempotent, and safe to repeat anywhere.

An object whose SHA-256 the store computed itself when it came in is taken by its word; any other one is read and hashed
(a store that keeps no checksums, or bytes that somebody put there by another way). Packs are read in any case, and each
piece is hashed: their inner borders are nothing but the client's claim.
"""

import asyncio
import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum, auto

from modelberth.content.errors import FormatError
from modelberth.content.layout import MAX_OBJECT_BYTES, Layout, Piece, StoredObject
from modelberth.content.tree import Tree
from modelberth.store.bucket import Bucket
from modelberth.store.contents import Contents, summarise
from modelberth.store.errors import NotFound, StoreError, Tampered
from modelberth.store.types import ContentSummary, Space

_AT_ONCE = 16
_READ_AT_ONCE = 4
"""Objects held in memory at a time: 8 MiB each."""


class Incomplete(StoreError):  # noqa: N818 (named after what is)
    """Some objects of the layout are not in the store (any more), or are not what the layout says.

    Attributes:
        missing: their SHA-256 in hex, sorted. Upload these again.
    """

    def __init__(self, missing: Iterable[str]) -> None:
        self.missing = tuple(sorted(missing))
        super().__init__(f"{len(self.missing)} objects are missing or wrong: upload them again and commit again")


class _Committed(Enum):
    """Why content has no layout that holds."""

    NEVER = auto()
    BROKEN = auto()


@dataclass(frozen=True, slots=True)
class _Seen:
    """Digests that are missing or have the wrong size or checksum, and numbers of objects without a checksum."""

    missing: set[str]
    unproven: set[int]


@dataclass(frozen=True, slots=True)
class Commits:
    """Commits content into a bucket."""

    bucket: Bucket
    contents: Contents

    async def commit(self, space: Space, digest: str, layout: Layout) -> ContentSummary:
        """Verify a layout and make its content committed.

        Content that is committed and whole keeps the layout it has, also where another commit of it was quicker than
        this one. Content whose objects were lost or changed gets the new layout: pushing the same bytes again is the
        mend.

        Raises:
            NotFound: the tree was never stored.
            FormatError: the layout is not complete for the tree, or a pack does not hold what it claims.
            Incomplete: objects are missing, or have other bytes.
        """
        tree = await self.contents.tree(space, digest)
        await asyncio.to_thread(layout.check_complete, tree)  # first: it takes the tree to be made, not its digest
        committed = await self._committed(space, tree)
        if isinstance(committed, Layout):
            return summarise(tree, committed)
        seen = await self._look(space, layout)
        wrong = await self._read(space, layout, seen.unproven, _packs(layout))
        if seen.missing or wrong:
            raise Incomplete({*seen.missing, *wrong})
        summary = summarise(tree, layout)
        if await self.contents.write_layout(space, layout, summary, mend=committed is _Committed.BROKEN):
            return summary
        return await self.commit(space, digest, layout)  # another commit was quicker: its layout holds, if it is whole

    async def _committed(self, space: Space, tree: Tree) -> Layout | _Committed:
        """The layout that holds, or what is the matter with it."""
        try:
            layout = await self.contents.layout(space, tree.digest)
            await asyncio.to_thread(layout.check_complete, tree)
        except NotFound:
            return _Committed.NEVER
        except (Tampered, FormatError):
            return _Committed.BROKEN
        return layout if await self._is_whole(space, layout) else _Committed.BROKEN

    async def _is_whole(self, space: Space, committed: Layout) -> bool:
        """Whether every object is still what it was when the layout was written; its packs were read then."""
        seen = await self._look(space, committed)
        return not seen.missing and not await self._read(space, committed, seen.unproven, {})

    async def _look(self, space: Space, layout: Layout) -> _Seen:
        missing: set[str] = set()
        unproven: set[int] = set()
        for start in range(0, len(layout.objects), _AT_ONCE):
            page = layout.objects[start : start + _AT_ONCE]
            found = await asyncio.gather(*(self.bucket.head(space.prefix + stored.key) for stored in page))
            for number, (stored, info) in enumerate(zip(page, found, strict=True), start):
                if info is None or info.size != stored.size or info.sha256 not in (None, stored.digest):
                    missing.add(stored.digest)
                elif info.sha256 is None:
                    unproven.add(number)
        return _Seen(missing, unproven)

    async def _read(
        self, space: Space, layout: Layout, unproven: set[int], pieces: Mapping[int, list[tuple[str, Piece]]]
    ) -> set[str]:
        """The digests of objects that have other bytes than they should; packs that lie about their pieces raise."""
        numbers = sorted(unproven | pieces.keys())
        wrong: set[str] = set()
        for start in range(0, len(numbers), _READ_AT_ONCE):
            page = numbers[start : start + _READ_AT_ONCE]
            found = await asyncio.gather(
                *(self._is_right(space, layout.objects[number], pieces.get(number, [])) for number in page)
            )
            wrong |= {layout.objects[number].digest for number, right in zip(page, found, strict=True) if not right}
        return wrong

    async def _is_right(self, space: Space, stored: StoredObject, pieces: list[tuple[str, Piece]]) -> bool:
        try:
            body = await self.bucket.get(space.prefix + stored.key, limit=MAX_OBJECT_BYTES)
        except (NotFound, Tampered):
            return False
        if await asyncio.to_thread(_sha256, body) != stored.digest:
            return False
        lie = await asyncio.to_thread(_first_wrong, body, pieces)
        if lie is not None:
            raise FormatError(f"layout: chunk {lie} is not what lies at its place in the object {stored.digest}")
        return True


def _packs(layout: Layout) -> dict[int, list[tuple[str, Piece]]]:
    """Object number → the chunks that are only a part of it."""
    packs: dict[int, list[tuple[str, Piece]]] = defaultdict(list)
    for digest, piece in layout.chunks.items():
        if not layout.is_whole_object(piece):
            packs[piece.object].append((digest, piece))
    return packs


def _sha256(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


def _first_wrong(body: bytes, pieces: list[tuple[str, Piece]]) -> str | None:
    view = memoryview(body)
    for digest, piece in pieces:
        if hashlib.sha256(view[piece.offset : piece.offset + piece.length]).hexdigest() != digest:
            return digest
    return None
