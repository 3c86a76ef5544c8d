"""ModelDeployment: one alias of one model, answered by one inference Deployment."""

from enum import StrEnum
from typing import Annotated, Any, Final

from pydantic import ConfigDict, Field, WithJsonSchema
from typing_extensions import TypedDict

from modelberth.api.common import (
    AliasName,
    Count,
    CountOrPercent,
    Digest,
    Label,
    ObjectStatus,
    ShortText,
    SpecModel,
    State,
    StatusModel,
    Time,
    VersionName,
    only_in_code,
    rule,
    rules,
)

NAME_LIMIT = 52
"""A ModelDeployment's name, so that the names of its Deployment, ReplicaSets and revisions fit into 63."""

QUANTITY_PATTERN: Final = r"^[0-9]+([.][0-9]+)?([numkMGTPE]|[KMGTPE]i|[eE][-+]?[0-9]+)?$"
"""Quantities as resources use them: not negative, in decimal (500m, 2G), binary (2Gi) or exponent form."""
PORT_NAME_PATTERN: Final = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"


class Delivery(StrEnum):
    """How the model gets into the pods."""

    LOAD = "Load"


class StrategyType(StrEnum):
    """How pods of one version give way to pods of the next."""

    ROLLING = "Rolling"
    RECREATE = "Recreate"


class Strategy(SpecModel):
    """How pods of one version give way to pods of the next."""

    type: StrategyType = StrategyType.ROLLING
    """Rolling starts new pods beside the old ones, which serve until these are ready; Recreate ends the old ones
    first, for what cannot run twice."""
    max_surge: Annotated[CountOrPercent, Field(json_schema_extra=only_in_code)] = 1
    """Rolling only: how many pods more than wished there may be meanwhile, as a count or a share; 1 by default."""
    max_unavailable: Annotated[CountOrPercent, Field(json_schema_extra=only_in_code)] = 0
    """Rolling only: how many pods fewer than wished may be ready meanwhile, as a count or a share; 0 by default: no
    gap."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule(
                "self.type == 'Rolling' || (!has(self.maxSurge) && !has(self.maxUnavailable))",
                "spec.strategy: maxSurge and maxUnavailable belong to type Rolling; remove them or choose Rolling",
            ),
            rule(
                "!(has(self.maxSurge) && (self.maxSurge == 0 || self.maxSurge == '0%'))"
                " || (has(self.maxUnavailable) && !(self.maxUnavailable == 0 || self.maxUnavailable == '0%'))",
                "spec.strategy: maxSurge and maxUnavailable cannot both be 0 (maxUnavailable is 0 by default); "
                "raise one of them",
            ),
        )
    )


class TemplateReference(SpecModel):
    """A pod template that stands for itself."""

    name: Annotated[str, Field(min_length=1, max_length=253, pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$")]
    """The name of a core/v1 PodTemplate in the same namespace that is labelled modelberth.io/template=true."""


Quantity = Annotated[
    int | str,
    WithJsonSchema({"x-kubernetes-int-or-string": True, "minimum": 0, "maxLength": 32, "pattern": QUANTITY_PATTERN}),
]
Quantities = Annotated[dict[str, Quantity], Field(max_length=16)]


class Resources(TypedDict, total=False):
    """What a container asks for and may use."""

    __pydantic_config__ = ConfigDict(extra="forbid", use_attribute_docstrings=True)  # type: ignore[misc]

    limits: Quantities
    """The most it may use, by resource, such as memory: 256Mi."""
    requests: Quantities
    """What it is promised, by resource, such as cpu: 100m."""


PortReference = Annotated[
    int | str,
    WithJsonSchema(
        {
            "x-kubernetes-int-or-string": True,
            "minimum": 1,
            "maximum": 65535,
            "maxLength": 15,
            "pattern": PORT_NAME_PATTERN,
        }
    ),
]


class Loader(SpecModel):
    """The container that brings the model into the pod before the server starts."""

    mount_path: Annotated[
        str,
        Field(
            max_length=256,
            pattern=r"^(/[A-Za-z0-9._-]+)+$",
            json_schema_extra=rules(
                rule(
                    "self.split('/').all(part, !(part in ['.', '..']))",
                    "spec.loader.mountPath must be a plain absolute path without '.' and '..', such as /mnt/models",
                )
            ),
        ),
    ] = "/mnt/models"
    """Where the server container finds the model's files, read-only; also in its MODELBERTH_MODEL_DIR."""
    resources: Resources | None = None
    """What the loader asks for and may use."""
    image: Annotated[str, Field(min_length=1, max_length=1024)] | None = None
    """The loader's image; the operator's own by default."""


class ServicePort(SpecModel):
    """One port of the Service."""

    name: Annotated[str, Field(min_length=1, max_length=63, pattern=PORT_NAME_PATTERN)]
    """The port's name, unique within the Service."""
    port: Annotated[int, Field(ge=1, le=65535, json_schema_extra={"format": "int32"})]
    """The port that clients use."""
    target_port: PortReference | None = None
    """The container's port, by number or name; the same number as port by default."""


