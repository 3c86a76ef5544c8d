"""What the requests of somebody else's watches tell: whether they live, and when one began anew after a list."""

import logging
from collections.abc import Callable, Sequence

import aiohttp
from aiohttp.client_middlewares import ClientHandlerType

from modelberth.runtime.http_session import CONNECT_SECONDS
from modelberth.runtime.watches import Watch, WatchSinks

_REQUEST_SECONDS = 30.0

log = logging.getLogger(__name__)


class Pulse:
    """Sees each request that kopf makes: proof of a watch's life, and of when it began anew after a list."""

    def __init__(
        self,
        watches: Sequence[Watch],
        namespaces: Sequence[str],
        *,
        server: str,
        tell: Callable[..., None],
        sinks: WatchSinks,
    ) -> None:
        """Sees nothing yet.

        Args:
            watches: what is watched.
            namespaces: where; none for everywhere.
            server: the API server's address: it may have a path that stands before all others.
            tell: calls a sink with arguments, in the right event loop.
            sinks: who hears of it.
        """
        prefix = server.split("://", 1)[1].partition("/")[2]
        root = f"/{prefix}" if prefix else ""
        everywhere: Sequence[str | None] = namespaces or [None]
        self._watches = {
            root + watch.resource.path(namespace): (watch.name, watch.where(namespace))
            for watch in watches
            for namespace in everywhere
        }
        self._listing: set[str] = set()
        self._failing: set[str] = set()
        self._tell = tell
        self._sinks = sinks

    async def __call__(self, request: aiohttp.ClientRequest, handler: ClientHandlerType) -> aiohttp.ClientResponse:
        """One request and its answer, as aiohttp's client middleware."""
        if request.url.path not in self._watches:
            return await handler(request)
        name, where = self._watches[request.url.path]
        self._tell(self._sinks.alive, where)
        try:
            response = await handler(request)
        except Exception as error:
            self._note(where, f"{type(error).__name__}: {error}")
            raise
        self._note(where, "" if response.status < 400 else f"HTTP status {response.status}")
        self._tell(self._sinks.alive, where)
        if request.url.query.get("watch") != "true":
            self._listing.add(request.url.path)
        elif response.status == 200 and request.url.path in self._listing:
            self._listing.discard(request.url.path)
            self._tell(self._sinks.began, name)
        return response

    def _note(self, where: str, trouble: str) -> None:
        """Log when a watch begins and ceases to fail, not each attempt between."""
        if trouble and where not in self._failing:
            self._failing.add(where)
            log.warning("a watch fails", extra={"resource": where, "error": trouble})
        elif not trouble and where in self._failing:
            self._failing.discard(where)
            log.info("a watch works again", extra={"resource": where})


async def unserved(session: aiohttp.ClientSession, server: str, watches: Sequence[Watch]) -> list[str]:
    """The watched resources that the API server does not serve (yet): CRDs take a moment.

    Raises:
        aiohttp.ClientError: the API server did not answer.
    """
    missing = []
    versions = {(watch.resource.group, watch.resource.version) for watch in watches}
    for group, version in sorted(versions):
        path = f"/apis/{group}/{version}" if group else f"/api/{version}"
        timeout = aiohttp.ClientTimeout(total=_REQUEST_SECONDS, sock_connect=CONNECT_SECONDS)
        async with session.get(server + path, timeout=timeout) as response:
            if response.status not in {200, 404}:
                response.raise_for_status()
            found = await response.json() if response.status == 200 else {}
        served = {entry["name"] for entry in found.get("resources", [])}
        missing += [
            watch.name
            for watch in watches
            if (watch.resource.group, watch.resource.version) == (group, version)
            and watch.resource.plural not in served
        ]
    return missing
