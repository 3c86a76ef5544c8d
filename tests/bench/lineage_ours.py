"""Modelberth's index in a process of its own: `python -m tests.bench.lineage_ours CHAINS DEPTH QUESTIONS` prints JSON."""

import json
import sys
from time import perf_counter

from modelberth.lineage.facts import RunFact, VersionFact
from modelberth.lineage.index import Index
from modelberth.lineage.nodes import dataset_version, model_version
from modelberth.lineage.walk import walk
from tests.bench.lineage_shape import Shape, data, model, steps, timed


def built(shape: Shape) -> Index:
    """The index of everything."""
    index = Index()
    for chain in range(shape.chains):
        index.add_version(VersionFact("datasets", data(chain)))
    for step in steps(shape):
        inputs = {"dataset": step.data, **({"package": step.before} if step.before else {})}
        index.add_version(VersionFact("models", step.made))
        index.add_run(RunFact(step.run, step.run, status="Succeeded", version=step.made, inputs=inputs))
    return index


def main() -> None:
    """Build, ask, print."""
    chains, depth, questions = map(int, sys.argv[1:4])
    shape = Shape(chains, depth)
    start = perf_counter()
    index = built(shape)
    build = perf_counter() - start
    last = depth - 1
    print(
        json.dumps(
            {
                "build": build,
                "up": timed(
                    shape,
                    lambda chain: len(walk(index, model_version(model(chain, last)), "up").nodes),
                    chains=questions,
                ),
                "down": timed(
                    shape, lambda chain: len(walk(index, dataset_version(data(chain)), "down").nodes), chains=questions
                ),
            }
        )
    )


if __name__ == "__main__":
    main()
