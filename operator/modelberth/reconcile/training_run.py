"""Reconciles TrainingRuns: finds what goes in, sees one pod after the other to its end, writes down what came out."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any

from pydantic import ValidationError

from modelberth.api import names
from modelberth.api.training_run import TrainingRunSpec
from modelberth.content.collections import artifact
from modelberth.domain.model_deployment import Surroundings
from modelberth.domain.objects import Object, dig, is_deleting, is_ready, name_of, namespace_of, uid_of
from modelberth.domain.training import attempt as attempts
from modelberth.domain.training import plan as plans
from modelberth.domain.training import start
from modelberth.domain.training.inputs import Inputs
from modelberth.domain.training.plan import Ending, Plan
from modelberth.domain.training.pod import is_ours, pod_name
from modelberth.domain.training.start import Pinned
from modelberth.domain.training.template import TemplateError, from_record
from modelberth.domain.verdicts import blocked
from modelberth.reconcile.base import DONE, Recorder, Result, send, write_status
from modelberth.reconcile.homes import Homes
from modelberth.reconcile.model_deployment import ProgressPort
from modelberth.reconcile.store_words import RETRY_SECONDS, verdict_of
from modelberth.reconcile.training_finish import Final, Finisher, run_id, told
from modelberth.reconcile.training_lookup import (
    RUN_INDEX,
    CacheLookup,
    RunMetrics,
    demand_fresh,
    not_understood,
    pipeline_spec,
    siblings_of,
)
from modelberth.runtime.cache import Cache
from modelberth.runtime.clock import Clock
from modelberth.runtime.errors import AlreadyExists, Conflict, Forbidden, Invalid
from modelberth.runtime.kube import KubeApi
from modelberth.runtime.resources import MODEL_VERSIONS, PODS, TRAINING_RUNS, Key
from modelberth.store.errors import StoreError
from modelberth.store.port import StorePort
from modelberth.store.run_types import AttemptRecord
from modelberth.store.types import Space


class TrainingRunReconciler:
    """One TrainingRun at a time; keeps nothing between two calls."""

    def __init__(
        self,
        *,
        kube: KubeApi,
        cache: Cache,
        store: StorePort,
        recorder: Recorder,
        clock: Clock,
        progress: ProgressPort,
        metrics: RunMetrics,
        surroundings: Callable[[], Surroundings],
    ) -> None:
        self._kube = kube
        self._cache = cache
        self._store = store
        self._recorder = recorder
        self._clock = clock
        self._progress = progress
        self._metrics = metrics
        self._surroundings = surroundings
        self._homes = Homes(kube)
        self._finisher = Finisher(kube=kube, cache=cache, store=store, recorder=recorder)

    async def reconcile(self, key: Key) -> Result:
        """Take the run one step further. Deleting it takes its pod along, and nothing is made of it."""
        run = self._cache.get(TRAINING_RUNS, key.namespace, key.name)
        if run is None or is_deleting(run):
            return DONE
        if plans.has_ended(run):
            return await self._tidy(run)
        step = self._start if dig(run, "status", "inputs") is None else self._go_on
        return await self._guarded(run, step)

    async def _guarded(self, run: Object, step: Callable[[Object], Awaitable[Result]]) -> Result:
        """A step, or what the status says of it where it cannot be taken."""
        try:
            return await step(run)
        except ValidationError as error:
            return await self._say(run, Plan(not_understood(error)))
        except TemplateError as error:
            return await self._say(run, Plan(blocked("StatusNotUnderstood", str(error))))
        except StoreError as error:
            return await self._say(run, Plan(verdict_of(error), requeue_after=RETRY_SECONDS))

    async def _start(self, run: Object) -> Result:
        """Find the inputs and write them down: nothing of a run exists before."""
        spec = TrainingRunSpec.model_validate(run["spec"])
        observed = start.Observed(
            run,
            spec,
            pipeline_spec(self._cache, namespace_of(run), spec.pipeline),
            CacheLookup(self._cache, namespace_of(run)),
            siblings_of(self._cache, run),
        )
        now = self._clock.now()
        found = start.decide(observed, now=now)
        if isinstance(found, Plan):
            if found.ending is None:
                return await self._say(run, found)
            return await self._end(run, found, Final(run, found.ending))
        numbers = await self._store.versions(await self._space(run), artifact(found.inputs.artifact))
        found = replace(found, inputs=found.inputs.behind(numbers))
        changes = start.pinned_fields(observed, found, now=now)
        ending = await self._skipped(run, spec, found)
        if ending is None:
            return await self._say(run, start.starting(changes))
        pinned = {**run, "status": {**(run.get("status") or {}), **changes}}
        final = Final(pinned, ending, found.inputs, found.settled, found.key)
        return await self._end(run, replace(start.starting(changes), ending=ending), final)

    async def _skipped(self, run: Object, spec: TrainingRunSpec, found: Pinned) -> Ending | None:
        """The ending of a run that need not be done: the version of an equal one is there."""
        if not found.may_be_skipped or spec.reproduces is not None:
            return None
        known = await self._store.run_of_key(await self._space(run), found.key)
        if known is None:
            return None
        version = self._cache.get(MODEL_VERSIONS, namespace_of(run), known.version)
        if version is None or is_deleting(version) or not is_ready(version):
            return None
        again = "cache: false, or modelberth train --no-cache, runs it again"
        message = f"run {known.run.name} has done the same and made {known.version}; {again}"
        return Ending("Skipped", "Skipped", message, known.version)

    async def _go_on(self, run: Object) -> Result:
        """Look after the pod of the attempt."""
        observed, record = await self._observe(run)
        now = self._clock.now()
        plan = attempts.decide(observed, now=now)
        for pod in plan.delete:
            await self._kube.delete(PODS, namespace_of(pod), name_of(pod), uid=uid_of(pod))
        if plan.create is not None:
            plan = await self._create(observed, plan)
        if plan.ending is None:
            return await self._say(run, plan)
        final = Final(
            run,
            plan.ending,
            observed.inputs,
            observed.settled,
            str(dig(run, "status", "key")),
            record,
            observed.own_pod,
        )
        return await self._end(run, plan, final)

    async def _observe(self, run: Object) -> tuple[attempts.Observed, AttemptRecord | None]:
        status: Mapping[str, Any] = run["status"]
        number = int(status.get("attempt") or 0)
        pod = await self._pod(run, pod_name(name_of(run), number))
        pipeline = pipeline_spec(self._cache, namespace_of(run), dig(run, "spec", "pipeline"))
        replaced_by = start.replaced_by(run, pipeline, siblings_of(self._cache, run))
        record = None
        if replaced_by is not None or attempts.is_over(run, pod, now=self._clock.now()):
            # Asked for after the pod was seen to be over: what it has told by then is all that it tells. Of a pod that
            # is to be ended for another one it is asked for, too: its program may have succeeded.
            record = await self._store.attempt(await self._space(run), run_id(run), number)
        runs = pod is not None and is_ours(pod, run) and record is None
        progress = (await self._progress.read() or {}).get(uid_of(pod)) if runs and pod is not None else None
        return (
            attempts.Observed(
                run=run,
                inputs=Inputs.from_status(status["inputs"]),
                settled=from_record(status["template"]),
                operator_image=self._surroundings().loader_image,
                pod=pod,
                record=told(record) if record else None,
                progress=progress,
                strays=attempts.strays(run, self._pods(run)),
                replaced_by=replaced_by,
            ),
            record,
        )

    async def _pod(self, run: Object, name: str) -> Object | None:
        """What has the pod's name: what others made is watched by nobody, and what was just made not seen yet."""
        known = self._cache.get(PODS, namespace_of(run), name)
        return known if known is not None else await self._kube.get(PODS, namespace_of(run), name)

    def _pods(self, run: Object) -> tuple[Object, ...]:
        return tuple(self._cache.by_index(PODS, RUN_INDEX, namespace_of(run), name_of(run)))

    async def _create(self, observed: attempts.Observed, plan: Plan) -> Plan:
        """Make the attempt's pod.

        Raises:
            Conflict: the run is not as it was observed, or something else has the pod's name by now.
        """
        assert plan.create is not None  # noqa: S101 - the caller looks
        await demand_fresh(self._kube, TRAINING_RUNS, observed.run)
        try:
            pod = await self._kube.create(PODS, namespace_of(plan.create), plan.create)
        except AlreadyExists as taken:
            raise Conflict(taken.status, taken.reason, taken.message) from taken
        except (Forbidden, Invalid) as refusal:
            is_forbidden = isinstance(refusal, Forbidden)
            return attempts.refused(observed, refusal.message, is_forbidden=is_forbidden, now=self._clock.now())
        self._cache.observe(pod)
        return replace(plan, changes={**plan.changes, "pod": {"name": name_of(pod), "uid": uid_of(pod)}})

    async def _end(self, run: Object, plan: Plan, final: Final) -> Result:
        """Write down how the run ended.

        Raises:
            Conflict: the run is not as it was observed: somebody else may have given its attempt up.
        """
        await demand_fresh(self._kube, TRAINING_RUNS, run)
        now = self._clock.now()
        result, more = await self._finisher.finish(await self._space(run), final, now=now)
        status = plans.final_status(run, {**plan.changes, **more}, result, now=now)
        if await self._write(run, status):
            send(self._recorder, run, plans.ending_events(result))
            self._metrics.ended(result.status, result.reason)
        return DONE

    async def _tidy(self, run: Object) -> Result:
        """Nothing of a run that is over still runs."""
        for pod in attempts.strays({**run, "status": {}}, self._pods(run)):
            await self._kube.delete(PODS, namespace_of(pod), name_of(pod), uid=uid_of(pod))
        return DONE

    async def _say(self, run: Object, plan: Plan) -> Result:
        await self._write(run, plans.status_of(run, plan, now=self._clock.now()))
        return Result(plan.requeue_after)

    async def _write(self, run: Object, status: Mapping[str, Any]) -> bool:
        return await write_status(
            TRAINING_RUNS,
            run,
            status,
            manager=names.field_manager("trainingruns"),
            kube=self._kube,
            cache=self._cache,
        )

    async def _space(self, run: Object) -> Space:
        return await self._store.space(namespace_of(run), await self._homes.uid_of(run))
