"""What goes into the index, in any order and as often as one likes: records, as far as lineage needs them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

Family = Literal["models", "datasets"]
AliasEvent = Literal["Moved", "Served", "Removed"]


class Named(NamedTuple):
    """A version by its family and its object's name."""

    family: Family
    name: str


@dataclass(frozen=True, slots=True)
class VersionFact:
    """A version record of either family.

    Attributes:
        family: `models` or `datasets`.
        name: the version's object name, such as housing-v3.
        digest: `sha256:<hex>` of its tree.
        created_at: RFC 3339.
        created_by: the user who reserved it.
        spec: what was known when it was made; its `lineage`, `derivedFrom` and `metrics` are looked at.
    """

    family: Family
    name: str
    digest: str = ""
    created_at: str = ""
    created_by: str = ""
    spec: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RunFact:
    """The final record of a run.

    Attributes:
        name: of the TrainingRun.
        uid: its `metadata.uid`.
        status: Succeeded, Failed or Skipped.
        reason: why, in one CamelCase word.
        pipeline: the TrainingPipeline's name; empty for a run of its own.
        version: the ModelVersion that it made, or skipped to.
        inputs: names by what they are: package, dataset, evaluation.
        trigger: what started it; empty where nobody knows.
        step: what was told of a step that ran elsewhere; None for a run that we observed.
        image: as it was asked for.
        image_digest: as it ran.
        python: the version of Python that it ran on.
        packages: versions of libraries, by name.
        metrics: what was measured.
        created_by: who asked for the run.
        started_at: RFC 3339.
        finished_at: RFC 3339.
    """

    name: str
    uid: str
    status: str = ""
    reason: str = ""
    pipeline: str = ""
    version: str = ""
    inputs: Mapping[str, str] = field(default_factory=dict)
    trigger: str = ""
    step: "StepFact | None" = None
    image: str = ""
    image_digest: str = ""
    python: str = ""
    packages: Mapping[str, str] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    created_by: str = ""
    started_at: str = ""
    finished_at: str = ""


@dataclass(frozen=True, slots=True)
class StepFact:
    """What somebody told of work that ran elsewhere.

    Attributes:
        took: the versions that went in.
        made: the versions that came out.
    """

    took: tuple[Named, ...] = ()
    made: tuple[Named, ...] = ()


@dataclass(frozen=True, slots=True)
class AliasFact:
    """An entry of an alias' history.

    Attributes:
        model: the RegisteredModel.
        alias: the alias.
        uid: the RegisteredModel's `metadata.uid`.
        sequence: its place in the history, from 1.
        event: what happened.
        version: the ModelVersion's object name; empty for Removed.
        at: RFC 3339 in UTC, when it was observed.
        moved_by: the user who moved it; empty where nobody did.
    """

    model: str
    alias: str
    uid: str
    sequence: int
    event: AliasEvent
    version: str
    at: str
    moved_by: str = ""
