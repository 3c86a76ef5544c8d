"""Routes of lineage: one for each question that people ask about a version, its run, its data and its aliases."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Query

from modelberth.lineage.facts import Named
from modelberth.lineage.index import Index
from modelberth.lineage.nodes import NodeId, model_version, training_run
from modelberth.lineage.runs import in_order, runs_with
from modelberth.lineage.timeline import at_time, timeline, utc_second
from modelberth.lineage.walk import Direction, walk
from modelberth.registry.access import Access, RecordReader, RunReader
from modelberth.registry.lineage_answers import alias_span, ending, graph_answer, run_entry
from modelberth.registry.lineage_description import describe
from modelberth.registry.lineage_models import Deployed, Endings, LineageDescription, LineageGraph, RunList
from modelberth.registry.lineage_reader import alias_fact, step_fact
from modelberth.registry.lineage_subjects import node_at, node_of, version_at
from modelberth.registry.parameters import REFUSALS, AliasPath, CollectionFamilyQuery, ModelPath, Namespace
from modelberth.registry.problems import Problem
from modelberth.store.run_types import STEP, RunId, RunRecord
from modelberth.store.types import VersionRecord

_SPANS = 100
_ENDINGS = 10

router = APIRouter(prefix="/v1/namespaces/{ns}", tags=["lineage"], responses=REFUSALS)

AddressQuery = Annotated[str, Query(max_length=400, description="an address, or the name of a version's object")]
Fresh = Annotated[bool, Query(description="wait until everything is in that was recorded before the question")]


@router.get("/lineage")
async def lineage(  # noqa: PLR0917 - query parameters have names
    ns: Namespace,
    access: RecordReader,
    address: Annotated[str | None, Query(max_length=400)] = None,
    run: Annotated[str | None, Query(max_length=253)] = None,
    family: CollectionFamilyQuery = None,
    direction: Direction = "both",
    depth: Annotated[int | None, Query(ge=1, le=10_000)] = None,
    fresh: Fresh = False,  # noqa: FBT002 - a query parameter has a name
) -> LineageGraph:
    """What something was made of, and what was made of it. Exactly one of `address` and `run` says what."""
    access.check_all()
    if (address is None) == (run is None):
        raise Problem(422, "Invalid", "query: give exactly one of address and run")
    kept = await access.backend.lineage.of(access.space, fresh=fresh)
    if address is None:
        root = _last_run(kept.index, str(run))
    else:
        root = await node_at(access, kept.index, ns, address, family)
    return graph_answer(walk(kept.index, root, direction, depth=depth), kept)


@router.get("/lineage/description")
async def description(
    ns: Namespace,
    access: RecordReader,
    address: AddressQuery,
    family: CollectionFamilyQuery = None,
    fresh: Fresh = False,  # noqa: FBT002 - a query parameter has a name
) -> LineageDescription:
    """One version: its data, parameters, run, environment with all libraries, metrics and aliases."""
    access.check_all()
    record = await version_at(access, ns, address, family)
    kept = await access.backend.lineage.of(access.space, fresh=fresh)
    return describe(
        record,
        await _maker(access, kept.index, record),
        kept.index,
        committed=await access.store.content(access.space, record.digest) is not None,
        as_of=kept.as_of,
        problems=kept.problems,
    )


@router.get("/lineage/endings")
async def endings(
    ns: Namespace,  # noqa: ARG001 - in access
    access: RunReader,
    name: Annotated[str, Query(max_length=253)],
    fresh: Fresh = False,  # noqa: FBT002 - a query parameter has a name
) -> Endings:
    """How the runs ended that have this name, that made the version of this name, or that belong to this pipeline.

    The ten last ones, the last one first. None is no error: what has not ended is not on record. For who may read what
    runs left: tracebacks and logs quote the program's data.
    """
    kept = await access.backend.lineage.of(access.space, fresh=fresh)
    found = [await access.store.run_record(access.space, run) for run in _runs_of(kept.index, name)]
    runs = [ending(record) for record in found if record is not None]
    return Endings(runs=runs, as_of=kept.as_of, problems=kept.problems)


@router.get("/lineage/runs")
async def runs(  # noqa: PLR0917 - query parameters have names
    ns: Namespace,
    access: RecordReader,
    data: Annotated[str | None, Query(max_length=400)] = None,
    pipeline: Annotated[str | None, Query(max_length=253)] = None,
    sort: Annotated[str, Query(max_length=128)] = "",
    ascending: bool = False,  # noqa: FBT001, FBT002 - a query parameter has a name
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    fresh: Fresh = False,  # noqa: FBT002 - a query parameter has a name
) -> RunList:
    """Runs that ended: that used data (or data derived from it), of a pipeline, in the order of a metric."""
    access.check_all()
    kept = await access.backend.lineage.of(access.space, fresh=fresh)
    used = None if data is None else await node_at(access, kept.index, ns, data, "datasets")
    candidates = kept.index.runs() if used is None else runs_with(kept.index, used)
    wanted = in_order((run for run in candidates if pipeline in (None, run.pipeline)), sort, ascending=ascending)
    entries = [run_entry(kept.index, run) for run in wanted[:limit]]
    return RunList(runs=entries, truncated=len(wanted) > limit, as_of=kept.as_of, problems=kept.problems)


@router.get("/models/{model}/aliases/{alias}/deployed")
async def deployed(
    ns: Namespace,  # noqa: ARG001 - in access
    model: ModelPath,
    alias: AliasPath,
    access: RecordReader,
    at: Annotated[str | None, Query(max_length=40, description="RFC 3339; without it the last version")] = None,
) -> Deployed:
    """Which version an alias answered with last, or at a time. Read from the history itself, never from a cache."""
    access.check_all()
    entries = await access.store.alias_history(access.space, model, alias)
    known = timeline(map(alias_fact, entries))
    digests = {entry.version: entry.digest for entry in entries if entry.digest}
    try:
        if at is not None:
            _check_has_come(at, [entry.at for entry in entries])
        answered, asked = (
            (spans[-1] if spans else None) if at is None else at_time(spans, at)
            for spans in (known.answered, known.asked)
        )
    except ValueError as error:
        raise Problem(422, "Invalid", f"at: {error}") from None
    spans = [alias_span(span, digests) for span in reversed(known.answered[-_SPANS:])]
    return Deployed(
        alias=f"{model}:{alias}",
        at=at,
        answered=alias_span(answered, digests),
        asked=alias_span(asked, digests),
        spans=[span for span in spans if span is not None],
    )


def _check_has_come(at: str, known: Sequence[str]) -> None:
    """Refuse a time that neither this clock nor that of any entry, each somebody's own, has come to.

    Raises:
        ValueError: nobody knows what will be then, or it is no time.
    """
    if utc_second(at) > max(map(utc_second, [*known, datetime.now(UTC).isoformat()])):
        raise ValueError(f"{at[:40]!a} has not come yet: ask about a time that has, or without one")


def _last_run(index: Index, name: str) -> NodeId:
    found = index.runs_named(name)
    if not found:
        raise Problem(
            404,
            "RunNotFound",
            f"no run {name} is on record: only what has ended is, and modelberth run list shows the rest",
        )
    return found[0].id


async def _maker(access: Access, index: Index, version: VersionRecord) -> RunRecord | None:
    """The record of the run that made a version; of a step, where the version names it and it names the version."""
    node = node_of(version)
    makers = index.makers(node)
    if makers:
        return await access.store.run_record(access.space, RunId(makers[0].name, makers[0].uid))
    lineage = version.spec.get("lineage") or {}
    named = lineage.get("run") or {}
    step = index.node(training_run(str(named.get("trainingRun")), str(named.get("uid"))))
    if step.trigger != STEP:
        return None
    record = await access.store.run_record(access.space, RunId(step.id.name, step.id.uid))
    made = step_fact(record).made if record is not None else ()
    return record if Named(version.collection.family, node.name) in made else None


def _runs_of(index: Index, name: str) -> list[RunId]:
    named = index.runs_named(name)
    if not named:
        makers = [index.node(run) for run in index.makers(model_version(name))]
        named = makers or in_order(run for run in index.runs() if run.pipeline == name)
    return [RunId(run.id.name, run.id.uid) for run in named[:_ENDINGS]]
