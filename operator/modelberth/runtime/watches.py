"""What is watched, and how the cache is kept complete although watches lose things.

A watch tells most changes within milliseconds, but not the deletes that happened while it was down, and kopf says
nothing about having been down. So the cache is compared with a complete list
- whenever a watch begins anew after a list (at the start, after `410 Gone`, after kopf was restarted), and
- from time to time in any case.
"""

import asyncio
import logging
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from modelberth.runtime.cache import Cache, resource_version_of
from modelberth.runtime.connection import Connection
from modelberth.runtime.errors import ApiError
from modelberth.runtime.http_session import Observer
from modelberth.runtime.kube import KubeApi
from modelberth.runtime.resources import Object, Resource, key_of, resource_of

COMPARE_SECONDS = 600.0
"""How often the cache is compared with a list in any case, give or take a fifth."""
_JITTER = 0.2
_RETRY_SECONDS = 2.0

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Watch:
    """A resource whose objects the cache holds: those with all of these labels."""

    resource: Resource
    labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Names the resource to people."""
        return str(self.resource)

    def where(self, namespace: str | None) -> str:
        """Names one of its watches to people: there is one for each namespace, or one for all."""
        return f"{self.name} in {namespace}" if namespace else self.name


@dataclass(frozen=True, slots=True)
class WatchSinks:
    """Who hears of what from a watcher.

    Attributes:
        event: a watch event: its type (None for an object of a list) and the object.
        alive: a watch shows a sign of life.
        began: a watch of a resource began anew after a list.
        trying: no watch runs, because the API server does not serve them yet.
        restarted: the watches died.
    """

    event: Callable[[str | None, Object], None]
    alive: Callable[[str], None]
    began: Callable[[str], None]
    trying: Callable[[], None]
    restarted: Callable[[], None]


class Watcher(Protocol):
    """Runs all watches."""

    def start(self) -> None:
        """Begin to watch."""
        ...

    async def stop(self) -> None:
        """End all watches."""
        ...


class MakeWatcher(Protocol):
    """Makes a watcher, within the event loop that the sinks live in."""

    def __call__(
        self,
        *,
        connection: Connection,
        watches: tuple[Watch, ...],
        namespaces: tuple[str, ...],
        sinks: WatchSinks,
        observe: Observer,
    ) -> Watcher:
        """A watcher that does not run yet."""
        ...


class Feed:
    """Takes in what the watches tell."""

    def __init__(self, cache: Cache) -> None:
        self._cache = cache

    def take(self, kind: str | None, obj: Object) -> None:
        """One watch event.

        Args:
            kind: `ADDED`, `MODIFIED`, `DELETED`; None for an object of a list.
            obj: the object, for a deletion with the resource version of the deletion.
        """
        if kind == "DELETED":
            resource, key = resource_of(obj), key_of(obj)
            self._cache.forget(resource, key.namespace, key.name, resource_version=resource_version_of(obj))
        else:
            self._cache.observe(obj)


class Comparer:
    """Compares the cache with complete lists, one resource after the other, when asked and from time to time."""

    def __init__(
        self,
        *,
        kube: KubeApi,
        cache: Cache,
        watches: Sequence[Watch],
        namespaces: Sequence[str],
        missed: Callable[[str, int], None],
        compared: Callable[[], None] = lambda: None,
        randomness: random.Random | None = None,
    ) -> None:
        """Nothing is listed yet.

        Args:
            kube: where lists come from.
            cache: what is compared.
            watches: what the cache holds.
            namespaces: the watched ones; none for all.
            missed: hears how many changes of a resource no watch had told.
            compared: is called after each comparison.
            randomness: spreads the comparisons of several replicas.
        """
        self._kube = kube
        self._cache = cache
        self._watches = {watch.name: watch for watch in watches}
        self._namespaces: Sequence[str | None] = list(namespaces) or [None]
        self._missed = missed
        self._compared = compared
        self._random = randomness or random.Random()  # noqa: S311 (spreads load, hides nothing)
        self._wanted: dict[str, None] = {}  # in the order of asking
        self._asked = asyncio.Event()

    def ask(self, name: str) -> None:
        """Have a resource compared soon."""
        self._wanted[name] = None
        self._asked.set()

    async def run(self) -> None:
        """Compare until cancelled. A list that fails is asked for again until it comes."""
        while True:
            try:
                async with asyncio.timeout(COMPARE_SECONDS * (1 + self._random.uniform(-_JITTER, _JITTER))):
                    await self._asked.wait()
            except TimeoutError:
                self._wanted |= dict.fromkeys(self._watches)
            self._asked.clear()
            while self._wanted:
                name = next(iter(self._wanted))
                del self._wanted[name]
                await self._try(name)

    async def _try(self, name: str) -> None:
        """Compare a resource; one whose list fails waits behind the others, and is asked for again."""
        try:
            await self.compare(self._watches[name])
        except ApiError as error:
            log.warning("list failed", extra={"resource": name, "error": str(error)})
            self._wanted[name] = None
            await asyncio.sleep(_RETRY_SECONDS)

    async def compare(self, watch: Watch) -> int:
        """Compare one resource now; says how many changes the watches had not told.

        Raises:
            ApiError: the API server did not answer or refused.
        """
        first = not self._cache.synced(watch.resource)
        mark = self._cache.mark(watch.resource)
        objects: list[Object] = []
        for namespace in self._namespaces:
            objects += await self._kube.list(watch.resource, namespace, labels=watch.labels or None)
        changes = self._cache.replace(watch.resource, objects, since=mark)
        if changes and not first:
            self._missed(watch.name, changes)
        self._compared()
        return changes
