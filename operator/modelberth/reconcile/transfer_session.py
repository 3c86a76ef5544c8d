"""Reconciles TransferSessions: removes them when their time is over."""

from modelberth.api import names
from modelberth.domain import transfer_session
from modelberth.domain.objects import is_deleting, uid_of
from modelberth.reconcile.base import DONE, Result, write_status
from modelberth.runtime.cache import Cache
from modelberth.runtime.clock import Clock
from modelberth.runtime.kube import KubeApi
from modelberth.runtime.resources import TRANSFER_SESSIONS, Key


class TransferSessionReconciler:
    """One TransferSession at a time; keeps nothing between two calls."""

    def __init__(self, *, kube: KubeApi, cache: Cache, clock: Clock) -> None:
        self._kube = kube
        self._cache = cache
        self._clock = clock

    async def reconcile(self, key: Key) -> Result:
        """Delete the session if it is over, else say until when it is open."""
        session = self._cache.get(TRANSFER_SESSIONS, key.namespace, key.name)
        if session is None or is_deleting(session):
            return DONE
        now = self._clock.now()
        left = (transfer_session.expires_at(session) - now).total_seconds()
        if left <= 0:
            await self._kube.delete(TRANSFER_SESSIONS, key.namespace, key.name, uid=uid_of(session))
            return DONE
        await write_status(
            TRANSFER_SESSIONS,
            session,
            transfer_session.status_of(session, now=now),
            manager=names.field_manager("transfersessions"),
            kube=self._kube,
            cache=self._cache,
        )
        return Result(left)
