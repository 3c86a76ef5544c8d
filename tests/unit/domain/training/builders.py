"""Objects of training for tests of decisions, as small as the API server would have them."""

from datetime import timedelta
from typing import Any

from modelberth.api import names
from modelberth.api.training_pipeline import TrainingPipelineSpec
from modelberth.api.training_run import TrainingRunSpec
from modelberth.domain.training import start
from modelberth.domain.training.attempt import Observed
from modelberth.domain.training.inputs import Data, Inputs
from modelberth.domain.training.template import settle
from tests.unit.domain.builders import NOW, at

SPEC: dict[str, Any] = {"package": {"version": "price-1.0"}, "dataset": {"name": "housing"}, "image": "python:3"}
INPUTS = Inputs(
    package="price-1.0",
    package_digest="sha256:" + "a" * 64,
    artifact="price",
    major=1,
    base="1.0",
    dataset=Data("housing-v1", "sha256:" + "b" * 64, "train"),
    evaluation=None,
    image="python:3",
)


def meta(name: str, **more: Any) -> dict[str, Any]:
    return {
        "name": name,
        "namespace": "shop",
        "uid": f"uid-{name}",
        "resourceVersion": "1",
        "generation": 1,
        "creationTimestamp": at(-60),
        **more,
    }


def run(
    name: str = "one", *, status: dict[str, Any] | None = None, created: float = -60, **spec: Any
) -> dict[str, Any]:
    return {
        "apiVersion": names.API_VERSION,
        "kind": "TrainingRun",
        "metadata": meta(name, creationTimestamp=at(created)),
        "spec": {"pipeline": "fed", **spec},
        "status": status or {},
    }


def started(name: str = "one", *, attempt: int = 0, failures: tuple[str, ...] = (), **status: Any) -> dict[str, Any]:
    """A run whose inputs are found, with attempts that have failed, one a minute, the last one just now."""
    entries = [
        {"number": n, "reason": reason, "message": "so", "finishedAt": at(-60 * (len(failures) - 1 - n))}
        for n, reason in enumerate(failures)
    ]
    fields = {"phase": "Waiting", "attempt": attempt, "startedAt": at(-600), "attempts": entries, **status}
    return run(name, status=fields)


def pod(
    of: dict[str, Any],
    *,
    attempt: int = 0,
    phase: str = "Running",
    ours: bool = True,
    created: float = -30,
    **states: Any,
) -> dict[str, Any]:
    """A pod; ``states`` are its containers' states by `prepare`, `train`, `report`."""
    owner = {"uid": of["metadata"]["uid"], "controller": True}
    labels = {names.LABEL_COMPONENT: names.COMPONENT_TRAINING, names.LABEL_RUN: of["metadata"]["name"]}
    name = f"{of['metadata']['name']}-{attempt}"
    return {
        "kind": "Pod",
        "metadata": meta(
            name,
            creationTimestamp=at(created),
            labels=labels if ours else {},
            annotations={names.ANNOTATION_ATTEMPT: str(attempt)},
            ownerReferences=[owner] if ours else [],
        ),
        "spec": {},
        "status": {
            "phase": phase,
            "initContainerStatuses": [container(names.PREPARE_CONTAINER, states.get("prepare"))],
            "containerStatuses": [
                container(names.TRAIN_CONTAINER, states.get("train")),
                container(names.REPORT_CONTAINER, states.get("report")),
            ],
        },
    }


def container(name: str, state: dict[str, Any] | None) -> dict[str, Any]:
    return {"name": name, "image": "x", "state": state or {}, "ready": False}


def ended(code: int = 1, reason: str = "Error", message: str = "") -> dict[str, Any]:
    return {"terminated": {"exitCode": code, "reason": reason, "message": message}}


def observed(of: dict[str, Any], **more: Any) -> Observed:
    spec = TrainingRunSpec.model_validate({"template": SPEC | more.pop("template", {})})
    settled = settle(start.effective(spec, None))
    return Observed(of, INPUTS, settled, "modelberth:1", **more)


def pipeline_spec(**spec: Any) -> TrainingPipelineSpec:
    return TrainingPipelineSpec.model_validate({**SPEC, **spec})


def pipeline(*, status: dict[str, Any] | None = None, created: float = -3600, **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": names.API_VERSION,
        "kind": "TrainingPipeline",
        "metadata": meta("fed", creationTimestamp=at(created)),
        "spec": {**SPEC, **spec},
        "status": status or {},
    }


def later(seconds: float) -> Any:
    return NOW + timedelta(seconds=seconds)
