"""Trees and layouts in the bucket: what a digest is, where its bytes lie, and whether all of them were proven.

Content is *committed* when its layout is there; a layout is only written by `commits.py`, after verification.
"""

import hashlib
from dataclasses import dataclass

from modelberth.content.errors import FormatError
from modelberth.content.layout import MAX_LAYOUT_BYTES, Layout
from modelberth.content.tree import MAX_TREE_BYTES, Tree
from modelberth.store import keys
from modelberth.store.bucket import Bucket
from modelberth.store.errors import NotFound, Tampered
from modelberth.store.types import ContentSummary, Space

_COUNTS = ("file-count", "size-bytes", "stored-bytes")


@dataclass(frozen=True, slots=True)
class Contents:
    """The trees and layouts of a bucket."""

    bucket: Bucket

    async def put_tree(self, space: Space, digest: str, text: bytes) -> None:
        """Store a tree whose text has been parsed and has this digest. The same tree again changes nothing."""
        await self.bucket.put(keys.tree(space, digest), text)

    async def tree_text(self, space: Space, digest: str) -> bytes:
        """The text of a tree.

        Raises:
            NotFound: there is none.
            Tampered: it does not have this digest.
        """
        key = keys.tree(space, digest)
        text = await self.bucket.get(key, limit=MAX_TREE_BYTES)
        if "sha256:" + hashlib.sha256(text).hexdigest() != digest:
            raise Tampered(key, "its SHA-256 is not its name")
        return text

    async def tree(self, space: Space, digest: str) -> Tree:
        """A tree, parsed.

        Raises:
            NotFound: there is none.
            Tampered: it is not the tree of this digest.
        """
        text = await self.tree_text(space, digest)
        try:
            return Tree.parse(text)
        except FormatError as error:
            raise Tampered(keys.tree(space, digest), str(error)) from None

    async def layout_text(self, space: Space, digest: str) -> bytes:
        """The text of a layout.

        Raises:
            NotFound: the content is not committed.
        """
        return await self.bucket.get(keys.layout(space, digest), limit=MAX_LAYOUT_BYTES)

    async def layout(self, space: Space, digest: str) -> Layout:
        """A layout, parsed.

        Raises:
            NotFound: the content is not committed.
            Tampered: the text is no layout.
        """
        text = await self.layout_text(space, digest)
        try:
            return Layout.parse(text)
        except FormatError as error:
            raise Tampered(keys.layout(space, digest), str(error)) from None

    async def write_layout(self, space: Space, layout: Layout, summary: ContentSummary, *, mend: bool) -> bool:
        """Make content committed. The numbers go into the object's metadata, so that asking for them is one HEAD.

        Args:
            space: whose content.
            layout: where the bytes lie, proven.
            summary: its numbers.
            mend: whether to write over the layout that is there, because it is broken.

        Returns:
            Whether the layout there is now this one; False where another one was quicker.
        """
        numbers = (summary.file_count, summary.size_bytes, summary.stored_bytes)
        metadata = dict(zip(_COUNTS, map(str, numbers), strict=True))
        key, body = keys.layout(space, summary.digest), layout.to_bytes()
        if not mend:
            return await self.bucket.put_if_absent(key, body, metadata=metadata)
        await self.bucket.put(key, body, metadata=metadata)
        return True

    async def summary(self, space: Space, digest: str) -> ContentSummary | None:
        """What is known of committed content; None where the layout is not there."""
        found = await self.bucket.head(keys.layout(space, digest))
        if found is None:
            return None
        numbers = [found.metadata.get(name, "") for name in _COUNTS]
        if all(number.isdecimal() for number in numbers):
            return ContentSummary(digest, *map(int, numbers))
        return await self._summary_from_texts(space, digest)

    async def _summary_from_texts(self, space: Space, digest: str) -> ContentSummary | None:
        """Without metadata: a backup tool that keeps none brought the layout back."""
        try:
            tree, layout = await self.tree(space, digest), await self.layout(space, digest)
        except NotFound:
            return None
        return summarise(tree, layout)


def summarise(tree: Tree, layout: Layout) -> ContentSummary:
    """The numbers of content whose layout is complete for its tree."""
    return ContentSummary(tree.digest, tree.file_count, tree.size_bytes, layout.stored_bytes)
