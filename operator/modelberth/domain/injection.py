"""The pod template as it runs: the user's, plus the loader that brings the model in before the server starts.

The loader alone sees the token for the registry. The server sees the model read-only, through a subPath: the loader
makes the folder visible by one rename, and a mount point could not be renamed.
"""

import copy
from dataclasses import dataclass
from typing import Any

from modelberth.api import names
from modelberth.content.mounts import REGISTRY_FOLDER, TOKEN_FOLDER
from modelberth.domain.objects import Object
from modelberth.domain.templates import server_container

MODEL_VOLUME_ROOT = "/mnt/modelberth"
MODEL_SUBPATH = "model"
TOKEN_SECONDS = 3600
"""Asked for; the kubelet renews a projected token at 80 % of its life."""

_MIB = 1024 * 1024
_LOADER_UID = 65532
_DEFAULT_RESOURCES: Object = {"requests": {"cpu": "100m", "memory": "160Mi"}, "limits": {"memory": "256Mi"}}


@dataclass(frozen=True, slots=True)
class Injection:
    """What is added to a template; ``resources`` are the loader's, None for the defaults."""

    artifact: str
    model: str
    alias: str
    version: str
    digest: str
    size_bytes: int
    revision: str
    deployment: str
    container: str | None
    mount_path: str
    loader_image: str
    resources: Object | None


def render(template: Object, add: Injection) -> Object:
    """The template with the loader, its volumes, the server's mount and environment, labels and annotations.

    ``template`` is left as it is; its own entries keep their order and come after the added ones.
    """
    rendered = copy.deepcopy(template)
    metadata = rendered.get("metadata") or {}
    rendered["metadata"] = {
        **metadata,
        "labels": {**(metadata.get("labels") or {}), **pod_labels(add)},
        "annotations": {**(metadata.get("annotations") or {}), **identity_annotations(add)},
    }
    spec = rendered["spec"]
    for container in [*(spec.get("initContainers") or ()), *spec["containers"]]:
        # A crashed container's last lines reach its status, and so ours, without a right to read logs.
        container.setdefault("terminationMessagePolicy", "FallbackToLogsOnError")
    spec["initContainers"] = [_loader(spec, add), *(spec.get("initContainers") or ())]
    spec["volumes"] = [*_volumes(add), *(spec.get("volumes") or ())]
    server = server_container(rendered, add.container)
    assert server is not None  # noqa: S101 - templates.faults() refuses such a template
    server["env"] = [*_environment(add), *(server.get("env") or ())]
    server["volumeMounts"] = [
        {"name": names.VOLUME_MODEL, "mountPath": add.mount_path, "subPath": MODEL_SUBPATH, "readOnly": True},
        *(server.get("volumeMounts") or ()),
    ]
    return rendered


def selector(deployment: str) -> dict[str, str]:
    """What selects the pods of a deployment's slot: nothing in it ever changes, since selectors are immutable."""
    return {names.LABEL_DEPLOYMENT: deployment, names.LABEL_SLOT: names.SLOT_A}


def pod_labels(add: Injection) -> dict[str, str]:
    """Labels of the pods, and so of their ReplicaSets. A full digest does not fit a label (64 > 63)."""
    return {
        names.LABEL_MANAGED_BY: names.MANAGED_BY,
        **selector(add.deployment),
        names.LABEL_MODEL: add.model,
        names.LABEL_ALIAS: add.alias,
        names.LABEL_VERSION: add.version,
        names.LABEL_DIGEST: short_digest(add.digest),
    }


def identity_annotations(add: Injection) -> dict[str, str]:
    """What a pod serves, in full."""
    return {
        names.ANNOTATION_DIGEST: add.digest,
        names.ANNOTATION_VERSION: add.version,
        names.ANNOTATION_REVISION: add.revision,
    }


def short_digest(digest: str) -> str:
    """The first 12 hex digits: enough for people, and fit for a label."""
    return digest.removeprefix("sha256:")[:12]


def _loader(spec: Object, add: Injection) -> Object:
    return {
        "name": names.LOADER_CONTAINER,
        "image": add.loader_image,
        "args": ["load", f"{add.artifact}@{add.digest}", f"{MODEL_VOLUME_ROOT}/{MODEL_SUBPATH}"],
        "env": [{"name": "MODELBERTH_NAMESPACE", "valueFrom": {"fieldRef": {"fieldPath": "metadata.namespace"}}}],
        "resources": _loader_resources(add),
        "securityContext": _restricted(spec),
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": [
            {"name": names.VOLUME_MODEL, "mountPath": MODEL_VOLUME_ROOT},
            {"name": names.VOLUME_TOKEN, "mountPath": TOKEN_FOLDER, "readOnly": True},
            {"name": names.VOLUME_REGISTRY, "mountPath": REGISTRY_FOLDER, "readOnly": True},
        ],
    }


def _loader_resources(add: Injection) -> Object:
    resources = copy.deepcopy(add.resources or _DEFAULT_RESOURCES)
    requests = resources.setdefault("requests", {})
    requests.setdefault("ephemeral-storage", f"{_mebibytes(add.size_bytes) + 16}Mi")
    return resources


def _restricted(spec: Object) -> Object:
    """The restricted Pod Security Standard, whatever the user's pod asks for.

    A pod that runs as root would make ``runAsNonRoot`` refuse the loader, so there it gets its image's own user.
    """
    context: dict[str, Any] = {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": True,
        "runAsNonRoot": True,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    if (spec.get("securityContext") or {}).get("runAsUser") == 0:
        context["runAsUser"] = _LOADER_UID
    return context


def _volumes(add: Injection) -> list[Object]:
    # Twice the model: a restarted loader may keep what is intact while it fetches again what is not.
    limit = f"{2 * _mebibytes(add.size_bytes) + 64}Mi"
    token = {"serviceAccountToken": {"audience": names.AUDIENCE, "expirationSeconds": TOKEN_SECONDS, "path": "token"}}
    return [
        {"name": names.VOLUME_MODEL, "emptyDir": {"sizeLimit": limit}},
        {"name": names.VOLUME_TOKEN, "projected": {"sources": [token]}},
        {"name": names.VOLUME_REGISTRY, "configMap": {"name": names.REGISTRY_CONFIG_MAP}},
    ]


def _environment(add: Injection) -> list[Object]:
    values = {
        names.ENV_MODEL: add.model,
        names.ENV_ALIAS: add.alias,
        names.ENV_VERSION: add.version,
        names.ENV_DIGEST: add.digest,
        names.ENV_MODEL_DIR: add.mount_path,
    }
    return [{"name": name, "value": value} for name, value in values.items()]


def _mebibytes(size_bytes: int) -> int:
    return -(-size_bytes // _MIB)
