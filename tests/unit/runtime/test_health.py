"""Liveness fails when something is stuck, and only then; the endpoints tell it over HTTP."""

import aiohttp
import pytest

from modelberth.runtime.endpoints import serve_endpoints
from modelberth.runtime.health import STUCK_SECONDS, WATCH_SILENCE, Health
from modelberth.runtime.metrics import Metrics
from modelberth.runtime.queue import WorkQueue
from modelberth.runtime.resources import Key
from tests.unit.runtime.fakes import FakeClock


class Process:
    def __init__(self):
        self.clock = FakeClock()
        self.queue = WorkQueue(clock=self.clock)
        self.leading = True
        self.health = Health(clock=self.clock, queue=self.queue, leading=lambda: self.leading)


@pytest.fixture
def process():
    return Process()


class TestWatches:
    def test_a_watch_that_gives_signs_of_life_is_fine(self, process):
        """However long it runs."""
        process.health.expect_watch("pods")
        for _ in range(10):
            process.clock.advance(WATCH_SILENCE - 1)
            process.health.watch_alive("pods")
            assert process.health.problems() == []

    def test_one_silent_watch_is_stuck(self, process):
        """The signs of the others do not cover for it, and the sentence names it."""
        process.health.expect_watch("pods")
        process.health.expect_watch("services")
        process.clock.advance(WATCH_SILENCE + 1)
        process.health.watch_alive("services")
        assert [problem for problem in process.health.problems() if "watch of pods" in problem]
        assert not [problem for problem in process.health.problems() if "services" in problem]

    def test_a_watch_that_never_began_is_stuck_too(self, process):
        """Expecting counts from the start, not from the first sign."""
        process.health.expect_watch("pods")
        process.clock.advance(WATCH_SILENCE + 1)
        assert process.health.problems()

    def test_nobody_waits_for_watches_that_do_not_exist(self, process):
        """Discovery and other requests are no watches."""
        process.health.watch_alive("events")
        assert process.health.watch_ages() == {}


class TestQueue:
    def item(self, name):
        return ("things", Key("ns", name))

    def test_a_worker_that_never_comes_back_is_stuck(self, process):
        """A reconcile without an end blocks its key for ever."""
        process.queue.add(self.item("a"))
        process.queue.take()
        process.clock.advance(STUCK_SECONDS)
        assert process.health.problems() == []
        process.clock.advance(1)
        assert "a worker has held its key" in process.health.problems()[0]

    def test_ready_keys_that_nobody_takes_are_stuck(self, process):
        """Workers that died without ending the process are noticed."""
        process.queue.add(self.item("a"))
        process.clock.advance(STUCK_SECONDS + 1)
        assert "no worker took one" in process.health.problems()[0]

    def test_a_long_queue_that_moves_is_fine(self, process):
        """Keys may wait for long when there are many, as long as workers take some."""
        for name in "abcdef":
            process.queue.add(self.item(name))
        for _ in range(4):
            process.clock.advance(STUCK_SECONDS - 1)
            process.queue.done(process.queue.take())
            assert process.health.problems() == []

    def test_a_standby_leaves_its_keys_alone(self, process):
        """Only the leader has to work; a new one has its time, counted from when it began to lead."""
        process.leading = False
        process.queue.add(self.item("a"))
        process.clock.advance(10 * STUCK_SECONDS)
        assert process.health.problems() == []
        process.leading = True
        process.clock.advance(STUCK_SECONDS)
        assert process.health.problems() == []
        process.clock.advance(1)
        assert process.health.problems()


async def test_the_endpoints_tell_the_kubelet_and_prometheus(process):
    """503 with the reason while something is wrong, 200 otherwise; metrics in Prometheus' own format."""
    metrics = Metrics(clock=process.clock)
    serving = serve_endpoints(port=0, metrics=metrics, health=process.health)
    async with serving as port, aiohttp.ClientSession(f"http://127.0.0.1:{port}") as session:

        async def ask(path):
            async with session.get(path) as response:
                return response.status, await response.text()

        assert await ask("/healthz") == (200, "ok")
        assert await ask("/readyz") == (503, "the first lists are not complete")
        process.health.ready()
        assert await ask("/readyz") == (200, "ok")
        process.health.expect_watch("pods")
        process.clock.advance(WATCH_SILENCE + 1)
        status, words = await ask("/healthz")
        assert (status, "watch of pods" in words) == (503, True)
        status, words = await ask("/metrics")
        assert (status, "# TYPE rest_client_requests_total counter" in words) == (200, True)
