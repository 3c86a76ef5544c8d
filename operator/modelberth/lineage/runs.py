"""Which runs used something, in an order: by when they ended, or by a metric."""

from collections.abc import Iterable

from modelberth.lineage.index import Index
from modelberth.lineage.nodes import Node, NodeId, Relation

_USES: frozenset[Relation] = frozenset({"trained on", "evaluated on", "package", "took"})


def runs_with(index: Index, used: NodeId) -> list[Node]:
    """The runs on record, and the steps told, that took a version: itself, or data derived from it."""
    found: dict[NodeId, Node] = {}
    for version in _derived(index, used):
        for link in index.below(version):
            run = link.edge.target
            if run.kind == "trainingrun" and link.edge.relation in _USES:
                found[run] = index.node(run)
    return list(found.values())


def in_order(runs: Iterable[Node], metric: str = "", *, ascending: bool = False) -> list[Node]:
    """Runs by a metric, greatest first or least first, those without it last; without `metric` the newest first."""
    newest = sorted(runs, key=lambda run: (run.at, run.id), reverse=True)
    if not metric:
        return newest
    having = [run for run in newest if metric in run.metrics]
    having.sort(key=lambda run: run.metrics[metric], reverse=not ascending)
    return [*having, *(run for run in newest if metric not in run.metrics)]


def inputs_of(index: Index, run: NodeId) -> dict[str, str]:
    """The names of what a run took, by how: trained on, evaluated on, package; of a step the first of each kind."""
    found: dict[str, str] = {}
    for link in index.above(run):
        source, relation = link.edge.source, link.edge.relation
        if relation == "took":
            relation = "trained on" if source.kind == "datasetversion" else "package"
        if relation in _USES:
            found.setdefault(relation, source.name)
    return found


def _derived(index: Index, version: NodeId) -> list[NodeId]:
    """A version, and every dataset version that was derived from it, however many steps away."""
    found = {version: None}
    waiting = [version]
    while waiting:
        for link in index.below(waiting.pop()):
            if link.edge.relation == "derived from" and link.edge.target not in found:
                found[link.edge.target] = None
                waiting.append(link.edge.target)
    return list(found)
