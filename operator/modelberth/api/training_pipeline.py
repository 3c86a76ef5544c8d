"""TrainingPipeline: what to train from what, and when."""

from enum import StrEnum
from typing import Annotated, Final

from pydantic import ConfigDict, Field

from modelberth.api.common import (
    AliasName,
    Count,
    DatasetName,
    Description,
    ObjectStatus,
    SpecModel,
    StatusModel,
    Time,
    TrainingRunName,
    VersionName,
    rule,
    rules,
)
from modelberth.api.training_template import TrainingTemplate, template_rules

PIPELINE_NAME_LIMIT: Final = 40
"""Runs are named `<pipeline>-<up to 16 characters>`."""
ACTIVE_SHOWN: Final = 64

Cron = Annotated[str, Field(min_length=1, max_length=256)]
TimeZone = Annotated[str, Field(min_length=1, max_length=64)]


class Concurrency(StrEnum):
    """What happens where a run is to start while another one of the pipeline is active."""

    ALLOW = "Allow"
    FORBID = "Forbid"
    REPLACE = "Replace"


class ScheduleTrigger(SpecModel):
    """Runs at times of the clock."""

    cron: Cron
    """When, in the five fields of cron: minute, hour, day of the month, month, day of the week."""
    time_zone: TimeZone = "UTC"
    """The time zone that cron's times are of, such as Europe/Berlin."""


class DatasetVersionTrigger(SpecModel):
    """A run for each new version that the dataset's alias stands for."""


class Triggers(SpecModel):
    """What starts runs by itself. Runs can always be made by hand as well."""

    schedule: ScheduleTrigger | None = None
    """Runs at times of the clock. Of times that were missed, the last one is caught up on, once."""
    on_dataset_version: DatasetVersionTrigger | None = None
    """A run when the alias of spec.dataset stands for another version than before. The version that it stands for when
    the pipeline is first seen starts nothing."""


class TrainingPipelineSpec(TrainingTemplate):
    """What to train from what, and when."""

    notes: Description | None = None
    """What this pipeline is about."""
    suspend: bool = False
    """Whether triggers start nothing for now. Times that pass meanwhile are passed over; a new dataset version is taken
    up afterwards."""
    concurrency: Concurrency = Concurrency.ALLOW
    """What happens where a run is to start while another one is active: Allow starts it beside the other, Forbid passes
    the time over, or waits with the run, Replace ends the other one."""
    successful_runs_history_limit: Annotated[int, Field(ge=0, le=1000, json_schema_extra={"format": "int32"})] = 3
    """How many triggered runs that succeeded or were skipped are kept as objects; their records stay for ever."""
    failed_runs_history_limit: Annotated[int, Field(ge=0, le=1000, json_schema_extra={"format": "int32"})] = 3
    """How many triggered runs that failed are kept as objects; their records stay for ever."""
    triggers: Triggers | None = None
    """What starts runs by itself."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            *template_rules(),
            rule(
                "!has(self.triggers) || !has(self.triggers.onDatasetVersion) || has(self.dataset.name)",
                "triggers.onDatasetVersion needs dataset.name: a version never changes; give the dataset by its name",
            ),
        )
    )


class ScheduleStatus(StatusModel):
    """What has become of the schedule."""

    cron: Cron
    """The times that until speaks of."""
    time_zone: TimeZone
    """Their time zone."""
    until: Time
    """Times up to here have been dealt with."""
    last: Time | None = None
    """The last time for which a run was started."""
    next: Time | None = None
    """The next time, if the schedule is valid."""


class DatasetTriggerStatus(StatusModel):
    """What has become of the dataset's versions."""

    dataset: DatasetName
    """The dataset that version speaks of."""
    alias: AliasName
    """Its alias."""
    version: VersionName | None = None
    """The version that has been dealt with; absent if there was none."""
    count: Count = 0
    """How many versions have been dealt with since the first."""


class TrainingPipelineStatus(ObjectStatus):
    """What runs, and what the triggers have seen."""

    active: Annotated[tuple[TrainingRunName, ...], Field(max_length=ACTIVE_SHOWN)] | None = None
    """The runs that have not ended, by name; at most 64 of them."""
    last_run: TrainingRunName | None = None
    """The run that was made last."""
    last_version: VersionName | None = None
    """The newest ModelVersion that a run of the pipeline has made, of the runs that are there."""
    schedule: ScheduleStatus | None = None
    """What has become of the schedule."""
    on_dataset_version: DatasetTriggerStatus | None = None
    """What has become of the dataset's versions."""
