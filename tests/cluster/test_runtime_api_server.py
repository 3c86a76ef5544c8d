"""The Kubernetes client, the event recorder and the election against the real API server."""

import asyncio
import contextlib
import uuid

import pytest

from modelberth.runtime.clock import SystemClock
from modelberth.runtime.errors import AlreadyExists, Conflict, Invalid, NotFound
from modelberth.runtime.events import EventRecorder
from modelberth.runtime.kube_client import KubeClient
from modelberth.runtime.kubeconfig import load_connection
from modelberth.runtime.lease import LeaderElection
from modelberth.runtime.resources import (
    CONFIG_MAPS,
    EVENTS,
    LEASES,
    NAMESPACES,
    SUBJECT_ACCESS_REVIEWS,
)

MANAGER = "modelberth/test"


@pytest.fixture
async def kube(control_plane):
    async with KubeClient(load_connection(control_plane.kubeconfig)) as client:
        yield client


@pytest.fixture
async def namespace(kube):
    """A namespace of the test's own."""
    name = f"runtime-{uuid.uuid4().hex[:8]}"
    await kube.create(NAMESPACES, None, {"metadata": {"name": name}})
    yield name
    await kube.delete(NAMESPACES, None, name)


def config_map(**data):
    return {"metadata": {"name": "x"}, "data": data}


class TestApply:
    async def test_it_creates_and_takes_back_what_is_no_longer_applied(self, kube, namespace):
        """A field that the manager leaves out is gone, another manager's field stays."""
        await kube.apply(CONFIG_MAPS, namespace, "x", config_map(a="1", b="2"), manager=MANAGER)
        await kube.apply(CONFIG_MAPS, namespace, "x", config_map(c="3"), manager="somebody-else")
        after = await kube.apply(CONFIG_MAPS, namespace, "x", config_map(a="1"), manager=MANAGER)
        assert after["data"] == {"a": "1", "c": "3"}

    async def test_without_force_nothing_is_taken_over(self, kube, namespace):
        """A field of somebody else with another value is a Conflict that names its owner."""
        await kube.apply(CONFIG_MAPS, namespace, "x", config_map(a="1"), manager="somebody-else")
        with pytest.raises(Conflict, match="somebody-else"):
            await kube.apply(CONFIG_MAPS, namespace, "x", config_map(a="2"), manager=MANAGER, force=False)

    async def test_a_stale_version_is_a_conflict_even_with_force(self, kube, namespace):
        """Another writer's work is never undone by one who has not seen it."""
        seen = await kube.apply(CONFIG_MAPS, namespace, "x", config_map(a="1"), manager=MANAGER)
        await kube.apply(CONFIG_MAPS, namespace, "x", config_map(b="2"), manager="somebody-else")
        body = config_map(a="3")
        body["metadata"]["resourceVersion"] = seen["metadata"]["resourceVersion"]
        with pytest.raises(Conflict):
            await kube.apply(CONFIG_MAPS, namespace, "x", body, manager=MANAGER)

    async def test_a_deleted_or_recreated_object_is_a_conflict(self, kube, namespace):
        """With a uid nothing is brought back from the dead, and no successor is written to."""
        body = config_map(a="1")
        body["metadata"]["uid"] = str(uuid.uuid4())
        with pytest.raises(Conflict):
            await kube.apply(CONFIG_MAPS, namespace, "x", body, manager=MANAGER)
        await kube.create(CONFIG_MAPS, namespace, config_map(a="0"))
        with pytest.raises(Conflict):
            await kube.apply(CONFIG_MAPS, namespace, "x", body, manager=MANAGER)

    async def test_a_dry_run_changes_nothing(self, kube, namespace):
        """It answers as if."""
        answer = await kube.apply(CONFIG_MAPS, namespace, "x", config_map(a="1"), manager=MANAGER, dry_run=True)
        assert answer["data"] == {"a": "1"}
        assert await kube.get(CONFIG_MAPS, namespace, "x") is None


