"""Feeding the cache, and comparing it with lists when a watch may have lost something."""

import asyncio
import random

import pytest

from modelberth.runtime import watches as watches_module
from modelberth.runtime.cache import Cache
from modelberth.runtime.errors import ApiUnavailable
from modelberth.runtime.resources import DEPLOYMENTS, MODEL_VERSIONS
from modelberth.runtime.watches import Comparer, Feed, Watch
from tests.unit.runtime.fakes import stored

VERSIONS = Watch(MODEL_VERSIONS)
OWNED = Watch(DEPLOYMENTS, {"app.kubernetes.io/managed-by": "modelberth"})


def version(name, number, namespace="ns"):
    return stored(MODEL_VERSIONS, namespace, name, version=number)


class Lists:
    """Answers lists from a dict by (resource, namespace); troubles first."""

    def __init__(self, objects):
        self.objects = objects
        self.asked = []
        self.troubles = []

    async def list(self, resource, namespace=None, *, labels=None, fields=None):
        self.asked.append((resource, namespace, labels))
        if self.troubles:
            raise self.troubles.pop(0)
        return self.objects.get((resource, namespace), [])


class Bench:
    def __init__(self, objects, *, watches=(VERSIONS,), namespaces=()):
        self.cache = Cache()
        self.lists = Lists(objects)
        self.missed = []
        self.compared = asyncio.Event()
        self.comparer = Comparer(
            kube=self.lists,
            cache=self.cache,
            watches=watches,
            namespaces=namespaces,
            missed=lambda *what: self.missed.append(what),
            compared=self.compared.set,
            randomness=random.Random(0),
        )


class TestFeed:
    def test_every_kind_of_event_ends_in_the_cache(self):
        """Objects of lists have no type; a deletion carries its own resource version."""
        cache = Cache()
        feed = Feed(cache)
        feed.take(None, version("a", 1))
        feed.take("ADDED", version("b", 2))
        feed.take("MODIFIED", version("b", 3))
        feed.take("DELETED", version("a", 4))
        assert [obj["metadata"]["resourceVersion"] for obj in cache.list(MODEL_VERSIONS)] == ["3"]

    def test_a_late_deletion_spares_the_successor(self):
        """The events of two objects of one name may overtake each other: kopf has one queue per uid."""
        cache = Cache()
        feed = Feed(cache)
        feed.take("ADDED", version("a", 9))
        feed.take("DELETED", version("a", 8))
        assert cache.get(MODEL_VERSIONS, "ns", "a")


class TestComparing:
    async def test_the_first_comparison_makes_a_resource_complete(self):
        """Nothing was missed by it: there was nothing before."""
        bench = Bench({(MODEL_VERSIONS, None): [version("a", 1)]})
        await bench.comparer.compare(VERSIONS)
        assert bench.cache.synced(MODEL_VERSIONS)
        assert bench.missed == []

    async def test_lost_deletes_are_found_and_counted(self):
        """That is what comparing is for."""
        bench = Bench({(MODEL_VERSIONS, None): [version("a", 1), version("b", 2)]})
        await bench.comparer.compare(VERSIONS)
        bench.lists.objects = {(MODEL_VERSIONS, None): [version("b", 2)]}
        assert await bench.comparer.compare(VERSIONS) == 1
        assert bench.missed == [("modelversions.modelberth.io", 1)]
        assert bench.cache.get(MODEL_VERSIONS, "ns", "a") is None

    async def test_each_watched_namespace_is_listed(self):
        """One incomplete namespace must not look like deletions in another."""
        lists = {(DEPLOYMENTS, "a"): [stored(DEPLOYMENTS, "a", "x", version=1)], (DEPLOYMENTS, "b"): []}
        bench = Bench(lists, watches=(OWNED,), namespaces=("a", "b"))
        await bench.comparer.compare(OWNED)
        assert bench.lists.asked == [(DEPLOYMENTS, "a", OWNED.labels), (DEPLOYMENTS, "b", OWNED.labels)]
        assert len(bench.cache.list(DEPLOYMENTS)) == 1

    async def test_half_a_list_changes_nothing(self):
        """If the second namespace does not answer, nothing of the first is taken for everything."""
        lists = {(DEPLOYMENTS, "a"): [], (DEPLOYMENTS, "b"): []}
        bench = Bench(lists, watches=(OWNED,), namespaces=("a", "b"))
        bench.cache.observe(stored(DEPLOYMENTS, "b", "x", version=1))

        async def fails_second(resource, namespace, *, labels):
            if namespace == "b":
                raise ApiUnavailable(0, "", "away")
            return []

        bench.lists.list = fails_second
        with pytest.raises(ApiUnavailable):
            await bench.comparer.compare(OWNED)
        assert len(bench.cache.list(DEPLOYMENTS)) == 1
        assert not bench.cache.synced(DEPLOYMENTS)


class TestRunning:
    async def run_until_compared(self, bench):
        running = asyncio.create_task(bench.comparer.run())
        await asyncio.wait_for(bench.compared.wait(), 5)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running

    async def test_what_is_asked_for_is_compared(self):
        """And asked for twice is compared once."""
        bench = Bench({}, watches=(VERSIONS, OWNED))
        bench.comparer.ask(VERSIONS.name)
        bench.comparer.ask(VERSIONS.name)
        await self.run_until_compared(bench)
        assert [resource for resource, *_ in bench.lists.asked] == [MODEL_VERSIONS]

    async def test_a_list_that_fails_is_asked_for_again(self, monkeypatch):
        """A restart of the API server delays a comparison, it does not cancel it."""
        monkeypatch.setattr(watches_module, "_RETRY_SECONDS", 0)
        bench = Bench({})
        bench.lists.troubles = [ApiUnavailable(0, "", "away")] * 3
        bench.comparer.ask(VERSIONS.name)
        await self.run_until_compared(bench)
        assert len(bench.lists.asked) == 4

    async def test_everything_is_compared_from_time_to_time(self, monkeypatch):
        """Without anybody asking."""
        monkeypatch.setattr(watches_module, "COMPARE_SECONDS", 0.001)
        bench = Bench({}, watches=(VERSIONS, OWNED))
        await self.run_until_compared(bench)
        assert bench.cache.synced(MODEL_VERSIONS)
