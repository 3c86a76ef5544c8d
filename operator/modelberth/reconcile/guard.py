"""Says in a status that the operator itself failed on the object, instead of leaving an old status for ever."""

from modelberth.api import names
from modelberth.domain.objects import Object, generation_of, is_deleting
from modelberth.domain.verdicts import Standing, Verdict, summarise
from modelberth.reconcile.base import Reconciler, Result, write_status
from modelberth.runtime.cache import Cache
from modelberth.runtime.clock import Clock
from modelberth.runtime.errors import ApiError
from modelberth.runtime.kube import KubeApi
from modelberth.runtime.resources import Key, Resource
from modelberth.store.errors import StoreError


class Guarded:
    """A reconciler whose bugs become a condition. The error is raised all the same: it is logged and tried again."""

    def __init__(self, inner: Reconciler, *, resource: Resource, kube: KubeApi, cache: Cache, clock: Clock) -> None:
        self._inner = inner
        self._resource = resource
        self._kube = kube
        self._cache = cache
        self._clock = clock

    async def reconcile(self, key: Key) -> Result:
        """Reconcile; what neither API server nor store said is the operator's own fault, and told as such."""
        try:
            return await self._inner.reconcile(key)
        except (ApiError, StoreError):
            raise
        except Exception as error:
            obj = self._cache.get(self._resource, key.namespace, key.name)
            if obj is not None and not is_deleting(obj):
                await self._tell(obj, error)
            raise

    async def _tell(self, obj: Object, error: Exception) -> None:
        """All else in the status stays: it was observed. Only the error's type is told: its words may hold anything."""
        verdict = Verdict(
            "Unknown",
            Standing.UNKNOWN,
            "InternalError",
            f"the operator failed on this object ({type(error).__name__}) and tries again; its log has the rest",
        )
        old = dict(obj.get("status") or {})
        generation = generation_of(obj)
        conditions = summarise(old.get("conditions") or [], verdict, generation=generation, now=self._clock.now())
        await write_status(
            self._resource,
            obj,
            {**old, "observedGeneration": generation, "conditions": conditions},
            manager=names.field_manager(self._resource.plural),
            kube=self._kube,
            cache=self._cache,
        )
