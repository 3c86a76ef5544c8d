"""Schedules: which step comes next, chosen by one seed; and the calm after it, in which everything has to come to rest.

A schedule has three parts: an opening (the usual objects), a storm (steps chosen at random, with faults as the
schedule's own temper has them) and the calm (no more faults, no more edits, everything gets its turn until nothing is
written any more). Whatever an invariant finds on the way, or at the end, is raised as `Broken`.
"""

import itertools
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from modelberth.reconcile import wiring
from modelberth.runtime.resources import PODS
from tests.simulation import users
from tests.simulation.controllers import PodFate, is_ready
from tests.simulation.invariants import Broken, Invariants
from tests.simulation.operator_process import OperatorProcess
from tests.simulation.world import NAMESPACE, Action, World

STORM = 260
"""Steps of a storm."""
Build = Callable[..., wiring.Wiring]
"""How a process gets its reconcilers; mutations put broken ones in."""
_LOADERS = ("loader:1", "loader:2")
_QUIET_SECONDS = 800.0
"""Longer than the interval of the periodic list and any requeue but the longest back-off."""
_ROUND_SECONDS = "0.02"
"""What a round of the calm takes: requests are not free, and who retries after a while gets his turn."""
_CALM_ROUNDS = 2_000
"""Several times what the busiest schedule needs."""


@dataclass(frozen=True, slots=True)
class Temper:
    """How a schedule is inclined: weights of what happens, and how often requests go wrong."""

    kinds: tuple[str, ...]
    weights: tuple[float, ...]  # cumulative
    faults: float
    pod_faults: float

    @classmethod
    def of(cls, rng: random.Random) -> "Temper":
        """A temper of its own for each schedule: some faults are rare in one and frequent in the next."""
        weights = [base * rng.choice((0.2, 1.0, 1.0, 3.0)) for base in _WEIGHTS.values()]
        return cls(
            kinds=tuple(_WEIGHTS),
            weights=tuple(itertools.accumulate(weights)),
            faults=rng.choice((0.0, 0.02, 0.1, 0.3)),
            pod_faults=rng.choice((0.0, 0.2, 0.6)),
        )


_WEIGHTS = {
    "answer": 60.0,
    "deliver": 30.0,
    "controller": 15.0,
    "pod": 10.0,
    "user": 5.0,
    "time": 3.0,
    "pod-end": 5.0,
    "collect": 1.0,
    "again": 0.5,
    "compact": 0.3,
    "lost deletion": 4.0,
    "pod-crash": 0.3,
    "store": 0.2,
    "crash": 0.2,
    "boot": 0.2,
}


@dataclass(slots=True)
class Run:
    """One run of a schedule."""

    seed: int
    world: World
    people: users.Users
    invariants: Invariants
    actions: list[Action] = field(default_factory=list)

    @classmethod
    def start(cls, seed: int, *, build: Build = wiring.build) -> "Run":
        """A world with nothing in it but its watchers."""
        world = World(seed, build=build)
        return cls(seed, world, users.Users(world), Invariants(world))

    def take(self, action: Action) -> bool:
        """Perform an action, note it, and look whether everything still holds."""
        performer = self.people if action[0] == "user" else self.world
        done = performer.perform(action)
        if done:
            self.actions.append(action)
            self.invariants.check()
        return done


def storm(run: Run, steps: int = STORM) -> None:
    """The opening and the storm."""
    rng = random.Random(run.seed)
    temper = Temper.of(rng)
    run.take(("boot", _LOADERS[0]))
    for action in users.opening():
        run.take(action)
    for _ in range(steps):
        choose_and_take(run, rng, temper)


def choose_and_take(run: Run, rng: random.Random, temper: Temper) -> None:
    """One step of the storm: of the kinds of things that can happen now, one by its weight."""
    action = None
    while action is None:
        kind = rng.choices(temper.kinds, cum_weights=temper.weights)[0]
        action = _CHOICES[kind](run.world, rng, temper)
    run.take(action)


