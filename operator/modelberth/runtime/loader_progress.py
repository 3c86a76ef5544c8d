"""Asks the registry how far the loaders are; it answers for all its replicas, whichever a loader reported to."""

import json
import logging
import ssl
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import aiohttp

from modelberth.domain.rollouts import LoaderProgress, PhaseProgress
from modelberth.runtime.clock import Clock

FRESH_SECONDS = 1.0
"""One answer serves all rolls for this long."""
_TIMEOUT = aiohttp.ClientTimeout(total=5)
_log = logging.getLogger(__name__)


class LoaderProgressClient:
    """The registry, asked at most once in `FRESH_SECONDS`."""

    def __init__(self, *, registry_url: str, token_file: Path, ca_bundle: Callable[[], str], clock: Clock) -> None:
        """Nothing is asked yet.

        Args:
            registry_url: where the registry is.
            token_file: the operator's own token for the registry's audience; read anew each time, since it rotates.
            ca_bundle: the certificates (PEM) to trust, as of now.
            clock: tells how old an answer is.
        """
        self._url = f"{registry_url}/v1/progress"
        self._token_file = token_file
        self._ca_bundle = ca_bundle
        self._clock = clock
        self._answer: Mapping[str, LoaderProgress] | None = None
        self._answered = float("-inf")

    async def read(self) -> Mapping[str, LoaderProgress] | None:
        """Progress by pod uid; None while the registry does not answer: then a loader's silence proves nothing."""
        if self._clock.monotonic() - self._answered >= FRESH_SECONDS:
            self._answered = self._clock.monotonic()
            self._answer = await self._ask()
        return self._answer

    async def _ask(self) -> Mapping[str, LoaderProgress] | None:
        try:
            headers = {"Authorization": f"Bearer {self._token_file.read_text().strip()}"}
            async with (
                aiohttp.ClientSession(timeout=_TIMEOUT, headers=headers) as session,
                session.get(self._url, ssl=self._trust()) as response,
            ):
                response.raise_for_status()
                entries = json.loads(await response.read())
        except (OSError, aiohttp.ClientError, TimeoutError, ValueError) as error:
            _log.info("the registry cannot be asked for the loaders' progress: %s", type(error).__name__)
            return None
        return {str(entry["podUID"]): _progress(entry) for entry in entries}

    def _trust(self) -> ssl.SSLContext | bool:
        return ssl.create_default_context(cadata=self._ca_bundle()) if self._url.startswith("https:") else True


def _progress(entry: Mapping[str, Any]) -> LoaderProgress:
    return LoaderProgress(
        bytes=int(entry["bytes"]),
        total=int(entry["total"]),
        idle_seconds=float(entry["idleSeconds"]),
        phase=str(entry.get("phase", "")),
        phases=tuple(
            PhaseProgress(str(phase["name"]), str(phase["startedAt"]), float(phase["seconds"]), int(phase["bytes"]))
            for phase in entry.get("phases", ())
        ),
    )
