"""TrainingRun: one execution, what went into it and what came out of it."""

from enum import StrEnum
from typing import Annotated, Any

from pydantic import ConfigDict, Field, WithJsonSchema

from modelberth.api.common import (
    ArtifactName,
    Count,
    Description,
    Digest,
    Label,
    Message,
    ObjectStatus,
    Reason,
    ShortText,
    SpecModel,
    StatusModel,
    Time,
    VersionName,
    rule,
    rules,
)
from modelberth.api.training_pipeline import PIPELINE_NAME_LIMIT
from modelberth.api.training_template import Parameters, TrainingTemplate

ATTEMPTS_SHOWN = 32
METRICS_SHOWN = 256
IMAGE_ID_LIMIT = 1024

PipelineName = Annotated[
    str, Field(min_length=1, max_length=PIPELINE_NAME_LIMIT, pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")
]


class TriggerType(StrEnum):
    """What asked for a run."""

    MANUAL = "Manual"
    SCHEDULE = "Schedule"
    DATASET_VERSION = "DatasetVersion"
    REPRODUCTION = "Reproduction"


class RunPhase(StrEnum):
    """How far a run is."""

    WAITING = "Waiting"
    LOADING = "Loading"
    TRAINING = "Training"
    EVALUATING = "Evaluating"
    SAVING = "Saving"
    UPLOADING = "Uploading"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    SKIPPED = "Skipped"


class Trigger(SpecModel):
    """What asked for the run."""

    type: TriggerType = TriggerType.MANUAL
    """Manual for whoever made it by hand; Reproduction, with reproduces, for what is to come out again; the others are
    the pipeline's triggers."""
    scheduled_at: Time | None = None
    """With Schedule: the time that it was due at."""
    dataset_version: VersionName | None = None
    """With DatasetVersion: the version that is new."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule(
                "!has(self.scheduledAt) || self.type == 'Schedule'",
                "trigger.scheduledAt belongs to type Schedule; remove it",
            ),
            rule(
                "!has(self.datasetVersion) || self.type == 'DatasetVersion'",
                "trigger.datasetVersion belongs to type DatasetVersion; remove it",
            ),
        )
    )


class TrainingRunSpec(SpecModel):
    """What to execute. Immutable as a whole: something else is another run."""

    pipeline: PipelineName | None = None
    """The TrainingPipeline whose template is executed, as it is when the run starts."""
    template: TrainingTemplate | None = None
    """What to execute, without a pipeline."""
    environment: Parameters = None
    """Parameters that add to the template's, or take the place of those of the same name."""
    cache: bool | None = None
    """Whether the run may be skipped; as the template says by default."""
    trigger: Trigger = Trigger()
    """What asked for the run."""
    reproduces: VersionName | None = None
    """With trigger.type Reproduction: the ModelVersion that is to come out again. No version is made; its digest and
    metrics are compared."""
    notes: Description | None = None
    """What is special about this run; kept in its record."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule("self == oldSelf", "spec of a TrainingRun is immutable; make another run"),
            rule(
                "has(self.pipeline) != has(self.template)",
                "spec has exactly one of pipeline and template; give one and remove the other",
            ),
            rule(
                "has(self.reproduces) == (has(self.trigger) && self.trigger.type == 'Reproduction')",
                "reproduces and trigger.type Reproduction belong together; give both or neither",
            ),
        )
    )


class RunInputs(StatusModel):
    """What went in, fixed when the run started."""

    package: VersionName | None = None
    """The ModelVersion whose program runs."""
    package_digest: Digest | None = None
    """The digest of its content."""
    artifact: ArtifactName | None = None
    """The ModelArtifact that gets the new version."""
    major: Count | None = None
    """The major of the package."""
    base: Annotated[str, Field(max_length=12)] | None = None
    """The largest minor of that major when the run started, such as 1.4; the new version has the next free one."""
    dataset: VersionName | None = None
    """The DatasetVersion that train gets."""
    dataset_digest: Digest | None = None
    """The digest of its content."""
    dataset_folder: Annotated[str, Field(max_length=1024)] | None = None
    """The sub-folder of it that is used."""
    evaluation: VersionName | None = None
    """The DatasetVersion that evaluate gets."""
    evaluation_digest: Digest | None = None
    """The digest of its content."""
    evaluation_folder: Annotated[str, Field(max_length=1024)] | None = None
    """The sub-folder of it that is used."""
    image: Annotated[str, Field(max_length=1024)] | None = None
    """The image, as it was asked for."""


class RunPod(StatusModel):
    """The pod of the attempt that is under way; the registry trusts this one alone."""

    name: Label
    """Its name."""
    uid: Annotated[str, Field(min_length=1, max_length=64)]
    """Its uid."""


class Attempt(StatusModel):
    """One pod that has ended."""

    number: Count
    """From 0."""
    pod: Label | None = None
    """The pod's name."""
    pod_uid: Annotated[str | None, Field(max_length=64, alias="podUID")] = None
    """The pod's uid."""
    started_at: Time | None = None
    """When it was seen first."""
    finished_at: Time
    """When it was found to have ended."""
    reason: Reason
    """Why it ended, as one CamelCase word."""
    message: Annotated[str, Field(max_length=1024)]
    """Why it ended, as a sentence."""


class Bytes(StatusModel):
    """How far the transfer of the phase is."""

    bytes: Count
    """Bytes that are there and verified."""
    total: Count
    """Bytes that are to be moved; 0 where nobody knows yet."""


class PhaseDuration(StatusModel):
    """How long a phase took."""

    name: ShortText
    """The phase."""
    started_at: Time
    """When it began."""
    seconds: float
    """How long it took, in seconds."""


class Reproduction(StatusModel):
    """How what came out compares with the version that was to come out again."""

    version: VersionName
    """That version."""
    digest: Digest | None = None
    """Its digest."""
    output: Digest | None = None
    """The digest of what came out."""
    same_digest: bool | None = None
    """Whether both are the same, byte for byte."""
    metrics: Annotated[dict[str, float] | None, Field(json_schema_extra={"maxProperties": METRICS_SHOWN})] = None
    """That version's metrics, to be compared with status.metrics."""


class TrainingRunStatus(ObjectStatus):
    """What went in, how far it is, and what came out."""

    phase: RunPhase | None = None
    """Waiting, Loading, Training, Evaluating, Saving, Uploading; Succeeded, Failed or Skipped in the end."""
    inputs: RunInputs | None = None
    """What went in, fixed when the run started."""
    template: Annotated[
        dict[str, Any] | None, WithJsonSchema({"type": "object", "x-kubernetes-preserve-unknown-fields": True})
    ] = None
    """The template as it is executed, fixed when the run started."""
    pipeline: PipelineName | None = None
    """The pipeline that the template is of."""
    parameters: Annotated[
        dict[str, Annotated[str, Field(max_length=4096)]] | None, Field(json_schema_extra={"maxProperties": 130})
    ] = None
    """The program's parameters, defaults included; of Secrets no values."""
    key: Annotated[str, Field(max_length=64)] | None = None
    """What package, data, image and parameters come to; equal for runs that would do the same."""
    attempt: Count | None = None
    """The number of the attempt that is under way, from 0."""
    pod: RunPod | None = None
    """The pod of that attempt."""
    image_id: Annotated[str | None, Field(max_length=IMAGE_ID_LIMIT, alias="imageID")] = None
    """The image that the attempt's program runs in, as the node tells it: a repository and a digest where it can be
    pulled by them, else a digest alone."""
    attempts: Annotated[tuple[Attempt, ...], Field(max_length=ATTEMPTS_SHOWN)] | None = None
    """The attempts that have failed."""
    progress: Bytes | None = None
    """How far the transfer of the phase is."""
    phases: Annotated[tuple[PhaseDuration, ...], Field(max_length=32)] | None = None
    """How long each phase of the attempt took."""
    version: VersionName | None = None
    """The ModelVersion that the run made, or that made the run unnecessary."""
    metrics: Annotated[dict[str, float] | None, Field(json_schema_extra={"maxProperties": METRICS_SHOWN})] = None
    """What was measured, by name."""
    reason: Reason | None = None
    """Why the run ended as it did, as one CamelCase word."""
    message: Message | None = None
    """Why the run ended as it did, as a sentence."""
    missing_since: Time | None = None
    """Since when inputs were seen to be missing or the pod to be refused; startDeadlineSeconds counts from here."""
    started_at: Time | None = None
    """When the inputs were fixed."""
    finished_at: Time | None = None
    """When the run ended."""
    files: Digest | None = None
    """The digest of the run's files: log, packages, artifacts."""
    reproduction: Reproduction | None = None
    """How what came out compares with the version that was to come out again."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule(
                "!has(oldSelf.inputs) || (has(self.inputs) && self.inputs == oldSelf.inputs)",
                "status.inputs is immutable once it is set",
            ),
            rule(
                "!has(oldSelf.phase) || !(oldSelf.phase in ['Succeeded', 'Failed', 'Skipped'])"
                " || (has(self.phase) && self.phase == oldSelf.phase)",
                "status.phase is final once the run has ended",
            ),
        )
    )
