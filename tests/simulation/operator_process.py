"""One run of the operator: its real cache, work queue and reconcilers, on top of calls that the scheduler answers.

A process ends by being abandoned, as SIGKILL does it: its pending calls are never answered, no `finally` runs any more
write, and whatever it had in memory is gone.
"""

import asyncio
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from modelberth.runtime.cache import Cache
from modelberth.runtime.clock import Clock, SystemClock
from modelberth.runtime.errors import ApiError, Gone, NotFound
from modelberth.runtime.metrics import Metrics
from modelberth.runtime.queue import WorkQueue
from modelberth.runtime.resources import MODEL_DEPLOYMENTS, Key, Object, Resource, key_of
from modelberth.runtime.watches import Comparer, Watch
from modelberth.runtime.workers import Workers
from modelberth.store.errors import StoreError
from tests.simulation.apiserver import ApiServer, Change, copied
from tests.simulation.virtual_loop import VirtualLoop

Work = tuple[str, Key]
"""What the work queue holds: the name of a reconciler and the key of an object."""

_WORKERS = 2


_METRICS = Metrics(clock=SystemClock())
"""Shared by all processes of all simulations: nobody reads them here."""
_EXPECTED: tuple[type[Exception], ...] = (ApiError, StoreError)


@dataclass(slots=True, eq=False)
class Call:
    """A request that the process has sent and that nobody has answered yet."""

    label: str
    target: str  # kube | store
    is_write: bool
    perform: Callable[[], Any]
    answer: asyncio.Future[Any]


class Brain(Protocol):
    """The part of the operator that decides: the real wiring, or a small one in the simulator's own tests."""

    @property
    def reconcilers(self) -> Mapping[str, Any]:
        """By name."""
        ...

    def keys_for(self, resource: Resource, old: Object | None, new: Object | None) -> set[Work]: ...


class _Watched:
    """A reconciler under watch: what it could know when it began, and errors that are not of its surroundings."""

    def __init__(self, process: "OperatorProcess", reconciler: Any) -> None:
        self._process = process
        self._reconciler = reconciler
        self._errors = process.errors

    async def reconcile(self, key: Key) -> Any:
        self._process.note_followers(key)
        try:
            return await self._reconciler.reconcile(key)
        except _EXPECTED:
            raise
        except Exception as error:
            self._errors.append(f"{type(self._reconciler).__name__} {key}: {error!r}")
            raise


class OperatorProcess:
    """A process named ``name``; ``alive`` until it is abandoned."""

    def __init__(self, name: str, server: ApiServer, loop: VirtualLoop, clock: Clock, seed: int) -> None:
        self.name = name
        self.alive = True
        self.calls: list[Call] = []
        self.errors: list[str] = []
        self.cache = Cache()
        self.kube = GatedKube(self, server)
        self._random = random.Random(seed)
        self.queue: WorkQueue[Work] = WorkQueue(clock=clock, randomness=self._random)
        self._server = server
        self._loop = loop
        self._clock = clock
        self._main: asyncio.Task[None]
        self._comparer: Comparer
        self._cursors: dict[Resource, int] = {}
        self._last: dict[Resource, Change] = {}
        self._seen: dict[tuple[str, Key], int] = {}
        self._followers: dict[Key, list[Object]] = {}
        self._brain: Brain | None = None
        self._watches: list[Watch] = []

    def boot(self, brain: Brain, watched: Sequence[Resource]) -> None:
        """Start watching. The workers start once everything has been listed."""
        self._brain = brain
        self._watches = [Watch(resource) for resource in watched]
        self._comparer = Comparer(
            kube=self.kube,
            cache=self.cache,
            watches=self._watches,
            namespaces=(),
            missed=lambda name, changes: None,
            randomness=self._random,
        )
        self.cache.subscribe(self._enqueue)
        self._main = self._loop.create_task(self._run())

    def abandon(self) -> None:
        """Kill the process between two instructions: whatever its coroutines still try, no request leaves it."""
        self.alive = False
        self.calls.clear()
        self._main.cancel()

    # Watching, as kopf does it: no deletes are made up after a re-list; the operator's own comparer finds them

    def backlog(self) -> list[Resource]:
        """The resources whose watch has something to deliver, or has to list again."""
        return [resource for resource, cursor in self._cursors.items() if self._server.latest(resource) > cursor]

    def misses_a_deletion(self, resource: Resource) -> bool:
        """Whether something was deleted that the watch has not told yet, and still can tell."""
        try:
            return any(change.type == "DELETED" for change in self._server.since(resource, self._cursors[resource]))
        except Gone:
            return False

    def deliver(self, resource: Resource) -> bool:
        """Hand over the next change of a resource, or list again where the watch lost its place."""
        if resource not in self._cursors:
            return False
        try:
            change = self._server.next_after(resource, self._cursors[resource])
        except Gone:
            self._relist(resource)
            return True
        if change is None:
            return False
        self._cursors[resource] = change.version
        self._last[resource] = change
        self._take(change)
        return True

    def deliver_again(self, resource: Resource) -> bool:
        """Hand over the last change a second time."""
        last = self._last.get(resource)
        if last is None:
            return False
        self._take(last)
        return True

    def _relist(self, resource: Resource) -> None:
        self._cursors[resource] = self._server.version
        self._last.pop(resource, None)
        for obj in self._server.select(resource):
            self.cache.observe(obj)
        self._comparer.ask(str(resource))

    def _take(self, change: Change) -> None:
        if change.type == "DELETED":
            metadata = change.object["metadata"]
            self.cache.forget(
                change.resource,
                metadata.get("namespace"),
                metadata["name"],
                resource_version=int(metadata["resourceVersion"]),
            )
        else:
            self.cache.observe(copied(change.object))

    def _enqueue(self, resource: Resource, old: Object | None, new: Object | None) -> None:
        assert self._brain is not None
        self.saw(new)
        for work in sorted(self._brain.keys_for(resource, old, new)):
            self.queue.add(work)

    # Working

    async def _run(self) -> None:
        for watch in self._watches:
            await self._fill(watch)
        assert self._brain is not None
        watched = {name: _Watched(self, entry) for name, entry in self._brain.reconcilers.items()}
        workers = Workers(
            queue=self.queue,
            reconcilers=watched,
            metrics=_METRICS,
            clock=self._clock,
            count=_WORKERS,
            expected=_EXPECTED,
        )
        async with asyncio.TaskGroup() as group:
            group.create_task(workers.run())
            group.create_task(self._comparer.run())

    async def _fill(self, watch: Watch) -> None:
        """The first list of a resource, tried until it succeeds; its watch goes on from there."""
        while True:
            version = self._server.version
            try:
                await self._comparer.compare(watch)
            except ApiError:
                await asyncio.sleep(1.0)
            else:
                self._cursors[watch.resource] = version
                return

    def saw(self, answer: object) -> None:
        """Note which state of which objects the process has been told of."""
        for obj in answer if isinstance(answer, list) else [answer]:
            if isinstance(obj, dict) and "resourceVersion" in obj.get("metadata", {}):
                place = obj["kind"], key_of(obj)
                version = int(obj["metadata"]["resourceVersion"])
                self._seen[place] = max(version, self._seen.get(place, 0))

    def has_seen(self, obj: Object) -> bool:
        """Whether the process has been told of this state of an object, or of a later one."""
        return self._seen.get((obj["kind"], key_of(obj)), 0) >= int(obj["metadata"]["resourceVersion"])

    def note_followers(self, key: Key) -> None:
        """Remember which ModelDeployments were known when a reconcile began."""
        self._followers[key] = self.cache.list(MODEL_DEPLOYMENTS, key.namespace)

    def seen_followers(self, model: Object) -> list[Object]:
        """The ModelDeployments that were known when the last reconcile of a model began."""
        return self._followers.get(key_of(model), [])

    # Calls

    async def call(
        self, label: str, perform: Callable[[], Any], *, target: str = "kube", is_write: bool = False
    ) -> Any:
        """Send a request; the scheduler decides when it is carried out and how it is answered."""
        call = Call(label, target, is_write, perform, self._loop.create_future())
        if self.alive:
            self.calls.append(call)
        return await call.answer


