"""What the API server knows about each kind: defaults, and the refusals that controllers meet."""

import functools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from modelberth.runtime.errors import Invalid
from modelberth.runtime.resources import DEPLOYMENTS, OWN_KINDS, REPLICA_SETS, SERVICES, Object, Resource
from tests.simulation import crd_schema

_CRDS = Path(__file__).parents[2] / "crds"
POD_GRACE = "simulation/grace"
"""Stands for a pod's grace period: a deleted pod is there, and not ready, until the kubelet has ended it."""
_ROLLING: Object = {"maxSurge": "25%", "maxUnavailable": "25%"}
_LABEL_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_CONTAINER_FIELDS = frozenset(
    {
        "name",
        "image",
        "command",
        "args",
        "workingDir",
        "ports",
        "envFrom",
        "env",
        "resources",
        "volumeMounts",
        "livenessProbe",
        "readinessProbe",
        "startupProbe",
        "lifecycle",
        "terminationMessagePath",
        "terminationMessagePolicy",
        "imagePullPolicy",
        "securityContext",
        "stdin",
        "stdinOnce",
        "tty",
        "restartPolicy",
    }
)


@functools.cache
def _schemas() -> dict[str, dict[str, Any]]:
    """The structural schema of each of our kinds, from the generated CRDs."""
    schemas = {}
    for path in sorted(_CRDS.glob("*.yaml")):
        crd = yaml.safe_load(path.read_text())
        schemas[crd["spec"]["names"]["plural"]] = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return schemas


def defaulted(resource: Resource, obj: Object) -> Object:
    """The object with the defaults that the API server fills in and stores."""
    if resource in OWN_KINDS:
        schema = _schemas()[resource.plural]
        return {**crd_schema.defaulted(schema, obj), "metadata": obj["metadata"]}
    if resource == DEPLOYMENTS:
        return {**obj, "spec": _deployment_defaults(obj.get("spec") or {})}
    if resource == SERVICES:
        return {**obj, "spec": _service_defaults(obj.get("spec") or {})}
    return obj


def validate(resource: Resource, obj: Object, old: Object | None) -> None:
    """Refuse what the API server refuses.

    Raises:
        Invalid: with all faults in one message, as the API server has it.
    """
    if resource in OWN_KINDS:
        problems = list(_custom_faults(resource, obj, old))
    elif resource == DEPLOYMENTS:
        problems = list(_deployment_faults(obj, old))
    elif resource == SERVICES:
        problems = [] if (obj.get("spec") or {}).get("ports") else ["spec.ports: Required value"]
    else:
        problems = []
    controllers = [owner for owner in obj["metadata"].get("ownerReferences") or () if owner.get("controller")]
    if len(controllers) > 1:
        problems.append("metadata.ownerReferences: only one reference can have Controller set to true")
    if problems:
        name = obj["metadata"].get("name")
        raise Invalid(422, "Invalid", f'{resource.kind} "{name}" is invalid: {"; ".join(problems)}')


def refuse_unknown_fields(resource: Resource, body: Object) -> None:
    """Refuse an applied body with a field that the kind does not have; that is looked at before anything else.

    Raises:
        Invalid: naming the field.
    """
    if resource in OWN_KINDS:
        properties = _schemas()[resource.plural]["properties"]
        for part in ("spec", "status"):
            for fault in crd_schema.faults(properties.get(part, {}), body.get(part, {}), part):
                if "unknown field" in fault:
                    raise Invalid(400, "BadRequest", fault)


def _custom_faults(resource: Resource, obj: Object, old: Object | None) -> Iterator[str]:
    schema = _schemas()[resource.plural]
    properties = schema["properties"]
    for part in ("spec", "status"):
        if part in obj and (old is None or old.get(part) != obj[part]):  # what was right before is right
            yield from crd_schema.faults(properties.get(part, {}), obj[part], part)
        elif part not in obj and part in (schema.get("required") or ()):
            yield f"{part}: Required value"


def _deployment_defaults(spec: Object) -> Object:
    result = {"replicas": 1, "revisionHistoryLimit": 10, "progressDeadlineSeconds": 600, **spec}
    strategy: Object = dict(result.get("strategy") or {})
    strategy.setdefault("type", "RollingUpdate")
    if strategy["type"] == "RollingUpdate":
        strategy["rollingUpdate"] = {**_ROLLING, **(strategy.get("rollingUpdate") or {})}
    template = dict(result.get("template") or {})
    pod: Object = {"restartPolicy": "Always", "dnsPolicy": "ClusterFirst", "terminationGracePeriodSeconds": 30}
    pod |= template.get("spec") or {}
    for group in ("initContainers", "containers"):
        if isinstance(pod.get(group), list):
            pod[group] = [_container_defaults(container) for container in pod[group]]
    return {**result, "strategy": strategy, "template": {**template, "spec": pod}}


