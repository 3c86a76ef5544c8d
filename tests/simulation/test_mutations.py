"""The invariants are not blind: the operator broken on purpose is caught, by the invariant that guards that mistake."""

import pytest

from tests.simulation.invariants import Broken
from tests.simulation.mutations import MUTATIONS, Mutation
from tests.simulation.schedule import run_seed

SEEDS = range(120)


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.name.replace(" ", "-"))
def test_mutations_are_caught(mutation: Mutation) -> None:
    """Some schedule that the operator passes breaks the invariant that the mutation names, once the mutation is in."""
    others = set()
    for seed in SEEDS:
        with pytest.MonkeyPatch.context() as patch:
            mutation.make(patch)
            broken = broken_by(seed)
        if broken == mutation.invariant and broken_by(seed) is None:
            return
        others.add(broken)
    pytest.fail(f"{mutation.name}: '{mutation.invariant}' does not notice in {len(SEEDS)} schedules; noticed: {others}")


def broken_by(seed: int) -> str | None:
    """The invariant that a schedule breaks, if it breaks one."""
    try:
        run_seed(seed)
    except Broken as broken:
        return broken.invariant
    return None
