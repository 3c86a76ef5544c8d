"""The keeper of the certificates against Secrets as the API server would keep them."""

import base64
from datetime import timedelta

import pytest

from modelberth.runtime.certificate_keeper import AUTHORITY_SECRET, SERVING_SECRET, CertificateKeeper
from modelberth.runtime.certificates import AUTHORITY_LIFETIME, AUTHORITY_MARGIN, SPREAD
from modelberth.runtime.errors import ApiUnavailable, Conflict
from modelberth.runtime.resources import SECRETS
from tests.unit.runtime.fakes import FakeClock


class Secrets:
    """One manager's applied Secrets: an apply replaces what it applied before."""

    def __init__(self):
        self.stored = {}
        self.writes = []
        self.trouble = None

    async def get(self, resource, namespace, name):
        assert (resource, namespace) == (SECRETS, "modelberth")
        return self.stored.get(name)

    async def apply(self, resource, namespace, name, body, *, manager, force, **_):
        if self.trouble is not None:
            raise self.trouble
        old = self.stored.get(name)
        if old is not None:
            assert body["metadata"]["resourceVersion"] == old["metadata"]["resourceVersion"]
        elif force:
            raise AssertionError("the first write takes nothing over")
        self.writes.append(name)
        metadata = {**body["metadata"], "uid": "u", "resourceVersion": str(len(self.writes))}
        self.stored[name] = {**body, "metadata": metadata}
        return self.stored[name]


class Bench:
    def __init__(self):
        self.clock = FakeClock()
        self.secrets = Secrets()
        self.changes = []
        self.restart()

    def restart(self):
        """A new process over the same Secrets."""
        self.keeper = CertificateKeeper(
            kube=self.secrets,
            clock=self.clock,
            namespace="modelberth",
            service="modelberth-registry",
            changed=lambda: self.changes.append(self.keeper.bundle),
        )

    async def look(self):
        return await self.keeper.reconcile(self.keeper.key)

    def data(self, name):
        return {field: base64.b64decode(value) for field, value in self.secrets.stored[name]["data"].items()}


@pytest.fixture
def bench():
    return Bench()


async def test_the_first_look_makes_both_secrets_the_ca_first(bench):
    """What is served is always trusted already; the key of the CA is in its own Secret only."""
    with pytest.raises(ApiUnavailable, match="not read yet"):
        _ = bench.keeper.bundle
    result = await bench.look()
    assert result.requeue_after > 0
    assert bench.secrets.writes == [AUTHORITY_SECRET, SERVING_SECRET]
    assert {secret["type"] for secret in bench.secrets.stored.values()} == {"kubernetes.io/tls"}
    assert bench.data(SERVING_SECRET)["ca.crt"].decode() == bench.keeper.bundle
    assert bench.data(AUTHORITY_SECRET)["tls.key"] not in bench.data(SERVING_SECRET).values()
    assert bench.changes == [bench.keeper.bundle]


async def test_further_looks_write_nothing(bench):
    """Also those of a new process, which only learns the bundle."""
    await bench.look()
    bundle = bench.keeper.bundle
    bench.restart()
    await bench.look()
    assert len(bench.secrets.writes) == 2
    assert bench.keeper.bundle == bundle


async def test_a_rotation_tells_the_bundle_before_it_is_needed(bench):
    """The successor is in the bundle, in the Secrets and told to clients, a day before it signs."""
    await bench.look()
    old_ca = bench.data(AUTHORITY_SECRET)["tls.crt"]
    bench.clock.advance((AUTHORITY_LIFETIME - AUTHORITY_MARGIN + timedelta(days=1)).total_seconds())
    await bench.look()
    assert len(bench.changes) == 2
    assert bench.changes[1].count("BEGIN CERTIFICATE") == 2
    assert bench.data(AUTHORITY_SECRET)["tls.crt"] == old_ca
    bench.clock.advance(SPREAD.total_seconds())
    await bench.look()
    data = bench.data(AUTHORITY_SECRET)
    assert data["previous.crt"] == old_ca
    assert "next.key" not in data
    assert data["tls.crt"] != old_ca


async def test_a_damaged_secret_is_made_anew(bench):
    """Garbage in the Secret is no crash and no certificate."""
    await bench.look()
    for name in (AUTHORITY_SECRET, SERVING_SECRET):
        bench.secrets.stored[name]["data"]["tls.crt"] = base64.b64encode(b"garbage").decode()
        await bench.look()
        assert b"BEGIN CERTIFICATE" in bench.data(name)["tls.crt"]


async def test_a_write_that_collides_is_tried_again_from_the_start(bench):
    """The error goes to the queue; nothing is published that was not stored."""
    bench.secrets.trouble = Conflict(409, "Conflict", "changed")
    with pytest.raises(Conflict):
        await bench.look()
    assert bench.changes == []
