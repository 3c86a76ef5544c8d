"""RegisteredModel: curated links to versions, and the aliases that production follows."""

from typing import Annotated

from pydantic import Field

from modelberth.api.common import (
    ALIASES_LIMIT,
    VERSION_NAME_LIMIT,
    VERSION_NAME_PATTERN,
    AliasName,
    AliasStanding,
    Count,
    Description,
    Digest,
    LongMessage,
    ModelType,
    ObjectStatus,
    ShortText,
    SpecModel,
    StatusModel,
    Time,
    Uri,
    UserName,
    VersionName,
    alias_names,
    immutable,
    in_words,
    rule,
    rules,
)

LINKS_LIMIT = 512
HISTORY_LIMIT = 10


class Change(SpecModel):
    """Why an alias was moved, for whoever asks later."""

    by: UserName | None = None
    """On whose behalf, where that differs from the user who applied it."""
    reason: Annotated[str, Field(max_length=1024)] | None = None
    """Why."""
    ref: Uri | None = None
    """Where it was discussed or decided, such as a pull request."""


class ModelAlias(SpecModel):
    """One alias of a registered model."""

    version: Annotated[
        VersionName,
        Field(
            json_schema_extra=in_words(
                "spec.aliases: write the version's object name, <artifact>-<version>, such as handwriting-v1"
            )
        ),
    ]
    """The ModelVersion that the alias shall stand for, by its object name (mnist-v4). Being aliased links it."""
    digest: Digest | None = None
    """A pin: where it differs from the version's own digest, the alias is not followed."""
    change: Change | None = None
    """Why the alias was moved."""


class Link(SpecModel):
    """One linked version."""

    note: ShortText | None = None
    """Why the version is here."""


class RegisteredModelSpec(SpecModel):
    """What versions belong to the model and what its aliases stand for."""

    type: Annotated[ModelType, Field(json_schema_extra=immutable("spec.type", "make another RegisteredModel"))] = (
        ModelType.MODEL
    )
    """The type of every linked version's artifact. Immutable."""
    description: Description | None = None
    """What the model is for."""
    links: Annotated[
        dict[VersionName, Link] | None,
        Field(
            json_schema_extra={
                "maxProperties": LINKS_LIMIT,
                **rules(
                    rule(
                        f"self.all(name, size(name) <= {VERSION_NAME_LIMIT} && name.matches('{VERSION_NAME_PATTERN}'))",
                        "spec.links: a key is the object name of a ModelVersion, <artifact>-<version> such as "
                        "mnist-v4; correct it",
                    )
                ),
            }
        ),
    ] = None
    """The versions that belong to the model, by object name. A map, so that several owners can each apply their own
    entry; to take your last one back by plain `kubectl apply`, keep an empty map."""
    aliases: Annotated[dict[AliasName, ModelAlias] | None, Field(json_schema_extra=alias_names("spec.aliases"))] = None
    """What each alias shall stand for, by alias name; ModelDeployments follow. A map, so that several owners can each
    apply their own entry; to take your last one back by plain `kubectl apply`, keep an empty map, else kubectl deletes
    the others' entries too."""


class AliasMove(StatusModel):
    """One thing that happened to an alias."""

    event: Annotated[str, Field(max_length=32)]
    """What happened: Moved, Served or Removed."""
    version: VersionName | None = None
    """The version that it happened with; absent where the alias was removed."""
    digest: Digest | None = None
    """The digest of that version."""
    previous: VersionName | None = None
    """The version that the alias stood for before."""
    generation: Count | None = None
    """The metadata.generation of the model at which it was observed."""
    first_generation: Count | None = None
    """Where several changes came faster than they could be observed: the first generation that this entry covers."""
    at: Time
    """When it was observed."""
    moved_by: UserName | None = None
    """Who moved the alias."""
    sequence: Count | None = None
    """The entry's number in the store; absent until it is recorded there."""


class ModelAliasStatus(AliasStanding):
    """What an alias asks for, stands for, and stood for."""

    recorded: Count | None = None
    """The number of the last entry in the store's record of this alias."""
    history: Annotated[tuple[AliasMove, ...], Field(max_length=HISTORY_LIMIT)] | None = None
    """What happened last, newest first; `modelberth history` shows all of it."""


class RegisteredModelStatus(ObjectStatus):
    """What the aliases stand for."""

    aliases: Annotated[
        dict[AliasName, ModelAliasStatus] | None, Field(json_schema_extra={"maxProperties": 2 * ALIASES_LIMIT})
    ] = None
    """What each alias asks for and stands for, by alias name; a removed one stays until its removal is recorded."""
    summary: LongMessage | None = None
    """All aliases in one line: production=mnist-v3 staging=mnist-v4(Waiting)."""
    link_count: Count | None = None
    """How many versions belong to the model, linked or aliased."""
