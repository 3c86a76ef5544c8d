"""Which pipelines and runs have to look again when an object changes; a part of `mapping`."""

from collections.abc import Iterator

from modelberth.api import names
from modelberth.api.training_pipeline import Concurrency
from modelberth.content.collections import Collection, artifact, dataset
from modelberth.domain.content_version import collection_of
from modelberth.domain.objects import Object, condition, dig, is_deleting, is_ready, label, name_of, namespace_of
from modelberth.domain.training.inputs import collections_of
from modelberth.domain.training.plan import has_ended
from modelberth.reconcile.training_lookup import (
    COLLECTION_INDEX,
    PIPELINE_INDEX,
    RUN_INDEX,
    UNSTARTED,
    UNSTARTED_INDEX,
    runs_of,
)
from modelberth.runtime.cache import Cache
from modelberth.runtime.resources import (
    DATASET_VERSIONS,
    DATASETS,
    MODEL_ARTIFACTS,
    MODEL_VERSIONS,
    PODS,
    TRAINING_PIPELINES,
    TRAINING_RUNS,
    Key,
    Resource,
)

Work = tuple[str, Key]


def add_indexes(cache: Cache) -> None:
    """Register the indexes that `training_lookup` names."""
    cache.add_index(TRAINING_RUNS, PIPELINE_INDEX, lambda run: [str(dig(run, "spec", "pipeline") or "")])
    cache.add_index(TRAINING_RUNS, UNSTARTED_INDEX, lambda run: [] if _has_started(run) else [UNSTARTED])
    cache.add_index(PODS, RUN_INDEX, lambda pod: [label(pod, names.LABEL_RUN) or ""])
    cache.add_index(
        TRAINING_PIPELINES, COLLECTION_INDEX, lambda pipeline: [*map(str, collections_of(pipeline.get("spec") or {}))]
    )


def work_for(resource: Resource, old: Object | None, new: Object | None, obj: Object, cache: Cache) -> Iterator[Work]:
    """The pipelines and runs that a change concerns."""
    namespace, name = namespace_of(obj), name_of(obj)
    if resource == TRAINING_RUNS:
        yield TRAINING_RUNS.plural, Key(namespace, name)
        yield from _of_run(old, new, obj, cache)
    elif resource == TRAINING_PIPELINES:
        yield TRAINING_PIPELINES.plural, Key(namespace, name)
        if old is None or new is None or old.get("spec") != new.get("spec"):
            yield from _runs(runs_of(cache, namespace, name))
    elif resource == PODS:
        run = label(obj, names.LABEL_RUN)
        if run:
            yield TRAINING_RUNS.plural, Key(namespace, run)
    elif resource in {DATASETS, DATASET_VERSIONS, MODEL_ARTIFACTS, MODEL_VERSIONS}:
        is_news = old is None or new is None or _as_runs_see(old) != _as_runs_see(new)
        if is_news or resource == DATASETS:
            for pipeline in cache.by_index(TRAINING_PIPELINES, COLLECTION_INDEX, namespace, str(_collection(obj))):
                yield TRAINING_PIPELINES.plural, Key(namespace, name_of(pipeline))
        if is_news:
            yield from _runs(cache.by_index(TRAINING_RUNS, UNSTARTED_INDEX, namespace, UNSTARTED))


def _of_run(old: Object | None, new: Object | None, obj: Object, cache: Cache) -> Iterator[Work]:
    pipeline = dig(obj, "spec", "pipeline")
    if not pipeline or (old is not None and new is not None and _as_pipelines_see(old) == _as_pipelines_see(new)):
        return
    namespace = namespace_of(obj)
    yield TRAINING_PIPELINES.plural, Key(namespace, str(pipeline))
    concurrency = dig(cache.get(TRAINING_PIPELINES, namespace, str(pipeline)), "spec", "concurrency")
    if concurrency not in {None, Concurrency.ALLOW.value}:
        yield from _runs(each for each in runs_of(cache, namespace, str(pipeline)) if not has_ended(each))


def _runs(runs: Iterator[Object] | list[Object] | tuple[Object, ...]) -> Iterator[Work]:
    for run in runs:
        yield TRAINING_RUNS.plural, Key(namespace_of(run), name_of(run))


def _has_started(run: Object) -> bool:
    return dig(run, "status", "inputs") is not None or has_ended(run)


def _as_pipelines_see(run: Object) -> tuple[object, ...]:
    return has_ended(run), is_deleting(run), dig(run, "status", "version")


def _as_runs_see(obj: Object) -> tuple[object, ...]:
    """What makes a version or a collection an input, the words that are quoted while it is none included."""
    state = is_ready(obj), is_deleting(obj), dig(condition(obj, "Ready"), "message")
    return *state, dig(obj, "spec", "versioning"), dig(obj, "status", "latestVersion"), dig(obj, "status", "aliases")


def _collection(obj: Object) -> Collection:
    """The collection that an object is, or is a version of."""
    kind = obj["kind"]
    if kind == MODEL_ARTIFACTS.kind:
        return artifact(name_of(obj))
    return dataset(name_of(obj)) if kind == DATASETS.kind else collection_of(obj)