class GatedKube:
    """The `KubeApi` of one process. Nothing happens until the scheduler answers."""

    def __init__(self, process: OperatorProcess, server: ApiServer) -> None:
        self._process = process
        self._server = server

    async def get(self, resource: Resource, namespace: str | None, name: str) -> Object | None:
        label = f"get {resource.plural} {namespace}/{name}"
        answer: Object | None = await self._process.call(label, lambda: self._server.get(resource, namespace, name))
        return answer

    async def list(
        self,
        resource: Resource,
        namespace: str | None = None,
        *,
        labels: Mapping[str, str] | None = None,
        fields: str | None = None,
    ) -> list[Object]:
        label = f"list {resource.plural} {namespace or '*'}"
        answer: list[Object] = await self._process.call(
            label, lambda: self._server.select(resource, namespace, labels=labels, fields=fields)
        )
        return answer

    async def create(self, resource: Resource, namespace: str | None, body: Object, *, dry_run: bool = False) -> Object:
        name, sent = body["metadata"].get("name"), copied(body)
        answer: Object = await self._process.call(
            f"create {resource.plural} {namespace}/{name}{' (dry run)' if dry_run else ''}",
            lambda: self._server.create(self._process.name, resource, namespace, sent, dry_run=dry_run),
            is_write=not dry_run,
        )
        return answer

    async def apply(
        self,
        resource: Resource,
        namespace: str | None,
        name: str,
        body: Object,
        *,
        manager: str,
        subresource: str | None = None,
        force: bool = True,
        dry_run: bool = False,
    ) -> Object:
        sent = copied(body)
        answer: Object = await self._process.call(
            f"apply {resource.plural}{'/' + subresource if subresource else ''} {namespace}/{name}"
            f"{' (dry run)' if dry_run else ''}",
            lambda: self._server.apply(
                self._process.name,
                resource,
                namespace,
                name,
                sent,
                manager=manager,
                subresource=subresource,
                force=force,
                dry_run=dry_run,
            ),
            is_write=not dry_run,
        )
        return answer

    async def delete(
        self,
        resource: Resource,
        namespace: str | None,
        name: str,
        *,
        uid: str | None = None,
        resource_version: str | None = None,
    ) -> None:
        def perform() -> None:
            try:
                self._server.delete(
                    self._process.name, resource, namespace, name, uid=uid, resource_version=resource_version
                )
            except NotFound:
                return

        await self._process.call(f"delete {resource.plural} {namespace}/{name}", perform, is_write=True)
