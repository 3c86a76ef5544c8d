"""Reconciles ModelArtifacts and Datasets: adds up their versions."""

from modelberth.api import names
from modelberth.domain import collection
from modelberth.domain.objects import is_deleting
from modelberth.reconcile.base import DONE, Result, write_status
from modelberth.runtime.cache import Cache
from modelberth.runtime.clock import Clock
from modelberth.runtime.families import ContentFamily
from modelberth.runtime.kube import KubeApi
from modelberth.runtime.resources import Key


class CollectionReconciler:
    """One collection of a family at a time; keeps nothing between two calls."""

    def __init__(self, family: ContentFamily, *, kube: KubeApi, cache: Cache, clock: Clock) -> None:
        self._family = family
        self._kube = kube
        self._cache = cache
        self._clock = clock

    async def reconcile(self, key: Key) -> Result:
        """Say what the collection holds."""
        found = self._cache.get(self._family.collections, key.namespace, key.name)
        if found is None or is_deleting(found):
            return DONE
        versions = self._cache.by_index(self._family.versions, "collection", key.namespace, key.name)
        await write_status(
            self._family.collections,
            found,
            collection.status_of(found, versions, now=self._clock.now()),
            manager=names.field_manager(self._family.collections.plural),
            kube=self._kube,
            cache=self._cache,
        )
        return DONE
