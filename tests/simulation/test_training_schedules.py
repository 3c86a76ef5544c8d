"""Random schedules of training: whatever dies, doubles or is missed, every run ends as its record says, and once."""

import multiprocessing
import os

import pytest

from tests.simulation.invariants import Broken
from tests.simulation.training_mutations import MUTATIONS, Mutation
from tests.simulation.training_schedule import run_seed

SCHEDULES = int(os.environ.get("MODELBERTH_TRAINING_SCHEDULES", "60"))
FIRST_SEED = int(os.environ.get("MODELBERTH_SEED", "0"))
_MUTATION_SEEDS = (12, 13, 49, 63, 70, 236, 589, *range(60))
"""The most eventful storms first."""


def failure_of(seed: int) -> str | None:
    """What a schedule breaks, in words; None if it breaks nothing."""
    try:
        run_seed(seed)
    except Broken as broken:
        return f"seed {seed}: {broken}"
    return None


def test_every_schedule_holds_and_every_run_ends() -> None:
    """Some hundred seeds of faults, deaths, doubled triggers and set clocks; each failing one is told."""
    seeds = range(FIRST_SEED, FIRST_SEED + SCHEDULES)
    context = multiprocessing.get_context("spawn")
    with context.Pool(min(2, multiprocessing.cpu_count())) as pool:
        failed = [told for told in pool.imap_unordered(failure_of, seeds, chunksize=10) if told]
    assert not failed, "\n".join(sorted(failed)[:10])


def test_storms_of_training_are_eventful() -> None:
    """Schedules reach what they are about: every way to die, retries, skips, replacements, doubled operators."""
    runs = [run_seed(seed) for seed in range(80)]
    seen = {word for run in runs for action in run.actions for word in action}
    assert {
        "succeed",
        "raise",
        "lost",
        "drained",
        "evicted",
        "out-of-memory",
        "no-image",
        "mute",
        "stub",
        "late",
        "clock",
        "crash-after",
    } <= seen
    records = [record for run in runs for record in run.world.bucket.runs.values()]
    assert {"Succeeded", "Failed", "Skipped"} == {record.status for record in records}
    assert {"Cancelled", "InputNotFound", "NoPython", "LoadFailed"} <= {record.reason for record in records}
    assert {"Schedule", "DatasetVersion", "Manual"} == {record.trigger for record in records}
    assert any(record.attempts > 1 for record in records)


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.name.replace(" ", "-"))
def test_mutations_are_caught(mutation: Mutation) -> None:
    """Some schedule that the operator passes breaks the invariant that the mutation names, once the mutation is in."""
    mutation.must_be_caught(run_seed, _MUTATION_SEEDS)