def _container_defaults(container: Any) -> Any:
    if not isinstance(container, dict):
        return container
    result = {
        "imagePullPolicy": "IfNotPresent",
        "terminationMessagePath": "/dev/termination-log",
        "terminationMessagePolicy": "File",
        **container,
    }
    if isinstance(result.get("ports"), list):
        result["ports"] = [{"protocol": "TCP", **port} if isinstance(port, dict) else port for port in result["ports"]]
    return result


def _service_defaults(spec: Object) -> Object:
    ports = [{"protocol": "TCP", "targetPort": port.get("port"), **port} for port in spec.get("ports") or ()]
    return {"type": "ClusterIP", "clusterIP": "10.0.0.1", "sessionAffinity": "None", **spec, "ports": ports}


def _deployment_faults(obj: Object, old: Object | None) -> Iterator[str]:
    spec = obj["spec"]
    selector = (spec.get("selector") or {}).get("matchLabels") or {}
    labels = ((spec.get("template") or {}).get("metadata") or {}).get("labels") or {}
    if not selector.items() <= labels.items():
        yield "spec.template.metadata.labels: Invalid value: `selector` does not match template `labels`"
    if old is not None and old["spec"]["selector"] != spec.get("selector"):
        yield "spec.selector: Invalid value: field is immutable"
    pod = (spec.get("template") or {}).get("spec") or {}
    if not pod.get("containers"):
        yield "spec.template.spec.containers: Required value"
    rolling = spec["strategy"].get("rollingUpdate")
    if spec["strategy"]["type"] == "Recreate" and rolling is not None:
        yield "spec.strategy.rollingUpdate: Forbidden: may not be specified when strategy `type` is 'Recreate'"
    if rolling and rolling["maxSurge"] in (0, "0%") and rolling["maxUnavailable"] in (0, "0%"):
        yield "spec.strategy.rollingUpdate.maxUnavailable: may not be 0 when `maxSurge` is 0"
    seen: set[str] = set()
    for group in ("initContainers", "containers"):
        for index, container in enumerate(pod.get(group) or ()):
            yield from _container_faults(container, f"spec.template.spec.{group}[{index}]", seen, pod)


def _container_faults(container: Object, path: str, seen: set[str], pod: Object) -> Iterator[str]:
    for field in container.keys() - _CONTAINER_FIELDS:
        yield f'strict decoding error: unknown field "{path}.{field}"'
    name = str(container.get("name"))
    if not _LABEL_NAME.fullmatch(name):
        yield f'{path}.name: Invalid value: "{name}"'
    if name in seen:
        yield f'{path}.name: Duplicate value: "{name}"'
    seen.add(name)
    if not container.get("image"):
        yield f"{path}.image: Required value"
    volumes = {volume.get("name") for volume in pod.get("volumes") or ()}
    for index, mount in enumerate(container.get("volumeMounts") or ()):
        if mount.get("name") not in volumes:
            yield f'{path}.volumeMounts[{index}].name: Not found: "{mount.get("name")}"'


def replica_set_of(deployment: Object, template_hash: str) -> Object:
    """The ReplicaSet that the Deployment controller makes for a Deployment's present template."""
    metadata, template = deployment["metadata"], deployment["spec"]["template"]
    labels = {**((template.get("metadata") or {}).get("labels") or {}), "pod-template-hash": template_hash}
    return {
        "apiVersion": REPLICA_SETS.api_version,
        "kind": REPLICA_SETS.kind,
        "metadata": {
            "name": f"{metadata['name']}-{template_hash}",
            "namespace": metadata["namespace"],
            "labels": labels,
            "ownerReferences": [_owner(deployment)],
        },
        "spec": {
            "replicas": 0,
            "selector": {
                "matchLabels": {**deployment["spec"]["selector"]["matchLabels"], "pod-template-hash": template_hash}
            },
            "template": {**template, "metadata": {**(template.get("metadata") or {}), "labels": labels}},
        },
    }


def pod_of(replica_set: Object, name: str) -> Object:
    """A pod as the ReplicaSet controller makes it."""
    template = replica_set["spec"]["template"]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            **(template.get("metadata") or {}),
            "name": name,
            "namespace": replica_set["metadata"]["namespace"],
            "ownerReferences": [_owner(replica_set)],
            "finalizers": [POD_GRACE],
        },
        "spec": template["spec"],
    }


def _owner(obj: Object) -> Object:
    return {
        "apiVersion": obj["apiVersion"],
        "kind": obj["kind"],
        "name": obj["metadata"]["name"],
        "uid": obj["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }
