"""The graph of one space, kept in memory. Records come in one by one, in any order, and again as often as one likes.

What a record names need not be there: an edge to a version whose record comes later, or never, is an edge. An edge that
a version declares and a run's record confirms counts as recorded; what a version repeats of the recorded run that made
it is not shown a second time.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence

from modelberth.lineage import claims
from modelberth.lineage.facts import AliasFact, RunFact, VersionFact
from modelberth.lineage.nodes import (
    Edge,
    Interval,
    Link,
    Node,
    NodeId,
    Relation,
    alias_of,
    model_version,
    training_run,
)
from modelberth.lineage.timeline import Span, Timeline, timeline, utc_second

_EMPTY = Timeline((), ())
_STEP = "Step"
"""The trigger of what ran elsewhere: anybody who may push tells of it, under any name."""
_NODE_BYTES = 1300
_EDGE_BYTES = 550
_NUMBER_BYTES = 130
_ENTRY_BYTES = 1300
"""What each takes of memory, with the key of its record and the names that it is found by: measured, rounded up."""


class Index:
    """Everything that is known of one space.

    Attributes:
        weight: about how many bytes of memory it takes.
    """

    def __init__(self) -> None:
        self.weight = 0
        self._nodes: dict[NodeId, Node] = {}
        self._recorded: dict[Edge, bool] = {}
        self._above: dict[NodeId, dict[Edge, None]] = {}
        self._below: dict[NodeId, dict[Edge, None]] = {}
        self._runs_by_name: dict[str, dict[NodeId, None]] = {}
        self._entries: dict[NodeId, dict[int, AliasFact]] = {}
        self._timelines: dict[NodeId, Timeline] = {}
        self._alias_links: dict[NodeId, dict[NodeId, Link]] = {}
        self._aliases_of: dict[NodeId, dict[NodeId, None]] = {}

    def add_version(self, fact: VersionFact) -> None:
        """Take a version record."""
        node = claims.version_id(fact)
        metrics = _numbers(fact.spec.get("metrics"))
        self._know(Node(node, known=True, digest=fact.digest, at=fact.created_at, by=fact.created_by, metrics=metrics))
        self._claim(claims.of_version(fact))

    def add_run(self, fact: RunFact) -> None:
        """Take a run's final record."""
        node = claims.run_id(fact)
        self._know(
            Node(
                node,
                known=True,
                at=fact.finished_at,
                by=fact.created_by,
                status=fact.status,
                reason=fact.reason,
                pipeline=fact.pipeline,
                trigger=fact.trigger,
                version=fact.version,
                started_at=fact.started_at,
                metrics=_numbers(fact.metrics),
            )
        )
        self._runs_by_name.setdefault(fact.name, {})[node] = None
        self._claim(claims.of_run(fact))

    def add_alias(self, fact: AliasFact) -> None:
        """Take an entry of an alias' history.

        Raises:
            ValueError: its time is none.
        """
        utc_second(fact.at)
        node = alias_of(fact.model, fact.alias)
        entries = self._entries.setdefault(node, {})
        if fact.sequence not in entries:
            self.weight += _ENTRY_BYTES
        entries[fact.sequence] = fact
        self._timelines.pop(node, None)
        self._alias_links.pop(node, None)
        self._nodes.setdefault(node, Node(node, known=True))
        model = NodeId("registeredmodel", fact.model)
        self._nodes.setdefault(model, Node(model, known=True))
        self._claim([claims.Claim(Edge(node, model, "of"), recorded=True)])
        if fact.version:
            self._aliases_of.setdefault(model_version(fact.version), {})[node] = None

    def node(self, node: NodeId) -> Node:
        """What is known of a node; of one that nobody spoke of, that it is not known."""
        return self._nodes.get(node) or Node(node)

    def runs(self) -> Iterator[Node]:
        """All recorded runs, in no order."""
        return (self._nodes[run] for runs in self._runs_by_name.values() for run in runs)

    def runs_named(self, name: str) -> list[Node]:
        """The recorded runs of a name: those that we observed, and then the steps; each the last one to end first."""
        found = [self._nodes[run] for run in self._runs_by_name.get(name, ())]
        return sorted(found, key=lambda node: (node.trigger != _STEP, node.at, node.id), reverse=True)

    def makers(self, version: NodeId) -> list[NodeId]:
        """The runs that are on record as having made a version."""
        edges = self._above.get(version, ())
        return [edge.source for edge in edges if edge.relation == "made by" and self._recorded[edge]]

    def timeline(self, alias: NodeId) -> Timeline:
        """What an alias asked for and answered with; empty for one without a history."""
        found = self._timelines.get(alias)
        if found is None:
            entries = self._entries.get(alias)
            found = self._timelines[alias] = timeline(entries.values()) if entries else _EMPTY
        return found

    def above(self, node: NodeId) -> Iterator[Link]:
        """What a node was made of, one step up."""
        if node.kind == "alias":
            yield from self._links_of(node).values()
        for edge in self._above.get(node, ()):
            if not self._is_repeated(edge):
                yield Link(edge, self._recorded[edge])
        if node.kind == "trainingrun" and not node.uid:
            for run in self._runs_by_name.get(node.name, ()):
                yield Link(Edge(run, node, "named"), recorded=False)

    def below(self, node: NodeId) -> Iterator[Link]:
        """What was made of a node, or stands on it, one step down."""
        for edge in self._below.get(node, ()):
            if not self._is_repeated(edge):
                yield Link(edge, self._recorded[edge])
        for alias in self._aliases_of.get(node, ()):
            link = self._links_of(alias).get(node)
            if link is not None:
                yield link
        if node in self._runs_by_name.get(node.name, ()):
            only_named = training_run(node.name)
            if any(self.below(only_named)):
                yield Link(Edge(node, only_named, "named"), recorded=False)

    def __len__(self) -> int:
        return len(self._nodes)

    def _know(self, node: Node) -> None:
        if node.id not in self._nodes:
            self.weight += _NODE_BYTES + _NUMBER_BYTES * len(node.metrics)
        self._nodes[node.id] = node

    def _claim(self, found: Iterable[claims.Claim]) -> None:
        for edge, recorded in found:
            if edge not in self._recorded:
                self.weight += _EDGE_BYTES + len(edge.source.name)
            self._recorded[edge] = recorded or self._recorded.get(edge, False)
            self._above.setdefault(edge.target, {})[edge] = None
            self._below.setdefault(edge.source, {})[edge] = None

    def _is_repeated(self, edge: Edge) -> bool:
        """Whether a version says here what the record of the run that made it says already."""
        if edge.target.kind != "modelversion" or self._recorded[edge]:
            return False
        return any(self._says(run, edge.source) for run in self.makers(edge.target))

    def _says(self, run: NodeId, source: NodeId) -> bool:
        if source.kind == "trainingrun":
            return source.name == run.name
        inputs = [edge.source for edge in self._above.get(run, ()) if self._recorded[edge]]
        if source.kind == "environment":
            return any(known.kind == "environment" for known in inputs)
        return source in inputs

    def _links_of(self, alias: NodeId) -> dict[NodeId, Link]:
        """One link for each version: when it answered; of one that never did, when it was asked for."""
        if alias not in self._alias_links:
            known = self.timeline(alias)
            self._alias_links[alias] = {
                **_links(known.asked, alias, "asked for"),
                **_links(known.answered, alias, "answered"),
            }
        return self._alias_links[alias]


def _links(spans: Sequence[Span], alias: NodeId, relation: Relation) -> dict[NodeId, Link]:
    intervals: dict[NodeId, list[Interval]] = {}
    for span in spans:
        intervals.setdefault(model_version(span.version), []).append(span.interval)
    return {
        version: Link(Edge(version, alias, relation), recorded=True, intervals=tuple(found))
        for version, found in intervals.items()
    }


def _numbers(values: object) -> dict[str, float]:
    """The finite numbers of a mapping."""
    if not isinstance(values, Mapping):
        return {}
    numbers = {str(name): value for name, value in values.items() if type(value) in (int, float)}
    return {name: float(value) for name, value in numbers.items() if math.isfinite(value)}
