"""Random schedules: faults, crashes, stale reads and edits in any order end in the desired state, and quiet."""

import hashlib
import multiprocessing
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.simulation import soak
from tests.simulation.invariants import Broken
from tests.simulation.schedule import replay, run_seed
from tests.simulation.shrink import shortened
from tests.simulation.world import Action

SCHEDULES = int(os.environ.get("MODELBERTH_SCHEDULES", "1000"))
FIRST_SEED = int(os.environ.get("MODELBERTH_SEED", "0"))
_ROOT = Path(__file__).parents[2]


def test_every_schedule_holds_and_ends_quiet_in_the_desired_state() -> None:
    """A thousand seeds; a failing one is printed with the shortest schedule found for it."""
    seeds = range(FIRST_SEED, FIRST_SEED + SCHEDULES)
    jobs = min(2, multiprocessing.cpu_count())
    failed = [failure for _, failures in soak.many(seeds, jobs=jobs) for failure in failures]
    if failed:
        listed = "\n".join(f"seed {seed}: {text}" for seed, text in sorted(failed))
        pytest.fail(f"{len(failed)} of {SCHEDULES} schedules failed\n{listed}\n\n{soak.explained(min(failed)[0])}")


def test_the_same_seed_makes_the_same_run() -> None:
    """Every action and every write agree, also in another process whose strings hash differently."""
    told = {_trace_in_another_process(hash_seed) for hash_seed in ("1", "2")}
    assert told == {_trace(11)}


def test_a_schedule_can_be_replayed_from_its_actions() -> None:
    """A list of actions is the whole schedule: replayed, it ends in the same state."""
    first = run_seed(3)
    again = replay(3, first.actions)
    assert again.actions[: len(first.actions)] == first.actions
    assert again.world.server.version == first.world.server.version


def test_storms_are_eventful() -> None:
    """Schedules reach what they are about: rolls, refusals, moves, crashes, lost answers, stale leaders, outages."""
    runs = [run_seed(seed) for seed in range(60)]
    seen = {word for run in runs for action in run.actions for word in action}
    assert {"crash-after", "lost", "busy", "away", "compact", "again", "pod-crash", "collect"} <= seen
    reasons = {told.reason for run in runs for told in run.world.told}
    assert {
        "Served",
        "Rolling",
        "AliasServed",
        "AliasMoved",
        "ImagePullFailed",
        "LoadFailed",
        "TemplateRefused",
    } <= reasons


def test_a_failing_schedule_is_shortened_to_what_it_needs() -> None:
    """Of many actions the two that make the failure are left."""
    needed = {("user", "b"), ("user", "d")}

    def run(actions: Sequence[Action]) -> None:
        if needed <= set(actions):
            raise failure(actions)

    shortest = shortened(failure([("user", letter) for letter in "abcdefghij"]), run)
    assert set(shortest.actions) == needed


def failure(actions: Sequence[Action]) -> Broken:
    broken = Broken("an invariant", "how")
    broken.actions = tuple(actions)
    return broken


def _trace(seed: int) -> str:
    run = run_seed(seed)
    actions = hashlib.sha256(repr(run.actions).encode()).hexdigest()
    return f"{actions} {run.world.server.version} {len(run.world.told)}"


def _trace_in_another_process(hash_seed: str) -> str:
    program = "from tests.simulation.test_schedules import _trace; print(_trace(11))"
    done = subprocess.run(
        [sys.executable, "-c", program],
        check=True,
        capture_output=True,
        text=True,
        cwd=_ROOT,
        env={**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": f"{_ROOT}:{_ROOT / 'operator'}"},
    )
    return done.stdout.strip()
