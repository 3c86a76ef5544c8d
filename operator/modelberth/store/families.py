"""Which families have content: a mark per family and digest, beside the content itself.

The bytes of a version lie in the store once, whatever names them; a mark says who may ask for them. It is written for
those only who showed the bytes or their whole tree, never for a digest that somebody merely knows.
"""

from modelberth.content.collections import Family
from modelberth.store import keys
from modelberth.store.bucket import Bucket
from modelberth.store.types import Space

_MARK = b""


class Families:
    """The marks in a bucket."""

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket

    async def mark(self, space: Space, family: Family, digest: str) -> None:
        """Let a family have content; that it has it already is fine."""
        await self._bucket.put(keys.family_mark(space, family, digest), _MARK)

    async def has(self, space: Space, family: Family, digest: str) -> bool:
        """Whether a family has content."""
        return await self._bucket.head(keys.family_mark(space, family, digest)) is not None
