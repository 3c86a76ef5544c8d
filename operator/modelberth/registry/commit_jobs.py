"""Commits that take longer than a request should: they go on, and the same request asks for the outcome."""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable

from modelberth.registry.problems import busy
from modelberth.store.types import ContentSummary, Space

PATIENCE_SECONDS = 5.0
_AT_ONCE = 2
"""Commits verified at a time: the largest content takes 170 MB while it is."""
_WAITING_BYTES = 128 * 1024 * 1024
_KEPT_SECONDS = 60.0

Key = tuple[str, str, str]


class CommitJobs:
    """Runs commits, each layout of each content once at a time.

    A job that is lost with its replica is started again by the next request, wherever that ends up.
    """

    def __init__(self) -> None:
        self._jobs: dict[Key, asyncio.Task[ContentSummary]] = {}
        self._held: dict[Key, int] = {}
        self._slots = asyncio.Semaphore(_AT_ONCE)

    async def run(
        self, space: Space, digest: str, layout: bytes, commit: Callable[[], Awaitable[ContentSummary]]
    ) -> ContentSummary | None:
        """The outcome of a commit, or None while it is under way.

        Raises:
            Problem: 429 where too many wait already.
            Exception: whatever the commit raised.
        """
        key = (space.id, digest, hashlib.sha256(layout).hexdigest())
        job = self._jobs.get(key)
        if job is None:
            if self._held and sum(self._held.values()) + len(layout) > _WAITING_BYTES:
                raise busy("too many commits are being verified: ask again", PATIENCE_SECONDS)
            job = asyncio.create_task(self._slotted(commit))
            self._jobs[key], self._held[key] = job, len(layout)
            job.add_done_callback(lambda done: self._forget_later(key, done))
        finished, _ = await asyncio.wait({job}, timeout=PATIENCE_SECONDS)
        if not finished:
            return None
        self._forget(key, job)
        return job.result()

    async def close(self) -> None:
        """Break off what is under way; nothing is lost but time."""
        for job in list(self._jobs.values()):
            job.cancel()
        await asyncio.gather(*self._jobs.values(), return_exceptions=True)

    async def _slotted(self, commit: Callable[[], Awaitable[ContentSummary]]) -> ContentSummary:
        async with self._slots:
            return await commit()

    def _forget_later(self, key: Key, job: asyncio.Task[ContentSummary]) -> None:
        """The outcome waits a while for whoever asked for it."""
        self._held.pop(key, None)
        if not job.cancelled():
            job.exception()  # somebody may never ask again: not an exception that nobody saw
        job.get_loop().call_later(_KEPT_SECONDS, self._forget, key, job)

    def _forget(self, key: Key, job: asyncio.Task[ContentSummary]) -> None:
        if self._jobs.get(key) is job:
            del self._jobs[key]
