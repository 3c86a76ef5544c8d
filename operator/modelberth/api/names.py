"""Names that other programs rely on: the API group, labels, annotations, field managers, injected parts.

They are part of the API: a change of one is a change of the API version.
"""

from typing import Final

GROUP: Final = "modelberth.io"
VERSION: Final = "v1alpha1"
API_VERSION: Final = f"{GROUP}/{VERSION}"
CATEGORY: Final = "modelberth"

AUDIENCE: Final = "modelberth"
"""The audience of the service account tokens by which pods prove themselves to the registry."""

NAMESPACE_PODS_GROUP: Final = "modelberth.io:namespace-pods"
"""The group that the registry adds to a pod's access review where the content lies in the pod's own namespace."""

CONTENT_SUBRESOURCE: Final = "content"
"""`get` on `modelversions/content` is the right to read a version's bytes; no such URL exists in the API server."""

# Labels of objects that Modelberth makes.
LABEL_MANAGED_BY: Final = "app.kubernetes.io/managed-by"
MANAGED_BY: Final = "modelberth"
LABEL_DEPLOYMENT: Final = f"{GROUP}/deployment"
LABEL_SLOT: Final = f"{GROUP}/slot"
SLOT_A: Final = "a"
LABEL_MODEL: Final = f"{GROUP}/model"
LABEL_ALIAS: Final = f"{GROUP}/alias"
LABEL_VERSION: Final = f"{GROUP}/version"
LABEL_DIGEST: Final = f"{GROUP}/digest"

LABEL_COMPONENT: Final = f"{GROUP}/component"
COMPONENT_TRAINING: Final = "training"
"""Of the pods of training runs, which nobody but the operator makes."""
LABEL_RUN: Final = f"{GROUP}/run"
LABEL_PIPELINE: Final = f"{GROUP}/pipeline"
"""The TrainingPipeline of a run, and of what the run made."""

INJECTED_LABELS: Final = frozenset(
    {LABEL_MANAGED_BY, LABEL_DEPLOYMENT, LABEL_SLOT, LABEL_MODEL, LABEL_ALIAS, LABEL_VERSION, LABEL_DIGEST}
)
"""Labels of the pods; a user's template may not carry them."""

# Label of a core/v1 PodTemplate that a ModelDeployment may refer to.
LABEL_TEMPLATE: Final = f"{GROUP}/template"
TEMPLATE_ALLOWED: Final = "true"

# Annotations.
ANNOTATION_DIGEST: Final = f"{GROUP}/digest"
ANNOTATION_VERSION: Final = f"{GROUP}/version"
ANNOTATION_REVISION: Final = f"{GROUP}/revision"
ANNOTATION_INPUT_HASH: Final = f"{GROUP}/input-hash"
ANNOTATION_ATTEMPT: Final = f"{GROUP}/attempt"
"""The number of a training run's attempt, on its pod."""
ANNOTATION_REPLICAS: Final = f"{GROUP}/replicas-from"
"""`spec` on a Deployment whose replicas the ModelDeployment sets; absent where an autoscaler owns them."""
ANNOTATION_CREATED_BY: Final = f"{GROUP}/created-by"
"""Who made a TrainingRun, stamped by an admission policy."""

MOVED_BY_DOMAIN: Final = f"moved-by.{GROUP}"
"""`moved-by.modelberth.io/<alias>`: who changed that alias last, stamped by an admission policy."""


def moved_by(alias: str) -> str:
    """The annotation that names the mover of an alias."""
    return f"{MOVED_BY_DOMAIN}/{alias}"


def field_manager(plural: str) -> str:
    """The field manager under which a reconciler applies: one per kind, so that none takes another's fields away."""
    return f"modelberth/{plural}"


# What is added to a pod template.
LOADER_CONTAINER: Final = "modelberth-loader"
VOLUME_MODEL: Final = "modelberth-model"
VOLUME_TOKEN: Final = "modelberth-token"  # noqa: S105 - a volume's name
VOLUME_REGISTRY: Final = "modelberth-registry"
INJECTED_VOLUMES: Final = frozenset({VOLUME_MODEL, VOLUME_TOKEN, VOLUME_REGISTRY})

ENV_MODEL: Final = "MODELBERTH_MODEL"
ENV_ALIAS: Final = "MODELBERTH_ALIAS"
ENV_VERSION: Final = "MODELBERTH_VERSION"
ENV_DIGEST: Final = "MODELBERTH_DIGEST"
ENV_MODEL_DIR: Final = "MODELBERTH_MODEL_DIR"
INJECTED_ENV: Final = frozenset({ENV_MODEL, ENV_ALIAS, ENV_VERSION, ENV_DIGEST, ENV_MODEL_DIR})

# The pod of a training run.
PREPARE_CONTAINER: Final = "modelberth-prepare"
TRAIN_CONTAINER: Final = "train"
REPORT_CONTAINER: Final = "modelberth-report"
VOLUME_WORK: Final = "modelberth-work"
WORK_FOLDER: Final = "/modelberth"

REGISTRY_CONFIG_MAP: Final = "modelberth-registry"
"""The ConfigMap of a namespace that tells its loaders the registry's URL (`url`) and its CA (`ca.crt`)."""
