"""Sees Deployments change as any watcher does, with the moment at which it heard of each change."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import aiohttp

from modelberth.runtime.connection import Connection
from modelberth.runtime.http_session import open_session
from modelberth.runtime.resources import DEPLOYMENTS, Object

_PATIENCE = 60.0


class DeploymentWatch:
    """The changes of a namespace's Deployments, in order, each with its time on `time.perf_counter`."""

    def __init__(self) -> None:
        self._changes: asyncio.Queue[tuple[float, Object]] = asyncio.Queue()

    async def seen(self, is_wanted: Callable[[Object], bool]) -> float:
        """When a Deployment like this was heard of; what came before it is forgotten.

        Raises:
            TimeoutError: none came within a minute.
        """
        async with asyncio.timeout(_PATIENCE):
            while True:
                moment, deployment = await self._changes.get()
                if is_wanted(deployment):
                    return moment

    async def follow(self, content: aiohttp.StreamReader) -> None:
        """Take in the lines of a watch until it ends."""
        async for line in content:
            moment = time.perf_counter()
            event = json.loads(line)
            if event["type"] in ("ADDED", "MODIFIED"):
                self._changes.put_nowait((moment, event["object"]))


@asynccontextmanager
async def watch_deployments(connection: Connection, namespace: str) -> AsyncIterator[DeploymentWatch]:
    """Watch while the context lasts. What is there already comes first, as additions."""
    watch = DeploymentWatch()
    url = f"{connection.server}{DEPLOYMENTS.path(namespace)}"
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
