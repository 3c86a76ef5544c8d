"""Everything that exists in a simulation, and every single step that can happen next in it.

A step is an `Action`: a tuple of words that says everything about it, so that a list of actions is a schedule that can
be written down, replayed and shortened. `perform` carries out one action, or says that it is not possible now.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from modelberth.domain.model_deployment import Surroundings
from modelberth.domain.rollouts import LoaderProgress
from modelberth.reconcile import wiring
from modelberth.runtime.cache import Cache
from modelberth.runtime.errors import ApiError, ApiUnavailable, TooManyRequests
from modelberth.runtime.resources import DEPLOYMENTS, NAMESPACES, PODS, REPLICA_SETS, Object, Resource
from modelberth.store.errors import StoreUnavailable
from tests.simulation import policies
from tests.simulation.apiserver import ApiServer, Write
from tests.simulation.bucket import Bucket, GatedStore
from tests.simulation.controllers import DeploymentController, Kubelet, PodFate, is_ready
from tests.simulation.operator_process import Call, OperatorProcess
from tests.simulation.virtual_loop import VirtualClock, new_loop

Action = tuple[str, ...]
Watcher = Callable[[Write], None]

NAMESPACE = "prod"
COLLECTOR = "garbage-collector"
_BY_PLURAL = {resource.plural: resource for resource in wiring.WATCHED}


@dataclass(frozen=True, slots=True)
class Told:
    """An event that a process recorded."""

    process: str
    regarding: str
    reason: str
    message: str


class World:
    """One cluster, one bucket, any number of operator processes, one clock."""

    def __init__(self, seed: int, *, build: Callable[..., wiring.Wiring] = wiring.build) -> None:
        self.loop = new_loop()
        self.clock = VirtualClock(self.loop)
        self.server = ApiServer(self.clock, admission=policies.admit)
        self.bucket = Bucket()
        self.controller = DeploymentController(self.server, self.clock)
        self.kubelet = Kubelet(self.server, self.clock)
        self.processes: list[OperatorProcess] = []
        self.told: list[Told] = []
        self.watchers: list[Watcher] = []
        self.unsynced: dict[str, None] = {}
        self.tampered: set[str] = set()
        self.store_is_away = False
        self._seed = seed
        self._build = build
        self._booted = 0
        self._may_have_orphans = False
        self.server.on_write = self._on_write
        home: Object = {"metadata": {"name": NAMESPACE}}
        self.server.create("admin", NAMESPACES, None, home)
        self.space = f"space-of-{self.server.read(NAMESPACES, None, NAMESPACE)['metadata']['uid']}"

    # What can happen

    def perform(self, action: Action) -> bool:
        """Carry out one action; False if it is not possible at this moment."""
        kind, *words = action
        done = _PERFORMERS[kind](self, *words)
        if done:
            self.loop.run_ready()
        return done

    def time_passes(self, seconds: str) -> bool:
        """Time goes on; timers on the way run at their own time."""
        self.loop.advance(self.loop.time() + float(seconds))
        return True

    def boot(self, loader_image: str) -> bool:
        """Another operator process starts: after a crash, beside a stale leader, or in a newer release."""
        self._booted += 1
        process = OperatorProcess(
            f"{policies.OPERATOR}-{self._booted}", self.server, self.loop, self.clock, self._seed * 1000 + self._booted
        )
        around = Surroundings(loader_image=loader_image, registry_url="https://registry", ca_bundle="CA")
        brain = self._build(
            kube=process.kube,
            cache=process.cache,
            store=GatedStore(process, self.bucket),
            recorder=_Recorder(process.name, self.told),
            clock=self.clock,
            progress=_Progress(process, self),
            metrics=_NoMetrics(),
            run_metrics=_NoMetrics(),
            surroundings=lambda: around,
        )
        self.processes.append(process)
        process.boot(brain, wiring.WATCHED)
        return True

    def crash(self, name: str) -> bool:
        """A process dies between two instructions."""
        process = self.process(name)
        if process is None:
            return False
        process.abandon()
        self.processes.remove(process)
        return True

    def end(self) -> None:
        """Stop what is still running, so that nothing of this world outlives it."""
        for process in list(self.processes):
            self.crash(process.name)
        self.loop.run_ready()

    def deliver(self, name: str, plural: str) -> bool:
        """A watch hands over its next change, or lists again."""
        process = self.process(name)
        return process is not None and process.deliver(_BY_PLURAL[plural])

    def deliver_again(self, name: str, plural: str) -> bool:
        """A watch hands over its last change a second time."""
        process = self.process(name)
        return process is not None and process.deliver_again(_BY_PLURAL[plural])

    def compact(self, plural: str) -> bool:
        """The API server forgets its history: watches that lag list again and never hear of what was deleted."""
        self.server.compact(_BY_PLURAL[plural])
        return True

    def answer(self, name: str, label: str, outcome: str) -> bool:
        """One request of a process is carried out and answered, or not."""
        process = self.process(name)
        call = next((entry for entry in process.calls if entry.label == label), None) if process else None
        if process is None or call is None:
            return False
        process.calls.remove(call)
        if outcome == "crash-after":
            self._carry_out(call)
            return self.crash(name)
        error = self._outage(call) or _REFUSALS[outcome](call)
        if error is None or outcome == "lost":
            result, own_error = self._carry_out(call)
            error = error or own_error
            if error is None:
                process.saw(result)
                call.answer.set_result(result)
                return True
        call.answer.set_exception(error)
        return True

    def controller_steps(self, name: str) -> bool:
        """The Deployment controller looks at one Deployment."""
        self.unsynced.pop(name, None)
        return self.controller.step(NAMESPACE, name)

    def pod_starts(self, name: str, fate: str) -> bool:
        """The kubelet tries to bring a pod up."""
        return self.kubelet.start(NAMESPACE, name, PodFate(fate))

    def pod_crashes(self, name: str) -> bool:
        """A ready pod's container ends."""
        return self.kubelet.crash(NAMESPACE, name)

    def pod_ends(self, name: str) -> bool:
        """A deleted pod's grace period is over."""
        return self.kubelet.end(NAMESPACE, name)

    def collect(self) -> bool:
        """The garbage collector deletes what has no owner any more."""
        if not self._may_have_orphans:
            return False
        self._may_have_orphans = False
        orphans = self.server.orphans()
        for resource, obj in orphans:
            self.server.delete(COLLECTOR, resource, NAMESPACE, obj["metadata"]["name"])
        return bool(orphans)

    def store_goes(self, where: str) -> bool:
        """The store goes away or comes back."""
        changed = self.store_is_away != (where == "away")
        self.store_is_away = where == "away"
        return changed

    # What is there

    def process(self, name: str) -> OperatorProcess | None:
        """A living process by name."""
        return next((process for process in self.processes if process.name == name), None)

    def starting_pods(self) -> list[Object]:
        """Pods that are neither ready nor on their way out."""
        pods = self.server.peek_all(PODS, NAMESPACE)
        return [pod for pod in pods if "deletionTimestamp" not in pod["metadata"] and not is_ready(pod)]

    def natural_fate(self, pod: Object) -> PodFate:
        """What becomes of a pod when nothing but its own contents stands in its way."""
        if pod["metadata"].get("annotations", {}).get("modelberth.io/digest") in self.tampered:
            return PodFate.REFUSED
        images = [container["image"] for container in pod["spec"]["containers"]]
        return PodFate.IMAGE_MISSING if any("missing" in image for image in images) else PodFate.READY

    def _outage(self, call: Call) -> Exception | None:
        return StoreUnavailable("the store does not answer") if self.store_is_away and call.target == "store" else None

    @staticmethod
    def _carry_out(call: Call) -> tuple[Any, Exception | None]:
        try:
            return call.perform(), None
        except Exception as error:  # noqa: BLE001 - whatever the server says is the answer
            return None, error

    def _on_write(self, write: Write) -> None:
        change = write.change
        self._may_have_orphans = self._may_have_orphans or change.type != "MODIFIED"
        if change.resource == DEPLOYMENTS:
            self.unsynced[change.object["metadata"]["name"]] = None
        elif change.resource in (PODS, REPLICA_SETS):
            name = change.object["metadata"].get("labels", {}).get("modelberth.io/deployment")
            if name:
                self.unsynced[f"{name}-a"] = None
        for watcher in self.watchers:
            watcher(write)


