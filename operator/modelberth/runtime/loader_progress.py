"""Asks the registry how far the loaders are.

Loaders report to whichever replica of the registry they reach, and it keeps that in memory. So every replica is asked,
by the addresses behind a headless Service, and of a pod the latest word counts.
"""

import asyncio
import json
import logging
import socket
import ssl
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from modelberth.domain.rollouts import LoaderProgress
from modelberth.runtime.clock import Clock

FRESH_SECONDS = 1.0
"""One answer serves all rolls for this long."""
_TIMEOUT = aiohttp.ClientTimeout(total=3)
_log = logging.getLogger(__name__)


class LoaderProgressClient:
    """The registry's replicas, asked at most once in `FRESH_SECONDS`."""

    def __init__(
        self, *, peers_url: str, server_hostname: str, token_file: Path, ca_bundle: Callable[[], str], clock: Clock
    ) -> None:
        """Nothing is asked yet.

        Args:
            peers_url: scheme, host and port; every address of the host is a replica (a headless Service).
            server_hostname: the name that the replicas' certificate is for.
            token_file: the operator's own token for the registry's audience; read anew each time, since it rotates.
            ca_bundle: the certificates (PEM) to trust, as of now.
            clock: tells how old an answer is.
        """
        self._peers = urlsplit(peers_url)
        self._server_hostname = server_hostname if self._peers.scheme == "https" else None
        self._token_file = token_file
        self._ca_bundle = ca_bundle
        self._clock = clock
        self._lock = asyncio.Lock()
        self._answer: Mapping[str, LoaderProgress] | None = None
        self._answered = float("-inf")

    async def read(self) -> Mapping[str, LoaderProgress] | None:
        """Progress by pod uid; None while not every replica answers: then a loader's silence proves nothing."""
        async with self._lock:
            if self._clock.monotonic() - self._answered >= FRESH_SECONDS:
                self._answer = await self._ask_all()
                self._answered = self._clock.monotonic()
            return self._answer

    async def _ask_all(self) -> Mapping[str, LoaderProgress] | None:
        try:
            token = self._token_file.read_text().strip()
            addresses = await self._addresses()
            async with aiohttp.ClientSession(timeout=_TIMEOUT, headers={"Authorization": f"Bearer {token}"}) as session:
                answers = await asyncio.gather(*(self._ask(session, address) for address in addresses))
        except (OSError, aiohttp.ClientError, TimeoutError, ValueError) as error:
            _log.debug("the registry cannot be asked for the loaders' progress: %s", type(error).__name__)
            return None
        return latest([entry for answer in answers for entry in answer])

    async def _addresses(self) -> list[str]:
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(self._peers.hostname, None, type=socket.SOCK_STREAM)
        return sorted({str(address[0]) for *_, address in found})

    async def _ask(self, session: aiohttp.ClientSession, address: str) -> list[Mapping[str, Any]]:
        host = f"[{address}]" if ":" in address else address
        url = f"{self._peers.scheme}://{host}:{self._peers.port}/v1/progress"
        async with session.get(url, ssl=self._trust(), server_hostname=self._server_hostname) as response:
            response.raise_for_status()
            answer = json.loads(await response.read())
        return list(answer)

    def _trust(self) -> ssl.SSLContext | bool:
        return ssl.create_default_context(cadata=self._ca_bundle()) if self._server_hostname else True


def latest(entries: list[Mapping[str, Any]]) -> Mapping[str, LoaderProgress]:
    """Of each pod the entry that is least old, whichever replica has it."""
    found: dict[str, LoaderProgress] = {}
    for entry in entries:
        uid = str(entry["podUID"])
        progress = LoaderProgress(int(entry["bytes"]), int(entry["total"]), float(entry["idleSeconds"]))
        if uid not in found or progress.idle_seconds < found[uid].idle_seconds:
            found[uid] = progress
    return found
