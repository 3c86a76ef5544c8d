"""The reference of the API as Markdown: each kind, each field, as `kubectl explain` says it."""

from collections.abc import Iterator

from modelberth.api.crd import object_schema
from modelberth.api.kinds import KINDS, Kind
from modelberth.api.names import API_VERSION
from modelberth.api.schema import Schema

_INTRODUCTION = f"""\
# API reference: `{API_VERSION}`

Generated from the models in `operator/modelberth/api` by `python -m modelberth.api.generate`. The same texts are shown
by `kubectl explain`, for example `kubectl explain modeldeployment.spec.strategy`. One example for each kind is in
`examples/kinds/`. A field in **bold** is required. All kinds are namespaced and listed together by
`kubectl get modelberth`.
"""


def reference() -> str:
    """The whole document."""
    return "\n".join([_INTRODUCTION, *(_section(kind) for kind in KINDS)])


def _section(kind: Kind) -> str:
    schema = object_schema(kind)
    lines = [f"## {kind.name} (`{kind.short_name}`)", "", kind.description, ""]
    rules = [entry["message"] for entry in schema.get("x-kubernetes-validations", ())]
    lines += [f"- {message}" for message in rules]
    if rules:
        lines.append("")
    for part in ("spec", "status"):
        lines += ["| field | type | meaning |", "|---|---|---|"]
        lines += _rows(schema["properties"][part], part)
        lines.append("")
    return "\n".join(lines)


def _rows(schema: Schema, path: str) -> Iterator[str]:
    required = schema.get("required", ())
    for name, field in schema.get("properties", {}).items():
        shown = f"**`{path}.{name}`**" if name in required else f"`{path}.{name}`"
        yield f"| {shown} | {_type(field)} | {_meaning(field)} |"
        below, step = _below(field)
        yield from _rows(below, f"{path}.{name}{step}")


def _below(field: Schema) -> tuple[Schema, str]:
    if field.get("type") == "array":
        return field["items"], "[]"
    if isinstance(field.get("additionalProperties"), dict):
        return field["additionalProperties"], ".*"
    return field, ""


def _type(field: Schema) -> str:
    if field.get("x-kubernetes-int-or-string"):
        return "integer or string"
    if field.get("type") == "array":
        return f"list of {_type(field['items'])}"
    if isinstance(field.get("additionalProperties"), dict):
        return f"map of {_type(field['additionalProperties'])}"
    if "enum" in field:
        return ", ".join(str(value) for value in field["enum"])
    return str(field.get("format") or field["type"])


def _meaning(field: Schema) -> str:
    text = str(field["description"]).replace("|", "\\|").replace("<", "&lt;")
    if "default" in field and not isinstance(field["default"], dict):
        text += f" Default: {field['default']}."
    return text
