"""Keeps the ConfigMap that tells a namespace's loaders where the registry is and whom to trust.

It follows the registry's CA: old and new are in it together while they rotate, so no pod template ever changes.
"""

from collections.abc import Callable

from modelberth.api import names
from modelberth.domain import workloads
from modelberth.domain.model_deployment import Surroundings
from modelberth.reconcile.base import DONE, Result
from modelberth.runtime.cache import Cache
from modelberth.runtime.kube import KubeApi
from modelberth.runtime.resources import CONFIG_MAPS, MODEL_DEPLOYMENTS, TRAINING_RUNS, Key

REPAIR_SECONDS = 600.0
"""Seconds until the ConfigMap is applied again: nobody watches it, and without it no new pod there starts."""


class RegistryTrustReconciler:
    """One namespace at a time (the key's name is not used); keeps nothing between two calls."""

    def __init__(self, *, kube: KubeApi, cache: Cache, surroundings: Callable[[], Surroundings]) -> None:
        self._kube = kube
        self._cache = cache
        self._surroundings = surroundings

    async def reconcile(self, key: Key) -> Result:
        """Apply the ConfigMap where ModelDeployments or TrainingRuns are: their pods ask the registry."""
        if not any(self._cache.list(resource, key.namespace) for resource in (MODEL_DEPLOYMENTS, TRAINING_RUNS)):
            return DONE
        around = self._surroundings()
        body = workloads.registry_config_map(key.namespace, url=around.registry_url, ca_bundle=around.ca_bundle)
        await self._kube.apply(
            CONFIG_MAPS, key.namespace, names.REGISTRY_CONFIG_MAP, body, manager=names.field_manager("registry")
        )
        return Result(REPAIR_SECONDS)