class Service(SpecModel):
    """The Service in front of the pods; it is named as the ModelDeployment."""

    ports: Annotated[
        tuple[ServicePort, ...],
        Field(
            max_length=16,
            json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]},
        ),
    ] = ()
    """The ports; by default those that the template's containers declare."""


class ModelDeploymentSpec(SpecModel):
    """Which alias is served, and how."""

    model: Label
    """The RegisteredModel, in the same namespace."""
    alias: Annotated[
        AliasName,
        Field(
            json_schema_extra=rules(
                rule(
                    "self != 'latest'",
                    "spec.alias: latest is reserved and no alias of a RegisteredModel; name one of its aliases",
                ),
                rule(
                    "!self.matches('^v[0-9]+$')",
                    "spec.alias must name an alias, not a version; alias the version in the RegisteredModel first",
                ),
            )
        ),
    ]
    """The alias of that model; the version that it stands for is served."""
    delivery: Delivery = Delivery.LOAD
    """How the model gets into the pods: Load fetches and verifies it in an init container."""
    strategy: Strategy = Strategy()
    """How pods of one version give way to pods of the next."""
    replicas: Annotated[int, Field(ge=0, le=1000, json_schema_extra={"format": "int32"})] | None = None
    """How many pods are wished for; leave it out where an autoscaler sets them. A new Deployment starts with 1."""
    template: (
        Annotated[
            dict[str, Any],
            WithJsonSchema({"type": "object", "x-kubernetes-preserve-unknown-fields": True}),
        ]
        | None
    ) = None
    """The pods, as a PodTemplateSpec. The API server checks it when the Deployment is first tried; what it finds is
    said in the status."""
    template_ref: TemplateReference | None = None
    """The pods, as a PodTemplate that stands for itself."""
    container: Label | None = None
    """The container that serves the model; the template's first by default."""
    loader: Loader = Loader()
    """The container that brings the model into the pod before the server starts."""
    service: Annotated[Service, Field(json_schema_extra=only_in_code)] = Service()
    """The Service in front of the pods."""
    no_progress_seconds: Annotated[int, Field(ge=1, le=86400, json_schema_extra={"format": "int32"})] = 600
    """A roll without any progress for so many seconds, bytes loaded included, counts as failed; what served before
    goes on serving."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule(
                "has(self.template) != has(self.templateRef)",
                "spec has exactly one of template and templateRef; give one and remove the other",
            )
        )
    )


class Desired(StatusModel):
    """A version that is asked for."""

    version: VersionName
    """The version, by its object name."""
    digest: Digest | None = None
    """The digest of its content; absent while the version cannot be followed."""


class Pin(StatusModel):
    """A version and its content."""

    version: VersionName
    """The version, by its object name."""
    digest: Digest
    """The digest of its content."""


class PassedRevision(Pin):
    """A version as it was rolled out."""

    revision: ShortText
    """The ControllerRevision that holds the pod template as it was rendered."""


class ServedRevision(PassedRevision):
    """A version that pods are running."""

    ready_replicas: Count = 0
    """How many of its pods are ready."""


class Loading(StatusModel):
    """How far the pods that load are, all together."""

    bytes: Count
    """Bytes that are there and verified."""
    total: Count
    """Bytes that are to be loaded."""


class RollProgress(StatusModel):
    """The furthest that a roll has been, which pods that are evicted again and again do not surpass."""

    replicas: Count
    """How many pods were wanted."""
    steps: Count
    """Steps towards being ready that the pods had behind them, all together."""
    bytes: Count
    """Bytes that the running loaders had then."""
    at: Time
    """When it got there."""


class ModelDeploymentStatus(ObjectStatus):
    """What is served, and how far the next version is."""

    state: State | None = None
    """In one word: Served, Progressing, Waiting, Blocked, Degraded, or Suspended (scaled to zero)."""
    desired: Desired | None = None
    """The version that the alias asks for now."""
    serving: Annotated[str, Field(max_length=1024)] | None = None
    """The versions that ready pods are running, in one line."""
    served: Annotated[tuple[ServedRevision, ...], Field(max_length=16)] | None = None
    """The versions that ready pods are running, by name."""
    last_passed: PassedRevision | None = None
    """The last version that all wished pods were ready with."""
    loading: Loading | None = None
    """How far the pods that load are; absent while none does."""
    replicas: Count | None = None
    """How many pods there are."""
    ready_replicas: Count | None = None
    """How many pods are ready."""
    selector: Annotated[str, Field(max_length=512)] | None = None
    """The label selector of the pods, for autoscalers."""
    revision: ShortText | None = None
    """The ControllerRevision that is rolled out or being rolled out."""
    roll_started_at: Time | None = None
    """When the roll to that revision began."""
    roll_progress: RollProgress | None = None
    """The furthest that this roll has been; absent once it has come to its end."""
