"""From a pydantic model to a structural schema, the subset of OpenAPI v3 that a CustomResourceDefinition may hold.

Pydantic writes JSON Schema: references, null as a type, patterns of keys, titles. A structural schema knows none of
these: references are put in place, an optional field is one that is not required, keys are checked by CEL rules.
"""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

Schema = dict[str, Any]

_DROPPED = frozenset({"title", "$defs", "propertyNames", "uniqueItems"})


class UndescribedFieldError(ValueError):
    """A field has no description, so `kubectl explain` would say nothing about it."""


def structural(model: type[BaseModel]) -> Schema:
    """The structural schema of a model.

    Raises:
        UndescribedFieldError: a field of the model, or of one below it, has no docstring.
    """
    source = model.model_json_schema(by_alias=True)
    return _converted(source, source.get("$defs", {}), path=model.__name__)


def _converted(source: Schema, definitions: Mapping[str, Schema], path: str) -> Schema:
    node = _in_place(_without_null(_in_place(source, definitions)), definitions)
    schema = {key: value for key, value in node.items() if key not in _DROPPED}
    if "description" in schema:
        schema["description"] = " ".join(schema["description"].split())
    if "const" in schema:
        schema["enum"] = [schema.pop("const")]
    _convert_default(schema)
    _convert_below(schema, definitions, path)
    return schema


def _convert_default(schema: Schema) -> None:
    if schema.get("default", ...) in (None, []):
        del schema["default"]
    elif "properties" in schema and "default" in schema:
        schema["default"] = {}  # the API server fills in the defaults of the fields below


def _convert_below(schema: Schema, definitions: Mapping[str, Schema], path: str) -> None:
    values = schema.pop("additionalProperties", None)
    if "properties" in schema:
        # Nothing says that other fields are refused: the API server drops and reports what is not declared.
        schema["properties"] = {
            name: _property(field, definitions, f"{path}.{name}") for name, field in schema["properties"].items()
        }
    elif "patternProperties" in schema:
        (values,) = schema.pop("patternProperties").values()
    if isinstance(values, dict) and "properties" not in schema:
        schema["additionalProperties"] = _converted(values, definitions, f"{path}.*")
    if "items" in schema:
        schema["items"] = _converted(schema["items"], definitions, f"{path}[]")


def _property(field: Schema, definitions: Mapping[str, Schema], path: str) -> Schema:
    schema = _converted(field, definitions, path)
    if not schema.get("description"):
        raise UndescribedFieldError(f"{path} has no description; give the field a docstring")
    return schema


def _in_place(node: Schema, definitions: Mapping[str, Schema]) -> Schema:
    """The node with its reference replaced by what it refers to; what stands beside the reference wins."""
    if "$ref" not in node:
        return node
    target = definitions[node["$ref"].removeprefix("#/$defs/")]
    beside = {key: value for key, value in node.items() if key != "$ref"}
    return _merged(target, beside)


def _without_null(node: Schema) -> Schema:
    """The node without `null` among its alternatives: in Kubernetes a field is absent instead."""
    if "anyOf" not in node:
        return node
    alternatives = [entry for entry in node["anyOf"] if entry.get("type") != "null"]
    if len(alternatives) != 1:
        raise ValueError(f"a structural schema has no alternatives of types: {node}")
    beside = {key: value for key, value in node.items() if key != "anyOf"}
    return _merged(alternatives[0], beside)


def _merged(below: Schema, above: Schema) -> Schema:
    """Both together; rules of both hold, in everything else `above` wins."""
    merged = {**below, **above}
    both = [*below.get("x-kubernetes-validations", ()), *above.get("x-kubernetes-validations", ())]
    if both:
        merged["x-kubernetes-validations"] = both
    return merged
