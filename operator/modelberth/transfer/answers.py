"""The registry's answers: their shapes, and reading them with an error that names what is missing."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from modelberth.content.addresses import is_digest
from modelberth.content.collections import CollectionFamily
from modelberth.transfer.errors import TransferError
from modelberth.transfer.http import describe


@dataclass(frozen=True, slots=True)
class Resolved:
    """What an address stands for: a version of the artifact or the dataset `name`, by `family`."""

    namespace: str
    family: CollectionFamily
    name: str
    version: str
    digest: str


@dataclass(frozen=True, slots=True)
class Reserved:
    """The version that a digest has in its artifact.

    Attributes:
        version: as `v4` or `1.1`.
        digest: `sha256:<hex>`.
        committed: whether the bytes are there already.
        created: whether this call reserved it; False when the same content had the version before.
        spec: what is on record about the version besides its number and content; None from registries that do not
            say so yet.
    """

    version: str
    digest: str
    committed: bool
    created: bool
    spec: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Upload:
    """Where an object is, or goes to: `url` is None when it is in the store already."""

    digest: str
    ulid: str
    url: str | None
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Committed:
    """What the store holds of a version: files, their bytes, and the bytes of the objects they lie in."""

    digest: str
    file_count: int
    size_bytes: int
    stored_bytes: int


def decoded(url: str, text: bytes) -> Any:
    """The JSON of an answer."""
    try:
        return json.loads(text)
    except ValueError:
        raise TransferError(f"{describe(url)}: the answer is not JSON: is this the right address?") from None


def as_object(value: Any) -> Mapping[str, Any]:
    """The value, which must be an object."""
    if not isinstance(value, dict):
        raise unexpected("an object")
    return value


def as_objects(value: Any) -> list[Mapping[str, Any]]:
    """The value, which must be a list of objects."""
    if not isinstance(value, list):
        raise unexpected("a list")
    return [as_object(item) for item in value]


def text_of(answer: Mapping[str, Any], field: str) -> str:
    """A field that must be a text."""
    value = answer.get(field)
    if not isinstance(value, str):
        raise unexpected(field)
    return value


def digest_of(answer: Mapping[str, Any], expected: str | None = None) -> str:
    """The field `digest`: well-formed, for it becomes part of paths and URLs, and the expected one if one is."""
    digest = text_of(answer, "digest")
    if not is_digest(digest) or expected not in (None, digest):
        raise unexpected("digest")
    return digest


def count_of(answer: Mapping[str, Any], field: str) -> int:
    """A field that must be a whole number."""
    value = answer.get(field)
    if not isinstance(value, int):
        raise unexpected(field)
    return value


def missing_of(answer: Mapping[str, Any]) -> list[str]:
    """The objects that a refused commit misses; a refusal for another reason is raised."""
    missing = answer.get("missing")
    if not isinstance(missing, list) or not missing:
        error = answer.get("error")
        words = error.get("message") if isinstance(error, dict) else None
        raise TransferError(str(words or "the registry refused the commit and did not say what is missing"))
    return [str(digest) for digest in missing]


def unexpected(what: str) -> TransferError:
    """The error for an answer without something it must have."""
    return TransferError(f"the registry's answer lacks {what!r}; do its version and this client's fit?")
