"""Pydantic models become structural schemas."""

from typing import Annotated

import pytest
from pydantic import ConfigDict, Field, ValidationError

from modelberth.api.common import VERSION_NAME_PATTERN, CountOrPercent, SpecModel, only_in_code, rule, rules
from modelberth.api.crd import custom_resource_definition, object_schema
from modelberth.api.dataset import DatasetSpec
from modelberth.api.kinds import KINDS
from modelberth.api.model_artifact import ModelArtifactSpec
from modelberth.api.registered_model import RegisteredModelSpec
from modelberth.api.schema import UndescribedFieldError, structural


class Leaf(SpecModel):
    """A leaf."""

    size: int = 1
    """Its
    size."""


class Tree(SpecModel):
    """A tree."""

    leaf: Leaf = Leaf()
    """The first leaf."""
    maybe: Leaf | None = None
    """Perhaps a leaf."""
    leaves: tuple[Leaf, ...] = ()
    """All leaves."""
    named: Annotated[dict[Annotated[str, Field(pattern="^a+$")], Leaf], Field(max_length=3)] | None = None
    """Leaves by name."""
    numbers: dict[str, float] | None = None
    """Numbers by name."""
    surge: Annotated[CountOrPercent, Field(json_schema_extra=only_in_code)] = 1
    """A count or a share."""
    needed: Annotated[str, Field(json_schema_extra=rules(rule("self != ''", "needed: say something")))]
    """What has to be there."""


LEAF = {"type": "object", "properties": {"size": {"type": "integer", "description": "Its size.", "default": 1}}}


def field(name: str) -> dict:
    return structural(Tree)["properties"][name]


def test_references_are_put_in_place():
    """A field says what the field is; its schema is that of the model it refers to, and its default fills itself in."""
    assert field("leaf") == LEAF | {"description": "The first leaf.", "default": {}}


def test_optional_is_not_required():
    """Null is no value in Kubernetes: an optional field is one that may be left out."""
    assert field("maybe") == LEAF | {"description": "Perhaps a leaf."}
    assert structural(Tree)["required"] == ["needed"]


def test_lists_and_maps():
    """Lists and maps hold whole schemas; a pattern of keys is left to CEL, limits stay."""
    assert field("leaves") == {
        "type": "array",
        "description": "All leaves.",
        "items": LEAF | {"description": "A leaf."},
    }
    leaf = LEAF | {"description": "A leaf."}
    expected = {"type": "object", "description": "Leaves by name.", "maxProperties": 3, "additionalProperties": leaf}
    assert field("named") == expected
    assert field("numbers")["additionalProperties"] == {"type": "number"}


def test_defaults_only_in_code():
    """A default that depends on another field is filled in when it is read, not by the API server."""
    assert "default" not in field("surge")
    assert field("surge")["x-kubernetes-int-or-string"] is True


def test_rules_stay():
    """CEL rules stand where the API server looks for them."""
    assert field("needed")["x-kubernetes-validations"] == [{"rule": "self != ''", "message": "needed: say something"}]


def test_rules_of_the_field_and_of_its_model_hold_both():
    """A rule on a field does not replace the rules of what the field refers to."""

    class Ruled(SpecModel):
        """Ruled."""

        model_config = ConfigDict(json_schema_extra=rules(rule("inner", "inner")))

    class Holder(SpecModel):
        """Holder."""

        held: Annotated[Ruled, Field(description="Held.", json_schema_extra=rules(rule("outer", "outer")))]

    entries = structural(Holder)["properties"]["held"]["x-kubernetes-validations"]
    assert [entry["rule"] for entry in entries] == ["inner", "outer"]


def test_a_field_without_a_description_is_refused():
    """The generator names the field that does not say what it is."""

    class Silent(SpecModel):
        """Silent."""

        field: int

    with pytest.raises(UndescribedFieldError, match=r"Silent\.field has no description"):
        structural(Silent)


def test_two_types_in_one_field_are_refused():
    """A structural schema cannot say "a list or a map"; the generator does not pretend it can."""

    class Either(SpecModel):
        """Either."""

        field: Annotated[int | list[int], Field(description="x")]

    with pytest.raises(ValueError, match="no alternatives of types"):
        structural(Either)


def nodes(schema: dict, path: str):
    yield path, schema
    for name, below in schema.get("properties", {}).items():
        yield from nodes(below, f"{path}.{name}")
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), dict):
            yield from nodes(schema[key], f"{path}.{key}")


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_everything_is_bounded(kind):
    """Every text, list and map has a limit, or an object might not fit into the store."""
    for path, node in nodes(object_schema(kind), kind.name):
        unlimited = {
            "string": "maxLength" not in node and "enum" not in node and node.get("format") != "date-time",
            "array": "maxItems" not in node,
            "object": "additionalProperties" in node and "maxProperties" not in node,
        }
        ours = not path.endswith((".apiVersion", ".kind"))
        assert not (ours and unlimited.get(node.get("type", ""), False)), f"{path} has no limit"


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_every_rule_has_a_message(kind):
    """A refusal by CEL says what to do, not how the rule is written."""
    for path, node in nodes(object_schema(kind), kind.name):
        for entry in node.get("x-kubernetes-validations", ()):
            assert entry["message"].strip(), path
            assert "\n" not in entry["message"], path


@pytest.mark.parametrize("spec", [ModelArtifactSpec, DatasetSpec, RegisteredModelSpec])
def test_an_alias_version_that_is_no_object_name_is_told_in_words(spec):
    """`v1` is what people write first: they are told how to write it, and not a pattern or a length."""
    version = structural(spec)["properties"]["aliases"]["additionalProperties"]["properties"]["version"]
    assert not {"pattern", "minLength"} & version.keys()
    [entry] = version["x-kubernetes-validations"]
    assert VERSION_NAME_PATTERN in entry["rule"]
    assert entry["message"].endswith("-<version>, such as handwriting-v1")
    with pytest.raises(ValidationError):
        spec.model_validate({"aliases": {"best": {"version": "v1"}}})


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_an_unseen_object_looks_unfinished(kind):
    """An object whose observedGeneration is not its generation is in progress, says kstatus."""
    (version,) = custom_resource_definition(kind)["spec"]["versions"]
    assert version["schema"]["openAPIV3Schema"]["properties"]["status"]["default"] == {"observedGeneration": -1}
    assert version["subresources"]["status"] == {}


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_columns_and_selectable_fields_exist(kind):
    """Paths in columns and selectors lead to fields that the schema has."""
    known = {path.removeprefix(kind.name) for path, _ in nodes(object_schema(kind), kind.name)}
    paths = [column.path for column in kind.columns if "@" not in column.path] + list(kind.selectable)
    for path in paths:
        if not path.startswith(".metadata"):
            assert path in known
