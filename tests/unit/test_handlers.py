"""The real kopf against a small API server over real sockets: what reaches the sinks, and what happens when it dies."""

import asyncio
import json
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from modelberth import handlers
from modelberth.handlers import KopfWatcher, kopf_settings
from modelberth.operator_main import WATCHES
from modelberth.runtime.connection import Connection
from modelberth.runtime.resources import DEPLOYMENTS, MODEL_VERSIONS
from modelberth.runtime.watches import Watch, WatchSinks
from tests.unit.runtime.fakes import stored

VERSIONS = Watch(MODEL_VERSIONS)
OWNED = Watch(DEPLOYMENTS, {"app.kubernetes.io/managed-by": "modelberth"})


def version(name, number, namespace="ns"):
    return stored(MODEL_VERSIONS, namespace, name, version=number)


class Cluster:
    """Discovery, lists and watches of two resources. A watch lives until `send` gives it None."""

    def __init__(self):
        self.objects = [version("a", 1)]
        self.served = {"modelversions"}
        self.lists = 0
        self.queries = []
        self.mute = False
        self.watches = []
        self.watching = asyncio.Event()

    async def discover(self, request):
        path = request.path.strip("/")
        if path == "api":
            return web.json_response({"versions": ["v1"]})
        if path == "apis":
            groups = [
                {"name": name, "versions": [{"version": v}], "preferredVersion": {"version": v}}
                for name, v in (("apps", "v1"), ("modelberth.io", "v1alpha1"), ("apiextensions.k8s.io", "v1"))
            ]
            return web.json_response({"groups": groups})
        plurals = {
            "api/v1": {"namespaces": "Namespace", "events": "Event"},
            "apis/apps/v1": {"deployments": "Deployment"},
            "apis/apiextensions.k8s.io/v1": {"customresourcedefinitions": "CustomResourceDefinition"},
            "apis/modelberth.io/v1alpha1": {"modelversions": "ModelVersion"} if self.served else {},
        }[path]
        resources = [
            {
                "name": plural,
                "kind": kind,
                "singularName": kind.lower(),
                "namespaced": kind not in {"Namespace", "CustomResourceDefinition"},
                "verbs": ["list", "watch", "patch"],
            }
            for plural, kind in plurals.items()
        ]
        return web.json_response({"resources": resources})

    async def collection(self, request):
        self.queries.append((request.path, dict(request.query)))
        deployments = request.path.endswith("deployments")
        if request.query.get("watch") != "true":
            self.lists += not deployments
            items = [] if deployments else self.objects
            body = {"metadata": {"resourceVersion": "1"}, "items": items, "kind": "XList", "apiVersion": "v1"}
            return web.json_response(body)
        response = web.StreamResponse()
        await response.prepare(request)
        events = asyncio.Queue()
        if not deployments:
            self.watches.append(events)
            self.watching.set()
        bookmark = {"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": "1"}}}
        if not (self.mute and deployments):
            await response.write(json.dumps(bookmark).encode() + b"\n")  # headers go out with the first byte only
        while (event := await events.get()) is not None:
            await response.write(json.dumps(event).encode() + b"\n")
        return response

    def send(self, kind, obj):
        self.watches[-1].put_nowait({"type": kind, "object": obj})


