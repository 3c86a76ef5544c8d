"""Sees objects change as any watcher does, with the moment at which it heard of each change."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import aiohttp

from modelberth.domain.objects import name_of
from modelberth.runtime.connection import Connection
from modelberth.runtime.http_session import open_session
from modelberth.runtime.resources import DEPLOYMENTS, Object, Resource
from tests.bench.processes import BenchError

_PATIENCE = 60.0


class ObjectWatch:
    """The changes of a namespace's objects of one kind, in order, each with its time on `time.perf_counter`."""

    def __init__(self) -> None:
        self._changes: asyncio.Queue[tuple[float, Object]] = asyncio.Queue()

    async def seen(self, is_wanted: Callable[[Object], bool]) -> float:
        """When an object like this was heard of; what came before it is forgotten.

        Raises:
            TimeoutError: none came within a minute.
        """
        async with asyncio.timeout(_PATIENCE):
            while True:
                moment, obj = await self._changes.get()
                if is_wanted(obj):
                    return moment

    async def first(self, wanted: Mapping[str, Callable[[Object], bool]]) -> dict[str, float]:
        """When each of several things was first heard of, by its name; one change may tell of many.

        Raises:
            TimeoutError: one of them did not come within a minute.
        """
        found: dict[str, float] = {}
        async with asyncio.timeout(_PATIENCE):
            while len(found) < len(wanted):
                moment, obj = await self._changes.get()
                found |= {name: moment for name, is_so in wanted.items() if name not in found and is_so(obj)}
        return found

    async def named(self, count: int, patience: float) -> float:
        """When so many different objects had been heard of.

        Raises:
            BenchError: they were fewer after `patience` seconds.
        """
        names: set[str] = set()
        moment = time.perf_counter()
        try:
            async with asyncio.timeout(patience):
                while len(names) < count:
                    moment, obj = await self._changes.get()
                    names.add(name_of(obj))
        except TimeoutError:
            raise BenchError(f"{len(names):,} objects instead of {count:,} after {patience:.0f} s") from None
        return moment

    async def follow(self, content: aiohttp.StreamReader) -> None:
        """Take in the lines of a watch until it ends."""
        async for line in content:
            moment = time.perf_counter()
            event = json.loads(line)
            if event["type"] in ("ADDED", "MODIFIED"):
                self._changes.put_nowait((moment, event["object"]))


def watch_deployments(connection: Connection, namespace: str) -> AbstractAsyncContextManager[ObjectWatch]:
    """`watch_objects` of Deployments."""
    return watch_objects(connection, DEPLOYMENTS, namespace)


@asynccontextmanager
async def watch_objects(connection: Connection, resource: Resource, namespace: str) -> AsyncIterator[ObjectWatch]:
    """Watch while the context lasts. What is there already comes first, as additions."""
    watch = ObjectWatch()
    url = f"{connection.server}{resource.path(namespace)}"
    session = await open_session(connection)
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=5)
    async with session, session.get(url, params={"watch": "true"}, timeout=timeout, read_bufsize=2**20) as response:
        response.raise_for_status()
        following = asyncio.create_task(watch.follow(response.content))
        try:
            yield watch
        finally:
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)
