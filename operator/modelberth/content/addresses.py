"""Addresses as people write them: `[namespace/]name[:alias | :v4 | :1.1 | @sha256:…][#folder]`. The one parser.

Versions and digests resolve in artifacts and datasets; alias names in registered models, too; a bare artifact or
dataset means `:latest`. Resolving is the registry's; here is only the spelling.
"""

import re
from dataclasses import dataclass
from typing import Self

from modelberth.content.chunks import is_hex_digest
from modelberth.content.errors import FormatError
from modelberth.content.paths import check_path
from modelberth.content.versions import is_version

LATEST = "latest"

_NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_ARTIFACT = re.compile(r"[a-z0-9]([-a-z0-9]{0,48}[a-z0-9])?")
_ALIAS = re.compile(r"[a-z]([-a-z0-9]{0,38}[a-z0-9])?")
_VERSION_LIKE = re.compile(r"v[0-9]+")
_NO_LABEL = "no DNS label: lower-case letters, digits and '-' (at most 63, '-' neither first nor last)"
_FORM = "[namespace/]name[:alias | :v4 | :1.1 | @sha256:<64 hex digits>][#folder]"


def is_collection_name(text: str) -> bool:
    """Whether this may name a ModelArtifact or a Dataset: a lower-case DNS label of up to 50 characters."""
    return _ARTIFACT.fullmatch(text) is not None


def is_alias(text: str) -> bool:
    """Whether this may name an alias: a lower-case DNS label of up to 40 characters that is not like a version."""
    return _ALIAS.fullmatch(text) is not None and _VERSION_LIKE.fullmatch(text) is None


def is_digest(text: str) -> bool:
    """Whether this is `sha256:` and 64 lower-case hexadecimal digits."""
    return text.startswith("sha256:") and is_hex_digest(text[7:])


@dataclass(frozen=True, slots=True)
class Address:
    """A parsed address. At most one of alias, version and digest is set; none means `:latest`.

    Attributes:
        folder: a folder of the content, as a tree's paths are written; None for everything.
    """

    name: str
    namespace: str | None = None
    alias: str | None = None
    version: str | None = None
    digest: str | None = None
    folder: str | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """The address that this text spells.

        Raises:
            FormatError: names the part that is wrong and the form.
        """
        whole, hash_mark, folder = text.partition("#")
        place, at, digest = whole.partition("@")
        place, colon, tag = place.partition(":")
        namespace, slash, name = place.rpartition("/")
        if slash and not _NAME.fullmatch(namespace):
            raise _error(text, f"the namespace is {_NO_LABEL}")
        if not name:
            raise _error(text, "the name is missing")
        if not _NAME.fullmatch(name):
            raise _error(text, f"the name is {_NO_LABEL}")
        if at and colon:
            raise _error(text, "it has both a tag and a digest: leave one away")
        if at and not is_digest(digest):
            raise _error(text, "the digest is not sha256:<64 lower-case hex digits>")
        if colon and not (is_version(tag) or is_alias(tag)):
            raise _error(text, "what follows the colon is neither a version nor an alias name")
        if hash_mark:
            _check_folder(text, folder)
        is_number = colon and is_version(tag)
        return cls(
            name=name,
            namespace=namespace if slash else None,
            alias=tag if colon and not is_number else None,
            version=tag if is_number else None,
            digest=digest if at else None,
            folder=folder if hash_mark else None,
        )

    def __str__(self) -> str:
        return f"{self.whole}#{self.folder}" if self.folder is not None else self.whole

    @property
    def whole(self) -> str:
        """The address without its folder."""
        place = f"{self.namespace}/{self.name}" if self.namespace else self.name
        if self.digest:
            return f"{place}@{self.digest}"
        tag = self.alias or self.version
        return f"{place}:{tag}" if tag else place


def _check_folder(text: str, folder: str) -> None:
    try:
        check_path(folder)
    except FormatError as error:
        raise _error(text, f"the folder is no path: {error}") from None


def _error(text: str, why: str) -> FormatError:
    return FormatError(f"address {text[:400]!a}: {why}; the form is {_FORM}")
