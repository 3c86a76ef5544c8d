"""The work queue against client-go's rules: de-duplication, one worker per key, back-off, delays."""

import asyncio
import random

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from modelberth.runtime.queue import FIRST_BACKOFF, LAST_BACKOFF, WorkQueue
from tests.unit.runtime.fakes import FakeClock

KEYS = st.sampled_from(["a", "b", "c"])


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def queue(clock) -> WorkQueue[str]:
    return WorkQueue(clock=clock, randomness=random.Random(1))


class TestReadiness:
    def test_keys_come_out_in_the_order_they_went_in(self, queue):
        """The key that waits longest is taken first."""
        for key in "cab":
            queue.add(key)
        assert [queue.take(), queue.take(), queue.take(), queue.take()] == ["c", "a", "b", None]

    def test_a_waiting_key_is_one_piece_of_work(self, queue):
        """Adding a key that waits changes nothing."""
        queue.add("a")
        queue.add("a")
        assert len(queue) == 1

    def test_a_key_added_during_work_comes_again_afterwards(self, queue):
        """No second worker gets a key that one holds; the news is looked at once the first is done."""
        queue.add("a")
        queue.take()
        queue.add("a")
        assert queue.take() is None
        queue.done("a")
        assert queue.take() == "a"

    def test_giving_back_what_nobody_holds_is_a_bug(self, queue):
        """`done` without `take` raises."""
        with pytest.raises(KeyError):
            queue.done("a")


class TestBackground:
    def test_what_changed_goes_first(self, queue):
        """Keys that are looked at only to be sure wait behind those that something happened to."""
        queue.add("sure", background=True)
        queue.add("changed")
        assert [queue.take(), queue.take()] == ["changed", "sure"]

    def test_a_change_brings_a_key_to_the_front(self, queue):
        """The same key is still one piece of work."""
        for key in "ab":
            queue.add(key, background=True)
        queue.add("b")
        queue.add("b", background=True)
        assert [queue.take(), queue.take(), queue.take()] == ["b", "a", None]

    def test_the_background_does_not_starve(self, queue):
        """However much changes, every eighth key comes from behind."""
        for number in range(100):
            queue.add(f"changed-{number}")
        queue.add("sure", background=True)
        assert "sure" in [queue.take() for _ in range(8)]

    def test_it_counts_as_waiting(self, queue, clock):
        """For depth, for idleness, and for a stuck queue."""
        queue.add("sure", background=True)
        clock.advance(7)
        assert (len(queue), queue.idle, queue.oldest_ready()) == (1, False, 7)
        queue.add_after("sure", 5)


class TestDelays:
    def test_a_delayed_key_waits_for_its_time(self, queue, clock):
        """Nothing is ready before the delay is over, and the queue says when to ask again."""
        queue.add_after("a", 5)
        assert queue.take() is None
        assert queue.next_due() == clock.monotonic() + 5
        clock.advance(5)
        assert queue.take() == "a"

    def test_the_shortest_delay_counts(self, queue, clock):
        """A key with several delays becomes ready once, at the earliest."""
        queue.add_after("a", 9)
        queue.add_after("a", 3)
        queue.add_after("a", 6)
        clock.advance(3)
        assert queue.take() == "a"
        queue.done("a")
        clock.advance(100)
        assert queue.take() is None

    def test_an_add_makes_a_pending_delay_void(self, queue, clock):
        """Work that was asked for at once is not done a second time when an older delay ends."""
        queue.add_after("a", 5)
        queue.add("a")
        queue.take()
        queue.done("a")
        clock.advance(10)
        assert queue.take() is None


class TestBackoff:
    def test_each_failure_doubles_the_patience_up_to_the_limit(self, queue, clock):
        """From 5 ms to 300 s, each within ten per cent of jitter."""
        seen = []
        for _ in range(20):
            queue.add("a")
            queue.take()
            seen.append(queue.retry("a"))
            queue.done("a")
            clock.advance(seen[-1])
        expected = [min(FIRST_BACKOFF * 2**n, LAST_BACKOFF) for n in range(20)]
        assert all(abs(is_ - should) <= 0.1 * should for is_, should in zip(seen, expected, strict=True))
        assert queue.failures("a") == 20

    def test_success_forgets_the_failures(self, queue):
        """After `forget` the next failure starts with the shortest back-off."""
        for _ in range(8):
            queue.retry("a")
        queue.forget("a")
        assert queue.retry("a") <= FIRST_BACKOFF * 1.1


