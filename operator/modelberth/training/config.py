"""What the operator tells the containers of a run's pod: which run, which content, how long."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

VARIABLE = "MODELBERTH_RUN_CONFIG"
"""The environment variable that holds it, as JSON."""
DEFAULT_ARTIFACTS = "artifacts"


@dataclass(frozen=True, slots=True)
class Input:
    """Content that goes into a run: its version's name, its digest, and which folder of it; "" for all of it."""

    name: str
    digest: str
    folder: str


@dataclass(frozen=True, slots=True)
class RunConfig:
    """An attempt of a run.

    Attributes:
        run: the TrainingRun's name.
        uid: its uid.
        attempt: from 0.
        package: the ModelVersion that holds train.py.
        dataset: the DatasetVersion to train on.
        evaluation: the DatasetVersion to evaluate on; None for the same.
        artifacts_directory: relative to the package's folder.
        deadline_seconds: how long the program may run; None for as long as it likes.
    """

    run: str
    uid: str
    attempt: int
    package: Input
    dataset: Input
    evaluation: Input | None
    artifacts_directory: str
    deadline_seconds: float | None

    @classmethod
    def parse(cls, text: str) -> Self:
        """What the operator wrote.

        Raises:
            ValueError: it is not in its form.
        """
        try:
            fields = json.loads(text)
            evaluation = fields.get("evaluation")
            return cls(
                run=str(fields["run"]),
                uid=str(fields["uid"]),
                attempt=int(fields["attempt"]),
                package=_input(fields["package"]),
                dataset=_input(fields["dataset"]),
                evaluation=None if evaluation is None else _input(evaluation),
                artifacts_directory=str(fields.get("artifactsDirectory") or DEFAULT_ARTIFACTS),
                deadline_seconds=fields.get("deadlineSeconds"),
            )
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise ValueError(f"{VARIABLE} is not what the operator writes: {type(error).__name__} {error}") from None

    def for_harness(self) -> Mapping[str, Any]:
        """What the harness reads from run/config.json."""
        return {
            "artifactsDirectory": self.artifacts_directory,
            "deadlineSeconds": self.deadline_seconds,
            "evaluation": None if self.evaluation is None else self.evaluation.name,
        }


def _input(fields: Mapping[str, Any]) -> Input:
    return Input(str(fields["name"]), str(fields["digest"]), str(fields.get("folder") or ""))
