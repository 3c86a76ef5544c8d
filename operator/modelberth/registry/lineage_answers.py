"""From the index to what goes over the wire."""

from modelberth.lineage.index import Index
from modelberth.lineage.nodes import Link, Node
from modelberth.lineage.runs import inputs_of
from modelberth.lineage.timeline import Span
from modelberth.lineage.walk import Graph
from modelberth.registry.lineage_indexes import KeptIndex
from modelberth.registry.lineage_models import (
    AliasSpan,
    Ending,
    LineageEdge,
    LineageGraph,
    LineageInterval,
    LineageNode,
    RunEntry,
)
from modelberth.store.run_types import RunRecord


def graph_answer(graph: Graph, kept: KeptIndex) -> LineageGraph:
    """A part of the graph."""
    return LineageGraph(
        root=str(graph.root),
        nodes=[_node(node, distance) for node, distance in graph.nodes],
        edges=[_edge(link) for link in graph.links],
        truncated=graph.is_cut,
        as_of=kept.as_of,
        problems=kept.problems,
    )


def run_entry(index: Index, run: Node) -> RunEntry:
    """A run in a list."""
    inputs = inputs_of(index, run.id)
    return RunEntry(
        name=run.id.name,
        uid=run.id.uid,
        pipeline=run.pipeline,
        status=run.status,
        reason=run.reason,
        version=run.version,
        dataset=inputs.get("trained on", ""),
        evaluation=inputs.get("evaluated on", ""),
        package=inputs.get("package", ""),
        metrics=dict(run.metrics),
        trigger=run.trigger,
        created_by=run.by,
        started_at=run.started_at,
        finished_at=run.at,
    )


def ending(record: RunRecord) -> Ending:
    """How a run ended."""
    return Ending(
        name=record.run.name,
        uid=record.run.uid,
        pipeline=record.pipeline,
        status=record.status,
        reason=record.reason,
        message=record.message,
        traceback=list(record.traceback),
        log_tail=list(record.log_tail),
        attempts=record.attempts,
        version=record.version,
        inputs=dict(record.inputs),
        image=record.image_digest or record.image,
        python=record.python,
        finished_at=record.finished_at,
    )


def alias_span(span: Span | None, digests: dict[str, str]) -> AliasSpan | None:
    """A version and when an alias had it; `digests` by version."""
    if span is None:
        return None
    return AliasSpan(
        version=span.version,
        digest=digests.get(span.version, ""),
        moved_by=span.moved_by,
        since=span.interval.since,
        until=span.interval.until or None,
    )


def _node(node: Node, distance: int) -> LineageNode:
    return LineageNode(
        id=str(node.id),
        kind=node.id.kind,
        name=node.id.name,
        distance=distance,
        known=node.known,
        digest=node.digest,
        at=node.at,
        by=node.by,
        status=node.status,
        reason=node.reason,
        metrics=dict(node.metrics),
    )


def _edge(link: Link) -> LineageEdge:
    return LineageEdge(
        source=str(link.edge.source),
        target=str(link.edge.target),
        relation=link.edge.relation,
        recorded=link.recorded,
        intervals=[LineageInterval(since=since, until=until or None) for since, until in link.intervals],
    )
