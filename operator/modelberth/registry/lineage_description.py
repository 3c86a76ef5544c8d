"""One version described: what its record says, what the run's record says, and what the graph knows besides.

Where both speak, the run's record counts: it was observed, the version's own description only declared. A step that ran
elsewhere was told by somebody; it counts where the version names it, and stays declared.
"""

from collections.abc import Mapping
from typing import Any

from modelberth.lineage.data import Use, data_of
from modelberth.lineage.index import Index
from modelberth.lineage.nodes import NodeId
from modelberth.registry.lineage_models import (
    AliasUse,
    DataUse,
    EnvironmentUse,
    LineageDescription,
    LineageInterval,
    RunUse,
)
from modelberth.registry.lineage_subjects import node_of
from modelberth.store.run_types import STEP, RunRecord
from modelberth.store.types import VersionRecord


def describe(
    record: VersionRecord,
    run: RunRecord | None,
    index: Index,
    *,
    committed: bool,
    as_of: str,
    problems: list[str],
) -> LineageDescription:
    """The answer.

    Args:
        record: of the version.
        run: the run that is on record as having made it, or the step that both of them name; None if there is none.
        index: of the version's space.
        committed: whether the content is in the store.
        as_of: how old the index is.
        problems: what could not be read.
    """
    spec = record.spec
    lineage = _mapping(spec.get("lineage"))
    node = node_of(record)
    return LineageDescription(
        family=record.collection.family,
        name=node.name,
        digest=record.digest,
        committed=committed,
        created_at=record.created_at,
        created_by=record.created_by,
        format=str(spec.get("format") or ""),
        description=str(spec.get("description") or ""),
        package=run.inputs.get("package", "") if run else str(lineage.get("package") or ""),
        parents=[*(lineage.get("parents") or ()), *(spec.get("derivedFrom") or ())],
        labels=dict(_mapping(spec.get("labels"))),
        data=[_data_use(use, run, lineage) for use in data_of(index, node)],
        parameters=dict(run.parameters if run else _mapping(spec.get("parameters"))),
        metrics=dict(run.metrics if run else _mapping(spec.get("metrics"))),
        run=_run_use(run, _mapping(lineage.get("run"))),
        code=dict(_mapping(lineage.get("code"))),
        environment=_environment(run, _mapping(lineage.get("environment"))),
        aliases=_aliases(index, node),
        as_of=as_of,
        problems=problems,
    )


def _data_use(use: Use, run: RunRecord | None, lineage: Mapping[str, Any]) -> DataUse:
    folder = ""
    if run is not None and use.recorded and use.role != "through":
        folder = run.inputs.get("datasetFolder" if use.role == "train" else "evaluationFolder", "")
    declared: Mapping[str, Any] = next((one for one in lineage.get("datasets") or () if _names(one, use.data)), {})
    return DataUse(
        name=use.data.name,
        role=use.role,
        folder=folder or str(declared.get("folder") or ""),
        digest=use.digest or str(declared.get("digest") or ""),
        recorded=use.recorded,
    )


def _names(declared: object, data: NodeId) -> bool:
    fields = _mapping(declared)
    return data.name == (fields.get("version") if data.kind == "datasetversion" else fields.get("uri"))


def _run_use(run: RunRecord | None, declared: Mapping[str, Any]) -> RunUse | None:
    if run is not None:
        return RunUse(
            name=run.run.name,
            uid=run.run.uid,
            pipeline=run.pipeline,
            status=run.status,
            trigger=run.trigger,
            created_by=run.created_by,
            started_at=run.started_at,
            finished_at=run.finished_at,
            recorded=run.trigger != STEP,
        )
    if not declared:
        return None
    name, uid, uri = (str(declared.get(field) or "") for field in ("trainingRun", "uid", "uri"))
    return RunUse(name=name, uid=uid, uri=uri, recorded=False)


def _environment(run: RunRecord | None, declared: Mapping[str, Any]) -> EnvironmentUse:
    if run is not None:
        return EnvironmentUse(
            image=run.image, image_digest=run.image_digest, python=run.python, packages=dict(run.packages)
        )
    image, digest, python, packages = (
        str(declared.get(field) or "") for field in ("image", "imageDigest", "python", "packages")
    )
    return EnvironmentUse(image=image, image_digest=digest, python=python, packages_digest=packages)


def _aliases(index: Index, node: NodeId) -> list[AliasUse]:
    return [
        AliasUse(alias=link.edge.target.name, intervals=[_interval(*interval) for interval in link.intervals])
        for link in index.below(node)
        if link.edge.relation == "answered"
    ]


def _interval(since: str, until: str) -> LineageInterval:
    return LineageInterval(since=since, until=until or None)


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
