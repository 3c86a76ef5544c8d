"""The other replicas of this registry, found by a DNS name that has all their addresses."""

import asyncio
import logging
import socket
import ssl
from pathlib import Path

import aiohttp
from pydantic import TypeAdapter, ValidationError

from modelberth.registry.models import ProgressEntry

_SECONDS = 2.0
_ENTRIES = TypeAdapter(list[ProgressEntry])

log = logging.getLogger(__name__)


class Peers:
    """Asks all replicas (this one included: it does not know its own address) with the caller's own token.

    Args:
        name: a DNS name with the addresses of all replicas.
        port: where they listen.
        server_name: the name that their certificates carry.
        ca_file: who signed those certificates; None where replicas speak plain HTTP.
    """

    def __init__(self, name: str, *, port: int, server_name: str, ca_file: Path | None) -> None:
        self._name = name
        self._port = port
        self._server_name = server_name
        self._ca_file = ca_file

    async def progress(self, authorization: str) -> list[list[ProgressEntry]]:
        """What each replica that answers in time was told itself."""
        try:
            addresses = await asyncio.get_running_loop().getaddrinfo(self._name, self._port, type=socket.SOCK_STREAM)
            context = None if self._ca_file is None else ssl.create_default_context(cafile=str(self._ca_file))
        except OSError as error:
            log.warning("the replicas of this registry cannot be found", extra={"peers": self._name, "why": str(error)})
            return []
        timeout = aiohttp.ClientTimeout(total=_SECONDS)
        async with aiohttp.ClientSession(timeout=timeout, headers={"Authorization": authorization}) as session:
            hosts = sorted({str(address[4][0]) for address in addresses})
            return list(await asyncio.gather(*(self._ask(session, host, context) for host in hosts)))

    async def _ask(
        self, session: aiohttp.ClientSession, host: str, context: ssl.SSLContext | None
    ) -> list[ProgressEntry]:
        shown = f"[{host}]" if ":" in host else host
        scheme = "http" if context is None else "https"
        url = f"{scheme}://{shown}:{self._port}/v1/progress?scope=replica"
        try:
            async with session.get(url, ssl=context or True, server_hostname=self._server_name) as answer:
                return _ENTRIES.validate_json(await answer.read()) if answer.status == 200 else []
        except (aiohttp.ClientError, OSError, TimeoutError, ValidationError) as error:
            log.info("a replica does not answer", extra={"host": host, "why": type(error).__name__})
            return []
