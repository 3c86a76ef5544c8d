"""What the cache knows of the namespace that a run or a pipeline lives in."""

from collections.abc import Iterable, Mapping
from typing import Protocol

from pydantic import ValidationError

from modelberth.api.training_pipeline import TrainingPipelineSpec
from modelberth.domain.objects import Object, dig, is_deleting, name_of, namespace_of
from modelberth.domain.verdicts import Verdict, blocked
from modelberth.runtime.cache import Cache
from modelberth.runtime.errors import Conflict
from modelberth.runtime.kube import KubeApi
from modelberth.runtime.resources import (
    DATASET_VERSIONS,
    DATASETS,
    MODEL_ARTIFACTS,
    MODEL_VERSIONS,
    TRAINING_PIPELINES,
    TRAINING_RUNS,
    Resource,
)

PIPELINE_INDEX = "pipeline"
"""TrainingRuns by `spec.pipeline`."""
UNSTARTED_INDEX = "unstarted"
"""TrainingRuns whose inputs have not been found, under `UNSTARTED`."""
UNSTARTED = "yes"
RUN_INDEX = "run"
"""Pods by the TrainingRun that their label names."""
COLLECTION_INDEX = "collection"
"""TrainingPipelines by what their inputs are versions of."""


class RunMetrics(Protocol):
    """Hears of runs that end."""

    def ended(self, status: str, reason: str) -> None:
        """A run ended: Succeeded, Failed or Skipped, and why, in one CamelCase word."""
        ...


class CacheLookup:
    """The objects of one namespace, as `domain.training.inputs.Lookup` wants them."""

    def __init__(self, cache: Cache, namespace: str) -> None:
        self._cache = cache
        self._namespace = namespace

    def artifact(self, name: str) -> Object | None:
        """A ModelArtifact."""
        return self._cache.get(MODEL_ARTIFACTS, self._namespace, name)

    def model_version(self, name: str) -> Object | None:
        """A ModelVersion."""
        return self._cache.get(MODEL_VERSIONS, self._namespace, name)

    def model_versions(self, artifact: str) -> Iterable[Object]:
        """All ModelVersions of an artifact."""
        return self._cache.by_index(MODEL_VERSIONS, "collection", self._namespace, artifact)

    def dataset(self, name: str) -> Object | None:
        """A Dataset."""
        return self._cache.get(DATASETS, self._namespace, name)

    def dataset_version(self, name: str) -> Object | None:
        """A DatasetVersion."""
        return self._cache.get(DATASET_VERSIONS, self._namespace, name)


def runs_of(cache: Cache, namespace: str, pipeline: str) -> tuple[Object, ...]:
    """The runs of a pipeline that are there."""
    return tuple(cache.by_index(TRAINING_RUNS, PIPELINE_INDEX, namespace, pipeline))


def siblings_of(cache: Cache, run: Object) -> tuple[Object, ...]:
    """The other runs of a run's pipeline."""
    pipeline = dig(run, "spec", "pipeline")
    if not pipeline:
        return ()
    found = runs_of(cache, namespace_of(run), str(pipeline))
    return tuple(each for each in found if name_of(each) != name_of(run))


def pipeline_spec(cache: Cache, namespace: str, name: str | None) -> TrainingPipelineSpec | None:
    """The spec of a pipeline; None if there is none, or one that is going.

    Raises:
        ValidationError: the CRDs are newer than this operator.
    """
    found = cache.get(TRAINING_PIPELINES, namespace, name) if name else None
    if found is None or is_deleting(found):
        return None
    return TrainingPipelineSpec.model_validate(found["spec"])


def not_understood(error: ValidationError) -> Verdict:
    """What is said of a spec that this operator cannot read: nothing is touched."""
    fields = sorted(".".join(["spec", *map(str, fault["loc"])]) for fault in error.errors())
    return blocked("SpecNotUnderstood", f"{', '.join(fields)}: upgrade the operator to the version of its CRDs")


async def demand_fresh(kube: KubeApi, resource: Resource, observed: Object) -> None:
    """Make sure that an object is still as it was observed, before something is made that no precondition fences.

    Raises:
        Conflict: it has changed, or is gone.
    """
    there = await kube.get(resource, namespace_of(observed), name_of(observed))
    versions: list[Mapping[str, object] | None] = [dig(obj, "metadata") for obj in (there, observed)]
    before, now = ((meta or {}).get("resourceVersion") for meta in versions)
    if before != now:
        raise Conflict(409, "Conflict", f"{resource.kind} {name_of(observed)} has changed since it was observed")
