"""Following the graph from one node, breadth first: everything it was made of, everything that was made of it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from modelberth.lineage.index import Index
from modelberth.lineage.nodes import Link, Node, NodeId

Direction = Literal["up", "down", "both"]

NODES_LIMIT = 5000
"""An answer has no more nodes; it says when it was cut off."""


@dataclass(frozen=True, slots=True)
class Graph:
    """A part of the graph, nearest nodes first.

    Attributes:
        root: where it begins.
        nodes: each with its distance from the root: negative above it, positive below it.
        links: every edge that was followed, in the order of its farther end, then by time and name.
        is_cut: whether there is more than the limits let through.
    """

    root: NodeId
    nodes: tuple[tuple[Node, int], ...]
    links: tuple[Link, ...]
    is_cut: bool = False


def walk(
    index: Index, root: NodeId, direction: Direction, *, depth: int | None = None, limit: int = NODES_LIMIT
) -> Graph:
    """Everything above the root, below it, or both: never what is below something above.

    Args:
        index: the graph.
        root: where to begin; it need not be known.
        direction: up to what it was made of, down to what was made of it.
        depth: how many edges away from the root at most.
        limit: how many nodes at most.
    """
    going = _Walk(index, root, depth, limit)
    if direction in ("up", "both"):
        going.follow(-1)
    if direction in ("down", "both"):
        going.follow(1)
    return going.graph()


class _Walk:
    """What was reached so far."""

    def __init__(self, index: Index, root: NodeId, depth: int | None, limit: int) -> None:
        self._index = index
        self._root = root
        self._depth = depth
        self._limit = limit
        self._distances = {root: 0}
        self._links: dict[Link, None] = {}
        self._is_cut = False

    def graph(self) -> Graph:
        """What was reached, nearest first; of what is as near, the oldest first, so that two answers are alike."""
        ordered = sorted(self._distances.items(), key=lambda item: (abs(item[1]), *self._age(item[0])))
        nodes = tuple((self._index.node(node), far) for node, far in ordered)
        return Graph(self._root, nodes, tuple(sorted(self._links, key=self._place)), self._is_cut)

    def _place(self, link: Link) -> tuple[object, ...]:
        source, target, relation = link.edge
        far = max(abs(self._distances[source]), abs(self._distances[target]))
        return (far, *self._age(target), *self._age(source), relation)

    def _age(self, node: NodeId) -> tuple[str, NodeId]:
        return self._index.node(node).at, node

    def follow(self, sign: int) -> None:
        """Go up (-1) or down (1), a step from all nodes at a time. A cycle ends where it comes back."""
        here, far, seen = [self._root], 0, {self._root}
        while here:
            far += 1
            reached: list[NodeId] = []
            for link, other in (step for node in here for step in self._steps(node, sign)):
                if other in seen or self._takes(other, sign * far):
                    self._links[link] = None
                    if other not in seen:
                        seen.add(other)
                        reached.append(other)
            here = reached

    def _steps(self, node: NodeId, sign: int) -> Iterator[tuple[Link, NodeId]]:
        if sign < 0:
            return ((link, link.edge.source) for link in self._index.above(node))
        return ((link, link.edge.target) for link in self._index.below(node))

    def _takes(self, node: NodeId, distance: int) -> bool:
        """Add a node unless that goes beyond the limits."""
        if node in self._distances:  # reached from the other side: the graph has a cycle through the root
            return True
        if len(self._distances) >= self._limit or (self._depth is not None and abs(distance) > self._depth):
            self._is_cut = True
            return False
        self._distances[node] = distance
        return True
