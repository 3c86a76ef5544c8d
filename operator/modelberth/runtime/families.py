"""The families of content: which resources hold one's collections and versions, and which name versions of it.

Everything else about versions and collections is the same for both.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from modelberth.content.collections import CollectionFamily
from modelberth.runtime.resources import (
    DATASET_VERSIONS,
    DATASETS,
    MODEL_ARTIFACTS,
    MODEL_VERSIONS,
    REGISTERED_MODELS,
    TRAINING_PIPELINES,
    TRAINING_RUNS,
    Resource,
)


@dataclass(frozen=True, slots=True)
class ContentFamily:
    """One family.

    Attributes:
        name: as content routes and marks have it.
        collections: what its versions belong to.
        versions: its versions.
        users: what names versions of it; each is indexed by them under the versions' plural.
    """

    name: CollectionFamily
    collections: Resource
    versions: Resource
    users: tuple[Resource, ...]


_TRAINING: Final = (TRAINING_PIPELINES, TRAINING_RUNS)
MODEL_FAMILY: Final = ContentFamily(
    "models", MODEL_ARTIFACTS, MODEL_VERSIONS, (REGISTERED_MODELS, MODEL_ARTIFACTS, *_TRAINING)
)
DATASET_FAMILY: Final = ContentFamily("datasets", DATASETS, DATASET_VERSIONS, (DATASETS, *_TRAINING))
FAMILIES: Final = (MODEL_FAMILY, DATASET_FAMILY)
FAMILY_OF: Final[Mapping[CollectionFamily, ContentFamily]] = {family.name: family for family in FAMILIES}
