"""kopf at the rim: it watches, and every event goes into the cache. Nothing is handled in here.

kopf runs in a thread with an event loop of its own. It ends whenever a watch meets an error it does not know, and then
cancels *every* task of its loop that is younger than itself, so nothing of ours may live there. Some of its own watches
swallow that cancellation and go on for ever (nolar/kopf#1276): the end is noticed by the clean-up handler, which runs
before kopf waits for them, and the loop is given up with whatever is left in it. Then kopf is started again in a new
one, with a back-off.

kopf finds out what the cluster serves only when it starts, and silently leaves out what is not served then. So it is
not started before all of it is.
"""

import asyncio
import contextlib
import logging
import random
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import aiohttp
import kopf

from modelberth.operator_main import run_operator
from modelberth.runtime.connection import Connection
from modelberth.runtime.health import WATCH_SECONDS
from modelberth.runtime.http_session import Observer, open_session
from modelberth.runtime.watch_requests import Pulse, unserved
from modelberth.runtime.watches import Watch, WatchSinks

_UNSERVED_SECONDS = 2.0
_FIRST_PAUSE, _LAST_PAUSE = 1.0, 30.0
_SETTLED_SECONDS = 60.0
_STOP_SECONDS = 10.0
_GRACE_SECONDS = 2.0
_REQUEST_SECONDS = 30.0
_CONNECT_SECONDS = 5.0
_CHUNK = 500
_BURST_SECONDS = 0.02

log = logging.getLogger(__name__)


def main() -> int:
    """`python -m modelberth operator`; the exit status."""
    return run_operator(KopfWatcher)


class KopfWatcher:
    """Runs kopf again and again until it is stopped."""

    def __init__(
        self,
        *,
        connection: Connection,
        watches: Sequence[Watch],
        namespaces: Sequence[str],
        sinks: WatchSinks,
        observe: Observer,
    ) -> None:
        """Nothing runs yet.

        Args:
            connection: to the API server.
            watches: what to watch.
            namespaces: where; none for everywhere.
            sinks: who hears of what, in the event loop that is running now.
            observe: hears of every answer of the API server, in kopf's thread.
        """
        self._connection = connection
        self._watches = watches
        self._namespaces = namespaces
        self._sinks = sinks
        self._observe = observe
        self._main_loop = asyncio.get_running_loop()
        self._outbox: list[tuple[Callable[..., None], tuple[Any, ...]]] = []
        self._handed_over = float("-inf")
        self._stopping = threading.Event()
        self._stop_kopf: Callable[[], object] | None = None
        self._thread = threading.Thread(target=self._run, name="kopf", daemon=True)

    def start(self) -> None:
        """Begin to watch."""
        _quieten()
        self._thread.start()

    async def stop(self) -> None:
        """End all watches, or leave them to the end of the process if they take too long."""
        self._stopping.set()
        stop_kopf = self._stop_kopf
        if stop_kopf is not None:
            with contextlib.suppress(RuntimeError):  # kopf's loop is closed: it has ended by itself
                stop_kopf()
        await asyncio.to_thread(self._thread.join, _STOP_SECONDS)

    def _run(self) -> None:
        pause = _FIRST_PAUSE
        while not self._stopping.is_set():
            began = time.monotonic()
            try:
                self._in_a_loop_of_its_own()
                outcome = "ended"
            except Exception as error:  # noqa: BLE001 (whatever ended kopf, the answer is to start it again)
                outcome = f"{type(error).__name__}: {error}"
            if self._stopping.is_set():
                return
            pause = _FIRST_PAUSE if time.monotonic() - began > _SETTLED_SECONDS else min(2 * pause, _LAST_PAUSE)
            wait = pause * random.uniform(0.8, 1.2)  # noqa: S311 (spreads load, hides nothing)
            log.error(
                "the watches ended and are started again", extra={"outcome": outcome, "in_seconds": round(wait, 1)}
            )
            self._outbox.append((self._sinks.restarted, ()))
            self._hand_over()
            self._stopping.wait(wait)

    def _in_a_loop_of_its_own(self) -> None:
        """Run kopf once. Tasks that do not end with it are left behind with their loop."""
        loop = asyncio.new_event_loop()
        loop.set_exception_handler(lambda _, context: log.debug("in kopf's loop: %s", context.get("message")))
        try:
            loop.run_until_complete(self._once())
        finally:
            if left := asyncio.all_tasks(loop):
                for task in left:
                    task.cancel()
                loop.run_until_complete(asyncio.wait(left, timeout=_GRACE_SECONDS))
            loop.close()

    async def _once(self) -> None:
        """kopf, from its start to its end."""
        stop, ended = asyncio.Event(), asyncio.Event()
        loop = asyncio.get_running_loop()
        self._stop_kopf = lambda: loop.call_soon_threadsafe(stop.set)
        pulse = Pulse(
            self._watches,
            self._namespaces,
            server=self._connection.server,
            tell=lambda sink, *what: None if ended.is_set() else self._tell(sink, *what),
            sinks=self._sinks,
        )
        try:
            session = await open_session(self._connection, observe=self._observe, middlewares=(pulse,), connections=0)
            async with session:
                if await self._served(session, stop):
                    await self._kopf(session, stop, ended)
        finally:
            self._stop_kopf = None

    async def _kopf(self, session: aiohttp.ClientSession, stop: asyncio.Event, ended: asyncio.Event) -> None:
        """Run kopf until it ends, or should have.

        Raises:
            Exception: what ended it, as far as it says.
        """
        running = asyncio.ensure_future(
            kopf.operator(
                registry=self._registry(session, ended),
                settings=kopf_settings(self._watches),
                clusterwide=not self._namespaces,
                namespaces=list(self._namespaces),
                stop_flag=stop,
            )
        )
        end = asyncio.ensure_future(ended.wait())
        await asyncio.wait({running, end}, return_when=asyncio.FIRST_COMPLETED)
        end.cancel()
        await asyncio.wait({running}, timeout=_GRACE_SECONDS)
        if running.done():
            running.result()

    async def _served(self, session: aiohttp.ClientSession, stop: asyncio.Event) -> bool:
        """Wait until the API server serves all that is to be watched; False if stopped before."""
        told: list[str] = []
        while not stop.is_set() and not self._stopping.is_set():
            try:
                missing = await unserved(session, self._connection.server, self._watches)
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                missing = [f"anything: {error or type(error).__name__}"]
            if not missing:
                return True
            self._tell(self._sinks.trying)
            if missing != told:
                log.warning("the API server does not serve what is to be watched", extra={"missing": missing})
                told = missing
            await asyncio.sleep(_UNSERVED_SECONDS)
        return False

    def _registry(self, session: aiohttp.ClientSession, ended: asyncio.Event) -> kopf.OperatorRegistry:
        registry = kopf.OperatorRegistry()

        async def log_in(**_: Any) -> kopf.AiohttpSession:
            return kopf.AiohttpSession(server=self._connection.server, aiohttp_session=session)

        async def take(*, event: Mapping[str, Any], **_: Any) -> None:
            self._tell(self._sinks.event, event["type"], event["object"])

        async def clean_up(**_: Any) -> None:
            ended.set()

        kopf.on.login(registry=registry)(log_in)
        kopf.on.cleanup(registry=registry)(clean_up)
        for watch in self._watches:
            resource = watch.resource
            kopf.on.event(resource.group, resource.version, resource.plural, registry=registry)(take)
        return registry

    def _tell(self, sink: Callable[..., None], *arguments: Any) -> None:
        """Hand something over to the event loop of everybody else, in order; at once, but in a burst all together.

        Waking another thread makes the two fight for the interpreter lock, for a millisecond each time: one by one,
        10,000 objects of a list cost more than 10 s of processor time.
        """
        self._outbox.append((sink, arguments))
        if len(self._outbox) == 1:
            wait = self._handed_over + _BURST_SECONDS - time.monotonic()
            asyncio.get_running_loop().call_later(max(0.0, wait), self._hand_over)

    def _hand_over(self) -> None:
        self._handed_over = time.monotonic()
        told, self._outbox = self._outbox, []
        try:
            self._main_loop.call_soon_threadsafe(_deliver, told)
        except RuntimeError:  # that loop is closed: the process ends
            self._stopping.set()


