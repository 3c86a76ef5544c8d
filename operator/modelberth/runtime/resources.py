"""The Kubernetes resources that Modelberth touches, and where each lies in the API's URL space.

One table instead of discovery: the operator may only touch what its RBAC rules name, and those are written down too.
"""

from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from modelberth.api.names import GROUP, VERSION

Object = dict[str, Any]
"""A Kubernetes object as JSON: `apiVersion`, `kind`, `metadata`, and the rest of its kind."""


@dataclass(frozen=True, slots=True, order=True)
class Key:
    """Names one object of a kind that is known from the context. `namespace` is "" for cluster-scoped kinds."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}" if self.namespace else self.name


@dataclass(frozen=True, slots=True)
class Resource:
    """One resource of the API: `plural` is its name in URLs and RBAC rules, `kind` its name in objects."""

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool = True

    @property
    def api_version(self) -> str:
        """What objects of this resource carry as `apiVersion`."""
        return f"{self.group}/{self.version}" if self.group else self.version

    def path(self, namespace: str | None = None, name: str | None = None, subresource: str | None = None) -> str:
        """The URL path of the collection, of one object, or of one object's subresource.

        Without a namespace a namespaced resource's collection over all namespaces is meant.

        Raises:
            ValueError: a single object of a namespaced resource is asked for without its namespace.
        """
        if name is not None and self.namespaced and not namespace:
            raise ValueError(f"{self.kind} {name}: a namespace is needed")
        parts = ["apis", self.group, self.version] if self.group else ["api", self.version]
        if self.namespaced and namespace:
            parts += ["namespaces", quote(namespace, safe="")]
        parts.append(self.plural)
        if name is not None:
            parts.append(quote(name, safe=""))
        if subresource is not None:
            parts.append(subresource)
        return "/" + "/".join(parts)

    def __str__(self) -> str:
        return f"{self.plural}.{self.group}" if self.group else self.plural


MODEL_ARTIFACTS = Resource(GROUP, VERSION, "modelartifacts", "ModelArtifact")
MODEL_VERSIONS = Resource(GROUP, VERSION, "modelversions", "ModelVersion")
DATASETS = Resource(GROUP, VERSION, "datasets", "Dataset")
DATASET_VERSIONS = Resource(GROUP, VERSION, "datasetversions", "DatasetVersion")
TRAINING_PIPELINES = Resource(GROUP, VERSION, "trainingpipelines", "TrainingPipeline")
TRAINING_RUNS = Resource(GROUP, VERSION, "trainingruns", "TrainingRun")
REGISTERED_MODELS = Resource(GROUP, VERSION, "registeredmodels", "RegisteredModel")
MODEL_DEPLOYMENTS = Resource(GROUP, VERSION, "modeldeployments", "ModelDeployment")
TRAINING_PIPELINES = Resource(GROUP, VERSION, "trainingpipelines", "TrainingPipeline")
TRAINING_RUNS = Resource(GROUP, VERSION, "trainingruns", "TrainingRun")
TRANSFER_SESSIONS = Resource(GROUP, VERSION, "transfersessions", "TransferSession")

NAMESPACES = Resource("", "v1", "namespaces", "Namespace", namespaced=False)
PODS = Resource("", "v1", "pods", "Pod")
POD_TEMPLATES = Resource("", "v1", "podtemplates", "PodTemplate")
SERVICES = Resource("", "v1", "services", "Service")
CONFIG_MAPS = Resource("", "v1", "configmaps", "ConfigMap")
SECRETS = Resource("", "v1", "secrets", "Secret")
DEPLOYMENTS = Resource("apps", "v1", "deployments", "Deployment")
REPLICA_SETS = Resource("apps", "v1", "replicasets", "ReplicaSet")
CONTROLLER_REVISIONS = Resource("apps", "v1", "controllerrevisions", "ControllerRevision")
LEASES = Resource("coordination.k8s.io", "v1", "leases", "Lease")
EVENTS = Resource("events.k8s.io", "v1", "events", "Event")
TOKEN_REVIEWS = Resource("authentication.k8s.io", "v1", "tokenreviews", "TokenReview", namespaced=False)
SUBJECT_ACCESS_REVIEWS = Resource(
    "authorization.k8s.io", "v1", "subjectaccessreviews", "SubjectAccessReview", namespaced=False
)

OWN_KINDS = (
    MODEL_ARTIFACTS,
    MODEL_VERSIONS,
    DATASETS,
    DATASET_VERSIONS,
    TRAINING_PIPELINES,
    TRAINING_RUNS,
    REGISTERED_MODELS,
    MODEL_DEPLOYMENTS,
    TRANSFER_SESSIONS,
)
"""The custom resources that Modelberth defines."""

_ALL = (
    *OWN_KINDS,
    NAMESPACES,
    PODS,
    POD_TEMPLATES,
    SERVICES,
    CONFIG_MAPS,
    SECRETS,
    DEPLOYMENTS,
    REPLICA_SETS,
    CONTROLLER_REVISIONS,
    LEASES,
    EVENTS,
    TOKEN_REVIEWS,
    SUBJECT_ACCESS_REVIEWS,
)
_BY_KIND = {(resource.api_version, resource.kind): resource for resource in _ALL}


def resource_of(obj: Object) -> Resource:
    """The resource that an object belongs to, by its `apiVersion` and `kind`.

    Raises:
        LookupError: the object is of a kind that Modelberth never touches.
    """
    api_version, kind = obj.get("apiVersion"), obj.get("kind")
    resource = _BY_KIND.get((str(api_version), str(kind)))
    if resource is None:
        raise LookupError(f"apiVersion {api_version}, kind {kind}: not a resource that Modelberth knows")
    return resource


def key_of(obj: Object) -> Key:
    """Where an object lies within its resource."""
    metadata = obj["metadata"]
    return Key(metadata.get("namespace", ""), metadata["name"])
