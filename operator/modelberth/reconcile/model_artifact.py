"""Reconciles ModelArtifacts: adds up their versions."""

from modelberth.api import names
from modelberth.domain import model_artifact
from modelberth.domain.objects import is_deleting
from modelberth.reconcile.base import DONE, Result, write_status
from modelberth.runtime.cache import Cache
from modelberth.runtime.clock import Clock
from modelberth.runtime.kube import KubeApi
from modelberth.runtime.resources import MODEL_ARTIFACTS, MODEL_VERSIONS, Key


class ModelArtifactReconciler:
    """One ModelArtifact at a time; keeps nothing between two calls."""

    def __init__(self, *, kube: KubeApi, cache: Cache, clock: Clock) -> None:
        self._kube = kube
        self._cache = cache
        self._clock = clock

    async def reconcile(self, key: Key) -> Result:
        """Say what the artifact holds."""
        artifact = self._cache.get(MODEL_ARTIFACTS, key.namespace, key.name)
        if artifact is None or is_deleting(artifact):
            return DONE
        versions = self._cache.by_index(MODEL_VERSIONS, "artifact", key.namespace, key.name)
        await write_status(
            MODEL_ARTIFACTS,
            artifact,
            model_artifact.status_of(artifact, versions, now=self._clock.now()),
            manager=names.field_manager("modelartifacts"),
            kube=self._kube,
            cache=self._cache,
        )
        return DONE
