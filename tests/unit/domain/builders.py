"""Objects for tests of decisions, as small as the API server would have them."""

from datetime import UTC, datetime, timedelta
from typing import Any

from modelberth.api import names
from modelberth.api.model_deployment import ModelDeploymentSpec
from modelberth.domain.model_deployment import Observed, Surroundings

NOW = datetime(2026, 3, 3, 14, 5, tzinfo=UTC)
DIGEST_3 = "sha256:" + "3" * 64
DIGEST_4 = "sha256:" + "4" * 64
AROUND = Surroundings(loader_image="modelberth:1", registry_url="https://registry", ca_bundle="CA")
TEMPLATE = {"spec": {"containers": [{"name": "server", "image": "server:1", "ports": [{"containerPort": 8080}]}]}}


def at(seconds: float) -> str:
    """NOW plus seconds, as the API server writes it."""
    return (NOW + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


def _meta(kind: str, name: str, **more: Any) -> dict[str, Any]:
    return {
        "name": name,
        "namespace": "shop",
        "uid": f"{kind}-{name}",
        "resourceVersion": "1",
        "generation": 1,
        "creationTimestamp": at(-3600),
        **more,
    }


def artifact(name: str = "mnist", **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": names.API_VERSION,
        "kind": "ModelArtifact",
        "metadata": _meta("artifact", name),
        "spec": {"type": "model", "versioning": "Sequence", **spec},
    }


def version(name: str = "mnist-v4", digest: str = DIGEST_4, *, ready: bool = True, size: int = 1000) -> dict[str, Any]:
    artifact_name, _, number = name.rpartition("-")
    status: dict[str, Any] = {"observedGeneration": 1, "conditions": [ready_condition(ready, "why not")]}
    if ready:
        status |= {"digest": digest, "sizeBytes": size}
    return {
        "apiVersion": names.API_VERSION,
        "kind": "ModelVersion",
        "metadata": _meta("version", name),
        "spec": {"artifact": artifact_name, "version": number, "digest": digest, "source": {"pushed": {}}},
        "status": status,
    }


def dataset(name: str = "housing", **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": names.API_VERSION,
        "kind": "Dataset",
        "metadata": _meta("dataset", name),
        "spec": spec,
    }


def dataset_version(name: str = "housing-v1", digest: str = DIGEST_3, *, ready: bool = True) -> dict[str, Any]:
    """A version of a dataset, otherwise like `version`."""
    of_model = version(name, digest, ready=ready)
    spec = {("dataset" if field == "artifact" else field): value for field, value in of_model["spec"].items()}
    return {**of_model, "kind": "DatasetVersion", "metadata": _meta("dver", name), "spec": spec}


def ready_condition(holds, message: str = "") -> dict[str, Any]:
    return {
        "type": "Ready",
        "status": "True" if holds else "False",
        "reason": "Ready" if holds else "NotReady",
        "message": message,
        "lastTransitionTime": at(-100),
    }


def model(aliases: dict[str, str] | None = None, *, generation: int = 1, **more: Any) -> dict[str, Any]:
    wanted = {"production": "mnist-v4"} if aliases is None else aliases
    return {
        "apiVersion": names.API_VERSION,
        "kind": "RegisteredModel",
        "metadata": _meta("model", "digits", generation=generation, **more.pop("metadata", {})),
        "spec": {
            "type": "model",
            "aliases": {alias: {"version": name} for alias, name in wanted.items()},
            **more.pop("spec", {}),
        },
        **more,
    }


def deployment(status: dict[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": names.API_VERSION,
        "kind": "ModelDeployment",
        "metadata": _meta("mdep", "web"),
        "spec": {"model": "digits", "alias": "production", "template": TEMPLATE, **spec},
        **({"status": status} if status else {}),
    }


def observed(mdep: dict[str, Any] | None = None, **more: Any) -> Observed:
    """A ModelDeployment whose alias, version and artifact are in order, and of which nothing runs yet."""
    mdep = mdep or deployment()
    facts: dict[str, Any] = {
        "deployment": mdep,
        "spec": ModelDeploymentSpec.model_validate(mdep["spec"]),
        "model": model(),
        "version": version(),
        "artifact": artifact(),
        "pod_template": None,
        "workload": None,
        "service": None,
        "revisions": (),
        "replica_sets": (),
        "pods": (),
        "progress": {},
        "applied": None,
    }
    return Observed(**{**facts, **more})


def stored(body: dict[str, Any], **metadata: Any) -> dict[str, Any]:
    """An object as the API server returns it after a write."""
    identity = {"uid": f"{body['kind']}-{body['metadata']['name']}", "resourceVersion": "7", "generation": 1}
    return {**body, "metadata": {**body["metadata"], **identity, **metadata}}


def complete(workload: dict[str, Any], replicas: int = 1) -> dict[str, Any]:
    """A Deployment all of whose pods are of the newest template and ready."""
    counts = dict.fromkeys(("replicas", "updatedReplicas", "readyReplicas", "availableReplicas"), replicas)
    generation = workload["metadata"]["generation"]
    spec = {**workload["spec"], "replicas": replicas}
    return {**workload, "spec": spec, "status": {"observedGeneration": generation, **counts}}


def replica_set(version_name: str, digest: str, revision: str, ready: int) -> dict[str, Any]:
    annotations = {
        names.ANNOTATION_VERSION: version_name,
        names.ANNOTATION_DIGEST: digest,
        names.ANNOTATION_REVISION: revision,
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": _meta("rs", f"web-a-{revision}"),
        "spec": {"replicas": ready, "template": {"metadata": {"annotations": annotations}}},
        "status": {"readyReplicas": ready, "replicas": ready},
    }


def pod(revision: str, *, name: str = "web-a-x", created: float = -10, **status: Any) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": _meta(
            "pod", name, creationTimestamp=at(created), annotations={names.ANNOTATION_REVISION: revision}
        ),
        "spec": {},
        "status": {"phase": "Pending", **status},
    }