class TestWaiting:
    async def test_a_waiting_worker_gets_what_is_added(self, queue):
        """`get` wakes up as soon as a key is added."""
        waiting = asyncio.create_task(queue.get())
        await asyncio.sleep(0)
        queue.add("a")
        assert await waiting == "a"

    async def test_closing_sends_every_worker_home(self, queue):
        """A closed queue gives out nothing, also not what is ready."""
        waiting = [asyncio.create_task(queue.get()) for _ in range(3)]
        await asyncio.sleep(0)
        queue.close()
        queue.add("a")
        assert await asyncio.gather(*waiting) == [None, None, None]

    async def test_a_delay_ends_a_real_wait(self):
        """`get` sleeps no longer than until the next delayed key is due."""
        clock = FakeClock()
        queue: WorkQueue[str] = WorkQueue(clock=clock)
        queue.add_after("a", 0.001)
        waiting = asyncio.create_task(queue.get())
        await asyncio.sleep(0)
        clock.advance(0.001)
        assert await waiting == "a"


class TestAges:
    def test_the_oldest_ready_key_tells_a_stuck_queue(self, queue, clock):
        """Age counts from when a key became ready, not from when its delay began."""
        queue.add_after("a", 10)
        clock.advance(10)
        assert queue.oldest_ready() == 0
        clock.advance(7)
        assert queue.oldest_ready() == 7
        queue.take()
        clock.advance(2)
        assert (queue.oldest_ready(), queue.longest_working(), queue.held()) == (0, 2, {"a": 2})


class QueueMachine(RuleBasedStateMachine):
    """Any interleaving of users and workers, against a model of sets."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = FakeClock()
        self.queue: WorkQueue[str] = WorkQueue(clock=self.clock, randomness=random.Random(0))
        self.wanted: set[str] = set()  # added since the last take
        self.held: set[str] = set()
        self.promised: dict[str, float] = {}  # the latest time by which a delayed key must be ready

    @rule(key=KEYS, background=st.booleans())
    def add(self, key: str, *, background: bool) -> None:
        self.queue.add(key, background=background)
        self.wanted.add(key)
        self.promised.pop(key, None)

    @rule(key=KEYS, seconds=st.integers(1, 20))
    def add_after(self, key: str, seconds: int) -> None:
        self.queue.add_after(key, seconds)
        if key not in self.wanted:
            due = self.clock.monotonic() + seconds
            self.promised[key] = min(due, self.promised.get(key, due))

    @rule(seconds=st.integers(1, 15))
    def advance(self, seconds: int) -> None:
        self.clock.advance(seconds)
        for key, due in list(self.promised.items()):
            if due <= self.clock.monotonic():
                self.wanted.add(key)
                del self.promised[key]

    @rule()
    def take(self) -> None:
        key = self.queue.take()
        if key is None:
            assert not self.wanted - self.held, "a wanted key that nobody holds has to be ready"
            return
        assert key in self.wanted, "nothing is given out that nobody asked for"
        assert key not in self.held, "never two workers on one key"
        self.wanted.discard(key)
        self.held.add(key)

    @precondition(lambda self: self.held)
    @rule(data=st.data())
    def done(self, data: st.DataObject) -> None:
        key = data.draw(st.sampled_from(sorted(self.held)))
        self.queue.done(key)
        self.held.discard(key)

    @invariant()
    def counts_agree(self) -> None:
        assert self.queue.working == len(self.held)
        assert self.queue.idle == (not self.wanted and not self.held)


TestQueueMachine = QueueMachine.TestCase
TestQueueMachine.settings = settings(max_examples=100, stateful_step_count=40)
