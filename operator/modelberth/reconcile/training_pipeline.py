"""Reconciles TrainingPipelines: makes the runs that their triggers ask for, and removes those that are over."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from pydantic import ValidationError

from modelberth.api import names
from modelberth.api.training_pipeline import TrainingPipelineSpec
from modelberth.domain.objects import Object, dig, generation_of, is_deleting, name_of, namespace_of, uid_of
from modelberth.domain.training import triggers
from modelberth.domain.training.inputs import missing, standing_version
from modelberth.domain.training.origin import comes_from
from modelberth.domain.training.triggers import Observed
from modelberth.domain.verdicts import summarise
from modelberth.reconcile.base import DONE, Recorder, Result, send, write_status
from modelberth.reconcile.training_lookup import CacheLookup, demand_fresh, not_understood, runs_of
from modelberth.runtime.cache import Cache
from modelberth.runtime.clock import Clock
from modelberth.runtime.errors import AlreadyExists
from modelberth.runtime.kube import KubeApi
from modelberth.runtime.resources import DATASETS, TRAINING_PIPELINES, TRAINING_RUNS, Key


class TrainingPipelineReconciler:
    """One TrainingPipeline at a time; keeps nothing between two calls."""

    def __init__(self, *, kube: KubeApi, cache: Cache, recorder: Recorder, clock: Clock) -> None:
        self._kube = kube
        self._cache = cache
        self._recorder = recorder
        self._clock = clock

    async def reconcile(self, key: Key) -> Result:
        """Make what is due, say so, and only then forget what is over."""
        pipeline = self._cache.get(TRAINING_PIPELINES, key.namespace, key.name)
        if pipeline is None or is_deleting(pipeline):
            return DONE
        try:
            spec = TrainingPipelineSpec.model_validate(pipeline["spec"])
        except ValidationError as error:
            return await self._refuse(pipeline, error)
        plan = triggers.decide(self._observe(pipeline, spec), now=self._clock.now())
        if plan.create:
            # The names of runs are all that keeps them from being made twice: what they are made of must be so.
            await demand_fresh(self._kube, TRAINING_PIPELINES, pipeline)
        await self._demand_fresh_data(pipeline, plan.status)
        for run in plan.create:
            await self._create(pipeline, run)
        if await self._write(pipeline, dict(plan.status)):
            send(self._recorder, pipeline, plan.events)
        for run in plan.delete:
            await self._kube.delete(TRAINING_RUNS, key.namespace, name_of(run), uid=uid_of(run))
        return Result(plan.requeue_after)

    async def _demand_fresh_data(self, pipeline: Object, status: Mapping[str, Any]) -> None:
        """Make sure that a version that is taken up is still what the dataset stands for.

        A second leader whose cache is behind would go back to the one before, and start its runs again.

        Raises:
            Conflict: the dataset has changed since it was observed, or is gone.
        """
        version = dig(status, "onDatasetVersion", "version")
        if version == dig(pipeline, "status", "onDatasetVersion", "version"):
            return
        data = self._cache.get(DATASETS, namespace_of(pipeline), str(dig(status, "onDatasetVersion", "dataset")))
        if data is not None:
            await demand_fresh(self._kube, DATASETS, data)

    def _observe(self, pipeline: Object, spec: TrainingPipelineSpec) -> Observed:
        namespace, name = namespace_of(pipeline), name_of(pipeline)
        lookup = CacheLookup(self._cache, namespace)
        follows = spec.triggers is not None and spec.triggers.on_dataset_version is not None
        standing = standing_version(spec.dataset, lookup) if follows else None
        run_named = partial(self._cache.get, TRAINING_RUNS, namespace)
        return Observed(
            pipeline=pipeline,
            spec=spec,
            runs=runs_of(self._cache, namespace, name),
            standing=standing,
            is_older=standing is not None and _is_older(lookup.dataset_version(standing), pipeline),
            loops=standing is not None and comes_from(standing, name, lookup, run_named),
            missing=missing(spec, lookup),
        )

    async def _create(self, pipeline: Object, run: Object) -> None:
        try:
            self._cache.observe(await self._kube.create(TRAINING_RUNS, namespace_of(run), run))
        except AlreadyExists:
            there = await self._kube.get(TRAINING_RUNS, namespace_of(run), name_of(run))
            if there is not None and not triggers.is_same_run(there, run):
                message = f"run {name_of(run)} is there and was made for something else: no other one is started"
                self._recorder.event(pipeline, "Warning", "NameTaken", message)

    async def _refuse(self, pipeline: Object, error: ValidationError) -> Result:
        old = dict(pipeline.get("status") or {})
        generation = generation_of(pipeline)
        now = self._clock.now()
        conditions = summarise(old.get("conditions") or [], not_understood(error), generation=generation, now=now)
        await self._write(pipeline, {**old, "observedGeneration": generation, "conditions": conditions})
        return DONE

    async def _write(self, pipeline: Object, status: dict[str, object]) -> bool:
        return await write_status(
            TRAINING_PIPELINES,
            pipeline,
            status,
            manager=names.field_manager("trainingpipelines"),
            kube=self._kube,
            cache=self._cache,
        )


def _is_older(version: Object | None, pipeline: Object) -> bool:
    """Whether a version was made before a pipeline, or in the same second, as when both are applied together."""
    made, since = (str(dig(obj, "metadata", "creationTimestamp") or "") for obj in (version, pipeline))
    return made <= since
