"""Which namespace an object lives in: asked once for each object, and never told of another one's."""

import pytest

from modelberth.reconcile.homes import Homes
from modelberth.runtime.errors import NotFound


class Namespaces:
    """Namespaces by name, and how often one was asked for."""

    def __init__(self):
        self.uids = {}
        self.asked = 0

    async def get(self, resource, namespace, name):
        assert (resource.plural, namespace) == ("namespaces", None)
        self.asked += 1
        return {"metadata": {"uid": self.uids[name]}} if name in self.uids else None


def version(uid):
    return {"metadata": {"name": "mnist-v4", "namespace": "shop", "uid": uid}}


async def test_an_object_is_asked_for_once():
    """However often it is reconciled; it cannot move."""
    namespaces = Namespaces()
    namespaces.uids["shop"] = "first"
    homes = Homes(namespaces)
    assert {await homes.uid_of(version("a")) for _ in range(5)} == {"first"}
    assert namespaces.asked == 1


async def test_a_namespace_made_again_is_another_one():
    """Its objects have other uids under the same names; what is still known of an old object stays the old one's."""
    namespaces = Namespaces()
    namespaces.uids["shop"] = "first"
    homes = Homes(namespaces)
    await homes.uid_of(version("a"))
    namespaces.uids["shop"] = "second"
    assert await homes.uid_of(version("b")) == "second"
    assert await homes.uid_of(version("a")) == "first"


async def test_a_namespace_that_is_gone_has_no_bytes():
    """Never a space for an empty uid, and nothing is remembered of it."""
    namespaces = Namespaces()
    homes = Homes(namespaces)
    with pytest.raises(NotFound):
        await homes.uid_of(version("a"))
    namespaces.uids["shop"] = "first"
    assert await homes.uid_of(version("a")) == "first"


async def test_the_memory_is_bounded():
    """A process that lives for a year forgets, and asks again."""
    namespaces = Namespaces()
    namespaces.uids["shop"] = "first"
    homes = Homes(namespaces)
    for number in range(10_001):
        await homes.uid_of(version(str(number)))
    assert len(homes._known) == 1
