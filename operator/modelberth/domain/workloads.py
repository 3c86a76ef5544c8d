"""The Deployment and the Service of a ModelDeployment, as they ought to be."""

import hashlib
import json

from modelberth.api import names
from modelberth.api.model_deployment import ModelDeploymentSpec
from modelberth.domain.injection import selector
from modelberth.domain.objects import Object, controller_reference, dig, name_of, namespace_of
from modelberth.domain.revisions import Revision

NO_DEADLINE = 2_147_483_647
"""Kubernetes' own value for "no progress deadline": ours counts the loader's progress, which it cannot see."""


def workload_name(deployment: str) -> str:
    """The Deployment in slot ``a``."""
    return f"{deployment}-{names.SLOT_A}"


def workload(owner: Object, spec: ModelDeploymentSpec, revision: Revision) -> Object:
    """The Deployment that runs ``revision``. ``replicas`` is left out where an autoscaler owns it."""
    own_labels = dict(dig(revision.template, "metadata", "labels") or {})
    body: Object = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "name": workload_name(name_of(owner)),
            "namespace": namespace_of(owner),
            "labels": {key: value for key, value in own_labels.items() if key in names.INJECTED_LABELS},
            "annotations": {
                names.ANNOTATION_DIGEST: revision.digest,
                names.ANNOTATION_VERSION: revision.version,
                names.ANNOTATION_REVISION: revision.name,
                names.ANNOTATION_INPUT_HASH: revision.input_hash,
            },
            "ownerReferences": [controller_reference(owner)],
        },
        "spec": {
            "selector": {"matchLabels": selector(name_of(owner))},
            "strategy": _strategy(spec),
            "progressDeadlineSeconds": NO_DEADLINE,
            "revisionHistoryLimit": 10,
            "template": revision.template,
        },
    }
    if spec.replicas is not None:
        body["spec"]["replicas"] = spec.replicas
        body["metadata"]["annotations"][names.ANNOTATION_REPLICAS] = "spec"
    return body


def _strategy(spec: ModelDeploymentSpec) -> Object:
    if spec.strategy.type == "Recreate":
        return {"type": "Recreate"}
    return {
        "type": "RollingUpdate",
        "rollingUpdate": {"maxSurge": spec.strategy.max_surge, "maxUnavailable": spec.strategy.max_unavailable},
    }


def replicas_handoff(live: Object) -> Object:
    """What a second manager applies before the operator lets go of ``replicas``.

    Without it the field would fall back to 1 the moment its only owner leaves it out, and five pods become one.
    """
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name_of(live), "namespace": namespace_of(live)},
        "spec": {"replicas": dig(live, "spec", "replicas")},
    }


def service(owner: Object, spec: ModelDeploymentSpec, template: Object) -> Object | None:
    """The Service in front of the pods; None where the template and the spec name no port."""
    ports = _service_ports(spec, template)
    if not ports:
        return None
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": name_of(owner),
            "namespace": namespace_of(owner),
            "labels": {names.LABEL_MANAGED_BY: names.MANAGED_BY, names.LABEL_DEPLOYMENT: name_of(owner)},
            "ownerReferences": [controller_reference(owner)],
        },
        "spec": {"selector": selector(name_of(owner)), "ports": ports},
    }


def _service_ports(spec: ModelDeploymentSpec, template: Object) -> list[Object]:
    """``spec.service.ports``, else one port for each port that the template's containers declare."""
    if spec.service.ports:
        return [
            {
                "name": port.name,
                "port": port.port,
                "protocol": "TCP",
                "targetPort": port.target_port if port.target_port is not None else port.port,
            }
            for port in spec.service.ports
        ]
    declared = [
        port for container in dig(template, "spec", "containers") or () for port in container.get("ports") or ()
    ]
    return [
        {
            "name": str(port.get("name") or f"port-{port['containerPort']}"),
            "port": port["containerPort"],
            "protocol": port.get("protocol") or "TCP",
            "targetPort": port["containerPort"],
        }
        for port in declared
    ]


def registry_config_map(namespace: str, *, url: str, ca_bundle: str) -> Object:
    """Where the registry is and whom to trust, for the loaders of one namespace (as `kube-root-ca.crt` does)."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": names.REGISTRY_CONFIG_MAP,
            "namespace": namespace,
            "labels": {names.LABEL_MANAGED_BY: names.MANAGED_BY},
        },
        "data": {"url": url, "ca.crt": ca_bundle},
    }


def fingerprint(body: Object) -> str:
    """SHA-256 of an object as it would be applied, to know whether the last apply said the same."""
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