def _process(world: World, rng: random.Random, suits: Callable[[OperatorProcess], Any]) -> OperatorProcess | None:
    suitable = [process for process in world.processes if suits(process)]
    return rng.choice(suitable) if suitable else None


def _answer(world: World, rng: random.Random, temper: Temper) -> Action | None:
    process = _process(world, rng, lambda entry: entry.calls)
    if process is None:
        return None
    call = rng.choice(process.calls)
    outcome = "ok"
    if rng.random() < temper.faults:
        outcome = rng.choice(("busy", "broken", "lost", "lost", "crash-after") if call.is_write else ("busy", "broken"))
    return "answer", process.name, call.label, outcome


def _deliver(world: World, rng: random.Random, temper: Temper) -> Action | None:
    del temper
    process = _process(world, rng, lambda entry: entry.backlog())
    return ("deliver", process.name, rng.choice(process.backlog()).plural) if process else None


def _controller(world: World, rng: random.Random, temper: Temper) -> Action | None:
    del temper
    return ("controller", rng.choice(list(world.unsynced))) if world.unsynced else None


def _pod(world: World, rng: random.Random, temper: Temper) -> Action | None:
    pods = world.starting_pods()
    if not pods:
        return None
    pod = rng.choice(pods)
    fate = world.natural_fate(pod)
    if fate is PodFate.READY and rng.random() < temper.pod_faults:
        fate = rng.choice(list(PodFate))
    return "pod", pod["metadata"]["name"], fate.value


def _pod_end(world: World, rng: random.Random, temper: Temper) -> Action | None:
    del temper
    ending = [pod for pod in world.server.peek_all(PODS, NAMESPACE) if "deletionTimestamp" in pod["metadata"]]
    return ("pod-end", rng.choice(ending)["metadata"]["name"]) if ending else None


def _pod_crash(world: World, rng: random.Random, temper: Temper) -> Action | None:
    del temper
    ready = [pod for pod in world.server.peek_all(PODS, NAMESPACE) if is_ready(pod)]
    return ("pod-crash", rng.choice(ready)["metadata"]["name"]) if ready else None


def _again(world: World, rng: random.Random, temper: Temper) -> Action | None:
    del temper
    process = _process(world, rng, lambda _: True)
    return ("again", process.name, rng.choice(wiring.WATCHED).plural) if process else None


def _compact(world: World, rng: random.Random, temper: Temper) -> Action | None:
    """Only what some watch has not read yet: anything else is missed by nobody."""
    del temper
    unread = [resource.plural for process in world.processes for resource in process.backlog()]
    return ("compact", rng.choice(unread)) if unread else None


def _lose_a_deletion(world: World, rng: random.Random, temper: Temper) -> Action | None:
    """The same, where a deletion is among it: the one kind of change that no list tells."""
    del temper
    unread = ((process, resource) for process in world.processes for resource in process.backlog())
    deleted = [resource.plural for process, resource in unread if process.misses_a_deletion(resource)]
    return ("compact", rng.choice(deleted)) if deleted else None


def _crash(world: World, rng: random.Random, temper: Temper) -> Action | None:
    del temper
    process = _process(world, rng, lambda _: True)
    return ("crash", process.name) if process else None


def _boot(world: World, rng: random.Random, temper: Temper) -> Action | None:
    del temper
    return ("boot", rng.choice(_LOADERS)) if len(world.processes) < 2 else None


def _time(world: World, rng: random.Random, temper: Temper) -> Action:
    del temper
    due = world.loop.next_timer()
    pause = rng.choice((0.05, 1.0, 10.0, 120.0))
    until_due = max(0.0, due - world.loop.time()) if due is not None else pause
    return "time", repr(rng.choice((pause, until_due, until_due)))


