"""The kinds: what each is called, what `kubectl get` shows of it, and the rules over an object as a whole."""

from dataclasses import dataclass
from typing import Final

from pydantic import BaseModel

from modelberth.api.common import ARTIFACT_NAME_LIMIT, LABEL_LIMIT, LABEL_PATTERN, ObjectStatus, SpecModel, rule
from modelberth.api.model_artifact import ModelArtifactSpec, ModelArtifactStatus
from modelberth.api.model_deployment import NAME_LIMIT, ModelDeploymentSpec, ModelDeploymentStatus
from modelberth.api.model_version import ModelVersionSpec, ModelVersionStatus
from modelberth.api.registered_model import RegisteredModelSpec, RegisteredModelStatus
from modelberth.api.transfer_session import TransferSessionSpec, TransferSessionStatus


@dataclass(frozen=True, slots=True)
class Column:
    """One column of `kubectl get`; those of priority 1 are shown with `-o wide` only."""

    name: str
    path: str
    type: str = "string"
    priority: int = 0


@dataclass(frozen=True, slots=True)
class Kind:
    """One custom resource."""

    name: str
    plural: str
    short_name: str
    description: str
    spec: type[SpecModel]
    status: type[ObjectStatus]
    columns: tuple[Column, ...]
    rules: tuple[dict[str, str], ...] = ()
    selectable: tuple[str, ...] = ()
    scales: bool = False

    @property
    def singular(self) -> str:
        """The name for one, as in `kubectl get modelversion`."""
        return self.name.lower()

    @property
    def parts(self) -> tuple[type[BaseModel], type[BaseModel]]:
        """The models of spec and status."""
        return self.spec, self.status


_READY: Final = Column("Ready", '.status.conditions[?(@.type=="Ready")].status')
_AGE: Final = Column("Age", ".metadata.creationTimestamp", "date")
_MESSAGE: Final = Column("Message", '.status.conditions[?(@.type=="Ready")].message')


def _short_name_rule(kind: str, limit: int) -> dict[str, str]:
    return rule(
        f"size(self.metadata.name) <= {limit} && self.metadata.name.matches('{LABEL_PATTERN}')",
        f"metadata.name of a {kind} is 1 to {limit} lower case letters, digits and '-', because other names are built "
        "from it; choose another name",
    )


MODEL_ARTIFACT: Final = Kind(
    name="ModelArtifact",
    plural="modelartifacts",
    short_name="mart",
    description="A ModelArtifact is the sequence of versions that one training effort logs.",
    spec=ModelArtifactSpec,
    status=ModelArtifactStatus,
    columns=(
        _READY,
        Column("Latest", ".status.latestVersion"),
        Column("Versions", ".status.versionCount", "integer"),
        Column("Bytes", ".status.logicalBytes", "integer", 1),
        _AGE,
        _MESSAGE,
    ),
    rules=(
        _short_name_rule("ModelArtifact", ARTIFACT_NAME_LIMIT),
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
        _READY,
        Column("Artifact", ".spec.artifact"),
        Column("Version", ".spec.version"),
        Column("Files", ".status.fileCount", "integer", 1),
        Column("Bytes", ".status.sizeBytes", "integer", 1),
        Column("Digest", ".status.digest", priority=1),
        _AGE,
        _MESSAGE,
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
    columns=(_READY, Column("Aliases", ".status.summary"), _AGE, _MESSAGE),
    rules=(_short_name_rule("RegisteredModel", LABEL_LIMIT),),
)

MODEL_DEPLOYMENT: Final = Kind(
    name="ModelDeployment",
    plural="modeldeployments",
    short_name="mdep",
    description="A ModelDeployment serves one alias of one RegisteredModel with a Deployment and a Service.",
    spec=ModelDeploymentSpec,
    status=ModelDeploymentStatus,
    columns=(
        _READY,
        Column("Model", ".spec.model"),
        Column("Alias", ".spec.alias"),
        Column("Serves", ".status.serving"),
        Column("Desired", ".status.desired.version", priority=1),
        Column("Digest", ".status.desired.digest", priority=1),
        Column("Pods", ".status.readyReplicas", "integer"),
        Column("State", ".status.state"),
        _AGE,
        _MESSAGE,
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
        _READY,
        Column("Operation", ".spec.operation"),
        Column("User", ".spec.user"),
        Column("Artifact", ".spec.artifact"),
        Column("Expires", ".status.expiresAt"),
        _AGE,
        _MESSAGE,
    ),
    rules=(_short_name_rule("TransferSession", LABEL_LIMIT),),
)

KINDS: Final = (MODEL_ARTIFACT, MODEL_VERSION, REGISTERED_MODEL, MODEL_DEPLOYMENT, TRANSFER_SESSION)
