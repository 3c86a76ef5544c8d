"""The kinds: what each is called, what `kubectl get` shows of it, and the rules over an object as a whole."""

from typing import Final

from modelberth.api.common import ARTIFACT_NAME_LIMIT, LABEL_LIMIT, rule
from modelberth.api.kind import AGE_COLUMN, MESSAGE_COLUMN, READY_COLUMN, Column, Kind, short_name_rule
from modelberth.api.model_artifact import ModelArtifactSpec, ModelArtifactStatus
from modelberth.api.model_deployment import NAME_LIMIT, ModelDeploymentSpec, ModelDeploymentStatus
from modelberth.api.model_version import ModelVersionSpec, ModelVersionStatus
from modelberth.api.registered_model import RegisteredModelSpec, RegisteredModelStatus
from modelberth.api.transfer_session import TransferSessionSpec, TransferSessionStatus

MODEL_ARTIFACT: Final = Kind(
    name="ModelArtifact",
    plural="modelartifacts",
    short_name="mart",
    description="A ModelArtifact is the sequence of versions that one training effort logs.",
    spec=ModelArtifactSpec,
    status=ModelArtifactStatus,
    columns=(
        READY_COLUMN,
        Column("Latest", ".status.latestVersion"),
        Column("Versions", ".status.versionCount", "integer"),
        Column("Bytes", ".status.logicalBytes", "integer", 1),
        AGE_COLUMN,
        MESSAGE_COLUMN,
    ),
    rules=(
        short_name_rule("ModelArtifact", ARTIFACT_NAME_LIMIT),
        rule(
            "!has(self.spec.aliases) || self.spec.aliases.all(name, self.spec.aliases[name].version.substring(0,"
            " self.spec.aliases[name].version.lastIndexOf('-')) == self.metadata.name)",
            "spec.aliases: an artifact's alias stands for one of its own versions, <metadata.name>-<version>; "
            "to alias versions of several artifacts use a RegisteredModel",
        ),
    ),
)

MODEL_VERSION: Final = Kind(
    name="ModelVersion",
    plural="modelversions",
    short_name="mver",
    description="A ModelVersion is an immutable directory: a model's files, what it was made of and what was known "
    "when it was made.",
    spec=ModelVersionSpec,
    status=ModelVersionStatus,
    columns=(
        READY_COLUMN,
        Column("Artifact", ".spec.artifact"),
        Column("Version", ".spec.version"),
        Column("Files", ".status.fileCount", "integer", 1),
        Column("Bytes", ".status.sizeBytes", "integer", 1),
        Column("Digest", ".status.digest", priority=1),
        AGE_COLUMN,
        MESSAGE_COLUMN,
    ),
    rules=(
        rule(
            "self.metadata.name == self.spec.artifact + '-' + self.spec.version",
            "metadata.name must be <spec.artifact>-<spec.version>; rename the object or correct the two fields",
        ),
    ),
    selectable=(".spec.artifact", ".spec.version", ".status.digest"),
)

REGISTERED_MODEL: Final = Kind(
    name="RegisteredModel",
    plural="registeredmodels",
    short_name="rmod",
    description="A RegisteredModel links versions and gives them aliases. Moving an alias is the deploy control: "
    "ModelDeployments follow it.",
    spec=RegisteredModelSpec,
    status=RegisteredModelStatus,
    columns=(READY_COLUMN, Column("Aliases", ".status.summary"), AGE_COLUMN, MESSAGE_COLUMN),
    rules=(short_name_rule("RegisteredModel", LABEL_LIMIT),),
)

MODEL_DEPLOYMENT: Final = Kind(
    name="ModelDeployment",
    plural="modeldeployments",
    short_name="mdep",
    description="A ModelDeployment serves one alias of one RegisteredModel with a Deployment and a Service.",
    spec=ModelDeploymentSpec,
    status=ModelDeploymentStatus,
    columns=(
        READY_COLUMN,
        Column("Model", ".spec.model"),
        Column("Alias", ".spec.alias"),
        Column("Serves", ".status.serving"),
        Column("Desired", ".status.desired.version", priority=1),
        Column("Digest", ".status.desired.digest", priority=1),
        Column("Pods", ".status.readyReplicas", "integer"),
        Column("State", ".status.state"),
        AGE_COLUMN,
        MESSAGE_COLUMN,
    ),
    rules=(
        rule(
            f"size(self.metadata.name) <= {NAME_LIMIT} && self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')",
            f"metadata.name of a ModelDeployment is 1 to {NAME_LIMIT} lower case letters, digits and '-', beginning "
            "with a letter, because it names a Service and Deployments; choose another name",
        ),
    ),
    selectable=(".spec.model", ".spec.alias", ".status.state"),
    scales=True,
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
        Column("Artifact", ".spec.artifact"),
        Column("Expires", ".status.expiresAt"),
        AGE_COLUMN,
        MESSAGE_COLUMN,
    ),
    rules=(short_name_rule("TransferSession", LABEL_LIMIT),),
)

KINDS: Final = (MODEL_ARTIFACT, MODEL_VERSION, REGISTERED_MODEL, MODEL_DEPLOYMENT, TRANSFER_SESSION)
