"""Collections: what versions belong to. A ModelArtifact collects ModelVersions, a Dataset collects DatasetVersions.

Both families share one mechanism, and who may read one may not read the other. The files of training runs are a family
of their own, without collections.
"""

from dataclasses import dataclass
from typing import Literal

Family = Literal["models", "datasets", "runs"]
"""What content is read as; each family has a right of its own."""
CollectionFamily = Literal["models", "datasets"]
"""The families whose content has versions."""


@dataclass(frozen=True, slots=True, order=True)
class Collection:
    """One ModelArtifact or one Dataset, by name. Two of the same name have nothing to do with each other."""

    family: CollectionFamily
    name: str

    @property
    def field(self) -> str:
        """The field of specs and records that holds the name: `artifact` or `dataset`."""
        return _FIELDS[self.family]

    def __str__(self) -> str:
        return f"{self.field} {self.name}"


_FIELDS: dict[CollectionFamily, str] = {"models": "artifact", "datasets": "dataset"}


def artifact(name: str) -> Collection:
    """The ModelArtifact of that name."""
    return Collection("models", name)


def dataset(name: str) -> Collection:
    """The Dataset of that name."""
    return Collection("datasets", name)
