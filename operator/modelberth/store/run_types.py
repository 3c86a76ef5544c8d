"""What the store keeps of training runs. Needs nothing but the standard library, so that anything may import it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

AttemptStatus = Literal["Succeeded", "Failed"]
RunStatus = Literal["Succeeded", "Failed", "Skipped"]

STEP: Final = "Step"
"""The trigger of work that ran elsewhere: somebody told of it, and nobody here observed it."""


@dataclass(frozen=True, slots=True, order=True)
class RunId:
    """One TrainingRun: a name may be used again after a deletion, a uid never."""

    name: str
    uid: str


@dataclass(frozen=True, slots=True)
class PhaseTime:
    """How long a phase took.

    Attributes:
        name: Loading, Training, Evaluating, Saving or Uploading.
        started_at: RFC 3339.
        seconds: of the clock on the wall.
        bytes: that were moved, where bytes were.
    """

    name: str
    started_at: str
    seconds: float
    bytes: int = 0


@dataclass(frozen=True, slots=True)
class AttemptRecord:
    """How one pod of a run ended, as its harness and reporter told.

    Attributes:
        run: whose attempt.
        number: from 0.
        pod_uid: the pod's `metadata.uid`.
        status: how it ended.
        reason: why, in one CamelCase word.
        message: a sentence.
        traceback: its last lines, those of the user's files.
        output: `sha256:<hex>` of what is to become a version; None if there is nothing.
        files: `sha256:<hex>` of the run's files.
        file_paths: of the artifacts, at most 1,000.
        metrics: what was measured, by name.
        phases: in the order in which they came.
        python: the version of Python that ran it.
        packages: versions of installed libraries, by name.
        log_tail: the last lines of the program's output.
        finished_at: RFC 3339.
    """

    run: RunId
    number: int
    pod_uid: str
    status: AttemptStatus
    reason: str
    message: str
    traceback: tuple[str, ...] = ()
    output: str | None = None
    files: str | None = None
    file_paths: tuple[str, ...] = ()
    metrics: Mapping[str, float] = field(default_factory=dict)
    phases: tuple[PhaseTime, ...] = ()
    python: str = ""
    packages: Mapping[str, str] = field(default_factory=dict)
    log_tail: tuple[str, ...] = ()
    finished_at: str = ""


@dataclass(frozen=True, slots=True)
class RunRecord:
    """What a run was, for ever.

    Attributes:
        run: which.
        pipeline: the TrainingPipeline's name; empty for a run of its own.
        status: how it ended.
        reason: why, in one CamelCase word.
        message: a sentence.
        version: the ModelVersion's name that it made, or skipped to; empty for none.
        inputs: what went in, by name and digest, as `status.inputs` has it; and `imageID`.
        parameters: what the program was told.
        image: as it was asked for.
        image_digest: as it ran.
        attempts: how many pods it took.
        output: `sha256:<hex>` of what became the version; None if there is nothing.
        files: `sha256:<hex>` of the run's files.
        file_paths: of the artifacts, at most 1,000.
        metrics: what was measured, by name.
        phases: in the order in which they came.
        python: the version of Python that ran it.
        packages: versions of installed libraries, by name.
        traceback: the last lines of one, of the user's files.
        log_tail: the last lines of the program's output.
        key: in hex; equal for runs that would do the same.
        trigger: Manual, Schedule, DatasetVersion or Reproduction; `STEP` for work that ran elsewhere.
        created_by: who asked for the run.
        notes: what its maker wrote about it.
        started_at: RFC 3339.
        finished_at: RFC 3339.
        results: as `_results.json` has it.
        template: the effective TrainingTemplate, to do it again.
    """

    run: RunId
    pipeline: str
    status: RunStatus
    reason: str
    message: str
    version: str = ""
    inputs: Mapping[str, str] = field(default_factory=dict)
    parameters: Mapping[str, str] = field(default_factory=dict)
    image: str = ""
    image_digest: str = ""
    attempts: int = 0
    output: str | None = None
    files: str | None = None
    file_paths: tuple[str, ...] = ()
    metrics: Mapping[str, float] = field(default_factory=dict)
    phases: tuple[PhaseTime, ...] = ()
    python: str = ""
    packages: Mapping[str, str] = field(default_factory=dict)
    traceback: tuple[str, ...] = ()
    log_tail: tuple[str, ...] = ()
    key: str = ""
    trigger: str = ""
    created_by: str = ""
    notes: str = ""
    started_at: str = ""
    finished_at: str = ""
    results: Mapping[str, Any] = field(default_factory=dict)
    template: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """Which run was the first to succeed with a key, and the ModelVersion that it made."""

    key: str
    run: RunId
    version: str
