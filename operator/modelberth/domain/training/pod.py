"""The pod of one attempt: the user's image between two containers of ours, which alone see the registry's token."""

import json
from dataclasses import dataclass
from typing import Any, Final

from modelberth.api import names
from modelberth.api.training_pod import PodExtras
from modelberth.content.mounts import REGISTRY_FOLDER, TOKEN_FOLDER
from modelberth.domain.injection import TOKEN_SECONDS
from modelberth.domain.objects import (
    Object,
    annotation,
    controller_reference,
    is_controlled_by,
    label,
    name_of,
    namespace_of,
    uid_of,
)
from modelberth.domain.training.inputs import Data, Inputs
from modelberth.domain.training.template import Settled
from modelberth.training import MASKED_VARIABLES

_GRACE_SECONDS: Final = 60
_DEFAULT_CONTAINER: Final = "kubectl.kubernetes.io/default-container"
_OUR_RESOURCES: Final = {"requests": {"cpu": "100m", "memory": "160Mi"}, "limits": {"memory": "512Mi"}}
_NAMESPACE: Final = {"name": "MODELBERTH_NAMESPACE", "valueFrom": {"fieldRef": {"fieldPath": "metadata.namespace"}}}
_WORK: Final = {"name": names.VOLUME_WORK, "mountPath": names.WORK_FOLDER}


@dataclass(frozen=True, slots=True)
class Attempt:
    """What a pod is rendered from."""

    run: Object
    number: int
    inputs: Inputs
    settled: Settled
    operator_image: str


def pod_name(run: str, attempt: int) -> str:
    """The name of an attempt's pod."""
    return f"{run}-{attempt}"


def is_ours(pod: Object, run: Object) -> bool:
    """Whether the operator made the pod for this very run: its name alone proves nothing."""
    return is_controlled_by(pod, run) and label(pod, names.LABEL_COMPONENT) == names.COMPONENT_TRAINING


def attempt_of(pod: Object) -> int:
    """The number of the attempt that a pod of ours is; -1 for none."""
    text = annotation(pod, names.ANNOTATION_ATTEMPT) or ""
    return int(text) if text.isascii() and text.isdecimal() else -1


def render(attempt: Attempt) -> Object:
    """The pod, fit for the restricted Pod Security Standard."""
    extras = attempt.settled.template.pod
    run = name_of(attempt.run)
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": pod_name(run, attempt.number),
            "namespace": namespace_of(attempt.run),
            "labels": {
                **(extras.labels or {}),
                names.LABEL_MANAGED_BY: names.MANAGED_BY,
                names.LABEL_COMPONENT: names.COMPONENT_TRAINING,
                names.LABEL_RUN: run,
            },
            "annotations": {
                _DEFAULT_CONTAINER: names.TRAIN_CONTAINER,
                **(extras.annotations or {}),
                names.ANNOTATION_ATTEMPT: str(attempt.number),
            },
            "ownerReferences": [controller_reference(attempt.run)],
        },
        "spec": {
            **_placement(extras),
            "restartPolicy": "Never",
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "terminationGracePeriodSeconds": _GRACE_SECONDS,
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": extras.run_as_user,
                "runAsGroup": extras.run_as_group,
                "fsGroup": extras.fs_group,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "volumes": _volumes(attempt.settled),
            "initContainers": [_ours(names.PREPARE_CONTAINER, "run-prepare", attempt)],
            # The kubelet starts them in this order: the report holds on to the lock before the program runs.
            "containers": [_ours(names.REPORT_CONTAINER, "run-report", attempt), _program(attempt)],
        },
    }


def config(attempt: Attempt) -> dict[str, Any]:
    """What our containers are told of the run."""
    inputs = attempt.inputs
    return {
        "run": name_of(attempt.run),
        "uid": uid_of(attempt.run),
        "attempt": attempt.number,
        "package": {"name": inputs.package, "digest": inputs.package_digest},
        "dataset": _data(inputs.dataset),
        "evaluation": None if inputs.evaluation is None else _data(inputs.evaluation),
        "artifactsDirectory": attempt.settled.artifacts_directory,
        "deadlineSeconds": attempt.settled.template.active_deadline_seconds,
    }


def _data(data: Data) -> dict[str, str]:
    return {"name": data.version, "digest": data.digest, "folder": data.folder}


def _placement(extras: PodExtras) -> Object:
    fields = extras.model_dump(mode="json", by_alias=True, exclude_none=True)
    own = ("labels", "annotations", "runAsUser", "runAsGroup", "fsGroup")
    return {field: value for field, value in fields.items() if field not in own}


def _volumes(settled: Settled) -> list[Object]:
    storage = settled.template.storage
    scratch = {"sizeLimit": storage.size_limit} if storage is not None and storage.size_limit is not None else {}
    token = {"serviceAccountToken": {"audience": names.AUDIENCE, "expirationSeconds": TOKEN_SECONDS, "path": "token"}}
    return [
        {"name": names.VOLUME_WORK, "emptyDir": scratch},
        {"name": names.VOLUME_TOKEN, "projected": {"sources": [token]}},
        {"name": names.VOLUME_REGISTRY, "configMap": {"name": names.REGISTRY_CONFIG_MAP}},
    ]


def _ours(name: str, command: str, attempt: Attempt) -> Object:
    text = json.dumps(config(attempt), sort_keys=True)
    return {
        "name": name,
        "image": attempt.operator_image,
        "args": [command, names.WORK_FOLDER],
        "env": [_NAMESPACE, {"name": "MODELBERTH_RUN_CONFIG", "value": _literal(text)}],
        "resources": _OUR_RESOURCES,
        "securityContext": {**_restricted(), "readOnlyRootFilesystem": True},
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": [
            _WORK,
            {"name": names.VOLUME_TOKEN, "mountPath": TOKEN_FOLDER, "readOnly": True},
            {"name": names.VOLUME_REGISTRY, "mountPath": REGISTRY_FOLDER, "readOnly": True},
        ],
    }


def _program(attempt: Attempt) -> Object:
    template = attempt.settled.template
    container: Object = {
        "name": names.TRAIN_CONTAINER,
        "image": template.image,
        "command": ["python3", "-u", f"{names.WORK_FOLDER}/bin/harness.py", names.WORK_FOLDER],
        "workingDir": f"{names.WORK_FOLDER}/package",
        "env": _environment(attempt),
        "securityContext": _restricted(),
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": [_WORK],
    }
    return container | ({"resources": template.resources} if template.resources else {})


def _environment(attempt: Attempt) -> list[Object]:
    values = {
        "HOME": f"{names.WORK_FOLDER}/home",
        **attempt.settled.parameters,
        "MODELBERTH_RUN": name_of(attempt.run),
    }
    secrets = attempt.settled.template.secret_environment or {}
    return [
        *({"name": name, "value": _literal(value)} for name, value in values.items() if name not in secrets),
        *(
            {"name": name, "valueFrom": {"secretKeyRef": {"name": source.name, "key": source.key}}}
            for name, source in secrets.items()
        ),
        *([{"name": MASKED_VARIABLES, "value": ",".join(sorted(secrets))}] if secrets else []),
        _NAMESPACE,
    ]


def _literal(text: str) -> str:
    """The kubelet puts other variables in the place of $(NAME), and reads $$ as one $."""
    return text.replace("$", "$$")


def _restricted() -> Object:
    return {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "runAsNonRoot": True,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
