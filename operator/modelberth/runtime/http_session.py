"""aiohttp sessions that speak to one API server as us, whatever becomes of our credentials meanwhile.

Identification happens per request, in a middleware: a token that the kubelet rotated or a plugin's new answer takes
effect at once, and a session lives as long as its process. kopf is given such a session too.
"""

import asyncio
from collections.abc import Callable, Sequence

import aiohttp
from aiohttp.client_middlewares import ClientHandlerType, ClientMiddlewareType

from modelberth.runtime.connection import Connection

Observer = Callable[[str, str, str], None]
"""Hears of every answer as (method, host, status code); the code is `<error>` when there was none."""

CONNECT_SECONDS = 5.0
"""How long a connection may take to come about."""
_CONNECTIONS = 100


async def open_session(
    connection: Connection,
    *,
    observe: Observer | None = None,
    middlewares: Sequence[ClientMiddlewareType] = (),
    connections: int = _CONNECTIONS,
) -> aiohttp.ClientSession:
    """A session whose requests are identified and counted. To be closed by the caller.

    Args:
        connection: which server, and who we are.
        observe: hears of every answer.
        middlewares: go around the request after ours.
        connections: how many may be open at once; 0 for any number, as long-lived watches need it.

    Raises:
        CredentialsError: there are no credentials to be had.
        ConfigurationError: the CA or the client certificate is no PEM.
    """
    tls = connection.tls() if connection.ready() else await asyncio.to_thread(connection.tls)
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(ssl=tls if tls is not None else True, limit=connections),
        proxy=connection.proxy,
        middlewares=(_Counted(observe), _Identified(connection), *middlewares),
        headers={"User-Agent": "modelberth"},
        cookie_jar=aiohttp.DummyCookieJar(),
    )


class _Identified:
    """Puts our headers on each request; gets new credentials once when they are refused."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def __call__(self, request: aiohttp.ClientRequest, handler: ClientHandlerType) -> aiohttp.ClientResponse:
        await self._identify(request)
        response = await handler(request)
        if response.status != 401:
            return response
        response.release()
        await asyncio.to_thread(self._connection.refresh)
        await self._identify(request)
        return await handler(request)

    async def _identify(self, request: aiohttp.ClientRequest) -> None:
        connection = self._connection
        headers = connection.headers() if connection.ready() else await asyncio.to_thread(connection.headers)
        for name in {name for name, _ in headers}:
            request.headers.popall(name, None)
        for name, value in headers:
            request.headers.add(name, value)


class _Counted:
    """Tells an observer how each request ended."""

    def __init__(self, observe: Observer | None) -> None:
        self._observe = observe

    async def __call__(self, request: aiohttp.ClientRequest, handler: ClientHandlerType) -> aiohttp.ClientResponse:
        code = "<error>"
        try:
            response = await handler(request)
            code = str(response.status)
            return response
        finally:
            if self._observe is not None:
                self._observe(request.method, request.url.host or "", code)
