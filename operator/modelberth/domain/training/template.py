"""The template that a run executes: the pipeline's or its own, with the run's parameters over it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from modelberth.api.training_run import TrainingRunSpec
from modelberth.api.training_template import (
    ARTIFACTS_DEFAULT,
    ARTIFACTS_VARIABLE,
    SAVE_DATA_VARIABLE,
    TrainingTemplate,
)


class TemplateError(ValueError):
    """A run's parameters do not fit its template; the message names the field and the mend."""


@dataclass(frozen=True, slots=True)
class Settled:
    """A template with all that has defaults outside of the schema.

    Attributes:
        template: as executed.
        artifacts_directory: relative to the package's folder.
        save_training_data: whether the data is listed with the run's files.
    """

    template: TrainingTemplate
    artifacts_directory: str
    save_training_data: bool

    @property
    def parameters(self) -> dict[str, str]:
        """What the program finds in its environment, by name; Secrets excepted."""
        return {
            **(self.template.environment or {}),
            ARTIFACTS_VARIABLE: self.artifacts_directory,
            SAVE_DATA_VARIABLE: str(self.save_training_data).lower(),
        }

    @property
    def secrets(self) -> dict[str, str]:
        """Where the program's secret variables come from, as `<secret>/<key>`."""
        return {
            variable: f"{source.name}/{source.key}"
            for variable, source in (self.template.secret_environment or {}).items()
        }


def effective(run: TrainingRunSpec, pipeline: TrainingTemplate | None) -> TrainingTemplate:
    """What a run executes. A parameter of the run takes the place of the template's, a Secret's value included.

    Raises:
        TemplateError: the run has neither a template nor a pipeline's.
    """
    base = run.template or pipeline
    if base is None:
        raise TemplateError("spec.pipeline: the pipeline's template is not known; create the pipeline")
    over = run.environment or {}
    fields: dict[str, Any] = {name: getattr(base, name) for name in TrainingTemplate.model_fields}
    secrets = {name: source for name, source in (base.secret_environment or {}).items() if name not in over}
    fields["environment"] = {**(base.environment or {}), **over} or None
    fields["secret_environment"] = secrets or None
    fields["cache"] = base.cache if run.cache is None else run.cache
    return TrainingTemplate.model_construct(**fields)


def settle(template: TrainingTemplate) -> Settled:
    """The template with its two own variables, which fields and parameters may both set.

    Raises:
        TemplateError: field and parameter differ, or a parameter is none that the variable may have.
    """
    parameters = template.environment or {}
    artifacts = parameters.get(ARTIFACTS_VARIABLE, template.artifacts_directory or ARTIFACTS_DEFAULT)
    if template.artifacts_directory not in (None, artifacts):
        raise TemplateError(
            f"environment.{ARTIFACTS_VARIABLE} is {artifacts[:80]!r}, artifactsDirectory of the template "
            f"{str(template.artifacts_directory)[:80]!r}: give one of them, or the same twice"
        )
    if any(part in {"", ".", ".."} for part in artifacts.split("/")):
        raise TemplateError(
            f"environment.{ARTIFACTS_VARIABLE}: {artifacts[:80]!r} is no relative, plain path: "
            "write it as folder/folder"
        )
    word = str(bool(template.save_training_data)).lower()
    saves = parameters.get(SAVE_DATA_VARIABLE, word)
    if saves not in {"true", "false"}:
        raise TemplateError(f"environment.{SAVE_DATA_VARIABLE}: {saves[:80]!r} is neither true nor false: correct it")
    if template.save_training_data is not None and saves != word:
        raise TemplateError(
            f"environment.{SAVE_DATA_VARIABLE} is {saves}, saveTrainingData of the template {word}: "
            "give one of them, or the same twice"
        )
    return Settled(template, artifacts, saves == "true")


def recorded(
    settled: Settled, *, package: str, dataset: Mapping[str, str], evaluation: Mapping[str, str] | None
) -> Any:
    """The template as status and record keep it: inputs by version, so that it means the same for ever."""
    fields = settled.template.model_dump(mode="json", by_alias=True, exclude_none=True)
    fields |= {
        "package": {"version": package},
        "dataset": dict(dataset),
        "artifactsDirectory": settled.artifacts_directory,
        "saveTrainingData": settled.save_training_data,
    }
    fields.pop("evaluation", None)
    return fields if evaluation is None else {**fields, "evaluation": dict(evaluation)}


def from_record(fields: Mapping[str, Any]) -> Settled:
    """The template that `recorded` gave.

    Raises:
        TemplateError: it is not what this operator writes.
    """
    try:
        return settle(TrainingTemplate.model_validate(fields))
    except ValidationError as error:
        where = sorted(".".join(map(str, fault["loc"])) for fault in error.errors())
        raise TemplateError(f"status.template: {', '.join(where)} cannot be read: make the run again") from error
