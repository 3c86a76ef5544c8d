"""What the questions about lineage are answered with."""

from typing import Any, Literal

from pydantic import Field

from modelberth.registry.models import Wire


class LineageAnswer(Wire):
    """How old an answer is, and what is missing in it."""

    as_of: str
    """RFC 3339: everything that was recorded before is in the answer."""
    problems: list[str] = Field(default_factory=list)
    """Records that could not be read, a sentence each."""


class LineageNode(Wire):
    """Something in the graph."""

    id: str
    """`kind/name`, of a run `trainingrun/name@uid`."""
    kind: str
    """datasetversion, modelversion, trainingrun, code, environment, alias, registeredmodel, or outside for what only a
    URI names."""
    name: str
    distance: int
    """Steps from the root: negative above it, positive below it."""
    known: bool
    """Whether there is a record of it; otherwise others only speak of it."""
    digest: str = ""
    at: str = ""
    """RFC 3339: when it was made; of a run, when it ended."""
    by: str = ""
    status: str = ""
    """Of a run: Succeeded, Failed or Skipped."""
    reason: str = ""
    metrics: dict[str, float] = Field(default_factory=dict)


class LineageInterval(Wire):
    """A time in which an alias had a version; without an end it lasts."""

    since: str
    until: str | None = None


class LineageEdge(Wire):
    """The target was made of the source, or stands on it."""

    source: str
    target: str
    relation: str
    """Read it as `target relation source`: trained on, evaluated on, took, derived from, package, parent, code,
    environment, made by, named, asked for, answered, of."""
    recorded: bool
    """True if a record of ours says so; False if the version itself declares it."""
    intervals: list[LineageInterval] = Field(default_factory=list)


class LineageGraph(LineageAnswer):
    """A part of the graph."""

    root: str
    nodes: list[LineageNode]
    """Nearest first."""
    edges: list[LineageEdge]
    truncated: bool
    """Whether there is more than depth and size of an answer let through."""


class DataUse(Wire):
    """Data that a version has to do with."""

    name: str
    """A DatasetVersion's name, or a URI."""
    role: Literal["train", "evaluation", "through"]
    """`through` is data of its parents or its package, or that its own data was derived from."""
    folder: str = ""
    """The only folder of the data that was used."""
    digest: str = ""
    recorded: bool


class RunUse(Wire):
    """The run that made a version."""

    name: str
    uid: str = ""
    uri: str = ""
    """Where a run elsewhere is recorded."""
    pipeline: str = ""
    status: str = ""
    trigger: str = ""
    created_by: str = ""
    started_at: str = ""
    finished_at: str = ""
    recorded: bool


class EnvironmentUse(Wire):
    """Where the program ran."""

    image: str = ""
    image_digest: str = ""
    python: str = ""
    packages: dict[str, str] = Field(default_factory=dict)
    """Versions of libraries, by name; known of recorded runs only."""
    packages_digest: str = ""
    """Of the list of packages, where only that was declared."""


class AliasUse(Wire):
    """An alias that the version answered."""

    alias: str
    """`model:alias`."""
    intervals: list[LineageInterval]


class LineageDescription(LineageAnswer):
    """What is known of one version, in one answer."""

    family: Literal["models", "datasets"]
    name: str
    """The version's object name."""
    digest: str
    committed: bool
    created_at: str
    created_by: str
    format: str = ""
    description: str = ""
    package: str = ""
    parents: list[str] = Field(default_factory=list)
    """Model versions that it was derived from; of a dataset version, dataset versions."""
    labels: dict[str, str] = Field(default_factory=dict)
    data: list[DataUse]
    parameters: dict[str, str]
    metrics: dict[str, float]
    run: RunUse | None = None
    code: dict[str, Any] = Field(default_factory=dict)
    """repository, revision, path, dirty."""
    environment: EnvironmentUse
    aliases: list[AliasUse]


class Ending(Wire):
    """How one run ended."""

    name: str
    uid: str
    pipeline: str = ""
    status: str
    reason: str = ""
    message: str = ""
    traceback: list[str] = Field(default_factory=list)
    log_tail: list[str] = Field(default_factory=list)
    attempts: int = 0
    version: str = ""
    inputs: dict[str, str] = Field(default_factory=dict)
    image: str = ""
    python: str = ""
    finished_at: str = ""


class Endings(LineageAnswer):
    """How the runs ended that belong to a name, the last one first."""

    runs: list[Ending]


class RunEntry(Wire):
    """A run in a list."""

    name: str
    uid: str
    pipeline: str = ""
    status: str
    reason: str = ""
    version: str = ""
    """The ModelVersion that it made, or skipped to."""
    dataset: str = ""
    evaluation: str = ""
    package: str = ""
    metrics: dict[str, float] = Field(default_factory=dict)
    trigger: str = ""
    """What started it; Step for work that ran elsewhere and was told."""
    created_by: str = ""
    started_at: str = ""
    finished_at: str = ""


class RunList(LineageAnswer):
    """Runs in the order asked for."""

    runs: list[RunEntry]
    truncated: bool


class AliasSpan(LineageInterval):
    """A version, and when it answered."""

    version: str
    digest: str = ""
    moved_by: str = ""


class Deployed(Wire):
    """Which version an alias answered with."""

    alias: str
    """`model:alias`."""
    at: str | None = None
    """The time that was asked for; without one it is about the last version."""
    answered: AliasSpan | None = None
    """The version that answered; None where none did."""
    asked: AliasSpan | None = None
    """The version that was asked for at that time."""
    spans: list[AliasSpan]
    """All of them, the last one first; the 100 last ones."""
