"""The kinds that give versions names of their own and serve them."""

from typing import Final

from modelberth.api.common import LABEL_LIMIT, rule
from modelberth.api.kind import AGE_COLUMN, MESSAGE_COLUMN, READY_COLUMN, Column, Kind, short_name_rule
from modelberth.api.model_deployment import NAME_LIMIT, ModelDeploymentSpec, ModelDeploymentStatus
from modelberth.api.registered_model import RegisteredModelSpec, RegisteredModelStatus

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
