"""What versions of models and of datasets share: where their content comes from, and what is known of it."""

from typing import Annotated, Any

from pydantic import ConfigDict, Field

from modelberth.api.common import Count, Digest, ObjectStatus, SpecModel, UserName, rule, rules

_PATH_RULES = rules(
    rule(
        "self.all(path, size(path) > 0 && size(path) <= 1024)",
        "spec.source.inline.files: a path is 1 to 1024 characters long; shorten it",
    ),
    rule(
        "self.all(path, path.split('/').all(part, !(part in ['', '.', '..'])))",
        "spec.source.inline.files: a path is relative and plain: no '/' at its ends, no empty part, no '.' or '..'; "
        "write it as folder/file",
    ),
)
_MAP_LIMIT = 256


def named_values(field: str, *, limit: int = _MAP_LIMIT) -> dict[str, object]:
    """The rules of a map whose keys are names that people chose."""
    return {
        "maxProperties": limit,
        **rules(
            rule(
                "self.all(name, size(name) > 0 && size(name) <= 128)",
                f"{field}: a name is 1 to 128 characters long; shorten it",
            )
        ),
    }


def version_rules(kind: str, *, collection: str, made_of: str) -> dict[str, Any]:
    """The rules over the spec of a version as a whole.

    Args:
        kind: the version's.
        collection: the field that names what the version belongs to.
        made_of: the field that names the versions that it was made of.
    """
    steps = made_of.split(".")
    unless = " || ".join(f"!has(self.{'.'.join(steps[: end + 1])})" for end in range(len(steps)))
    return rules(
        rule("self == oldSelf", f"spec of a {kind} is immutable; apply another version instead"),
        rule(
            "!has(self.source.pushed) || has(self.digest)",
            "spec.digest is required for pushed content; give the digest that `modelberth push` printed",
        ),
        rule(
            f"{unless} || !self.{made_of}.exists(name, name == self.{collection} + '-' + self.version)",
            f"spec.{made_of}: a version is not made of itself; name the version that it was made of",
        ),
    )


class InlineFile(SpecModel):
    """One small file, as text or as base64."""

    text: Annotated[str, Field(max_length=262144)] | None = None
    """The file's content as text; it is stored in UTF-8."""
    base64: Annotated[str, Field(min_length=1, max_length=349528, json_schema_extra={"format": "byte"})] | None = None
    """The file's content in base64, for what is not text. An empty file is an empty text."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule("has(self.text) != has(self.base64)", "a file has exactly one of text and base64; remove one of them")
        )
    )


class InlineSource(SpecModel):
    """Content that stands in the object itself."""

    files: Annotated[dict[str, InlineFile], Field(min_length=1, max_length=64, json_schema_extra=_PATH_RULES)]
    """The files of the directory, by path. The object as a whole must stay below the API server's 1.5 MiB."""


class PushedSource(SpecModel):
    """Content that was sent to the store; the digest names it."""


class Source(SpecModel):
    """Where the content comes from: exactly one of the fields."""

    pushed: PushedSource | None = None
    """The content was sent to the store before (`modelberth push`); spec.digest names it."""
    inline: InlineSource | None = None
    """The content stands here; for small content, configuration and tests."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule(
                "has(self.pushed) != has(self.inline)",
                "spec.source has exactly one of pushed and inline; give one and remove the other",
            )
        )
    )


class ContentStatus(ObjectStatus):
    """What is known of the content."""

    digest: Digest | None = None
    """The digest of the content, proven by the store; never changes once it is there."""
    file_count: Count | None = None
    """How many files the content has."""
    size_bytes: Count | None = None
    """The sizes of all its files, in bytes."""
    stored_bytes: Count | None = None
    """The sizes of the objects in the store that hold it, in bytes; content that it shares with others included."""
    used_by: Annotated[tuple[Annotated[str, Field(max_length=256)], ...], Field(max_length=64)] | None = None
    """What stands on this version, such as registeredmodel/digits:production or trainingpipeline/housing: models and
    collections by links and aliases, pipelines that name it, runs that have not ended. Shown, not relied on."""
    pushed_by: UserName | None = None
    """Who sent the content, from the version's record in the store."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule(
                "!has(oldSelf.digest) || (has(self.digest) && self.digest == oldSelf.digest)",
                "status.digest is immutable once it is set",
            )
        )
    )
