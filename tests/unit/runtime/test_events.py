"""The event recorder: what it sends, when it counts instead, and that it never gets in anybody's way."""

import asyncio

import pytest

from modelberth.runtime.errors import ApiUnavailable, Conflict, Forbidden
from modelberth.runtime.events import SERIES_SECONDS, EventRecorder, recording
from modelberth.runtime.resources import EVENTS, REGISTERED_MODELS
from tests.unit.runtime.fakes import FakeClock, stored

MODEL = stored(REGISTERED_MODELS, "ns", "mnist", version=7)


class Events:
    """The API server's events; `troubles` are raised one after the other before anything works."""

    def __init__(self, *troubles):
        self.troubles = list(troubles)
        self.created = []
        self.applied = []

    async def create(self, resource, namespace, body, *, dry_run=False):
        assert (resource, namespace) == (EVENTS, body["metadata"]["namespace"])
        if self.troubles:
            raise self.troubles.pop(0)
        self.created.append(body)
        return {**body, "metadata": {**body["metadata"], "uid": f"event-{len(self.created)}"}}

    async def apply(self, resource, namespace, name, body, *, manager, **_):
        if self.troubles:
            raise self.troubles.pop(0)
        self.applied.append((name, body))
        return body


class Bench:
    def __init__(self, *troubles):
        self.clock = FakeClock()
        self.events = Events(*troubles)
        self.recorder = EventRecorder(kube=self.events, clock=self.clock, instance="operator-0", backoffs=(0.0, 0.0))

    async def send(self, *notes):
        for note in notes:
            self.recorder.event(MODEL, "Normal", "AliasMoved", note)
        sending = asyncio.create_task(self.recorder.run())
        await self.recorder.flush(5)
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending


async def test_an_event_says_what_happened_to_which_object():
    """Every field that events.k8s.io/v1 requires is there, and `kubectl describe` finds it by the object's uid."""
    bench = Bench()
    await bench.send("best: v1 → v2")
    event = bench.events.created[0]
    assert event["regarding"] == {
        "apiVersion": "modelberth.io/v1alpha1",
        "kind": "RegisteredModel",
        "namespace": "ns",
        "name": "mnist",
        "uid": "uid-of-mnist",
        "resourceVersion": "7",
    }
    assert (event["type"], event["reason"], event["note"]) == ("Normal", "AliasMoved", "best: v1 → v2")
    assert event["eventTime"] == "2026-01-01T00:00:00.000000Z"
    assert (event["reportingController"], event["reportingInstance"]) == ("modelberth.io/operator", "operator-0")
    assert event["action"]
    assert event["metadata"]["namespace"] == "ns"


async def test_the_same_again_is_counted():
    """A repeated note extends the event that was sent, fenced by its uid."""
    bench = Bench()
    await bench.send("best: v1 → v2")
    bench.clock.advance(5)
    await bench.send("best: v1 → v2")
    bench.clock.advance(5)
    await bench.send("best: v1 → v2")
    assert len(bench.events.created) == 1
    name, body = bench.events.applied[-1]
    assert name == bench.events.created[0]["metadata"]["name"]
    assert body == {
        "metadata": {"uid": "event-1"},
        "series": {"count": 3, "lastObservedTime": "2026-01-01T00:00:10.000000Z"},
    }


async def test_another_note_is_another_event():
    """Only what is the same in every word is one series."""
    bench = Bench()
    await bench.send("best: v1 → v2", "best: v2 → v3")
    names = [event["metadata"]["name"] for event in bench.events.created]
    assert len(set(names)) == 2


async def test_a_series_ends_when_nothing_happens():
    """After some quiet minutes the same note is a new event."""
    bench = Bench()
    await bench.send("best: v1 → v2")
    bench.clock.advance(SERIES_SECONDS)
    await bench.send("best: v1 → v2")
    assert len(bench.events.created) == 2


async def test_an_event_that_is_gone_is_made_anew():
    """Events live for an hour; counting on one that the API server has dropped starts a new one."""
    bench = Bench()
    await bench.send("best: v1 → v2")
    bench.events.troubles = [Conflict(409, "Conflict", "gone")]
    await bench.send("best: v1 → v2")
    assert len(bench.events.created) == 2


async def test_sending_is_tried_again_while_the_server_is_away():
    """A short outage loses no event."""
    bench = Bench(ApiUnavailable(0, "", "away"), ApiUnavailable(0, "", "away"))
    await bench.send("best: v1 → v2")
    assert len(bench.events.created) == 1


@pytest.mark.parametrize(
    "troubles", [[Forbidden(403, "", "namespace is being terminated")], [ApiUnavailable(0, "", "away")] * 3]
)
async def test_what_cannot_be_sent_is_dropped_and_the_next_one_goes_out(troubles):
    """A refusal at once, an outage after the last try; neither holds up what comes after."""
    bench = Bench(*troubles)
    await bench.send("lost", "sent")
    assert [event["note"] for event in bench.events.created] == ["sent"]


async def test_recording_never_blocks_and_never_fails():
    """With nobody sending, the list fills up and further notes are dropped without an error."""
    bench = Bench()
    for number in range(1500):
        bench.recorder.event(MODEL, "Normal", "AliasMoved", f"note {number}")


async def test_notes_are_cut_and_redacted():
    """A long message keeps within the API's 1024 bytes and whole characters; secrets are cut out."""
    bench = Bench()
    await bench.send("é" * 2000, "refused: Bearer abcdefgh12345")
    long, secret = (event["note"] for event in bench.events.created)
    assert len(long.encode()) <= 1024
    assert long.endswith("é…")
    assert "abcdefgh12345" not in secret


async def test_the_end_of_the_sending_is_told():
    """A bug in it ends the part that awaits it, and with it the process, instead of silencing events for ever."""
    bench = Bench(KeyError("no uid"))
    bench.recorder.event(MODEL, "Normal", "AliasMoved", "best: v1 → v2")
    async with recording(bench.recorder, flush_seconds=5) as sending:
        with pytest.raises(KeyError, match="no uid"):
            await sending


async def test_what_is_noted_at_the_end_is_still_sent():
    """Also after whoever awaited the sending was cancelled, as all parts of an ending process are."""
    bench = Bench()
    async with recording(bench.recorder, flush_seconds=5) as sending:
        part = asyncio.ensure_future(sending)
        await asyncio.sleep(0)
        part.cancel()
        bench.recorder.event(MODEL, "Normal", "AliasMoved", "best: v1 → v2")
    assert len(bench.events.created) == 1


async def test_a_cluster_scoped_object_has_its_events_in_default():
    """Events need a namespace, also those about objects without one; a long name is cut to what a name may be."""
    bench = Bench()
    bench.recorder.event(stored(REGISTERED_MODELS, "", "m" * 253, version=1), "Warning", "X", "y")
    await bench.send()
    event = bench.events.created[0]
    assert event["metadata"]["namespace"] == "default"
    assert "namespace" not in event["regarding"]
    assert len(event["metadata"]["name"]) <= 253
