"""Workers: what each outcome of a reconcile does to its key, and that nothing ends a worker."""

import asyncio
import logging
import random

import pytest

from modelberth.runtime.errors import ApiUnavailable, Conflict, TooManyRequests
from modelberth.runtime.metrics import Metrics
from modelberth.runtime.queue import WorkQueue
from modelberth.runtime.resources import Key
from modelberth.runtime.workers import CONFLICT_SECONDS, Workers
from tests.unit.runtime.fakes import FakeClock

KEY = Key("ns", "a")
ITEM = ("things", KEY)


class Result:
    def __init__(self, requeue_after=None):
        self.requeue_after = requeue_after


class Scripted:
    """Answers, or raises, one thing after the other; the last for ever."""

    def __init__(self, *outcomes):
        self.outcomes = list(outcomes)
        self.seen = []

    async def reconcile(self, key):
        self.seen.append(key)
        outcome = self.outcomes.pop(0) if len(self.outcomes) > 1 else self.outcomes[0]
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome


class Bench:
    """One worker's surroundings under a clock that a test moves."""

    def __init__(self, *outcomes):
        self.clock = FakeClock()
        self.metrics = Metrics(clock=self.clock)
        self.queue = WorkQueue(clock=self.clock, hooks=self.metrics.queue, randomness=random.Random(0))
        self.reconciler = Scripted(*outcomes)
        self.workers = Workers(
            queue=self.queue,
            reconcilers={"things": self.reconciler},
            metrics=self.metrics,
            clock=self.clock,
            count=2,
        )

    async def one(self):
        item = self.queue.take()
        assert item is not None
        await self.workers.process(item)

    def value(self, name, /, **labels):
        return self.metrics.registry.get_sample_value(name, labels)


async def test_a_success_ends_the_matter():
    """Nothing is left in the queue, and earlier failures are forgotten."""
    bench = Bench(ApiUnavailable(0, "", "away"), Result())
    bench.queue.add(ITEM)
    await bench.one()
    bench.clock.advance(1)
    await bench.one()
    assert bench.queue.failures(ITEM) == 0
    assert bench.queue.next_due() is None
    assert bench.value("controller_runtime_reconcile_total", controller="things", result="success") == 1
    assert bench.value("controller_runtime_reconcile_total", controller="things", result="error") == 1


async def test_a_result_may_ask_for_another_look():
    """The key comes again after exactly the time it asked for."""
    bench = Bench(Result(30))
    bench.queue.add(ITEM)
    await bench.one()
    assert bench.queue.next_due() == bench.clock.monotonic() + 30


async def test_news_during_the_work_count_more_than_its_result():
    """A key added while it is worked on is ready at once, whatever the result asks for."""
    bench = Bench(Result(30))
    bench.queue.add(ITEM)
    item = bench.queue.take()
    bench.queue.add(ITEM)
    await bench.workers.process(item)
    assert len(bench.queue) == 1
    assert bench.queue.next_due() is None


@pytest.mark.parametrize(
    ("error", "at_least"),
    [
        (ApiUnavailable(503, "", "away"), 0),
        (RuntimeError("a bug"), 0),
        (Conflict(409, "Conflict", "changed"), CONFLICT_SECONDS),
        (TooManyRequests(429, "", "slowly", retry_after=7), 7),
    ],
)
async def test_every_error_brings_the_key_back(error, at_least):
    """After its back-off, and not before whoever refused it said."""
    bench = Bench(error)
    bench.queue.add(ITEM)
    await bench.one()
    waits = bench.queue.next_due() - bench.clock.monotonic()
    assert waits >= max(at_least, 0.001) - 1e-9
    assert waits <= max(at_least, 0.006)
    assert bench.queue.failures(ITEM) == 1
    assert bench.value("controller_runtime_reconcile_errors_total", controller="things") == 1


async def test_only_a_bug_is_logged_with_its_traceback(caplog):
    """What the surroundings did wrong is one line; collisions are not worth a warning."""
    caplog.set_level(logging.DEBUG, logger="modelberth")
    bench = Bench(Conflict(409, "", "changed"), ApiUnavailable(0, "", "away"), RuntimeError("a bug"))
    for _ in range(3):
        bench.queue.add(ITEM)
        await bench.one()
    assert [record.levelname for record in caplog.records] == ["DEBUG", "WARNING", "ERROR"]
    assert [bool(record.exc_info) for record in caplog.records] == [False, False, True]
    assert caplog.records[1].object == "ns/a"


async def test_a_failing_key_holds_up_no_other():
    """With one key failing for ever, the others are all reconciled."""
    bench = Bench(Result())
    seen, all_seen = set(), asyncio.Event()

    async def reconcile(key):
        seen.add(key.name)
        if len(seen) == 4:
            all_seen.set()
        if key.name == "bad":
            raise RuntimeError("always")
        return Result()

    bench.reconciler.reconcile = reconcile
    for name in ("bad", "a", "b", "c"):
        bench.queue.add(("things", Key("ns", name)))
    running = asyncio.create_task(bench.workers.run())
    await asyncio.wait_for(all_seen.wait(), 5)
    bench.queue.close()
    await running
    assert seen == {"bad", "a", "b", "c"}


async def test_a_cancelled_reconcile_is_given_back():
    """When the lease is lost in the middle of the work, the key is ready for whoever acts next."""
    bench = Bench(Result())
    entered = asyncio.Event()

    async def hang(_):
        entered.set()
        await asyncio.Event().wait()

    bench.reconciler.reconcile = hang
    bench.queue.add(ITEM)
    running = asyncio.create_task(bench.workers.run())
    await entered.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert (len(bench.queue), bench.queue.working) == (1, 0)
    assert bench.value("controller_runtime_active_workers", controller="things") == 0


async def test_a_scrape_shows_what_is_held_now():
    """Unfinished work and the slowest worker are read from the queue at the moment of the scrape."""
    bench = Bench(Result())
    bench.metrics.queue.watch(bench.queue)
    for name in "ab":
        bench.queue.add(("things", Key("ns", name)))
    labels = {"name": "things", "controller": "things"}
    assert bench.value("workqueue_depth", **labels) == 2
    bench.queue.take()
    bench.clock.advance(3)
    bench.queue.take()
    bench.clock.advance(1)
    assert bench.value("workqueue_depth", **labels) == 0
    assert bench.value("workqueue_unfinished_work_seconds", **labels) == 5
    assert bench.value("workqueue_longest_running_processor_seconds", **labels) == 4
    assert b"workqueue_adds_total{" in bench.metrics.exposition()


def test_an_alias_move_is_timed_from_hearing_of_it_to_the_patch():
    """Only a patch to the version that the alias was last moved to counts."""
    clock = FakeClock()
    metrics = Metrics(clock=clock)
    metrics.alias_moves.observed("ns", "mnist", "best", "mnist-v1")
    metrics.alias_moves.observed("ns", "mnist", "best", "mnist-v2")
    clock.advance(2)
    metrics.alias_moves.patched("ns", "mnist", "best", "mnist-v1")
    metrics.alias_moves.patched("ns", "mnist", "other", "mnist-v2")
    name = "modelberth_alias_observed_to_patched_seconds"
    assert metrics.registry.get_sample_value(f"{name}_count") == 0
    metrics.alias_moves.patched("ns", "mnist", "best", "mnist-v2")
    assert metrics.registry.get_sample_value(f"{name}_sum") == 2
