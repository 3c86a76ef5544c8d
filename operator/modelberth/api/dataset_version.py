"""DatasetVersion: an immutable directory of data, and where it came from."""

from typing import Annotated

from pydantic import ConfigDict, Field

from modelberth.api.common import (
    DatasetName,
    Description,
    Digest,
    SequenceNumber,
    ShortText,
    SpecModel,
    VersionNames,
)
from modelberth.api.content import ContentStatus, Source, named_values, version_rules
from modelberth.api.lineage import Provenance

_LABELS_LIMIT = 64


class DatasetVersionSpec(SpecModel):
    """What the version is. Immutable as a whole: other data is another version."""

    dataset: DatasetName
    """The Dataset that the version belongs to."""
    version: SequenceNumber
    """The version's number, such as v4. The object's name is <dataset>-<version>."""
    digest: Digest | None = None
    """The digest of the content's tree. Required for pushed content, where it names the content; for other sources a
    pin: content with another digest is refused."""
    source: Source
    """Where the content comes from: exactly one of the fields."""
    format: ShortText | None = None
    """What the files are, such as csv, parquet or images."""
    description: Description | None = None
    """What is special about this version."""
    derived_from: VersionNames | None = None
    """The DatasetVersions that it was made from, by object name: a labelled set is derived from the bare one."""
    labels: Annotated[
        dict[str, ShortText] | None,
        Field(json_schema_extra=named_values("spec.labels", limit=_LABELS_LIMIT)),
    ] = None
    """Whatever else is to be known of it, by name, such as region: north."""
    lineage: Provenance | None = None
    """How the version was made."""

    model_config = ConfigDict(
        json_schema_extra=version_rules("DatasetVersion", collection="dataset", made_of="derivedFrom")
    )


class DatasetVersionStatus(ContentStatus):
    """What is known of the content."""
