"""From a namespace's name to its space. The uid decides, so a namespace made again never sees the old bytes."""

import re
from collections.abc import AsyncIterator
from contextlib import suppress

from modelberth.registry.caches import AgingCache
from modelberth.registry.problems import Problem
from modelberth.runtime.kube import KubeApi
from modelberth.runtime.resources import NAMESPACES
from modelberth.store.content_store import ContentStore
from modelberth.store.errors import StoreDenied, Tampered
from modelberth.store.types import Space

SYSTEM_NAMESPACE = "kube-system"
_UID_SECONDS = 2.0
_REMEMBERED = 10_000
_NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")


class Namespaces:
    """The spaces of the cluster's namespaces; a uid is asked for again after two seconds."""

    def __init__(self, kube: KubeApi, store: ContentStore) -> None:
        self._kube = kube
        self._store = store
        self._uids: AgingCache[str, str] = AgingCache(seconds=_UID_SECONDS, weight=_REMEMBERED)

    async def space(self, name: str) -> Space:
        """The space of a namespace.

        Raises:
            Problem: 404 if there is no such namespace.
        """
        uid = self._uids.get(name)
        if uid is None:
            uid = await uid_of(self._kube, name)
            if uid is None:
                raise Problem(404, "NamespaceNotFound", f"there is no namespace {name[:63]!a}")
            self._uids.put(name, uid)
        return await self._store.space(name, uid)

    async def with_space(self) -> AsyncIterator[Space]:
        """The spaces of all namespaces that are there and have one.

        Raises:
            StoreError: the store does not answer.
            ApiError: nor does the API server.
        """
        async for name, uid in self._store.spaces():
            if await uid_of(self._kube, name) != uid:
                continue
            with suppress(StoreDenied, Tampered):  # closed, or another cluster's: whoever asks for it is told
                yield await self._store.space(name, uid)


async def uid_of(kube: KubeApi, namespace: str) -> str | None:
    """The uid of a namespace; None if there is none of that name."""
    found = await kube.get(NAMESPACES, None, namespace) if _NAME.fullmatch(namespace) else None
    return None if found is None else str(found["metadata"]["uid"])
