"""The reference of the API as Markdown: each kind, each field, as `kubectl explain` says it."""

from collections.abc import Iterator

from modelberth.api.crd import object_schema
from modelberth.api.kind import Kind
from modelberth.api.kinds import KINDS
from modelberth.api.names import API_VERSION
from modelberth.api.schema import Schema

_INTRODUCTION = f"""\
# API reference: `{API_VERSION}`

Generated from the models in `operator/modelberth/api` by `python -m modelberth.api.generate`. The same texts are shown
by `kubectl explain`, for example `kubectl explain modeldeployment.spec.strategy`. One example for each kind is in
`examples/kinds/`. A field in **bold** is required. All kinds are namespaced and listed together by
`kubectl get modelberth`.
"""


_ADMISSION = """\
## Rules over several objects and over users

The chart's admission policies hold them; there is no webhook. Deleting a whole namespace is let through.

- A ModelVersion is not deleted while a RegisteredModel of the namespace links it, has it as an alias or has an alias
  that still stands for it (`status.aliases.*.current`), nor while an alias of its ModelArtifact names it.
- A DatasetVersion is not deleted while an alias of its Dataset names it.
- A ModelArtifact is not deleted while the namespace has ModelVersions of it; a Dataset, while it has DatasetVersions.
- Status and `metadata.finalizers` of all kinds are written by the operator only, or by whoever has the verb `override`
  on the resource; Kubernetes' own finalizers excepted.
- Template, templateRef, container, loader and service of a ModelDeployment are set and changed by whoever may `create`
  deployments.apps in the namespace; so is a PodTemplate that is labelled `modelberth.io/template=true`.
- A ModelVersion or DatasetVersion is not deleted while the spec of a TrainingPipeline names it.
- What a TrainingPipeline runs (all of its spec but notes, suspend, concurrency, history limits and triggers), and
  template and environment of a TrainingRun, are set and changed by whoever may `create` pods in the namespace; each
  Secret of a secretEnvironment needs `get` on that Secret. Starting a pipeline as it stands needs neither.
- Pods labelled `modelberth.io/component=training` are made by the operator only, and keep their labels.
- A TransferSession is created for oneself only. Of family models, Push needs `create` on modelversions and Pull `get`
  on modelversions/content; of datasets, the same on datasetversions; of runs, Pull needs `get` on trainingruns/content.
- The annotations `moved-by.modelberth.io/<alias>` name who changed each alias last; what users write there is put back.
  Before Kubernetes 1.36 nobody writes them.
- The annotation `modelberth.io/created-by` of a TrainingRun names who made it, in the same way. Before Kubernetes 1.36
  nobody writes it.
"""


def reference() -> str:
    """The whole document."""
    return "\n".join([_INTRODUCTION, *(_section(kind) for kind in KINDS), _ADMISSION])


def _section(kind: Kind) -> str:
    schema = object_schema(kind)
    lines = [f"## {kind.name} (`{kind.short_name}`)", "", kind.description, ""]
    messages = [*_messages(schema)]
    lines += [f"- {_escaped(message)}" for message in messages]
    if messages:
        lines.append("")
    for part in ("spec", "status"):
        lines += ["| field | type | meaning |", "|---|---|---|"]
        lines += _rows(schema["properties"][part], part)
        lines.append("")
    return "\n".join(lines)


def _messages(schema: Schema) -> Iterator[str]:
    """What the rules of a schema and of all that is below it say."""
    for entry in schema.get("x-kubernetes-validations", ()):
        yield entry["message"]
    for field in schema.get("properties", {}).values():
        below, _ = _below(field)
        if below is not field:
            yield from (entry["message"] for entry in field.get("x-kubernetes-validations", ()))
        yield from _messages(below)


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
    text = _escaped(str(field["description"]))
    if "default" in field and not isinstance(field["default"], dict):
        text += f" Default: {field['default']}."
    return text


def _escaped(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")