class TestOtherRequests:
    async def test_a_misspelt_field_is_refused_in_the_servers_words(self, kube, namespace):
        """By create and by apply alike."""
        wrong = {"metadata": {"name": "x"}, "dta": {"a": "1"}}
        with pytest.raises(Invalid, match="dta"):
            await kube.create(CONFIG_MAPS, namespace, wrong)
        with pytest.raises(Invalid, match="dta"):
            await kube.apply(CONFIG_MAPS, namespace, "x", wrong, manager=MANAGER)

    async def test_a_taken_name_is_an_error_of_its_own(self, kube, namespace):
        """Not the Conflict of a stale write."""
        await kube.create(CONFIG_MAPS, namespace, config_map())
        with pytest.raises(AlreadyExists):
            await kube.create(CONFIG_MAPS, namespace, config_map())

    async def test_a_namespace_that_is_missing_is_not_found(self, kube):
        """As 404, with the namespace's name in the server's words."""
        with pytest.raises(NotFound, match="no-such-namespace"):
            await kube.create(CONFIG_MAPS, "no-such-namespace", config_map())

    async def test_lists_come_completely_in_pages(self, kube, namespace):
        """More than a page of objects, selected by label, each with its kind."""
        for first in range(0, 1100, 100):
            metadata = [{"name": f"m{n}", "labels": {"odd": str(n % 2)}} for n in range(first, first + 100)]
            await asyncio.gather(*(kube.create(CONFIG_MAPS, namespace, {"metadata": each}) for each in metadata))
        found = await kube.list(CONFIG_MAPS, namespace, labels={"odd": "1"})
        assert sorted(obj["metadata"]["name"] for obj in found) == sorted(f"m{n}" for n in range(1, 1100, 2))
        assert {(obj["apiVersion"], obj["kind"]) for obj in found} == {("v1", "ConfigMap")}
        everything = await kube.list(CONFIG_MAPS, namespace, fields="metadata.name!=kube-root-ca.crt")
        assert len(everything) == 1100

    async def test_a_delete_spares_what_was_not_observed(self, kube, namespace):
        """A wrong uid or a stale version is a Conflict; that it is gone is fine."""
        made = await kube.create(CONFIG_MAPS, namespace, config_map(a="1"))
        with pytest.raises(Conflict):
            await kube.delete(CONFIG_MAPS, namespace, "x", uid=str(uuid.uuid4()))
        await kube.apply(CONFIG_MAPS, namespace, "x", config_map(b="2"), manager=MANAGER)
        with pytest.raises(Conflict):
            await kube.delete(CONFIG_MAPS, namespace, "x", resource_version=made["metadata"]["resourceVersion"])
        await kube.delete(CONFIG_MAPS, namespace, "x", uid=made["metadata"]["uid"])
        await kube.delete(CONFIG_MAPS, namespace, "x", uid=made["metadata"]["uid"])

    async def test_a_review_is_answered(self, kube):
        """Reviews are creates without a name that are stored nowhere."""
        spec = {"user": "nobody", "resourceAttributes": {"verb": "get", "resource": "pods"}}
        answer = await kube.create(SUBJECT_ACCESS_REVIEWS, None, {"spec": spec})
        assert answer["status"]["allowed"] is False


async def test_the_api_server_takes_events_and_counts_them(kube, namespace):
    """The first one is created, its repetition is a series of two: both pass events.k8s.io's own validation."""
    about = await kube.create(CONFIG_MAPS, namespace, config_map())
    recorder = EventRecorder(kube=kube, clock=SystemClock(), instance="test")
    sending = asyncio.create_task(recorder.run())
    recorder.event({**about, "apiVersion": "v1", "kind": "ConfigMap"}, "Warning", "Refused", "é" * 2000)
    for _ in range(2):
        recorder.event({**about, "apiVersion": "v1", "kind": "ConfigMap"}, "Normal", "AliasMoved", "best: v1 → v2")
    await recorder.flush(10)
    sending.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await sending
    events = {event["reason"]: event for event in await kube.list(EVENTS, namespace)}
    assert set(events) == {"Refused", "AliasMoved"}
    assert events["AliasMoved"]["series"]["count"] == 2
    assert events["AliasMoved"]["regarding"]["uid"] == about["metadata"]["uid"]


async def test_of_ten_candidates_one_leads_and_its_release_is_taken_at_once(kube, namespace):
    """The API server arbitrates; a lease that was given back needs no waiting."""
    candidates = [
        LeaderElection(kube=kube, clock=SystemClock(), namespace=namespace, name="lease", identity=f"c{number}")
        for number in range(10)
    ]
    await asyncio.gather(*(candidate.step() for candidate in candidates))
    (leader,) = (candidate for candidate in candidates if candidate.leading)
    await asyncio.gather(*(candidate.step() for candidate in candidates))
    assert [candidate for candidate in candidates if candidate.leading] == [leader]
    await leader.release()
    others = [candidate for candidate in candidates if candidate is not leader]
    await asyncio.gather(*(candidate.step() for candidate in others))
    assert sum(candidate.leading for candidate in others) == 1
    assert (await kube.get(LEASES, namespace, "lease"))["spec"]["leaseTransitions"] == 2
