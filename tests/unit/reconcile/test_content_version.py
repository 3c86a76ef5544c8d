"""What the reconciler of versions asks of the store."""

from dataclasses import dataclass, field

import pytest

from modelberth.reconcile.content_version import ContentVersionReconciler
from modelberth.runtime.cache import Cache
from modelberth.runtime.clock import SystemClock
from modelberth.runtime.families import MODEL_FAMILY
from modelberth.runtime.resources import MODEL_VERSIONS, NAMESPACES, Key
from modelberth.store.types import ContentSummary, NewVersion, Reservation, Space, VersionRecord
from tests.unit.domain import builders

DIGEST = "sha256:" + "a" * 64


@dataclass
class Store:
    """Has whatever is inline, and remembers what was to be reserved."""

    asked: list[NewVersion] = field(default_factory=list)

    async def space(self, namespace, namespace_uid):
        return Space("s", namespace, namespace_uid)

    async def put_inline(self, space, files):
        return ContentSummary(DIGEST, len(files), 1, 1)

    async def mark_content(self, space, family, digest):
        pass

    async def version_record(self, space, collection, version):
        return None

    async def reserve_version(self, space, new):
        self.asked.append(new)
        record = VersionRecord(new.collection, str(new.version), new.digest, "2026-03-03T14:05:00Z", "")
        return Reservation(record, created=True)


class Kube:
    """A namespace, and a status that anybody may write."""

    async def get(self, resource, namespace, name):
        assert resource == NAMESPACES
        return {"metadata": {"name": name, "uid": "u"}}

    async def apply(self, resource, namespace, name, body, **_):
        return {**body, "spec": {}}


class Recorder:
    def event(self, *_):
        pass


@pytest.mark.parametrize(("versioning", "number"), [("Sequence", "v4"), ("Semantic", "1.0")])
async def test_an_inline_version_is_reserved_in_its_artifacts_way_of_counting(versioning, number):
    """A package may stand in a manifest, too."""
    cache, store = Cache(), Store()
    family = MODEL_FAMILY
    for users in family.users:
        cache.add_index(users, MODEL_VERSIONS.plural, lambda _: [])
    version = builders.version(f"mnist-{number}", ready=False)
    version["spec"] |= {"source": {"inline": {"files": {"a": {"text": "x"}}}}}
    del version["spec"]["digest"]
    cache.observe(version)
    cache.observe(builders.artifact(versioning=versioning))
    reconciler = ContentVersionReconciler(
        family, kube=Kube(), cache=cache, store=store, recorder=Recorder(), clock=SystemClock()
    )
    await reconciler.reconcile(Key("shop", f"mnist-{number}"))
    assert [(new.version, new.versioning) for new in store.asked] == [(number, versioning)]
