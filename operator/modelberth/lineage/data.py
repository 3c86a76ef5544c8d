"""On which data a version was trained: what it or its run used itself, and what came with what it stands on."""

from dataclasses import dataclass
from typing import Literal

from modelberth.lineage.index import Index
from modelberth.lineage.nodes import Link, NodeId
from modelberth.lineage.walk import walk

Role = Literal["train", "evaluation", "through"]


@dataclass(frozen=True, slots=True)
class Use:
    """Data that a version has to do with.

    Attributes:
        data: a dataset version, or something that only a URI names.
        role: `train` or `evaluation` of the version itself; `through` for data of its parents, its package, or
            that its own data was derived from.
        recorded: whether a run's record says so; of `through`, whether records say so at every step.
        digest: of the data, where it is known.
    """

    data: NodeId
    role: Role
    recorded: bool
    digest: str


def data_of(index: Index, version: NodeId) -> list[Use]:
    """Every use of data, the version's own first."""
    own: dict[tuple[NodeId, Role], Link] = {}
    for node in [version, *index.makers(version)]:
        for link in index.above(node):
            if link.edge.relation in ("trained on", "evaluated on"):
                role: Role = "train" if link.edge.relation == "trained on" else "evaluation"
                own.setdefault((link.edge.source, role), link)
    uses = [Use(data, role, link.recorded, index.node(data).digest) for (data, role), link in own.items()]
    graph = walk(index, version, "up")
    proven = _reached_by_records(graph.links, version)
    known = {data for data, _ in own}
    return uses + [
        Use(node.id, "through", node.id in proven, node.digest)
        for node, far in graph.nodes
        if far and node.id not in known and _is_data(node.id, graph.links)
    ]


def _is_data(node: NodeId, links: tuple[Link, ...]) -> bool:
    if node.kind == "datasetversion":
        return True
    return node.kind == "outside" and any(
        link.edge.source == node and link.edge.relation in ("trained on", "evaluated on") for link in links
    )


def _reached_by_records(links: tuple[Link, ...], root: NodeId) -> set[NodeId]:
    """What can be reached upwards without a step that was only declared."""
    above: dict[NodeId, list[NodeId]] = {}
    for link in links:
        if link.recorded:
            above.setdefault(link.edge.target, []).append(link.edge.source)
    reached, waiting = {root}, [root]
    while waiting:
        for source in above.get(waiting.pop(), ()):
            if source not in reached:
                reached.add(source)
                waiting.append(source)
    return reached
