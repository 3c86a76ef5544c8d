"""ModelArtifact: the sequence of versions that one training effort logs."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from modelberth.api.collection import CollectionAliases, CollectionStatus
from modelberth.api.common import Description, ModelType, SpecModel, immutable


class Versioning(StrEnum):
    """How an artifact counts its versions."""

    SEQUENCE = "Sequence"
    SEMANTIC = "Semantic"


class ModelArtifactSpec(SpecModel):
    """What versions the artifact holds and what its aliases stand for."""

    type: Annotated[ModelType, Field(json_schema_extra=immutable("spec.type", "make another ModelArtifact"))] = (
        ModelType.MODEL
    )
    """What the versions are; a RegisteredModel links versions of its own type only. Immutable."""
    versioning: Annotated[
        Versioning, Field(json_schema_extra=immutable("spec.versioning", "make another ModelArtifact"))
    ] = Versioning.SEQUENCE
    """How versions are counted: Sequence gives v0, v1, v2; Semantic gives 1.0, 1.1, 2.0. Immutable."""
    description: Description | None = None
    """What this training effort is about."""
    aliases: CollectionAliases = None
    """Names for single versions of this artifact, by alias name. A map, so that several owners can each apply their
    own entry; to take your last one back by plain `kubectl apply`, keep an empty map. The alias latest exists by
    itself."""


class ModelArtifactStatus(CollectionStatus):
    """What the artifact holds, as last observed."""
