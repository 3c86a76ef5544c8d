"""Which edges a record claims. What a version says of itself is read as far as it is in its form, and no further."""

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from modelberth.lineage.facts import Named, RunFact, StepFact, VersionFact
from modelberth.lineage.nodes import Edge, NodeId, Relation, dataset_version, model_version, training_run

_ROLES: Mapping[str, Relation] = {"validation": "evaluated on", "test": "evaluated on"}
_SHOWN_HEX = 12


class Claim(NamedTuple):
    """An edge, and whether a record of ours says so."""

    edge: Edge
    recorded: bool


def version_id(fact: VersionFact) -> NodeId:
    """The version's node."""
    return _named(Named(fact.family, fact.name))


def run_id(fact: RunFact) -> NodeId:
    """The run's node."""
    return training_run(fact.name, fact.uid)


def of_version(fact: VersionFact) -> Iterator[Claim]:
    """What a version declares that it was made of."""
    version = version_id(fact)
    lineage = _mapping(fact.spec.get("lineage"))
    for name in _texts(fact.spec.get("derivedFrom")):
        yield Claim(Edge(dataset_version(name), version, "derived from"), recorded=False)
    for name in _texts(lineage.get("parents")):
        yield Claim(Edge(model_version(name), version, "parent"), recorded=False)
    for used in _mappings(lineage.get("datasets")):
        data = _data(used)
        if data is not None:
            relation = _ROLES.get(_text(used.get("role")), "trained on")
            yield Claim(Edge(data, version, relation), recorded=False)
    package = _text(lineage.get("package"))
    if package:
        yield Claim(Edge(model_version(package), version, "package"), recorded=False)
    single: tuple[tuple[NodeId | None, Relation], ...] = (
        (_run(_mapping(lineage.get("run"))), "made by"),
        (_code(_mapping(lineage.get("code"))), "code"),
        (_declared_environment(_mapping(lineage.get("environment"))), "environment"),
    )
    for source, relation in single:
        if source is not None:
            yield Claim(Edge(source, version, relation), recorded=False)


def of_run(fact: RunFact) -> Iterator[Claim]:
    """What a run took and made. One that was skipped took the inputs and made nothing.

    What was told of a step is declared, however it ended: nobody observed it.
    """
    run = run_id(fact)
    where = environment(fact.image_digest or fact.image, fact.python, packages_digest(fact.packages))
    if where is not None:
        yield Claim(Edge(where, run, "environment"), recorded=fact.step is None)
    yield from _observed(fact, run) if fact.step is None else _told(fact.step, run)


def _told(step: StepFact, run: NodeId) -> Iterator[Claim]:
    for named in step.took:
        yield Claim(Edge(_named(named), run, "took"), recorded=False)
    for named in step.made:
        yield Claim(Edge(run, _named(named), "made by"), recorded=False)


def _observed(fact: RunFact, run: NodeId) -> Iterator[Claim]:
    if fact.inputs.get("dataset"):
        yield Claim(Edge(dataset_version(fact.inputs["dataset"]), run, "trained on"), recorded=True)
    if fact.inputs.get("evaluation"):
        yield Claim(Edge(dataset_version(fact.inputs["evaluation"]), run, "evaluated on"), recorded=True)
    if fact.inputs.get("package"):
        yield Claim(Edge(model_version(fact.inputs["package"]), run, "package"), recorded=True)
    if fact.version and fact.status == "Succeeded":
        yield Claim(Edge(run, model_version(fact.version), "made by"), recorded=True)


def environment(image: str, python: str, packages: str) -> NodeId | None:
    """Where a program ran; None where nothing is known of it. `packages` is a digest of their list."""
    python = f"Python {python}" if python else ""
    packages = f"packages {packages.removeprefix('sha256:')[:_SHOWN_HEX]}" if packages else ""
    name = ", ".join(part for part in (image, python, packages) if part)
    return NodeId("environment", name) if name else None


def packages_digest(packages: Mapping[str, str]) -> str:
    """`sha256:<hex>` of the list of installed packages as `pip freeze` prints it; empty for none."""
    if not packages:
        return ""
    text = "".join(f"{name}=={version}\n" for name, version in sorted(packages.items()))
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def _named(version: Named) -> NodeId:
    return dataset_version(version.name) if version.family == "datasets" else model_version(version.name)


def _data(used: Mapping[str, Any]) -> NodeId | None:
    if _text(used.get("version")):
        return dataset_version(used["version"])
    return NodeId("outside", used["uri"]) if _text(used.get("uri")) else None


def _run(run: Mapping[str, Any]) -> NodeId | None:
    if _text(run.get("trainingRun")):
        return training_run(run["trainingRun"], _text(run.get("uid")))
    return NodeId("outside", run["uri"]) if _text(run.get("uri")) else None


def _code(code: Mapping[str, Any]) -> NodeId | None:
    repository, revision, path = (_text(code.get(field)) for field in ("repository", "revision", "path"))
    place = "@".join(part for part in (repository, revision) if part)
    name = "#".join(part for part in (place, path) if part)
    if not name:
        return None
    return NodeId("code", f"{name} (changed)" if code.get("dirty") is True else name)


def _declared_environment(where: Mapping[str, Any]) -> NodeId | None:
    image = _text(where.get("imageDigest")) or _text(where.get("image"))
    return environment(image, _text(where.get("python")), _text(where.get("packages")))


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _texts(value: object) -> list[str]:
    return [text for text in value if isinstance(text, str) and text] if isinstance(value, (list, tuple)) else []


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _mappings(value: object) -> list[Mapping[str, Any]]:
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, (list, tuple)) else []
