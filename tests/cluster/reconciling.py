"""Runs the real reconcilers against a real API server, without watches: list everything, work everything off, repeat."""

import contextlib
from dataclasses import dataclass, field

from modelberth.content.versions import Version
from modelberth.domain.model_deployment import Surroundings
from modelberth.reconcile.wiring import WATCHED, Wiring, build
from modelberth.runtime.cache import Cache
from modelberth.runtime.clock import SystemClock
from modelberth.runtime.errors import Conflict
from modelberth.runtime.kube_client import KubeClient
from modelberth.store.types import AliasEntry, ContentSummary, Reservation, Space, VersionRecord, already_said


class MemoryStore:
    """A StorePort over dictionaries; content counts as stored, for every family, once it is in ``contents``."""

    def __init__(self):
        self.contents, self.records, self.entries = {}, {}, {}

    async def space(self, namespace, namespace_uid):
        return Space(namespace_uid, namespace, namespace_uid)

    async def version_record(self, space, collection, version):
        return self.records.get((space.id, collection, version))

    async def reserve_version(self, space, new):
        key = (space.id, new.collection, new.version)
        created = key not in self.records
        if created:
            self.records[key] = VersionRecord(new.collection, new.version, new.digest, "2026-01-01T00:00:00Z", "tester")
        return Reservation(self.records[key], created)

    async def versions(self, space, collection):
        of_collection = [number for where, of, number in self.records if (where, of) == (space.id, collection)]
        return sorted(of_collection, key=Version.parse)

    async def content(self, space, digest):
        return self.contents.get(digest)

    async def mark_content(self, space, family, digest):
        pass

    async def has_family(self, space, family, digest):
        return True

    async def put_inline(self, space, files):
        size = sum(map(len, files.values()))
        return ContentSummary("sha256:" + "e" * 64, len(files), size, size)

    async def append_alias(self, space, entry, *, after):
        known = self.entries.setdefault((space.id, entry.model, entry.alias), [])
        said = already_said(known[after:], entry)
        if said is None:
            said = AliasEntry(*(getattr(entry, name) for name in entry.__dataclass_fields__), sequence=len(known) + 1)
            known.append(said)
        return said

    async def alias_history(self, space, model, alias, *, last=None):
        known = self.entries.get((space.id, model, alias), [])
        return known[-last:] if last else known


class Recording:
    """A recorder that keeps what happened."""

    def __init__(self):
        self.events = []

    def event(self, regarding, type, reason, message):  # noqa: A002
        self.events.append((regarding["kind"], regarding["metadata"]["name"], reason, message))


class NoProgress:
    async def read(self):
        return {}


class NoMetrics:
    def observed(self, *move):
        pass

    def patched(self, *move):
        pass

    def ended(self, status, reason):
        pass


@dataclass
class Operator:
    """The reconcilers of one namespace; a new instance is a restarted operator."""

    kube: KubeClient
    namespace: str
    store: MemoryStore
    loader_image: str = "localhost/modelberth:1"
    recorder: Recording = field(default_factory=Recording)
    wiring: Wiring = field(init=False)

    def __post_init__(self):
        self.wiring = build(
            kube=self.kube,
            cache=Cache(),
            store=self.store,
            recorder=self.recorder,
            clock=SystemClock(),
            progress=NoProgress(),
            metrics=NoMetrics(),
            run_metrics=NoMetrics(),
            surroundings=lambda: Surroundings(self.loader_image, "https://registry", "CA"),
        )

    async def settle(self, rounds=6):
        """Until a whole round changes nothing, or so many rounds are over."""
        for _ in range(rounds):
            before = await self._versions()
            for name, key in sorted(await self._all_work(), key=str):
                with contextlib.suppress(Conflict):
                    await self.wiring.reconcilers[name].reconcile(key)
            if await self._versions() == before:
                return
        raise AssertionError(f"not quiet after {rounds} rounds")

    async def _all_work(self):
        work = set()
        for resource in WATCHED:
            mark = self.wiring.cache.mark(resource)
            objects = await self.kube.list(resource, self.namespace)
            self.wiring.cache.replace(resource, objects, since=mark)
        for resource in WATCHED:
            for obj in self.wiring.cache.list(resource):
                work |= self.wiring.keys_for(resource, None, obj)
        return work

    async def _versions(self):
        return {
            (resource.plural, obj["metadata"]["name"]): obj["metadata"]["resourceVersion"]
            for resource in WATCHED
            for obj in await self.kube.list(resource, self.namespace)
        }