_CHOICES: dict[str, Callable[[World, random.Random, Temper], Action | None]] = {
    "answer": _answer,
    "deliver": _deliver,
    "controller": _controller,
    "pod": _pod,
    "user": lambda world, rng, temper: users.propose(world, rng),
    "time": _time,
    "pod-end": _pod_end,
    "collect": lambda world, rng, temper: ("collect",),
    "again": _again,
    "compact": _compact,
    "lost deletion": _lose_a_deletion,
    "pod-crash": _pod_crash,
    "store": lambda world, rng, temper: ("store", "back" if world.store_is_away else "away"),
    "crash": _crash,
    "boot": _boot,
}


def calm(run: Run) -> None:
    """Let everything have its turn until nobody writes any more, then compare with what was asked for.

    Raises:
        Broken: it never comes to rest, or rests in the wrong place.
    """
    world = run.world
    run.take(("store", "back"))
    leader = run.seed % max(1, len(world.processes))  # the oldest in one schedule, the newest in the next
    for stale in [process for number, process in enumerate(world.processes) if number != leader]:
        run.take(("crash", stale.name))
    if not world.processes:
        run.take(("boot", _LOADERS[0]))
    quiet_since, version = world.loop.time(), _operator_writes(run)
    for _ in range(_CALM_ROUNDS):
        if _settle_a_little(run):
            run.take(("time", _ROUND_SECONDS))
            continue
        if _operator_writes(run) != version:
            quiet_since, version = world.loop.time(), _operator_writes(run)
        due = world.loop.next_timer()
        if due is None or due - quiet_since > _QUIET_SECONDS:
            run.invariants.check_rest()
            return
        run.take(("time", repr(max(0.0, due - world.loop.time()))))
    last = ", ".join(" ".join(action) for action in run.actions[-12:])
    raise Broken("every schedule ends quiet", f"still at work after {_CALM_ROUNDS} rounds: … {last}")


def _operator_writes(run: Run) -> int:
    return run.invariants.operator_writes


def _settle_a_little(run: Run) -> bool:
    """One round in which everybody who can do something does it; False if nobody can."""
    world, done = run.world, False
    for process in world.processes:
        for resource in process.backlog():
            done = run.take(("deliver", process.name, resource.plural)) or done
        for call in list(process.calls):
            done = run.take(("answer", process.name, call.label, "ok")) or done
    for name in list(world.unsynced):
        done = run.take(("controller", name)) or done
    for pod in world.server.peek_all(PODS, NAMESPACE):
        name = pod["metadata"]["name"]
        if "deletionTimestamp" in pod["metadata"]:
            done = run.take(("pod-end", name)) or done
        elif not is_ready(pod) and not _is_settled_in_failure(run, pod):
            done = run.take(("pod", name, world.natural_fate(pod).value)) or done
    return run.take(("collect",)) or done


def _is_settled_in_failure(run: Run, pod: Any) -> bool:
    """Whether another attempt would only repeat what the pod's status says already."""
    fate = run.world.natural_fate(pod)
    if fate is PodFate.READY:
        return False
    reasons = str(pod.get("status", {}))
    return ("refused" if fate is PodFate.REFUSED else "ImagePullBackOff") in reasons


def run_seed(seed: int, *, steps: int = STORM, build: Build = wiring.build) -> Run:
    """One whole schedule.

    Raises:
        Broken: an invariant does not hold; the error carries the actions of the storm up to there.
    """
    return _whole(Run.start(seed, build=build), lambda run: storm(run, steps))


def replay(seed: int, actions: Sequence[Action], *, build: Build = wiring.build) -> Run:
    """The same actions again, those that are not possible any more left out, and then the calm.

    Raises:
        Broken: as `run_seed`.
    """

    def again(run: Run) -> None:
        for action in actions:
            run.take(action)

    return _whole(Run.start(seed, build=build), again)


def _whole(run: Run, first: Callable[[Run], None]) -> Run:
    stormy: int | None = None
    try:
        first(run)
        stormy = len(run.actions)
        calm(run)
    except Broken as broken:
        broken.seed, broken.actions = run.seed, tuple(run.actions[:stormy])
        raise
    finally:
        run.world.end()
    return run
