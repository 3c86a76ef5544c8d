"""What goes in and out of the store. Needs nothing but the standard library, so that anything may import it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from modelberth.content.collections import Collection
from modelberth.content.versions import Versioning

VersionSource = Literal["pushed", "inline"]
AliasEvent = Literal["Moved", "Served", "Removed"]


@dataclass(frozen=True, slots=True)
class Space:
    """The part of the bucket that belongs to one namespace *uid*: a recreated namespace gets another one.

    Attributes:
        id: opaque, 26 characters; made from the uids of cluster and namespace.
        namespace: the namespace's name.
        namespace_uid: its `metadata.uid`.
    """

    id: str
    namespace: str
    namespace_uid: str

    @property
    def prefix(self) -> str:
        """Where it lies in the bucket, with a slash at the end."""
        return f"spaces/{self.id}/"


@dataclass(frozen=True, slots=True)
class NewVersion:
    """A version that is to be reserved.

    Attributes:
        collection: the artifact or dataset that it is to belong to.
        digest: `sha256:<hex>` of its tree.
        created_by: the user, as the API server knows them.
        versioning: how the collection counts; decides the number where `version` is None.
        version: the number; None for the next one.
        source: where the content comes from.
        spec: what was known when the version was made: what the object's spec says besides its number and content.
    """

    collection: Collection
    digest: str
    created_by: str
    versioning: Versioning = "Sequence"
    version: str | None = None
    source: VersionSource = "pushed"
    spec: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class VersionRecord:
    """What a version number of a collection means, for ever.

    Attributes:
        collection: the artifact or dataset that it belongs to.
        version: the number (`v4`, `1.1`).
        digest: `sha256:<hex>` of its tree.
        created_at: RFC 3339.
        created_by: the user who reserved it.
        source: where the content comes from.
        spec: what was known when the version was made.
        nonce: the writer's mark, by which it knows its own record again after a lost answer.
    """

    collection: Collection
    version: str
    digest: str
    created_at: str
    created_by: str
    source: VersionSource = "pushed"
    spec: Mapping[str, Any] = field(default_factory=dict)
    nonce: str = ""


@dataclass(frozen=True, slots=True)
class Reservation:
    """The record that holds now, and whether this call made it."""

    record: VersionRecord
    created: bool


@dataclass(frozen=True, slots=True)
class ContentSummary:
    """Content that is committed: every byte of its tree lies in the store.

    Attributes:
        digest: `sha256:<hex>` of the tree.
        file_count: empty files included, folders not.
        size_bytes: of all files, as loaded into a folder.
        stored_bytes: of the objects that hold them, those shared with other versions included.
    """

    digest: str
    file_count: int
    size_bytes: int
    stored_bytes: int


@dataclass(frozen=True, slots=True)
class NewAliasEntry:
    """Something that happened to an alias and is to be recorded.

    Attributes:
        model: the name of the RegisteredModel.
        alias: the alias.
        event: `Moved` (somebody asks for another version), `Served`, `Removed`.
        version: the ModelVersion's object name; empty for `Removed` (`previous` says what the alias pointed at).
        digest: of that version; empty where it was not known.
        previous: the version before; empty for none.
        generation: the RegisteredModel's generation that was observed.
        first_generation: the first generation that the entry stands for, where several were coalesced.
        moved_by: the user who moved it; empty where nobody did.
        at: RFC 3339, when it was observed.
        uid: the RegisteredModel's uid.
    """

    model: str
    alias: str
    event: AliasEvent
    version: str
    digest: str
    previous: str
    generation: int
    first_generation: int
    moved_by: str
    at: str
    uid: str


@dataclass(frozen=True, slots=True)
class AliasEntry(NewAliasEntry):
    """An entry of the bucket; `sequence` counts from 1 without gaps, per model and alias."""

    sequence: int


def already_said(replayed: Sequence[AliasEntry], new: NewAliasEntry) -> AliasEntry | None:
    """The entry among `replayed` that is `new` itself, written before an answer was lost, or by another leader.

    Whoever appends has put the entry into the RegisteredModel's status before, where only one writer gets through: a
    second try says the very same, generation included. An alias that moved away and back did so at another generation.

    Args:
        replayed: what the bucket holds behind the last sequence that the observer knew.
        new: what was observed.
    """
    identity = (new.uid, new.generation, new.event, new.version)
    return next((e for e in replayed if (e.uid, e.generation, e.event, e.version) == identity), None)
