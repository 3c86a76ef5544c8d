"""Leader election: never two at once, always one in the end, and the work ends before anybody else may begin."""

import asyncio

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from modelberth.runtime import lease as lease_module
from modelberth.runtime.errors import AlreadyExists, ApiUnavailable, Conflict
from modelberth.runtime.lease import LEASE_SECONDS, RENEW_SECONDS, RETRY_SECONDS, LeaderElection
from tests.unit.runtime.fakes import FakeClock


async def nothing() -> None:
    """No trouble."""


class Leases:
    """One Lease as the API server keeps it; `before` and `after` each write may advance time, fail, or do anything."""

    def __init__(self):
        self.lease = None
        self.revision = 0
        self.before = nothing
        self.after = nothing

    async def get(self, resource, namespace, name):
        await self.before()
        return self.lease

    async def create(self, resource, namespace, body, *, dry_run=False):
        await self.before()
        if self.lease is not None:
            raise AlreadyExists(409, "AlreadyExists", "there is one")
        return await self._stored(body)

    async def apply(self, resource, namespace, name, body, *, manager, subresource=None, force=True, dry_run=False):
        await self.before()
        if self.lease is None or body["metadata"]["resourceVersion"] != self.lease["metadata"]["resourceVersion"]:
            raise Conflict(409, "Conflict", "changed since")
        return await self._stored(body)

    async def _stored(self, body):
        self.revision += 1
        metadata = {**body["metadata"], "uid": "u", "resourceVersion": str(self.revision)}
        self.lease = {**body, "metadata": metadata}
        stored = self.lease
        await self.after()
        return stored


def candidate(leases, clock, identity) -> LeaderElection:
    return LeaderElection(kube=leases, clock=clock, namespace="ns", name="operator", identity=identity)


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def leases():
    return Leases()


class TestOneAtATime:
    async def test_the_first_one_leads(self, leases, clock):
        """Of two candidates the one that creates the Lease leads, the other does not."""
        a, b = candidate(leases, clock, "a"), candidate(leases, clock, "b")
        assert await a.step()
        assert not await b.step()
        assert (a.leading, b.leading) == (True, False)

    async def test_nobody_takes_a_lease_that_is_renewed(self, leases, clock):
        """A standby that looks on for minutes stays a standby."""
        a, b = candidate(leases, clock, "a"), candidate(leases, clock, "b")
        for _ in range(100):
            assert await a.step()
            assert not await b.step()
            clock.advance(RETRY_SECONDS)

    async def test_a_dead_leaders_lease_is_taken_when_it_ends(self, leases, clock):
        """The standby counts from when it last saw the Lease change, whatever its renewTime says."""
        a, b = candidate(leases, clock, "a"), candidate(leases, clock, "b")
        await a.step()
        assert not await b.step()
        clock.advance(LEASE_SECONDS - 1)
        assert not await b.step()
        clock.advance(1)
        assert await b.step()
        assert leases.lease["spec"]["leaseTransitions"] == 1

    async def test_the_leader_stops_before_the_lease_ends(self, leases, clock):
        """Without renewals it is no leader any more well before anybody else may be one."""
        a = candidate(leases, clock, "a")
        await a.step()
        clock.advance(RENEW_SECONDS)
        assert not a.leading
        assert RENEW_SECONDS < LEASE_SECONDS

    async def test_time_counts_from_before_the_request(self, leases, clock):
        """A slow answer to a renewal does not lengthen it."""

        async def slow():
            clock.advance(4)

        leases.after = slow
        a = candidate(leases, clock, "a")
        await a.step()
        assert a.remaining == RENEW_SECONDS - 4

    async def test_a_restarted_process_goes_on_at_once(self, leases, clock):
        """A killed operator that comes back in its pod does not wait for its own Lease to end."""
        await candidate(leases, clock, "a").step()
        assert await candidate(leases, clock, "a").step()

    async def test_a_renewal_whose_answer_got_lost_is_recovered(self, leases, clock):
        """The next attempt collides with our own write, the one after it renews; leading is never interrupted."""
        a = candidate(leases, clock, "a")
        await a.step()

        async def lost():
            raise ApiUnavailable(0, "", "connection reset")

        leases.after = lost
        with pytest.raises(ApiUnavailable):
            await a.step()
        leases.after = nothing
        assert not await a.step()
        assert a.leading
        assert await a.step()

    async def test_a_deleted_lease_ends_leading(self, leases, clock):
        """Anybody may create a new one, so the old holder stops before it tries to."""
        a, b = candidate(leases, clock, "a"), candidate(leases, clock, "b")
        await a.step()
        leases.lease = None
        assert not await a.step()
        assert not a.leading
        assert await b.step()

    async def test_a_released_lease_is_free_at_once(self, leases, clock):
        """A graceful end makes the take-over immediate."""
        a, b = candidate(leases, clock, "a"), candidate(leases, clock, "b")
        await a.step()
        await a.release()
        assert not a.leading
        assert await b.step()


