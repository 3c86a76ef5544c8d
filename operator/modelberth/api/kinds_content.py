"""The kinds of content: collections and versions of models and of data, and the sessions that send and fetch them."""

from typing import Final

from modelberth.api.collection import CollectionStatus
from modelberth.api.common import ARTIFACT_NAME_LIMIT, LABEL_LIMIT, SpecModel, rule
from modelberth.api.content import ContentStatus
from modelberth.api.dataset import DatasetSpec, DatasetStatus
from modelberth.api.dataset_version import DatasetVersionSpec, DatasetVersionStatus
from modelberth.api.kind import AGE_COLUMN, MESSAGE_COLUMN, READY_COLUMN, Column, Kind, short_name_rule
from modelberth.api.model_artifact import ModelArtifactSpec, ModelArtifactStatus
from modelberth.api.model_version import ModelVersionSpec, ModelVersionStatus
from modelberth.api.transfer_session import TransferSessionSpec, TransferSessionStatus


def _collection(
    *,
    name: str,
    short_name: str,
    description: str,
    spec: type[SpecModel],
    status: type[CollectionStatus],
    foreign_alias: str,
) -> Kind:
    return Kind(
        name=name,
        plural=f"{name.lower()}s",
        short_name=short_name,
        description=description,
        spec=spec,
        status=status,
        columns=(
            READY_COLUMN,
            Column("Latest", ".status.latestVersion"),
            Column("Versions", ".status.versionCount", "integer"),
            Column("Bytes", ".status.logicalBytes", "integer", 1),
            AGE_COLUMN,
            MESSAGE_COLUMN,
        ),
        rules=(
            short_name_rule(name, ARTIFACT_NAME_LIMIT),
            rule(
                "!has(self.spec.aliases) || self.spec.aliases.all(name,"
                " !self.spec.aliases[name].version.contains('-') || self.spec.aliases[name].version.substring(0,"
                " self.spec.aliases[name].version.lastIndexOf('-')) == self.metadata.name)",
                foreign_alias,
            ),
        ),
    )


def _version(
    *, name: str, short_name: str, description: str, field: str, spec: type[SpecModel], status: type[ContentStatus]
) -> Kind:
    return Kind(
        name=name,
        plural=f"{name.lower()}s",
        short_name=short_name,
        description=description,
        spec=spec,
        status=status,
        columns=(
            READY_COLUMN,
            Column(field.capitalize(), f".spec.{field}"),
            Column("Version", ".spec.version"),
            Column("Files", ".status.fileCount", "integer", 1),
            Column("Bytes", ".status.sizeBytes", "integer", 1),
            Column("Digest", ".status.digest", priority=1),
            AGE_COLUMN,
            MESSAGE_COLUMN,
        ),
        rules=(
            rule(
                f"self.metadata.name == self.spec.{field} + '-' + self.spec.version",
                f"metadata.name must be <spec.{field}>-<spec.version>; rename the object or correct the two fields",
            ),
        ),
        selectable=(f".spec.{field}", ".spec.version", ".status.digest"),
    )


MODEL_ARTIFACT: Final = _collection(
    name="ModelArtifact",
    short_name="mart",
    description="A ModelArtifact is the sequence of versions that one training effort logs.",
    spec=ModelArtifactSpec,
    status=ModelArtifactStatus,
    foreign_alias="spec.aliases: an artifact's alias stands for one of its own versions, <metadata.name>-<version>; "
    "to alias versions of several artifacts use a RegisteredModel",
)

MODEL_VERSION: Final = _version(
    name="ModelVersion",
    short_name="mver",
    description="A ModelVersion is an immutable directory: a model's files, what it was made of and what was known "
    "when it was made.",
    field="artifact",
    spec=ModelVersionSpec,
    status=ModelVersionStatus,
)

DATASET: Final = _collection(
    name="Dataset",
    short_name="dset",
    description="A Dataset is the sequence of versions of one body of data.",
    spec=DatasetSpec,
    status=DatasetStatus,
    foreign_alias="spec.aliases: a dataset's alias stands for one of its own versions, <metadata.name>-<version>; "
    "correct the version",
)

DATASET_VERSION: Final = _version(
    name="DatasetVersion",
    short_name="dver",
    description="A DatasetVersion is an immutable directory of data, and where it came from.",
    field="dataset",
    spec=DatasetVersionSpec,
    status=DatasetVersionStatus,
)

TRANSFER_SESSION: Final = Kind(
    name="TransferSession",
    plural="transfersessions",
    short_name="tses",
    description="A TransferSession lets one user push or pull content for a while. Clients make and delete it.",
    spec=TransferSessionSpec,
    status=TransferSessionStatus,
    columns=(
        READY_COLUMN,
        Column("Operation", ".spec.operation"),
        Column("User", ".spec.user"),
        Column("Family", ".spec.family"),
        Column("Artifact", ".spec.artifact", priority=1),
        Column("Dataset", ".spec.dataset", priority=1),
        Column("Expires", ".status.expiresAt"),
        AGE_COLUMN,
        MESSAGE_COLUMN,
    ),
    rules=(short_name_rule("TransferSession", LABEL_LIMIT),),
)
