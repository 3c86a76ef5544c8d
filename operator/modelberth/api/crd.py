"""The CustomResourceDefinition of a kind."""

from typing import Any

from modelberth.api.kind import Kind
from modelberth.api.names import CATEGORY, GROUP, VERSION
from modelberth.api.schema import Schema, structural

_UNSEEN = {"observedGeneration": -1}
"""The status of an object that the operator has not seen: kstatus reads it as in progress, not as healthy."""


def custom_resource_definition(kind: Kind) -> dict[str, Any]:
    """The CustomResourceDefinition of a kind, as `kubectl apply` takes it."""
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{kind.plural}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {
                "kind": kind.name,
                "listKind": f"{kind.name}List",
                "plural": kind.plural,
                "singular": kind.singular,
                "shortNames": [kind.short_name],
                "categories": [CATEGORY],
            },
            "versions": [_version(kind)],
        },
    }


def _version(kind: Kind) -> dict[str, Any]:
    version: dict[str, Any] = {
        "name": VERSION,
        "served": True,
        "storage": True,
        "subresources": _subresources(kind),
        "additionalPrinterColumns": [
            {"name": column.name, "type": column.type, "jsonPath": column.path}
            | ({"priority": column.priority} if column.priority else {})
            for column in kind.columns
        ],
    }
    if kind.selectable:
        version["selectableFields"] = [{"jsonPath": path} for path in kind.selectable]
    version["schema"] = {"openAPIV3Schema": object_schema(kind)}
    return version


def _subresources(kind: Kind) -> dict[str, Any]:
    subresources: dict[str, Any] = {"status": {}}
    if kind.scales:
        subresources["scale"] = {
            "specReplicasPath": ".spec.replicas",
            "statusReplicasPath": ".status.replicas",
            "labelSelectorPath": ".status.selector",
        }
    return subresources


def object_schema(kind: Kind) -> Schema:
    """The structural schema of a whole object."""
    schema: Schema = {
        "type": "object",
        "description": kind.description,
        "required": ["spec"],
    }
    if kind.rules:
        schema["x-kubernetes-validations"] = list(kind.rules)
    schema["properties"] = {
        "apiVersion": {"type": "string", "description": f"The version of this schema: {GROUP}/{VERSION}."},
        "kind": {"type": "string", "description": f"What the object is: {kind.name}."},
        "metadata": {"type": "object"},
        "spec": structural(kind.spec),
        "status": structural(kind.status) | {"default": _UNSEEN},
    }
    return schema
