"""Leader election over one `coordination.k8s.io` Lease: at most one replica acts.

Why it is safe without comparing clocks. The holder counts from *before* it sent a renewal that succeeded, and stops its
work when `RENEW_SECONDS` have passed without a newer one. Everybody else counts `LEASE_SECONDS` from when they last
*saw* the Lease change, which is later than that renewal was sent. So the holder has stopped before anybody takes over,
as long as clocks run equally fast and its work ends within the difference. What is on its way even then is fenced by
the `uid` and `resourceVersion` that every write carries.

A process that finds its own name in the Lease takes it at once: the kubelet starts no second container of a pod before
the first is dead, so an operator that was killed comes back without a pause.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from modelberth.runtime.clock import Clock, rfc3339_micro
from modelberth.runtime.errors import AlreadyExists, ApiError, Conflict
from modelberth.runtime.kube import KubeApi
from modelberth.runtime.resources import LEASES, Object

LEASE_SECONDS = 15
"""How long a Lease that nobody renews keeps others out."""
RENEW_SECONDS = 10
"""How long the holder goes on without a successful renewal; the difference is for ending its work."""
RETRY_SECONDS = 2
"""How often everybody tries."""
MANAGER = "modelberth/lease"

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Seen:
    """A state of the Lease and when we first saw it, in monotonic seconds."""

    lease: Object
    since: float

    @property
    def holder(self) -> str:
        return str(self.lease.get("spec", {}).get("holderIdentity") or "")

    @property
    def lasts(self) -> float:
        return float(self.lease.get("spec", {}).get("leaseDurationSeconds") or 0)


class LeaderElection:
    """One candidate. `step` is one attempt and never sleeps; `run` goes on for ever."""

    def __init__(self, *, kube: KubeApi, clock: Clock, namespace: str, name: str, identity: str) -> None:
        """A candidate that has not seen the Lease yet.

        Args:
            kube: where the Lease lies.
            clock: what everything is measured with.
            namespace: the Lease's namespace.
            name: its name, the same for all candidates.
            identity: this candidate's name, different for each running process.
        """
        self._kube = kube
        self._clock = clock
        self._namespace = namespace
        self._name = name
        self._identity = identity
        self._seen: _Seen | None = None
        self._deadline = float("-inf")

    @property
    def leading(self) -> bool:
        """Whether this candidate may act now."""
        return self._clock.monotonic() < self._deadline

    @property
    def remaining(self) -> float:
        """For how many more seconds it may act without a renewal; 0 if it may not."""
        return max(0.0, self._deadline - self._clock.monotonic())

    async def step(self) -> bool:
        """Try once to take or renew the Lease; says whether that worked.

        Raises:
            ApiError: the API server did not answer or refused. That ends nothing before the deadline.
        """
        lease = self._seen.lease if self.leading and self._seen is not None else await self._look()
        if lease is None:
            return await self._create()
        if not self._may_take():
            return False
        return await self._take(lease)

    async def release(self) -> None:
        """Give the Lease up, so that another candidate need not wait for its end. Only after the work has stopped."""
        if not self.leading or self._seen is None:
            return
        self._deadline = float("-inf")
        try:
            await self._write(self._seen.lease, holder="", seconds=1)
        except ApiError as error:
            log.info("the lease was not given back; it ends by itself", extra={"error": str(error)})

    async def run(self, work: Callable[[], Awaitable[None]]) -> None:
        """Campaign for ever; do the work while leading. The work is cancelled when the Lease is lost.

        When this is cancelled, the work is ended first and the Lease given back then.

        Raises:
            Exception: what the work raised: it is not meant to end.
        """
        while True:
            if not await self._attempt():
                await asyncio.sleep(RETRY_SECONDS)
                continue
            log.info("leading", extra={"lease": self._name, "identity": self._identity})
            working = asyncio.ensure_future(work())
            try:
                await self._keep(working)
            finally:
                working.cancel()
                await asyncio.wait([working])
                await self.release()
            if not working.cancelled():
                working.result()
                raise RuntimeError("the leader's work ended by itself")
            log.warning("no longer leading", extra={"lease": self._name, "identity": self._identity})

    async def _keep(self, working: "asyncio.Future[None]") -> None:
        """Renew until the Lease is lost or the work ends."""
        while self.leading and not working.done():
            await asyncio.wait([working], timeout=min(RETRY_SECONDS, self.remaining))
            if not working.done():
                await self._attempt()

    async def _attempt(self) -> bool:
        """One step; while leading, it takes no longer than there is time."""
        try:
            async with asyncio.timeout(self.remaining if self.leading else None):
                return await self.step()
        except (ApiError, TimeoutError) as error:
            log.info("lease: no answer to build on", extra={"error": str(error) or type(error).__name__})
            return False

    async def _look(self) -> Object | None:
        lease = await self._kube.get(LEASES, self._namespace, self._name)
        if lease is None:  # somebody deleted it, and anybody may make a new one: stop before trying to
            self._seen, self._deadline = None, float("-inf")
        elif self._seen is None or _changed(self._seen.lease, lease):
            self._seen = _Seen(lease, self._clock.monotonic())
        return lease

    def _may_take(self) -> bool:
        """Whether the Lease as we saw it is ours, free, or over."""
        if self._seen is None:
            return True
        over = self._clock.monotonic() - self._seen.since >= self._seen.lasts
        return self._seen.holder in {"", self._identity} or over

    async def _create(self) -> bool:
        sent = self._clock.monotonic()
        body = self._body(None, holder=self._identity, seconds=LEASE_SECONDS)
        try:
            created = await self._kube.create(LEASES, self._namespace, body)
        except (AlreadyExists, Conflict):
            return False
        self._won(created, sent)
        return True

    async def _take(self, lease: Object) -> bool:
        sent = self._clock.monotonic()
        try:
            written = await self._write(lease, holder=self._identity, seconds=LEASE_SECONDS)
        except Conflict:
            await self._look()
            if self._seen is not None and self._seen.holder != self._identity:
                self._deadline = float("-inf")  # somebody else was allowed to take it
            return False  # or it was our own write whose answer got lost: the next attempt knows it
        self._won(written, sent)
        return True

    def _won(self, lease: Object, sent: float) -> None:
        self._seen = _Seen(lease, self._clock.monotonic())
        self._deadline = sent + RENEW_SECONDS

    async def _write(self, lease: Object, *, holder: str, seconds: int) -> Object:
        body = self._body(lease, holder=holder, seconds=seconds)
        return await self._kube.apply(LEASES, self._namespace, self._name, body, manager=MANAGER)

    def _body(self, lease: Object | None, *, holder: str, seconds: int) -> Object:
        now = rfc3339_micro(self._clock.now())
        before = lease.get("spec", {}) if lease else {}
        metadata: Object = {"name": self._name, "namespace": self._namespace}
        if lease is not None:
            metadata |= {field: lease["metadata"][field] for field in ("uid", "resourceVersion")}
        same = holder == before.get("holderIdentity")
        spec = {
            "holderIdentity": holder,
            "leaseDurationSeconds": seconds,
            "acquireTime": before.get("acquireTime") if same and before.get("acquireTime") else now,
            "renewTime": now,
            "leaseTransitions": int(before.get("leaseTransitions") or 0) + (0 if same or lease is None else 1),
        }
        return {"metadata": metadata, "spec": spec}


def _changed(old: Object, new: Object) -> bool:
    return bool(old["metadata"]["resourceVersion"] != new["metadata"]["resourceVersion"])
