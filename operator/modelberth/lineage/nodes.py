"""Nodes and edges. An edge leads from what went in to what came of it: up is against edges, down is along them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

Kind = Literal[
    "datasetversion", "modelversion", "trainingrun", "code", "environment", "alias", "registeredmodel", "outside"
]
Relation = Literal[
    "trained on",
    "took",
    "evaluated on",
    "derived from",
    "package",
    "parent",
    "code",
    "environment",
    "made by",
    "named",
    "asked for",
    "answered",
    "of",
]


class NodeId(NamedTuple):
    """What a node is.

    Attributes:
        kind: of what; `outside` is anything that only a URI names.
        name: within its kind: an object name (`housing-v3`), `model:alias`, a URI, `repository@commit`.
        uid: of a run, whose name may be used again; empty elsewhere, and for a run that is known by name only.
    """

    kind: Kind
    name: str
    uid: str = ""

    def __str__(self) -> str:
        return f"{self.kind}/{self.name}@{self.uid}" if self.uid else f"{self.kind}/{self.name}"


class Edge(NamedTuple):
    """`target` was made of `source`, or stands on it; read it as: the target is/was `relation` the source."""

    source: NodeId
    target: NodeId
    relation: Relation


class Interval(NamedTuple):
    """A time from `since` to before `until`, RFC 3339 in UTC; `until` is empty while it lasts."""

    since: str
    until: str = ""


@dataclass(frozen=True, slots=True)
class Node:
    """What the index knows of a node.

    Attributes:
        id: what it is.
        known: whether there is a record of it; otherwise others only speak of it.
        digest: of its content.
        at: RFC 3339, when it was made; of a run, when it ended.
        by: the user who made it.
        status: of a run: Succeeded, Failed or Skipped.
        reason: of a run: why, in one CamelCase word.
        pipeline: of a run.
        trigger: of a run: what started it; Step for one that ran elsewhere and was told.
        version: of a run: the ModelVersion that it made or skipped to.
        started_at: of a run.
        metrics: what was measured, by name.
    """

    id: NodeId
    known: bool = False
    digest: str = ""
    at: str = ""
    by: str = ""
    status: str = ""
    reason: str = ""
    pipeline: str = ""
    trigger: str = ""
    version: str = ""
    started_at: str = ""
    metrics: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Link:
    """An edge as an answer shows it.

    Attributes:
        edge: from what to what.
        recorded: whether a record of what we observed says so (a run's, an alias' history); otherwise somebody
            declares it: the version of itself, or a step that ran elsewhere.
        intervals: between version and alias: when.
    """

    edge: Edge
    recorded: bool
    intervals: tuple[Interval, ...] = ()


def model_version(name: str) -> NodeId:
    """A ModelVersion by its object name; packages are model versions, too."""
    return NodeId("modelversion", name)


def dataset_version(name: str) -> NodeId:
    """A DatasetVersion by its object name."""
    return NodeId("datasetversion", name)


def training_run(name: str, uid: str = "") -> NodeId:
    """A TrainingRun; without `uid` whichever had the name."""
    return NodeId("trainingrun", name, uid)


def alias_of(model: str, alias: str) -> NodeId:
    """An alias of a RegisteredModel."""
    return NodeId("alias", f"{model}:{alias}")
