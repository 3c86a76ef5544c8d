"""What artifacts and datasets share: names for single versions, and what they hold."""

from typing import Annotated

from pydantic import Field

from modelberth.api.common import (
    ALIASES_LIMIT,
    AliasName,
    AliasStanding,
    Count,
    ObjectStatus,
    SpecModel,
    VersionName,
    alias_names,
    in_words,
)


class CollectionAlias(SpecModel):
    """One alias of an artifact or a dataset."""

    version: Annotated[
        VersionName,
        Field(
            json_schema_extra=in_words(
                "spec.aliases: write the version's object name, <metadata.name>-<version>, such as handwriting-v1"
            )
        ),
    ]
    """The version that the alias stands for, by its object name (mnist-v3); one of this collection's own."""


CollectionAliases = Annotated[
    dict[AliasName, CollectionAlias] | None, Field(json_schema_extra=alias_names("spec.aliases"))
]


class CollectionStatus(ObjectStatus):
    """What an artifact or a dataset holds, as last observed."""

    latest_version: VersionName | None = None
    """The newest version, by its object name; what the bare name means as an address."""
    version_count: Count | None = None
    """How many versions it has that are Ready."""
    logical_bytes: Count | None = None
    """The sizes of all its versions' files, in bytes, each version counted whole."""
    aliases: Annotated[
        dict[AliasName, AliasStanding] | None, Field(json_schema_extra={"maxProperties": ALIASES_LIMIT})
    ] = None
    """What each alias asks for and stands for, by alias name."""
