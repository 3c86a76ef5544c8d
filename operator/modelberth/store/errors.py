"""What the store can answer besides yes. Messages name the object or the record and what to do about it.

No message ever holds a credential, a signature or a query string: they go into conditions, logs and HTTP answers.
"""

# ruff: noqa: N818 (named after what happened, as in runtime.errors)

from modelberth.content.collections import Collection


class StoreError(Exception):
    """Base of everything below."""


class StoreUnavailable(StoreError):
    """No answer, or one of the 5xx kind. Retry later; a write may have happened all the same."""


class StoreDenied(StoreError):
    """The store refused our identity (403). Only a change of credentials, policy or bucket mends it."""


class NotFound(StoreError):
    """No such object, or the bucket itself is missing."""


class AlreadyExists(StoreError):
    """Something that is written once is there already, with another meaning than the one asked for."""


class VersionTaken(AlreadyExists):
    """The version number means other content for ever.

    Attributes:
        collection: what the version belongs to.
        version: the number asked for.
        digest: what that number means.
    """

    def __init__(self, collection: Collection, version: str, digest: str) -> None:
        super().__init__(f"version {version} of {collection} is {digest} for ever: use another version number")
        self.collection = collection
        self.version = version
        self.digest = digest


class Tampered(StoreError):
    """Something in the bucket is not what its key or its record says: somebody else wrote there.

    Attributes:
        object: the key, from `spaces/` on.
        why: what is wrong with it.
    """

    def __init__(self, object: str, why: str) -> None:  # noqa: A002 - the word of the format
        super().__init__(f"object {object} is not what it should be: {why}; restore it from a backup or push again")
        self.object = object
        self.why = why
