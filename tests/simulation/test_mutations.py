"""The invariants are not blind: the operator broken on purpose is caught, by the invariant that guards that mistake."""

import pytest

from tests.simulation.mutations import MUTATIONS, Mutation
from tests.simulation.schedule import run_seed


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.name.replace(" ", "-"))
def test_mutations_are_caught(mutation: Mutation) -> None:
    """Some schedule that the operator passes breaks the invariant that the mutation names, once the mutation is in."""
    mutation.must_be_caught(run_seed, range(120))
