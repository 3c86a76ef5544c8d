"""Schedules of training: a storm of triggers, reports, deaths and set clocks, and the calm in which every run ends."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field

from modelberth.reconcile import wiring
from modelberth.runtime.resources import TRAINING_PIPELINES
from tests.simulation import schedule
from tests.simulation.invariants import Broken
from tests.simulation.schedule import Temper
from tests.simulation.training_invariants import ENDS, TrainingInvariants
from tests.simulation.training_pods import Fate, has_ended, late, silent_attempts, step, training_pods
from tests.simulation.training_users import Trainers, opening, propose
from tests.simulation.world import NAMESPACE, Action, World

STORM = 400
_IMAGE = "loader:1"
_QUIET_SECONDS = 1500.0
"""Longer than any start deadline, pause between attempts and interval of the periodic list."""
_CALM_ROUNDS = 3_000
_OPENING_ROUNDS = 25
"""Until package and data are Ready."""
_BORROWED = ("answer", "deliver", "again", "compact", "crash", "boot", "collect", "store", "lost deletion")
_WEIGHTS = {"train": 25.0, "late": 1.0, "double": 0.3, "trainer": 3.0, "pass": 1.5, "clock": 0.1}


@dataclass(slots=True)
class TrainingRun:
    """One run of a schedule."""

    seed: int
    world: World
    people: Trainers
    invariants: TrainingInvariants
    actions: list[Action] = field(default_factory=list)

    @classmethod
    def start(cls, seed: int) -> "TrainingRun":
        """A world with nothing in it but its watchers."""
        world = World(seed, build=wiring.build)
        return cls(seed, world, Trainers(world), TrainingInvariants(world))

    def take(self, action: Action) -> bool:
        """Perform an action, note it, and look whether everything still holds."""
        done = self._perform(action)
        if done:
            self.world.loop.run_ready()
            self.actions.append(action)
            self.invariants.check()
        return done

    def _perform(self, action: Action) -> bool:
        kind, *words = action
        if kind == "user":
            return self.people.perform(action)
        if kind == "train":
            return step(self.world, words[0], Fate(words[1]))
        if kind == "late":
            return late(self.world, words[0], int(words[1]))
        if kind == "clock":
            self.world.clock.set_by(float(words[0]))
            return True
        return self.world.perform(action)


def run_seed(seed: int) -> TrainingRun:
    """One whole schedule.

    Raises:
        Broken: an invariant does not hold.
    """
    run = TrainingRun.start(seed)
    try:
        _storm(run)
        calm(run)
    except Broken as broken:
        broken.seed, broken.actions = run.seed, tuple(run.actions)
        raise
    finally:
        run.world.end()
    return run


def _storm(run: TrainingRun) -> None:
    rng = random.Random(run.seed)
    temper = Temper.of(rng)
    weights = dict(zip(temper.kinds, _single(temper.weights), strict=True))
    weights = {kind: weights[kind] * (3.0 if kind in {"answer", "deliver"} else 1.0) for kind in _BORROWED} | {
        kind: weight * rng.choice((0.3, 1.0, 3.0)) for kind, weight in _WEIGHTS.items()
    }
    run.take(("boot", _IMAGE))
    for action in opening(rng):
        run.take(action)
    for _ in range(_OPENING_ROUNDS):
        settle_a_little(run, pods=False)
    for _ in range(STORM):
        action = None
        while action is None:
            kind = rng.choices(list(weights), list(weights.values()))[0]
            action = _CHOICES[kind](run.world, rng, temper)
        run.take(action)


def _single(cumulative: tuple[float, ...]) -> list[float]:
    return [weight - before for before, weight in zip((0.0, *cumulative), cumulative, strict=False)]


def _train(world: World, rng: random.Random, temper: Temper) -> Action | None:
    pods = training_pods(world)
    if not pods:
        return None
    pod = rng.choice(pods)["metadata"]["name"]
    good = (Fate.LOAD, Fate.TRAIN, Fate.SUCCEED, Fate.SUCCEED, Fate.REPORT)
    return "train", pod, (rng.choice(list(Fate)) if rng.random() < temper.pod_faults else rng.choice(good)).value


def _late(world: World, rng: random.Random, temper: Temper) -> Action | None:
    del temper
    silent = silent_attempts(world)
    if not silent:
        return None
    run, number = rng.choice(silent)
    return "late", run, str(number)


def _double(world: World, rng: random.Random, temper: Temper) -> Action | None:
    """A second operator, just when a run has its success on record and has not ended."""
    del rng, temper
    is_ending = any(
        record.status == "Succeeded" and (where, record.run) not in world.bucket.runs
        for (where, _, _), record in world.bucket.attempts.items()
    )
    return ("boot", _IMAGE) if is_ending and len(world.processes) == 1 else None


def _pass(world: World, rng: random.Random, temper: Temper) -> Action:
    del temper
    due = world.loop.next_timer()
    pause = rng.choices((0.1, 5.0, 60.0, 301.0), (4, 4, 1, 0.2))[0]
    until_due = max(0.0, due - world.loop.time()) if due is not None else pause
    return "time", repr(rng.choice((pause, min(until_due, 60.0))))


_CHOICES: dict[str, Callable[[World, random.Random, Temper], Action | None]] = {
    **{kind: schedule._CHOICES[kind] for kind in _BORROWED},
    "train": _train,
    "late": _late,
    "double": _double,
    "trainer": lambda world, rng, temper: propose(world, rng),
    "pass": _pass,
    "clock": lambda world, rng, temper: ("clock", rng.choice(("-3600", "-601", "200", "1200"))),
}


def calm(run: TrainingRun) -> None:
    """Let everything have its turn until nobody writes any more.

    Raises:
        Broken: it never comes to rest, or rests in the wrong place.
    """
    world = run.world
    run.take(("store", "back"))
    run.take(("clock", "90000"))  # whatever it was set back by: deadlines are of the clock on the wall
    for pipeline in list(world.server.peek_all(TRAINING_PIPELINES, NAMESPACE)):
        if "schedule" in (pipeline["spec"].get("triggers") or {}):  # the clock never stops
            run.take(("user", "stop", pipeline["metadata"]["name"]))
    for stale in world.processes[1:]:
        run.take(("crash", stale.name))
    if not world.processes:
        run.take(("boot", _IMAGE))
    quiet_since, version = world.loop.time(), _writes(run)
    for _ in range(_CALM_ROUNDS):
        if settle_a_little(run):
            run.take(("time", "0.02"))
            continue
        if _writes(run) != version:
            quiet_since, version = world.loop.time(), _writes(run)
        due = world.loop.next_timer()
        if due is None or due - quiet_since > _QUIET_SECONDS:
            run.invariants.check_rest()
            return
        run.take(("time", repr(max(0.0, due - world.loop.time()))))
    raise Broken(ENDS, f"still at work after {_CALM_ROUNDS} rounds: {run.actions[-8:]}")


def _writes(run: TrainingRun) -> int:
    return run.invariants.operator_writes


def settle_a_little(run: TrainingRun, *, pods: bool = True) -> bool:
    """One round in which everybody who can do something does it; False if nobody can."""
    world, done = run.world, False
    for process in world.processes:
        for resource in process.backlog():
            done = run.take(("deliver", process.name, resource.plural)) or done
        for call in list(process.calls):
            done = run.take(("answer", process.name, call.label, "ok")) or done
    for pod in training_pods(world) if pods else ():
        if not has_ended(pod):
            done = run.take(("train", pod["metadata"]["name"], Fate.SUCCEED.value)) or done
    return run.take(("collect",)) or done