@asynccontextmanager
async def serving(cluster):
    app = web.Application()
    app.router.add_get("/api", cluster.discover)
    app.router.add_get("/apis", cluster.discover)
    app.router.add_get("/api/v1", cluster.discover)
    app.router.add_get("/apis/{group}/{version}", cluster.discover)
    app.router.add_get("/{path:.*}", cluster.collection)
    runner = web.AppRunner(app, handle_signals=False, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield Connection(f"http://127.0.0.1:{runner.addresses[0][1]}")
    finally:
        for events in cluster.watches:
            events.put_nowait(None)
        await runner.cleanup()


class Heard:
    """What the sinks were told, and a way to wait for it."""

    def __init__(self):
        self.events = []
        self.others = []
        self._changed = asyncio.Event()

    def sinks(self):
        def other(name):
            return lambda *what: self._note(self.others, (name, *what))

        return WatchSinks(
            event=lambda kind, obj: self._note(self.events, (kind, obj["metadata"]["name"])),
            alive=other("alive"),
            began=other("began"),
            trying=other("trying"),
            restarted=other("restarted"),
        )

    def _note(self, notes, note):
        notes.append(note)
        self._changed.set()

    async def wait(self, condition):
        async with asyncio.timeout(20):
            while not condition():
                self._changed.clear()
                await self._changed.wait()


@asynccontextmanager
async def watching(cluster, *, namespaces=()):
    heard = Heard()
    async with serving(cluster) as connection:
        watcher = KopfWatcher(
            connection=connection,
            watches=(VERSIONS, OWNED),
            namespaces=namespaces,
            sinks=heard.sinks(),
            observe=lambda *_: None,
        )
        watcher.start()
        try:
            yield heard
        finally:
            await watcher.stop()


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(handlers, "_FIRST_PAUSE", 0.01)
    monkeypatch.setattr(handlers, "_UNSERVED_SECONDS", 0.01)


async def test_lists_and_watches_reach_the_sinks():
    """Objects of the list without a type, events with theirs, and the beginning of the watch after its list."""
    cluster = Cluster()
    async with watching(cluster) as heard:
        await heard.wait(lambda: (None, "a") in heard.events)
        await asyncio.wait_for(cluster.watching.wait(), 10)
        cluster.send("ADDED", version("b", 2))
        cluster.send("DELETED", version("a", 3))
        await heard.wait(lambda: ("ADDED", "b") in heard.events and ("DELETED", "a") in heard.events)
        await heard.wait(lambda: ("began", VERSIONS.name) in heard.others and ("began", OWNED.name) in heard.others)
        assert ("alive", VERSIONS.name) in heard.others
    selectors = {query.get("labelSelector") for path, query in cluster.queries if path.endswith("deployments")}
    assert selectors == {"app.kubernetes.io/managed-by=modelberth"}


async def test_it_writes_nothing():
    """The small server refuses everything but GET, so anything that kopf patched would end it."""
    cluster = Cluster()
    async with watching(cluster) as heard:
        await heard.wait(lambda: (None, "a") in heard.events)
        await asyncio.wait_for(cluster.watching.wait(), 10)
        for number in range(2, 20):
            cluster.send("MODIFIED", version("a", number))
        await heard.wait(lambda: heard.events.count(("MODIFIED", "a")) == 18)
        assert ("restarted",) not in heard.others


async def test_a_watch_that_dies_is_started_again_and_asks_for_a_comparison():
    """An error that kopf does not know ends kopf; the next one lists anew and tells that the watch began again."""
    cluster = Cluster()
    async with watching(cluster) as heard:
        await heard.wait(lambda: ("began", VERSIONS.name) in heard.others)
        cluster.send("ERROR", {"kind": "Status", "code": 500, "message": "etcd is on fire"})
        await heard.wait(lambda: ("restarted",) in heard.others)
        await heard.wait(lambda: heard.others.count(("began", VERSIONS.name)) == 2)
    assert cluster.lists >= 2


async def test_a_dying_kopf_that_never_ends_is_left_behind():
    """A watch that still waits for its answer swallows kopf's cancellation (nolar/kopf#1276)."""
    cluster = Cluster()
    cluster.mute = True
    async with watching(cluster) as heard:
        await heard.wait(lambda: ("began", VERSIONS.name) in heard.others)
        cluster.send("ERROR", {"kind": "Status", "code": 500, "message": "etcd is on fire"})
        await heard.wait(lambda: ("restarted",) in heard.others)
        await heard.wait(lambda: heard.others.count(("began", VERSIONS.name)) == 2)


async def test_an_expired_watch_lists_anew_and_asks_for_a_comparison():
    """After 410 kopf goes on by itself, and says nothing of what was deleted meanwhile: the pulse notices the list."""
    cluster = Cluster()
    async with watching(cluster) as heard:
        await heard.wait(lambda: ("began", VERSIONS.name) in heard.others)
        cluster.send("ERROR", {"kind": "Status", "code": 410, "reason": "Expired"})
        await heard.wait(lambda: heard.others.count(("began", VERSIONS.name)) == 2)
        assert ("restarted",) not in heard.others


async def test_it_waits_until_everything_is_served():
    """Kopf would silently leave out a kind whose CRD comes later."""
    cluster = Cluster()
    cluster.served.clear()
    async with watching(cluster) as heard:
        await heard.wait(lambda: ("trying",) in heard.others)
        assert cluster.lists == 0
        cluster.served.add("modelversions")
        await heard.wait(lambda: (None, "a") in heard.events)


async def test_namespaces_are_watched_one_by_one():
    """With rights in some namespaces only, nothing is asked of the whole cluster."""
    cluster = Cluster()
    async with watching(cluster, namespaces=("x", "y")) as heard:
        await heard.wait(lambda: {("alive", VERSIONS.where("x")), ("alive", VERSIONS.where("y"))} <= set(heard.others))
        await heard.wait(lambda: (None, "a") in heard.events)
    assert {path for path, _ in cluster.queries if path.endswith("modelversions")} == {
        f"/apis/modelberth.io/v1alpha1/namespaces/{namespace}/modelversions" for namespace in "xy"
    }


def test_kopf_is_told_to_elect_post_and_discover_nothing():
    """Each of these would write to the cluster, or need rights that the operator does not have."""
    settings = kopf_settings(WATCHES)
    assert settings.peering.standalone
    assert settings.scanning.disabled
    assert not settings.posting.enabled
    assert settings.persistence.diffbase_storage.build(body={"spec": {"a": 1}}) == {}, (
        "nothing is copied to be compared"
    )
    assert isinstance(settings.watching.server_timeout, int), "the API server takes whole seconds only"
    assert len(settings.watching.label_selectors) == sum(bool(watch.labels) for watch in WATCHES)
