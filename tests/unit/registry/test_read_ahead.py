"""What is read ahead when a registry starts."""

import asyncio

import pytest

from modelberth.registry.namespaces import SYSTEM_NAMESPACE, Namespaces
from modelberth.registry.services import State
from modelberth.registry.startup import Startup
from modelberth.registry.tokens import TokenVerifier
from modelberth.runtime.errors import ApiUnavailable
from modelberth.store import keys
from modelberth.store.content_store import ContentStore
from modelberth.store.probe import Report
from tests.unit.registry import lineage_records


@pytest.fixture
def store(world):
    """As the registry will open it."""
    world.kube.add_namespace(SYSTEM_NAMESPACE)
    return ContentStore(world.store.contents.bucket, f"uid-of-{SYSTEM_NAMESPACE}")


@pytest.fixture
def startup(world, monkeypatch):
    """A start-up that finds the store good."""

    async def probe(_):
        return Report(())

    monkeypatch.setattr("modelberth.registry.startup.probe", probe)
    world.services.backend, world.services.state = None, State()
    return Startup(
        world.services, kube=world.kube, verifier=TokenVerifier(world.issuer), bucket=world.store.contents.bucket
    )


async def started(startup):
    """A registry starts, until everything is read ahead."""
    running = asyncio.create_task(startup.run())
    while startup._reading is None:  # noqa: ASYNC110 - nothing tells of it
        await asyncio.sleep(0.01)
    await startup._reading
    running.cancel()


async def test_the_namespaces_that_are_there_and_have_a_space(world, store, s3):
    """Not those that are gone, or were made again, or whose space is closed."""
    for name in ("gone", "again", "closed"):
        await store.space(name, f"uid-of-{name}")
    await store.space("team", "uid-of-team")
    world.kube.add_namespace("again", uid="another")
    world.kube.add_namespace("closed")
    world.kube.add_namespace("without")
    closed = keys.space_record(await store.space("closed", "uid-of-closed"))
    s3.objects[closed].body = s3.objects[closed].body.replace(b"false", b"true")
    fresh = ContentStore(world.store.contents.bucket, f"uid-of-{SYSTEM_NAMESPACE}")
    assert [space.namespace async for space in Namespaces(world.kube, fresh).with_space()] == ["team"]


async def test_a_registry_that_is_ready_reads_ahead(world, store, startup):
    """Whoever asks first finds the index made."""
    await lineage_records.fill(store, await store.space("team", "uid-of-team"))
    await started(startup)
    space = await world.services.backend.namespaces.space("team")
    assert world.services.backend.lineage._kept[space.id].is_whole


async def test_a_start_does_not_depend_on_it(world, store, startup, s3, monkeypatch):
    """API server and store may go away meanwhile: the registry answers, and reads ahead when they are there again."""
    monkeypatch.setattr("modelberth.registry.startup._LONGEST_WAIT", 0.01)
    await lineage_records.fill(store, await store.space("team", "uid-of-team"))
    proper, asked = world.kube.get, []

    async def away_at_first(resource, namespace, name):
        if name == "team":
            asked.append(world.services.state.is_ready)
            if len(asked) < 3:
                raise ApiUnavailable(0, "NoAnswer", "nobody listens")
            if len(asked) == 3:
                s3.answer(503, "SlowDown", method="GET", times=2)
        return await proper(resource, namespace, name)

    world.kube.get = away_at_first
    await started(startup)
    assert asked == [True] * 4
    space = await world.services.backend.namespaces.space("team")
    assert world.services.backend.lineage._kept[space.id].is_whole
