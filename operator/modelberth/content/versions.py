"""Names of versions: `v4` (Sequence) and `1.1` (Semantic), their order, and the object name made from them."""

import re
from dataclasses import dataclass
from typing import Literal, Self

from modelberth.content.errors import FormatError

Versioning = Literal["Sequence", "Semantic"]

MAX_VERSION_LENGTH = 12  # with an artifact's name of up to 50 it makes an object name that fits a label

_SEQUENCE = re.compile(r"v(0|[1-9][0-9]*)")
_SEMANTIC = re.compile(r"(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)")


@dataclass(frozen=True, slots=True, order=True)
class Version:
    """A version as numbers, so that v10 comes after v9. Only versions of one artifact are compared.

    Attributes:
        numbers: (4,) for `v4`, (1, 1) for `1.1`.
    """

    numbers: tuple[int, ...]

    @classmethod
    def parse(cls, text: str) -> Self:
        """The version written `v<number>` or `<major>.<minor>`, without leading zeros, of up to 12 characters.

        Raises:
            FormatError: anything else.
        """
        match = _match(text)
        if match is None:
            raise FormatError(f"version {text[:80]!a} is neither v<number> (as v4) nor <major>.<minor> (as 1.1)")
        return cls(tuple(int(group) for group in match.groups()))

    @property
    def versioning(self) -> Versioning:
        """Which way of counting this version belongs to."""
        return "Sequence" if len(self.numbers) == 1 else "Semantic"

    def next(self) -> "Version":
        """The version after this one: v4 → v5, 1.1 → 1.2."""
        return Version((*self.numbers[:-1], self.numbers[-1] + 1))

    def __str__(self) -> str:
        return f"v{self.numbers[0]}" if len(self.numbers) == 1 else f"{self.numbers[0]}.{self.numbers[1]}"


_FIRST: dict[Versioning, Version] = {"Sequence": Version((0,)), "Semantic": Version((1, 0))}


def first_version(versioning: Versioning) -> Version:
    """What an artifact starts with: v0 or 1.0."""
    return _FIRST[versioning]


def is_version(text: str) -> bool:
    """Whether this is a version in either way of counting."""
    return _match(text) is not None


def _match(text: str) -> re.Match[str] | None:
    if len(text) > MAX_VERSION_LENGTH:
        return None
    return _SEQUENCE.fullmatch(text) or _SEMANTIC.fullmatch(text)


def object_name(artifact: str, version: str) -> str:
    """The name of the ModelVersion object: `mnist-v4`, `mnist-1.1`."""
    return f"{artifact}-{version}"


def split_object_name(name: str) -> tuple[str, str]:
    """(artifact, version) out of a ModelVersion's name.

    Raises:
        FormatError: the name does not end with a version.
    """
    artifact, _, version = name.rpartition("-")
    if not artifact or not is_version(version):
        raise FormatError(f"{name[:300]!a} is not <artifact>-<version> (as mnist-v4)")
    return artifact, version
