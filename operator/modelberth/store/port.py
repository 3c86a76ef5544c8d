"""The port to the store: what operator, registry and simulator may rely on.

`content_store.ContentStore` keeps it over S3. Every refusal is an `errors.StoreError`. Nothing in here blocks the
event loop, and every write may be repeated: a lost answer never makes a second version or a second entry.
"""

from collections.abc import Mapping
from typing import Protocol

from modelberth.content.collections import Collection, Family
from modelberth.store.run_port import RunPort
from modelberth.store.types import (
    AliasEntry,
    ContentSummary,
    NewAliasEntry,
    NewVersion,
    Reservation,
    Space,
    VersionRecord,
)


class StorePort(RunPort, Protocol):
    """Records and content, by space.

    Every method raises `StoreUnavailable` where the store does not answer, `StoreDenied` where it refuses us and
    `Tampered` where something in the bucket is not what its key says.
    """

    async def space(self, namespace: str, namespace_uid: str) -> Space:
        """The space of a namespace, made if there is none. Cached."""
        ...

    async def version_record(self, space: Space, collection: Collection, version: str) -> VersionRecord | None:
        """What a version number means; None if it was never given."""
        ...

    async def reserve_version(self, space: Space, new: NewVersion) -> Reservation:
        """Give a version number its meaning, once and for ever.

        Without a number: content that the collection has already keeps the version it has; other content gets the next
        number. With a number: that one, also where the content has another number, too.

        Raises:
            VersionTaken: the number means other content.
            FormatError: the number is none of the collection's versioning.
        """
        ...

    async def find_by_digest(self, space: Space, collection: Collection, digest: str) -> str | None:
        """The version of a collection that has this content; the first one if there are several."""
        ...

    async def latest_version(self, space: Space, collection: Collection) -> str | None:
        """The largest version number that was ever given, whether its content arrived or not."""
        ...

    async def versions(self, space: Space, collection: Collection) -> list[str]:
        """Every version number that was ever given, in ascending order."""
        ...

    async def content(self, space: Space, digest: str) -> ContentSummary | None:
        """What is known of committed content; None unless every byte of it was proven to be there."""
        ...

    async def mark_content(self, space: Space, family: Family, digest: str) -> None:
        """Let a family have content. For whoever has shown that they hold it: by its bytes, or by its whole tree."""
        ...

    async def has_family(self, space: Space, family: Family, digest: str) -> bool:
        """Whether content is a family's; those who may read one family's content do not get at another's."""
        ...

    async def put_inline(self, space: Space, files: Mapping[str, bytes]) -> ContentSummary:
        """Store and commit a few small files, given by path.

        Raises:
            FormatError: a path that no tree may hold.
        """
        ...

    async def append_alias(self, space: Space, entry: NewAliasEntry, *, after: int) -> AliasEntry:
        """Append to an alias' history, unless it says so already.

        Args:
            space: where the RegisteredModel's namespace keeps its records.
            entry: what happened.
            after: the last sequence the caller knows of, 0 for none; what was appended behind it is read first, and
                the entry there that says it already (`types.already_said`) is returned instead of a new one.
        """
        ...

    async def alias_history(self, space: Space, model: str, alias: str, *, last: int | None = None) -> list[AliasEntry]:
        """The history of an alias, oldest entry first; only the `last` so many of them if given."""
        ...
