"""ModelVersion: an immutable directory, what it was made of and what was known when it was made."""

from typing import Annotated

from pydantic import ConfigDict, Field

from modelberth.api.common import ArtifactName, Description, Digest, ShortText, SpecModel, Version
from modelberth.api.content import ContentStatus, Source, named_values, version_rules
from modelberth.api.lineage import Lineage


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
        Field(json_schema_extra=named_values("spec.parameters")),
    ] = None
    """What the training was told, by name, such as learning_rate: "0.01"."""
    metrics: Annotated[dict[str, float] | None, Field(json_schema_extra=named_values("spec.metrics"))] = None
    """What was measured when the version was made, by name, such as accuracy: 0.97."""
    description: Description | None = None
    """What is special about this version."""

    model_config = ConfigDict(
        json_schema_extra=version_rules("ModelVersion", collection="artifact", made_of="lineage.parents")
    )


class ModelVersionStatus(ContentStatus):
    """What is known of the content."""
