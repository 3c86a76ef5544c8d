"""ModelArtifact: the sequence of versions that one training effort logs."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from modelberth.api.common import (
    ALIASES_LIMIT,
    AliasName,
    AliasStanding,
    Count,
    Description,
    ModelType,
    ObjectStatus,
    SpecModel,
    VersionName,
    alias_names,
    immutable,
)


class Versioning(StrEnum):
    """How an artifact counts its versions."""

    SEQUENCE = "Sequence"
    SEMANTIC = "Semantic"


class ArtifactAlias(SpecModel):
    """One alias of an artifact."""

    version: VersionName
    """The ModelVersion that the alias stands for, by its object name (mnist-v3); one of this artifact's own."""


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
    aliases: Annotated[dict[AliasName, ArtifactAlias] | None, Field(json_schema_extra=alias_names("spec.aliases"))] = (
        None
    )
    """Names for single versions of this artifact, by alias name. A map, so that several owners can each apply their
    own entry; to take your last one back by plain `kubectl apply`, keep an empty map. The alias latest exists by
    itself."""


class ModelArtifactStatus(ObjectStatus):
    """What the artifact holds, as last observed."""

    latest_version: VersionName | None = None
    """The newest version, by its object name; what the address of the bare artifact means."""
    version_count: Count | None = None
    """How many ModelVersions the artifact has."""
    logical_bytes: Count | None = None
    """The sizes of all its versions' files, in bytes, each version counted whole."""
    aliases: Annotated[
        dict[AliasName, AliasStanding] | None, Field(json_schema_extra={"maxProperties": ALIASES_LIMIT})
    ] = None
    """What each alias asks for and stands for, by alias name."""
