"""The kinds of training: what to train from what, and each execution of it."""

from typing import Final

from modelberth.api.common import TRAINING_RUN_NAME_LIMIT
from modelberth.api.kind import AGE_COLUMN, MESSAGE_COLUMN, READY_COLUMN, Column, Kind, short_name_rule
from modelberth.api.training_pipeline import PIPELINE_NAME_LIMIT, TrainingPipelineSpec, TrainingPipelineStatus
from modelberth.api.training_run import TrainingRunSpec, TrainingRunStatus

TRAINING_PIPELINE: Final = Kind(
    name="TrainingPipeline",
    plural="trainingpipelines",
    short_name="tpipe",
    description="A TrainingPipeline says which package learns from which data, in which pod, and when.",
    spec=TrainingPipelineSpec,
    status=TrainingPipelineStatus,
    columns=(
        READY_COLUMN,
        Column("Suspended", ".spec.suspend", "boolean"),
        Column("Last run", ".status.lastRun"),
        Column("Last version", ".status.lastVersion"),
        Column("Next", ".status.schedule.next", "string", 1),
        AGE_COLUMN,
        MESSAGE_COLUMN,
    ),
    rules=(short_name_rule("TrainingPipeline", PIPELINE_NAME_LIMIT),),
)

TRAINING_RUN: Final = Kind(
    name="TrainingRun",
    plural="trainingruns",
    short_name="trun",
    description="A TrainingRun is one execution of a package on data: what went in, how it went, what came out.",
    spec=TrainingRunSpec,
    status=TrainingRunStatus,
    columns=(
        READY_COLUMN,
        Column("Phase", ".status.phase"),
        Column("Pipeline", ".spec.pipeline"),
        Column("Dataset", ".status.inputs.dataset"),
        Column("Package", ".status.inputs.package", priority=1),
        Column("Version", ".status.version"),
        Column("Reason", ".status.reason"),
        AGE_COLUMN,
        MESSAGE_COLUMN,
    ),
    rules=(short_name_rule("TrainingRun", TRAINING_RUN_NAME_LIMIT),),
    selectable=(".spec.pipeline", ".status.phase"),
)
