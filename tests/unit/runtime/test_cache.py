"""The cache: newer wins, missed deletes are found, indexes agree with the objects."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from modelberth.runtime.cache import Cache
from modelberth.runtime.resources import DEPLOYMENTS, MODEL_VERSIONS, REGISTERED_MODELS, Key, resource_of
from tests.unit.runtime.fakes import stored

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


def version(name: str, number: int, artifact: str = "mnist", namespace: str = "ns"):
    return stored(MODEL_VERSIONS, namespace, name, version=number, spec={"artifact": artifact})


@pytest.fixture
def cache() -> Cache:
    cache = Cache()
    cache.add_index(MODEL_VERSIONS, "artifact", lambda obj: [obj["spec"]["artifact"]])
    return cache


class TestNewerWins:
    def test_an_older_state_is_no_news(self, cache):
        """A late answer never replaces what a watch told since, and the same state is told to listeners once."""
        heard = []
        cache.subscribe(lambda *change: heard.append(change))
        assert cache.observe(version("v1", 7))
        assert not cache.observe(version("v1", 6))
        assert not cache.observe(version("v1", 7))
        assert len(heard) == 1

    def test_versions_are_numbers(self, cache):
        """10 is newer than 9, although it sorts before it as text."""
        cache.observe(version("v1", 9))
        assert cache.observe(version("v1", 10))

    def test_a_state_from_before_the_deletion_does_not_come_back(self, cache):
        """The answer to a write that lost the race with a delete is refused; a re-creation is not."""
        cache.observe(version("v1", 5))
        cache.forget(MODEL_VERSIONS, "ns", "v1", resource_version=8)
        assert not cache.observe(version("v1", 6))
        assert cache.observe(version("v1", 9))

    def test_a_late_delete_spares_the_successor(self, cache):
        """A DELETED event of the old object leaves the re-created one alone."""
        cache.observe(version("v1", 9))
        assert not cache.forget(MODEL_VERSIONS, "ns", "v1", resource_version=8)
        assert cache.get(MODEL_VERSIONS, "ns", "v1") is not None


class TestReplace:
    def test_deletes_that_no_watch_reported_are_found(self, cache):
        """What a complete list lacks is dropped, and listeners hear of it as of any deletion."""
        cache.observe(version("v1", 1))
        cache.observe(version("v2", 2))
        heard = []
        cache.subscribe(lambda _, old, new: heard.append((old["metadata"]["name"], new)))
        assert cache.replace(MODEL_VERSIONS, [version("v2", 2)], since=cache.mark(MODEL_VERSIONS)) == 1
        assert heard == [("v1", None)]

    def test_what_came_after_the_list_was_asked_for_stays(self, cache):
        """A list is a look at the past: an object created meanwhile is no ghost."""
        mark = cache.mark(MODEL_VERSIONS)
        cache.observe(version("new", 9))
        assert cache.replace(MODEL_VERSIONS, [], since=mark) == 0
        assert cache.get(MODEL_VERSIONS, "ns", "new") is not None

    def test_what_changed_after_the_list_was_asked_for_stays(self, cache):
        """A change since the mark proves that the object lives."""
        cache.observe(version("v1", 1))
        mark = cache.mark(MODEL_VERSIONS)
        cache.observe(version("v1", 9))
        assert cache.replace(MODEL_VERSIONS, [], since=mark) == 0

    def test_a_resource_is_synced_once_it_was_listed_completely(self, cache):
        """Single events do not make a resource complete, an empty list does."""
        cache.observe(version("v1", 1))
        assert not cache.synced(MODEL_VERSIONS)
        cache.replace(DEPLOYMENTS, [], since={})
        assert cache.synced(DEPLOYMENTS)
        assert not cache.synced(DEPLOYMENTS, MODEL_VERSIONS)


class TestReading:
    def test_list_spans_namespaces_or_keeps_to_one(self, cache):
        """Without a namespace all objects come, with one only its own."""
        cache.observe(version("v1", 1, namespace="a"))
        cache.observe(version("v1", 2, namespace="b"))
        assert len(cache.list(MODEL_VERSIONS)) == 2
        assert [obj["metadata"]["namespace"] for obj in cache.list(MODEL_VERSIONS, "b")] == ["b"]

    def test_an_index_follows_the_object(self, cache):
        """An object is found under its present value only, within its namespace only, and no more once it is gone."""
        cache.observe(version("v1", 1, artifact="mnist"))
        cache.observe(version("v1", 2, artifact="digits"))
        assert cache.by_index(MODEL_VERSIONS, "artifact", "ns", "mnist") == []
        assert [obj["metadata"]["name"] for obj in cache.by_index(MODEL_VERSIONS, "artifact", "ns", "digits")] == ["v1"]
        assert cache.by_index(MODEL_VERSIONS, "artifact", "other", "digits") == []
        cache.forget(MODEL_VERSIONS, "ns", "v1")
        assert cache.by_index(MODEL_VERSIONS, "artifact", "ns", "digits") == []

    def test_an_index_comes_before_the_objects(self, cache):
        """An index that would miss what is there already is refused."""
        cache.observe(version("v1", 1))
        with pytest.raises(ValueError, match="before the first object"):
            cache.add_index(MODEL_VERSIONS, "late", lambda _: [])


class TestTrimming:
    def test_nobody_reads_most_managed_fields(self, cache):
        """Versions lose them, models keep them (they tell who moved an alias); nobody needs the last-applied copy."""
        for resource in (MODEL_VERSIONS, REGISTERED_MODELS):
            obj = stored(resource, "ns", "x", version=1, spec={"artifact": "mnist"})
            obj["metadata"]["managedFields"] = [{"manager": "kubectl"}]
            obj["metadata"]["annotations"] = {LAST_APPLIED: "{}", "kept": "yes"}
            cache.observe(obj)
            assert obj["metadata"]["managedFields"], "the caller's own object stays as it is"
            assert LAST_APPLIED in obj["metadata"]["annotations"]
        assert "managedFields" not in cache.get(MODEL_VERSIONS, "ns", "x")["metadata"]
        assert "managedFields" in cache.get(REGISTERED_MODELS, "ns", "x")["metadata"]
        assert cache.get(MODEL_VERSIONS, "ns", "x")["metadata"]["annotations"] == {"kept": "yes"}

    def test_an_unknown_kind_is_an_error(self):
        """What no resource names cannot be stored by mistake."""
        with pytest.raises(LookupError, match="kind Gadget"):
            resource_of({"apiVersion": "v1", "kind": "Gadget"})


NAMES = st.sampled_from(["a", "b", "c"])


class CacheMachine(RuleBasedStateMachine):
    """A server whose events arrive late, doubled, out of order or never; lists repair the rest."""

    def __init__(self) -> None:
        super().__init__()
        self.revision = 0
        self.server: dict[str, dict] = {}
        self.events: list[tuple[str, dict]] = []
        self.lists: list[tuple[object, list[dict]]] = []
        self.cache = Cache()
        self.cache.add_index(MODEL_VERSIONS, "artifact", lambda obj: [obj["spec"]["artifact"]])
        self.told: dict[Key, dict] = {}
        self.cache.subscribe(self.hear)

    def hear(self, _resource, old, new) -> None:
        key = Key("ns", (new or old)["metadata"]["name"])
        assert self.told.get(key) == old, "listeners get the old state that they were told as the new one before"
        if new is None:
            del self.told[key]
        else:
            self.told[key] = new

    @rule(name=NAMES, artifact=st.sampled_from(["x", "y"]))
    def write(self, name: str, artifact: str) -> None:
        self.revision += 1
        self.server[name] = version(name, self.revision, artifact)
        self.events.append(("MODIFIED", self.server[name]))

    @rule(name=NAMES)
    def delete(self, name: str) -> None:
        if name in self.server:
            self.revision += 1
            gone = version(name, self.revision, self.server.pop(name)["spec"]["artifact"])
            self.events.append(("DELETED", gone))

    @rule(data=st.data(), keep=st.booleans())
    def deliver(self, data: st.DataObject, *, keep: bool) -> None:
        """Any past event, possibly not for the last time."""
        if self.events:
            index = data.draw(st.integers(0, len(self.events) - 1))
            kind, obj = self.events[index] if keep else self.events.pop(index)
            if kind == "DELETED":
                metadata = obj["metadata"]
                self.cache.forget(
                    MODEL_VERSIONS, "ns", metadata["name"], resource_version=int(metadata["resourceVersion"])
                )
            else:
                self.cache.observe(obj)

    @rule()
    def ask_for_a_list(self) -> None:
        mark = self.cache.mark(MODEL_VERSIONS)
        self.lists.append((mark, list(self.server.values())))

    @rule()
    def take_in_a_list(self) -> None:
        if self.lists:
            mark, objects = self.lists.pop(0)
            self.cache.replace(MODEL_VERSIONS, objects, since=mark)

    @invariant()
    def index_agrees(self) -> None:
        for artifact in ("x", "y"):
            found = self.cache.by_index(MODEL_VERSIONS, "artifact", "ns", artifact)
            there = [obj for obj in self.cache.list(MODEL_VERSIONS) if obj["spec"]["artifact"] == artifact]
            assert found == sorted(there, key=lambda obj: obj["metadata"]["name"])

    @invariant()
    def never_the_future(self) -> None:
        for obj in self.cache.list(MODEL_VERSIONS):
            assert int(obj["metadata"]["resourceVersion"]) <= self.revision

    def teardown(self) -> None:
        """Whatever was lost: one list at rest makes the cache equal to the server."""
        self.cache.replace(MODEL_VERSIONS, list(self.server.values()), since=self.cache.mark(MODEL_VERSIONS))
        held = {obj["metadata"]["name"]: obj["spec"] for obj in self.cache.list(MODEL_VERSIONS)}
        assert held == {name: obj["spec"] for name, obj in self.server.items()}


TestCacheMachine = CacheMachine.TestCase
TestCacheMachine.settings = settings(max_examples=80, stateful_step_count=40)
