"""The graph that lineage is measured on, and the questions: the same for everybody. Standard library only.

Chains of model versions. Each version is made by a run out of the one before it and of the chain's data; the questions
are everything above the last version of a chain, and everything below its data.
"""

import random
from collections.abc import Callable, Iterator
from time import perf_counter
from typing import NamedTuple

ROUNDS = 5


class Shape(NamedTuple):
    """How much there is."""

    chains: int
    depth: int

    @property
    def versions(self) -> int:
        """Of models, in all chains."""
        return self.chains * self.depth

    @property
    def answer(self) -> int:
        """Nodes of each answer, the version or the data that it is about included."""
        return 2 * self.depth + 1

    def chosen(self, count: int) -> list[int]:
        """Chains that are asked about, the same in every process."""
        return random.Random(1).sample(range(self.chains), min(count, self.chains))


class Step(NamedTuple):
    """One run: what it took, and what it made. `before` is empty for the first one of a chain."""

    chain: int
    run: str
    data: str
    before: str
    made: str


def steps(shape: Shape) -> Iterator[Step]:
    """All runs, chain by chain."""
    for chain in range(shape.chains):
        for number in range(shape.depth):
            before = model(chain, number - 1) if number else ""
            yield Step(chain, f"run-{chain}-{number}", data(chain), before, model(chain, number))


def model(chain: int, number: int) -> str:
    """A model version's name."""
    return f"model-{chain}-v{number}"


def data(chain: int) -> str:
    """The name of a chain's data."""
    return f"data-{chain}-v0"


def timed(shape: Shape, question: Callable[[int], int], *, chains: int) -> list[float]:
    """Seconds for each question.

    Args:
        shape: of the graph.
        question: asks about a chain and returns how many nodes the answer has.
        chains: about how many different ones.

    Raises:
        AssertionError: an answer has another number of nodes than it must have.
    """
    found = []
    for _ in range(ROUNDS):
        for chain in shape.chosen(chains):
            start = perf_counter()
            nodes = question(chain)
            found.append(perf_counter() - start)
            if nodes != shape.answer:
                raise AssertionError(f"chain {chain}: {nodes} nodes, and it has {shape.answer}")
    return found
