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
    """One manager's applied Secrets: an apply replaces what it applied before; `meanwhile` is called before each."""

    def __init__(self):
        self.stored = {}
        self.writes = []
        self.trouble = None
        self.meanwhile = lambda: None

    async def get(self, resource, namespace, name):
        assert (resource, namespace) == (SECRETS, "modelberth")
        return self.stored.get(name)

    async def apply(self, resource, namespace, name, body, *, manager, force, **_):
        if self.trouble is not None:
            raise self.trouble
        self.meanwhile()
        old = self.stored.get(name)
        if old is None:
            assert not force, "the first write takes nothing over"
        elif (
            body["metadata"].get("resourceVersion", old["metadata"]["resourceVersion"])
            != (old["metadata"]["resourceVersion"])
        ):
            raise Conflict(409, "Conflict", "the object has been modified")
        self.writes.append(name)
        metadata = {**body["metadata"], "uid": "u", "resourceVersion": str(100 + len(self.writes))}
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


async def test_of_two_replicas_that_begin_at_once_one_makes_the_ca(bench):
    """What the slower one saw missing is there by the time it writes: the clients' trust is not replaced."""
    await bench.look()
    made = dict(bench.secrets.stored)
    bench.restart()
    bench.secrets.stored.clear()
    bench.secrets.meanwhile = lambda: bench.secrets.stored.update(made)
    with pytest.raises(Conflict):
        await bench.look()
    assert bench.secrets.stored == made
    await bench.look()
    assert bench.secrets.stored == made
    assert bench.keeper.bundle.encode() == bench.data(AUTHORITY_SECRET)["ca.crt"]


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
