"""The recorder of Kubernetes events (events.k8s.io/v1): what happened to an object, for `kubectl describe`.

Recording never blocks and never fails: `event` only puts a note on a bounded list, and `run` sends the list when it
can. The same note about the same object within some minutes is one event with a count (a *series*), as client-go's
recorder does it. An event that cannot be sent after some tries is dropped: status is the truth, events are a diary.
"""

import asyncio
import hashlib
import logging
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from modelberth.domain.redaction import redacted
from modelberth.runtime.clock import Clock, rfc3339_micro
from modelberth.runtime.errors import ApiError, ApiUnavailable, Conflict, Invalid, NotFound, TooManyRequests
from modelberth.runtime.kube import KubeApi
from modelberth.runtime.resources import EVENTS, Object

MANAGER = "modelberth/events"
CONTROLLER = "modelberth.io/operator"
SERIES_SECONDS = 360.0
"""How long after its last occurrence a note is still part of the same series."""
_NOTE_BYTES = 1024  # the API's limits
_NAME_LENGTH = 253
_PENDING = 1000
_SERIES = 4096
_BACKOFFS = (0.5, 1.0, 2.0, 4.0, 8.0)

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Note:
    """What makes two occurrences the same."""

    uid: str
    type: str
    reason: str
    text: str


@dataclass(slots=True)
class _Series:
    """An event that was sent, and how often it has happened."""

    event: Object
    count: int
    last: float


class EventRecorder:
    """Collects events, and sends them one after the other while `run` runs."""

    def __init__(self, *, kube: KubeApi, clock: Clock, instance: str, backoffs: tuple[float, ...] = _BACKOFFS) -> None:
        """Nothing is sent yet.

        Args:
            kube: where events go.
            clock: tells when things happened.
            instance: which replica reports.
            backoffs: the seconds between tries to send one event.
        """
        self._kube = kube
        self._clock = clock
        self._instance = instance
        self._backoffs = backoffs
        self._pending: asyncio.Queue[tuple[_Note, Object]] = asyncio.Queue(_PENDING)
        self._sent: OrderedDict[_Note, _Series] = OrderedDict()

    def event(self, regarding: Object, type: str, reason: str, message: str) -> None:  # noqa: A002 (the API's word)
        """Note that something happened to an object; sent later, or never.

        Args:
            regarding: the object.
            type: `Normal` or `Warning`.
            reason: why, in CamelCase.
            message: a sentence for people; cut to 1 KiB.
        """
        note = _Note(str(regarding["metadata"].get("uid")), type, reason, _cut(redacted(message)))
        try:
            self._pending.put_nowait((note, self._new_event(note, regarding)))
        except asyncio.QueueFull:
            log.warning("event dropped: too many are waiting to be sent", extra={"reason": reason})

    async def run(self) -> None:
        """Send until cancelled."""
        while True:
            note, event = await self._pending.get()
            try:
                await self._deliver(note, event)
            finally:
                self._pending.task_done()

    async def flush(self, seconds: float) -> None:
        """Give what is noted some time to be sent, at the end of a process. `run` has to be running."""
        try:
            async with asyncio.timeout(seconds):
                await self._pending.join()
        except TimeoutError:
            log.warning("events dropped: no time left to send them", extra={"count": self._pending.qsize()})

    async def _deliver(self, note: _Note, event: Object) -> None:
        for backoff in (*self._backoffs, None):
            try:
                await self._send(note, event)
            except (ApiUnavailable, TooManyRequests) as error:
                if backoff is not None:
                    await asyncio.sleep(backoff)
                    continue
                self._dropped(note, error)
            except ApiError as error:  # Forbidden in a namespace that is being deleted, …
                self._dropped(note, error)
            return

    async def _send(self, note: _Note, event: Object) -> None:
        now = self._clock.monotonic()
        series = self._sent.get(note)
        if series is not None and now - series.last < SERIES_SECONDS and await self._extend(series, event):
            series.last = now
            self._sent.move_to_end(note)
            return
        created = await self._kube.create(EVENTS, event["metadata"]["namespace"], event)
        self._sent[note] = _Series(created, 1, now)
        self._sent.move_to_end(note)
        while len(self._sent) > _SERIES:
            self._sent.popitem(last=False)

    async def _extend(self, series: _Series, event: Object) -> bool:
        """Count another occurrence on the event that was sent; False if it is gone."""
        metadata = series.event["metadata"]
        body = {
            "metadata": {"uid": metadata["uid"]},
            "series": {"count": series.count + 1, "lastObservedTime": event["eventTime"]},
        }
        try:
            await self._kube.apply(EVENTS, metadata["namespace"], metadata["name"], body, manager=MANAGER)
        except (NotFound, Conflict, Invalid):
            return False
        series.count += 1
        return True

    def _new_event(self, note: _Note, regarding: Object) -> Object:
        metadata = regarding["metadata"]
        namespace = metadata.get("namespace") or "default"
        moment = self._clock.now()
        unique = hashlib.sha256(f"{note}{self._instance}{moment.timestamp()}".encode()).hexdigest()[:16]
        reference = {
            "apiVersion": regarding["apiVersion"],
            "kind": regarding["kind"],
            "name": metadata["name"],
            "namespace": metadata.get("namespace"),
            "uid": metadata.get("uid"),
            "resourceVersion": metadata.get("resourceVersion"),
        }
        return {
            "apiVersion": EVENTS.api_version,
            "kind": EVENTS.kind,
            "metadata": {
                "name": f"{metadata['name'][: _NAME_LENGTH - 17].rstrip('.')}.{unique}",
                "namespace": namespace,
            },
            "eventTime": rfc3339_micro(moment),
            "reportingController": CONTROLLER,
            "reportingInstance": self._instance[:128],
            "action": note.reason,
            "reason": note.reason,
            "type": note.type,
            "note": note.text,
            "regarding": {field: value for field, value in reference.items() if value},
        }

    @staticmethod
    def _dropped(note: _Note, error: ApiError) -> None:
        log.warning("event dropped", extra={"reason": note.reason, "error": str(error)})


@asynccontextmanager
async def recording(recorder: EventRecorder, *, flush_seconds: float) -> AsyncIterator[Awaitable[None]]:
    """Send events while the context lasts, and at its end for `flush_seconds` what is noted by then.

    Gives what to await beside the other parts of a process: it never returns, and raises what ended the sending.
    """
    sending = asyncio.ensure_future(recorder.run())
    try:
        yield asyncio.shield(sending)  # whoever awaits it may be cancelled before the last events are sent
    finally:
        if not sending.done():
            await recorder.flush(flush_seconds)
        sending.cancel()
        await asyncio.wait([sending])


def _cut(text: str) -> str:
    """At most as many bytes as the API takes, no character cut in two."""
    encoded = text.encode()
    if len(encoded) <= _NOTE_BYTES:
        return text
    return encoded[: _NOTE_BYTES - 3].decode(errors="ignore") + "…"
