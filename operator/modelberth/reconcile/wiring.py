"""Puts the reconcilers together: the one list of what the operator reconciles."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from modelberth.domain.model_deployment import Surroundings
from modelberth.domain.objects import Object, name_of, namespace_of
from modelberth.reconcile import mapping
from modelberth.reconcile.base import Reconciler, Recorder
from modelberth.reconcile.collection import CollectionReconciler
from modelberth.reconcile.content_version import ContentVersionReconciler
from modelberth.reconcile.guard import Guarded
from modelberth.reconcile.mapping import Work
from modelberth.reconcile.model_deployment import ModelDeploymentReconciler, ProgressPort, RolloutMetrics
from modelberth.reconcile.registered_model import RegisteredModelReconciler
from modelberth.reconcile.registry_trust import RegistryTrustReconciler
from modelberth.reconcile.training_lookup import RunMetrics
from modelberth.reconcile.training_pipeline import TrainingPipelineReconciler
from modelberth.reconcile.training_run import TrainingRunReconciler
from modelberth.reconcile.transfer_session import TransferSessionReconciler
from modelberth.runtime.cache import Cache
from modelberth.runtime.clock import Clock
from modelberth.runtime.families import FAMILIES
from modelberth.runtime.kube import KubeApi
from modelberth.runtime.resources import (
    CONTROLLER_REVISIONS,
    DEPLOYMENTS,
    MODEL_DEPLOYMENTS,
    OWN_KINDS,
    POD_TEMPLATES,
    PODS,
    REGISTERED_MODELS,
    REPLICA_SETS,
    SERVICES,
    TRAINING_PIPELINES,
    TRAINING_RUNS,
    TRANSFER_SESSIONS,
    Resource,
)
from modelberth.store.port import StorePort

WATCHED: tuple[Resource, ...] = (
    *OWN_KINDS,
    PODS,
    POD_TEMPLATES,
    DEPLOYMENTS,
    REPLICA_SETS,
    SERVICES,
    CONTROLLER_REVISIONS,
)
"""What the cache has to hold for decisions to be right."""


@dataclass(frozen=True, slots=True)
class Wiring:
    """The reconcilers by name, and the rule that says whom a change concerns."""

    reconcilers: Mapping[str, Reconciler]
    cache: Cache
    metrics: RolloutMetrics

    def keys_for(self, resource: Resource, old: Object | None, new: Object | None) -> set[Work]:
        """Everything that has to be looked at again after a change."""
        if resource == REGISTERED_MODELS and old is not None and new is not None:
            for alias, version in mapping.moved_aliases(old, new):
                self.metrics.observed(namespace_of(new), name_of(new), alias, version)
        return mapping.work_for(resource, old, new, self.cache)


def build(
    *,
    kube: KubeApi,
    cache: Cache,
    store: StorePort,
    recorder: Recorder,
    clock: Clock,
    progress: ProgressPort,
    metrics: RolloutMetrics,
    run_metrics: RunMetrics,
    surroundings: Callable[[], Surroundings],
) -> Wiring:
    """Make all reconcilers over one cache; registers the cache's indexes, so it must still be empty."""
    mapping.add_indexes(cache)
    of_kinds: dict[Resource, Reconciler] = {
        **{
            family.collections: CollectionReconciler(family, kube=kube, cache=cache, clock=clock) for family in FAMILIES
        },
        **{
            family.versions: ContentVersionReconciler(
                family, kube=kube, cache=cache, store=store, recorder=recorder, clock=clock
            )
            for family in FAMILIES
        },
        REGISTERED_MODELS: RegisteredModelReconciler(
            kube=kube, cache=cache, store=store, recorder=recorder, clock=clock
        ),
        MODEL_DEPLOYMENTS: ModelDeploymentReconciler(
            kube=kube,
            cache=cache,
            recorder=recorder,
            clock=clock,
            progress=progress,
            metrics=metrics,
            surroundings=surroundings,
        ),
        TRAINING_PIPELINES: TrainingPipelineReconciler(kube=kube, cache=cache, recorder=recorder, clock=clock),
        TRAINING_RUNS: TrainingRunReconciler(
            kube=kube,
            cache=cache,
            store=store,
            recorder=recorder,
            clock=clock,
            progress=progress,
            metrics=run_metrics,
            surroundings=surroundings,
        ),
        TRANSFER_SESSIONS: TransferSessionReconciler(kube=kube, cache=cache, clock=clock),
    }
    guarded = {
        resource.plural: Guarded(reconciler, resource=resource, kube=kube, cache=cache, clock=clock)
        for resource, reconciler in of_kinds.items()
    }
    trust = RegistryTrustReconciler(kube=kube, cache=cache, surroundings=surroundings)
    return Wiring(
        reconcilers={**guarded, mapping.TRUST: trust},
        cache=cache,
        metrics=metrics,
    )