def _deliver(told: Iterable[tuple[Callable[..., None], tuple[Any, ...]]]) -> None:
    for sink, arguments in told:
        sink(*arguments)


def kopf_settings(watches: Sequence[Watch]) -> kopf.OperatorSettings:
    """Make kopf a source of events and nothing else: it writes nothing, elects nobody, discovers nothing later."""
    settings = kopf.OperatorSettings()
    settings.peering.standalone = True
    settings.scanning.disabled = True
    settings.posting.enabled = False
    settings.persistence.diffbase_storage = _NoDiffs()
    settings.process.ultimate_exiting_timeout = None
    settings.watching.server_timeout = WATCH_SECONDS
    settings.watching.chunk_size = _CHUNK
    settings.networking.request_timeout = _REQUEST_SECONDS
    settings.networking.connect_timeout = _CONNECT_SECONDS
    settings.networking.error_backoffs = (0.5, 1, 2, 4)
    for watch in watches:
        if watch.labels:
            resource = watch.resource
            selector = ",".join(f"{name}={value}" for name, value in sorted(watch.labels.items()))
            settings.watching.label_selectors[resource.group, resource.version, resource.plural] = selector
    return settings


class _NoDiffs(kopf.DiffBaseStorage):
    """Nothing is compared: without it kopf copies each object of each event twice, for handlers that there are none of.

    That is half a millisecond for each of the 10,000 versions of a list.
    """

    def build(
        self,
        *,
        body: kopf.Body,  # noqa: ARG002 - kopf's signature
        extra_fields: Iterable[Any] | None = None,  # noqa: ARG002
    ) -> kopf.BodyEssence:
        """What there would be to compare."""
        return kopf.BodyEssence()

    def fetch(self, *, body: kopf.Body) -> kopf.BodyEssence | None:  # noqa: ARG002
        """What it was before."""
        return None

    def store(self, *, body: kopf.Body, patch: kopf.Patch, essence: kopf.BodyEssence) -> None:
        """Nothing is written."""


def _quieten() -> None:
    """Keep kopf from telling each failed attempt of each watch; `Pulse` tells the first. What ends it is told."""
    if not log.isEnabledFor(logging.DEBUG):
        logging.getLogger("kopf").setLevel(logging.CRITICAL)
        logging.getLogger("kopf._core.reactor.orchestration").setLevel(logging.ERROR)
