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
from modelberth.runtime.resources import CONFIG_MAPS, MODEL_DEPLOYMENTS, Key


class RegistryTrustReconciler:
    """One namespace at a time (the key's name is not used); remembers what it applied last."""

    def __init__(self, *, kube: KubeApi, cache: Cache, surroundings: Callable[[], Surroundings]) -> None:
        self._kube = kube
        self._cache = cache
        self._surroundings = surroundings
        self._applied: dict[str, str] = {}

    async def reconcile(self, key: Key) -> Result:
        """Apply the ConfigMap where ModelDeployments are."""
        if not self._cache.list(MODEL_DEPLOYMENTS, key.namespace):
            self._applied.pop(key.namespace, None)
            return DONE
        around = self._surroundings()
        body = workloads.registry_config_map(key.namespace, url=around.registry_url, ca_bundle=around.ca_bundle)
        fingerprint = workloads.fingerprint(body)
        if self._applied.get(key.namespace) == fingerprint:
            return DONE
        await self._kube.apply(
            CONFIG_MAPS, key.namespace, names.REGISTRY_CONFIG_MAP, body, manager=names.field_manager("registry")
        )
        self._applied[key.namespace] = fingerprint
        return DONE
