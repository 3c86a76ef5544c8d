"""Reconciles ModelDeployments: reads what a decision needs, carries it out, tells the status."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Protocol

from pydantic import ValidationError

from modelberth.api import names
from modelberth.api.model_deployment import ModelDeploymentSpec
from modelberth.domain import deployment_report, model_deployment, rollouts, workloads
from modelberth.domain.injection import selector
from modelberth.domain.model_deployment import Applied, Observed, Plan, Surroundings
from modelberth.domain.objects import (
    Object,
    annotation,
    dig,
    generation_of,
    is_controlled_by,
    is_deleting,
    name_of,
    namespace_of,
    uid_of,
)
from modelberth.domain.rollouts import LoaderProgress
from modelberth.domain.targets import AliasFacts
from modelberth.domain.verdicts import Verdict, blocked, summarise
from modelberth.reconcile.base import DONE, Outcome, Recorder, Result, execute, send, write_status
from modelberth.runtime.cache import Cache
from modelberth.runtime.clock import Clock
from modelberth.runtime.errors import Forbidden, Invalid
from modelberth.runtime.kube import KubeApi
from modelberth.runtime.resources import (
    CONTROLLER_REVISIONS,
    DEPLOYMENTS,
    MODEL_ARTIFACTS,
    MODEL_DEPLOYMENTS,
    MODEL_VERSIONS,
    POD_TEMPLATES,
    PODS,
    REGISTERED_MODELS,
    REPLICA_SETS,
    SERVICES,
    Key,
    Resource,
)


class ProgressPort(Protocol):
    """Asks the registry how far loaders are."""

    async def read(self) -> Mapping[str, LoaderProgress] | None:
        """By pod uid; None while the registry cannot be asked. Never raises."""
        ...


class RolloutMetrics(Protocol):
    """Hears of moves and patches, to tell how long an alias takes from being observed to being acted on."""

    def observed(self, namespace: str, model: str, alias: str, version: str) -> None:
        """An alias was moved to a version."""
        ...

    def patched(self, namespace: str, model: str, alias: str, version: str) -> None:
        """A Deployment has just been told to run another version."""
        ...


class ModelDeploymentReconciler:
    """One ModelDeployment at a time; remembers only what it applied last, to spare applies that change nothing."""

    def __init__(
        self,
        *,
        kube: KubeApi,
        cache: Cache,
        recorder: Recorder,
        clock: Clock,
        progress: ProgressPort,
        metrics: RolloutMetrics,
        surroundings: Callable[[], Surroundings],
    ) -> None:
        self._kube = kube
        self._cache = cache
        self._recorder = recorder
        self._clock = clock
        self._progress = progress
        self._metrics = metrics
        self._surroundings = surroundings
        self._applied: dict[Key, Applied] = {}

    async def reconcile(self, key: Key) -> Result:
        """Bring the Deployment to what the alias asks for, and say how far it is."""
        deployment = self._cache.get(MODEL_DEPLOYMENTS, key.namespace, key.name)
        if deployment is None or is_deleting(deployment):
            self._applied.pop(key, None)
            return DONE
        try:
            spec = ModelDeploymentSpec.model_validate(deployment["spec"])
        except ValidationError as error:
            return await self._refuse(deployment, error)
        observed = await self._observe(key, deployment, spec)
        plan = model_deployment.decide(observed, self._surroundings())
        outcome = await execute(plan.writes, kube=self._kube, cache=self._cache)
        if outcome.refusal is not None:
            plan = model_deployment.decide(observed, self._surroundings(), refusal=_verdict(outcome.refusal))
            outcome = await execute(plan.writes, kube=self._kube, cache=self._cache)
        observed = self._after(key, observed, plan, outcome)
        report = deployment_report.report(observed, plan, now=self._clock.now())
        if await self._write_status(deployment, report.status):
            send(self._recorder, deployment, report.events)
        return Result(report.requeue_after)

    async def _observe(self, key: Key, deployment: Object, spec: ModelDeploymentSpec) -> Observed:
        model = self._cache.get(REGISTERED_MODELS, key.namespace, spec.model)
        version = self._named(MODEL_VERSIONS, key, dig(model, "spec", "aliases", spec.alias, "version"))
        workload = await self._find(DEPLOYMENTS, key, workloads.workload_name(key.name))
        replica_sets = self._owned(REPLICA_SETS, key, workload)
        pods = () if rollouts.read(workload).is_complete else await self._pods(key)
        return Observed(
            deployment=deployment,
            spec=spec,
            model=model,
            version=version,
            artifact=self._named(MODEL_ARTIFACTS, key, dig(version, "spec", "artifact")),
            pod_template=await self._find(POD_TEMPLATES, key, spec.template_ref.name) if spec.template_ref else None,
            workload=workload,
            service=await self._find(SERVICES, key, key.name),
            revisions=self._owned(CONTROLLER_REVISIONS, key, deployment),
            replica_sets=replica_sets,
            pods=pods,
            progress=await self._progress.read() if pods else {},
            applied=self._applied.get(key),
        )

    def _named(self, resource: Resource, key: Key, name: str | None) -> Object | None:
        return self._cache.get(resource, key.namespace, name) if name else None

    async def _find(self, resource: Resource, key: Key, name: str) -> Object | None:
        """What the cache has, else what the API server has: objects that are not ours are watched by nobody."""
        known = self._cache.get(resource, key.namespace, name)
        return known if known is not None else await self._kube.get(resource, key.namespace, name)

    def _owned(self, resource: Resource, key: Key, owner: Object | None) -> tuple[Object, ...]:
        if owner is None:
            return ()
        found = self._cache.by_index(resource, "deployment", key.namespace, key.name)
        return tuple(obj for obj in found if is_controlled_by(obj, owner))

    async def _pods(self, key: Key) -> tuple[Object, ...]:
        return tuple(await self._kube.list(PODS, key.namespace, labels=selector(key.name)))

    def _after(self, key: Key, observed: Observed, plan: Plan, outcome: Outcome) -> Observed:
        """The observation with the Deployment as the writes left it, so that the status speaks of that one."""
        written = outcome.written.get(("Deployment", workloads.workload_name(key.name)))
        if written is None or plan.revision is None:
            return observed
        body = workloads.workload(observed.deployment, observed.spec, plan.revision)
        self._applied[key] = Applied(uid_of(written), generation_of(written), workloads.fingerprint(body))
        if _version_of(observed.workload) != _version_of(written):
            self._metrics.patched(key.namespace, observed.spec.model, observed.spec.alias, plan.revision.version)
        return replace(observed, workload=written)

    async def _refuse(self, deployment: Object, error: ValidationError) -> Result:
        """A spec that this operator does not understand (the CRDs are newer): nothing is touched."""
        fields = sorted(".".join(["spec", *map(str, fault["loc"])]) for fault in error.errors())
        verdict = blocked("SpecNotUnderstood", f"{', '.join(fields)}: upgrade the operator to the version of its CRDs")
        old = dict(deployment.get("status") or {})
        generation = generation_of(deployment)
        status: dict[str, object] = {
            **old,
            "state": verdict.state,
            "desired": self._desired(deployment),
            "observedGeneration": generation,
            "conditions": summarise(old.get("conditions") or [], verdict, generation=generation, now=self._clock.now()),
        }
        await self._write_status(deployment, {name: value for name, value in status.items() if value is not None})
        return DONE

    def _desired(self, deployment: Object) -> dict[str, str] | None:
        """What the alias asks for, of a ModelDeployment of which no more than model and alias is understood."""
        key = Key(namespace_of(deployment), name_of(deployment))
        model = self._named(REGISTERED_MODELS, key, dig(deployment, "spec", "model"))
        if model is None:
            return None
        alias = str(dig(deployment, "spec", "alias"))
        version = self._named(MODEL_VERSIONS, key, dig(model, "spec", "aliases", alias, "version"))
        artifact = self._named(MODEL_ARTIFACTS, key, dig(version, "spec", "artifact"))
        return deployment_report.desired(AliasFacts(alias, model, version, artifact))

    async def _write_status(self, deployment: Object, status: Mapping[str, object]) -> bool:
        return await write_status(
            MODEL_DEPLOYMENTS,
            deployment,
            status,
            manager=names.field_manager("modeldeployments"),
            kube=self._kube,
            cache=self._cache,
        )


def _version_of(workload: Object | None) -> str | None:
    return annotation(workload, names.ANNOTATION_VERSION)


def _verdict(refusal: Forbidden | Invalid) -> Verdict:
    return deployment_report.refused(refusal.message, by_policy=isinstance(refusal, Forbidden))
