"""What goes over the wire about training runs."""

from typing import Annotated, Any, Literal

from pydantic import Field

from modelberth.api.common import Digest
from modelberth.domain.redaction import redacted
from modelberth.registry.models import PhaseEntry, Wire
from modelberth.store.run_types import AttemptRecord, PhaseTime, RunId, RunRecord
from modelberth.training.moments import is_moment

Word = Annotated[str, Field(max_length=63, pattern=r"^([A-Z][A-Za-z0-9]*)?$")]
Line = Annotated[str, Field(max_length=4096)]
Name = Annotated[str, Field(min_length=1, max_length=256)]


class AttemptReport(Wire):
    """How an attempt of a run ended, as the pod that was it tells."""

    status: Literal["Succeeded", "Failed"]
    reason: Word = ""
    """Why it failed, in one CamelCase word."""
    message: Annotated[str, Field(max_length=4096)] = ""
    traceback: Annotated[tuple[Line, ...], Field(max_length=200)] = ()
    """The last lines, those of the user's files."""
    output: Digest | None = None
    """What is to become a version; the pod has committed it before."""
    files: Digest | None = None
    """The run's files; the pod has committed them before."""
    file_paths: Annotated[tuple[Line, ...], Field(max_length=1000)] = ()
    """Of the artifacts."""
    metrics: Annotated[dict[Name, float], Field(max_length=256)] = Field(default_factory=dict)
    phases: Annotated[tuple[PhaseEntry, ...], Field(max_length=16)] = ()
    python: Annotated[str, Field(max_length=64)] = ""
    packages: Annotated[dict[Name, Annotated[str, Field(max_length=256)]], Field(max_length=5000)] = Field(
        default_factory=dict
    )
    log_tail: Annotated[tuple[Line, ...], Field(max_length=200)] = ()

    def as_record(self, run: RunId, number: int, *, pod_uid: str, finished_at: str) -> AttemptRecord:
        """The record of it; what people will read is without tokens."""
        return AttemptRecord(
            run=run,
            number=number,
            pod_uid=pod_uid,
            status=self.status,
            reason=self.reason,
            message=redacted(self.message),
            traceback=tuple(map(redacted, self.traceback)),
            output=self.output,
            files=self.files,
            file_paths=self.file_paths,
            metrics=self.metrics,
            phases=tuple(PhaseTime(p.name, p.started_at, p.seconds, p.bytes) for p in self.phases),
            python=self.python,
            packages=self.packages,
            log_tail=tuple(map(redacted, self.log_tail)),
            finished_at=finished_at,
        )


class AttemptAnswer(Wire):
    """The attempt that holds now: the first report of it."""

    status: str
    reason: str
    output: str | None
    files: str | None
    is_yours: bool
    """Whether this pod told it."""


class RunAnswer(Wire):
    """What a run was."""

    run: str
    uid: str
    pipeline: str
    status: str
    reason: str
    message: str
    version: str
    inputs: dict[str, str]
    parameters: dict[str, str]
    image: str
    image_digest: str
    attempts: int
    output: str | None
    files: str | None
    file_paths: list[str]
    metrics: dict[str, float]
    phases: list[PhaseEntry]
    python: str
    packages: dict[str, str]
    traceback: list[str]
    log_tail: list[str]
    key: str
    trigger: str
    created_by: str
    notes: str
    started_at: str
    finished_at: str
    results: dict[str, Any]
    template: dict[str, Any]

    @classmethod
    def of(cls, record: RunRecord) -> "RunAnswer":
        """What a record says."""
        return cls(
            run=record.run.name,
            uid=record.run.uid,
            pipeline=record.pipeline,
            status=record.status,
            reason=record.reason,
            message=record.message,
            version=record.version,
            inputs=dict(record.inputs),
            parameters=dict(record.parameters),
            image=record.image,
            image_digest=record.image_digest,
            attempts=record.attempts,
            output=record.output,
            files=record.files,
            file_paths=list(record.file_paths),
            metrics=dict(record.metrics),
            phases=[
                PhaseEntry(name=phase.name, started_at=phase.started_at, seconds=phase.seconds, bytes=phase.bytes)
                for phase in record.phases
                if is_moment(phase.started_at)
            ],
            python=record.python,
            packages=dict(record.packages),
            traceback=list(record.traceback),
            log_tail=list(record.log_tail),
            key=record.key,
            trigger=record.trigger,
            created_by=record.created_by,
            notes=record.notes,
            started_at=record.started_at,
            finished_at=record.finished_at,
            results=dict(record.results),
            template=dict(record.template),
        )