class TestWork:
    @pytest.fixture(autouse=True)
    def _quick(self, monkeypatch):
        monkeypatch.setattr(lease_module, "RETRY_SECONDS", 0.001)

    async def test_losing_the_lease_cancels_the_work_before_it_ends(self, leases, clock):
        """Work is cancelled at the deadline, when the Lease still keeps everybody else out; then it campaigns again."""
        began, ended, cancelled = asyncio.Event(), asyncio.Event(), []

        async def work():
            began.set()
            try:
                await asyncio.Event().wait()
            finally:
                cancelled.append(clock.monotonic())
                ended.set()

        a, b = candidate(leases, clock, "a"), candidate(leases, clock, "b")
        running = asyncio.create_task(a.run(work))
        await asyncio.wait_for(began.wait(), 5)
        assert not await b.step()

        async def away():
            clock.advance(1)
            raise ApiUnavailable(0, "", "away")

        started = clock.monotonic()
        leases.before = away
        await asyncio.wait_for(ended.wait(), 5)
        assert started + RENEW_SECONDS - 1 <= cancelled[0] < started + LEASE_SECONDS
        began.clear()
        leases.before = nothing
        await asyncio.wait_for(began.wait(), 5)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running

    async def test_a_graceful_end_stops_the_work_first_and_then_gives_the_lease_back(self, leases, clock):
        """The order is what keeps two from acting."""
        order, began = [], asyncio.Event()

        async def work():
            began.set()
            try:
                await asyncio.Event().wait()
            finally:
                order.append("work ended")

        running = asyncio.create_task(candidate(leases, clock, "a").run(work))
        await asyncio.wait_for(began.wait(), 5)

        async def written():
            order.append(f"lease held by {leases.lease['spec']['holderIdentity']!r}")

        leases.after = written
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert order[-2:] == ["work ended", "lease held by ''"]

    async def test_work_that_ends_is_an_error(self, leases, clock):
        """What it raised reaches whoever runs the election; it is not silently started again."""

        async def work():
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            await candidate(leases, clock, "a").run(work)


class LeaseMachine(RuleBasedStateMachine):
    """Three candidates, slow and lost requests, steps of one in the middle of another's, restarts, deletions of none."""

    def __init__(self):
        super().__init__()
        self.clock = FakeClock()
        self.leases = Leases()
        self.candidates = {name: candidate(self.leases, self.clock, name) for name in "abc"}

    def leaders(self):
        return [name for name, each in self.candidates.items() if each.leading]

    def trouble(self, data, depth):
        """What happens around a request: time passes, another candidate acts meanwhile, the request or answer is lost."""

        async def happen():
            kind = data.draw(st.sampled_from(["nothing", "nothing", "time", "lost", "other"]))
            if kind == "time":
                self.clock.advance(data.draw(st.integers(1, 20)))
            elif kind == "lost":
                raise ApiUnavailable(0, "", "lost")
            elif kind == "other" and depth:
                await self.act(data, data.draw(st.sampled_from("abc")), depth - 1)
            assert len(self.leaders()) <= 1

        return happen

    async def act(self, data, name, depth):
        before, after = self.leases.before, self.leases.after
        self.leases.before = self.leases.after = self.trouble(data, depth)
        try:
            await self.candidates[name].step()
        except ApiUnavailable:
            pass
        finally:
            self.leases.before, self.leases.after = before, after

    @rule(data=st.data(), name=st.sampled_from("abc"))
    def step(self, data, name):
        asyncio.run(self.act(data, name, 2))

    @rule(seconds=st.integers(1, 20))
    def advance(self, seconds):
        self.clock.advance(seconds)

    @rule(name=st.sampled_from("abc"))
    def restart(self, name):
        self.candidates[name] = candidate(self.leases, self.clock, name)

    @precondition(lambda self: self.leaders())
    @rule()
    def release(self):
        asyncio.run(self.candidates[self.leaders()[0]].release())

    @invariant()
    def never_two(self):
        assert len(self.leaders()) <= 1

    def teardown(self):
        """When all answers come, somebody leads after at most two Lease times."""
        for _ in range(2 * LEASE_SECONDS // RETRY_SECONDS + 2):
            for each in self.candidates.values():
                asyncio.run(each.step())
            self.clock.advance(RETRY_SECONDS)
        assert len(self.leaders()) == 1


TestLeaseMachine = LeaseMachine.TestCase
TestLeaseMachine.settings = settings(max_examples=80, stateful_step_count=25)