class _Recorder:
    def __init__(self, process: str, told: list[Told]) -> None:
        self._process = process
        self._told = told

    def event(self, regarding: Object, type: str, reason: str, message: str) -> None:  # noqa: A002
        del type
        where = f"{regarding['kind']} {regarding['metadata']['name']}"
        self._told.append(Told(self._process, where, reason, message))


class _NoMetrics:
    def observed(self, namespace: str, model: str, alias: str, version: str) -> None:
        """Nobody counts here."""

    def ended(self, status: str, reason: str) -> None:
        """Nobody counts here."""

    def patched(self, namespace: str, model: str, alias: str, version: str) -> None:
        """Nobody counts here."""


class _Progress:
    """What loaders told the registry: a pod that loads has come half way and goes on."""

    def __init__(self, process: OperatorProcess, world: World) -> None:
        self._process = process
        self._world = world

    async def read(self) -> Mapping[str, LoaderProgress] | None:
        try:
            answer: Mapping[str, LoaderProgress] = await self._process.call("progress", self._read, target="registry")
        except ApiError:
            return None
        return answer

    def _read(self) -> Mapping[str, LoaderProgress]:
        return {
            pod["metadata"]["uid"]: LoaderProgress(bytes=512, total=1024, idle_seconds=1.0)
            for pod in self._world.server.peek_all(PODS, NAMESPACE)
            if any("running" in entry["state"] for entry in pod.get("status", {}).get("initContainerStatuses", ()))
        }


def _busy(call: Call) -> Exception:
    if call.target == "store":
        return StoreUnavailable("503 SlowDown")
    return TooManyRequests(429, "TooManyRequests", "the server is busy", retry_after=1.0)


def _no_answer(call: Call) -> Exception:
    if call.target == "store":
        return StoreUnavailable("the connection was closed")
    return ApiUnavailable(0, "", "no answer in time")


_REFUSALS: dict[str, Callable[[Call], Exception | None]] = {
    "ok": lambda _: None,
    "busy": _busy,
    "broken": _no_answer,
    "lost": _no_answer,
}

_PERFORMERS: dict[str, Callable[..., bool]] = {
    "time": World.time_passes,
    "boot": World.boot,
    "crash": World.crash,
    "deliver": World.deliver,
    "again": World.deliver_again,
    "compact": World.compact,
    "answer": World.answer,
    "controller": World.controller_steps,
    "pod": World.pod_starts,
    "pod-crash": World.pod_crashes,
    "pod-end": World.pod_ends,
    "collect": World.collect,
    "store": World.store_goes,
}


def resource_named(plural: str) -> Resource:
    """A watched resource."""
    return _BY_PLURAL[plural]


__all__ = ["NAMESPACE", "Action", "Cache", "Told", "World", "resource_named"]
