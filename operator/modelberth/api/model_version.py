"""ModelVersion: an immutable directory, what it was made of and what was known when it was made."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from modelberth.api.common import (
    ArtifactName,
    Count,
    Description,
    Digest,
    ObjectStatus,
    ShortText,
    SpecModel,
    Uri,
    UserName,
    Version,
    VersionName,
    rule,
    rules,
)

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


def _named_values(field: str) -> dict[str, object]:
    return {
        "maxProperties": _MAP_LIMIT,
        **rules(
            rule(
                "self.all(name, size(name) > 0 && size(name) <= 128)",
                f"{field}: a name is 1 to 128 characters long; shorten it",
            )
        ),
    }


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
    """The content stands here; for small models, configuration and tests."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule(
                "has(self.pushed) != has(self.inline)",
                "spec.source has exactly one of pushed and inline; give one and remove the other",
            )
        )
    )


class TensorSpec(SpecModel):
    """One input or output of the model."""

    name: ShortText | None = None
    """The name by which a request or an answer carries it."""
    type: Annotated[str, Field(min_length=1, max_length=64)]
    """The type of its elements, such as float32 or string."""
    shape: Annotated[tuple[Annotated[int, Field(ge=-1)], ...], Field(max_length=16)] | None = None
    """The size of each dimension; -1 for one that varies, such as the batch."""


class Signature(SpecModel):
    """What goes into the model and what comes out of it."""

    inputs: Annotated[tuple[TensorSpec, ...], Field(max_length=256)] | None = None
    """What the model takes, in order."""
    outputs: Annotated[tuple[TensorSpec, ...], Field(max_length=256)] | None = None
    """What the model answers, in order."""


class Run(SpecModel):
    """The training run that made the version."""

    uri: Uri
    """Where the run is recorded, such as the page of an MLflow or W&B run."""


class DatasetReference(SpecModel):
    """One dataset that was used."""

    uri: Uri
    """Where the dataset lies."""
    digest: Digest | None = None
    """The digest of exactly the content that was used."""
    role: Literal["train", "validation", "test"] | None = None
    """What it was used for."""


class Code(SpecModel):
    """The program that made the version."""

    repository: Uri | None = None
    """Where the source code lies."""
    revision: ShortText | None = None
    """The commit."""
    path: Annotated[str, Field(max_length=1024)] | None = None
    """The program's path within the repository."""
    dirty: bool | None = None
    """Whether the working copy differed from the commit."""


class Environment(SpecModel):
    """Where the program ran."""

    image: Annotated[str, Field(max_length=1024)] | None = None
    """The container image, best with its digest."""
    python: Annotated[str, Field(max_length=64)] | None = None
    """The version of Python."""
    packages: Digest | None = None
    """The digest of the list of installed packages, as `pip freeze` prints it."""


class Lineage(SpecModel):
    """What the version was made of."""

    run: Run | None = None
    """The training run."""
    datasets: Annotated[tuple[DatasetReference, ...], Field(max_length=64)] | None = None
    """The datasets that were used."""
    parents: (
        Annotated[tuple[VersionName, ...], Field(max_length=64, json_schema_extra={"x-kubernetes-list-type": "set"})]
        | None
    ) = None
    """The ModelVersions that it was derived from, by object name, such as the base of a fine-tuning."""
    code: Code | None = None
    """The program."""
    environment: Environment | None = None
    """Where the program ran."""


class ModelVersionSpec(SpecModel):
    """What the version is. Immutable as a whole: other content is another version."""

    artifact: ArtifactName
    """The ModelArtifact that the version belongs to."""
    version: Version
    """The version's number: v4 in an artifact of versioning Sequence, 1.1 in one of Semantic. The object's name is
    <artifact>-<version>."""
    digest: Digest | None = None
    """The digest of the content's tree. Required for pushed content, where it names the content; for other sources a
    pin: content with another digest is refused."""
    source: Source
    """Where the content comes from: exactly one of the fields."""
    format: ShortText | None = None
    """What reads the content, such as onnx, safetensors or sklearn."""
    signature: Signature | None = None
    """What goes into the model and what comes out of it."""
    lineage: Lineage | None = None
    """What the version was made of."""
    parameters: Annotated[
        dict[str, Annotated[str, Field(max_length=4096)]] | None,
        Field(json_schema_extra=_named_values("spec.parameters")),
    ] = None
    """What the training was told, by name, such as learning_rate: "0.01"."""
    metrics: Annotated[dict[str, float] | None, Field(json_schema_extra=_named_values("spec.metrics"))] = None
    """What was measured when the version was made, by name, such as accuracy: 0.97."""
    description: Description | None = None
    """What is special about this version."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule("self == oldSelf", "spec of a ModelVersion is immutable; apply another version instead"),
            rule(
                "!has(self.source.pushed) || has(self.digest)",
                "spec.digest is required for pushed content; give the digest that `modelberth push` printed",
            ),
        )
    )


class ModelVersionStatus(ObjectStatus):
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
    """What stands on this version, such as RegisteredModel/digits:production; shown, not relied on."""
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
