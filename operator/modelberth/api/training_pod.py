"""What the pod of a training run is to have besides its containers."""

from typing import Annotated, Final, Literal

from pydantic import Field

from modelberth.api.common import LABEL_LIMIT, SpecModel, rule, rules
from modelberth.api.model_deployment import Quantity

_SUBDOMAIN_PATTERN: Final = r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$"

ObjectName = Annotated[str, Field(min_length=1, max_length=253, pattern=_SUBDOMAIN_PATTERN)]
UserId = Annotated[int, Field(ge=1, le=2147483647, json_schema_extra={"format": "int64"})]


class Toleration(SpecModel):
    """One taint that the pod may be scheduled in spite of."""

    key: Annotated[str, Field(max_length=317)] | None = None
    """The taint's key; every key if it is not given."""
    operator: Literal["Exists", "Equal", "Lt", "Gt"] | None = None
    """How the value is compared; Equal by default."""
    value: Annotated[str, Field(max_length=LABEL_LIMIT)] | None = None
    """The taint's value."""
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = None
    """The taint's effect; every effect if it is not given."""
    toleration_seconds: Annotated[int, Field(json_schema_extra={"format": "int64"})] | None = None
    """With NoExecute: for how many seconds; for ever if it is not given."""


class LocalReference(SpecModel):
    """An object of the namespace."""

    name: ObjectName
    """Its name."""


_POD_LABELS = {
    "maxProperties": 32,
    **rules(
        rule(
            "self.all(name, size(name) <= 317 && !name.startsWith('modelberth.io/')"
            " && name != 'app.kubernetes.io/managed-by')",
            "pod.labels: modelberth.io/* and app.kubernetes.io/managed-by are set by Modelberth; remove them",
        )
    ),
}
_POD_ANNOTATIONS = {
    "maxProperties": 32,
    **rules(
        rule(
            "self.all(name, size(name) <= 317 && !name.startsWith('modelberth.io/'))",
            "pod.annotations: modelberth.io/* is set by Modelberth; remove it",
        )
    ),
}


class PodExtras(SpecModel):
    """What else the pod of a run is to have."""

    node_selector: (
        Annotated[
            dict[str, Annotated[str, Field(max_length=LABEL_LIMIT)]], Field(json_schema_extra={"maxProperties": 32})
        ]
        | None
    ) = None
    """Labels that a node must have."""
    tolerations: Annotated[tuple[Toleration, ...], Field(max_length=32)] | None = None
    """Taints that the pod may be scheduled in spite of."""
    service_account_name: ObjectName | None = None
    """The ServiceAccount that the pod runs as; default by default. The program gets no token of it."""
    labels: Annotated[
        dict[str, Annotated[str, Field(max_length=LABEL_LIMIT)]] | None, Field(json_schema_extra=_POD_LABELS)
    ] = None
    """Labels of the pod, such as the queue of a queueing system."""
    annotations: Annotated[
        dict[str, Annotated[str, Field(max_length=4096)]] | None, Field(json_schema_extra=_POD_ANNOTATIONS)
    ] = None
    """Annotations of the pod."""
    priority_class_name: ObjectName | None = None
    """The PriorityClass of the pod."""
    runtime_class_name: ObjectName | None = None
    """The RuntimeClass that the pod runs with, as GPUs may ask for."""
    scheduler_name: ObjectName | None = None
    """The scheduler that places the pod."""
    image_pull_secrets: Annotated[tuple[LocalReference, ...], Field(max_length=8)] | None = None
    """Secrets for the image's registry."""
    run_as_user: UserId = 65532
    """The user id that all containers run as."""
    run_as_group: UserId = 65532
    """The group id that all containers run as."""
    fs_group: UserId = 65532
    """The group id that owns the pod's volumes."""


class ScratchStorage(SpecModel):
    """The volume that holds package, data and whatever the program writes."""

    size_limit: Quantity | None = None
    """How much it may hold, such as 20Gi; as much as the node has by default."""
