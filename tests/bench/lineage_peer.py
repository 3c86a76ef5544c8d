"""ML Metadata on SQLite, in a process and an environment of its own (see `lineage.py`): the same graph and questions.

`python lineage_peer.py CHAINS DEPTH QUESTIONS FILE` prints JSON.
"""

import json
import sys
from time import perf_counter

import lineage_shape  # the file beside this one: the environment has nothing else of ours
from ml_metadata.metadata_store import metadata_store
from ml_metadata.proto import metadata_store_pb2 as pb

_BATCH = 500


class Peer:
    """A metadata store, and the ids of what is in it by name."""

    def __init__(self, file: str) -> None:
        config = pb.ConnectionConfig()
        config.sqlite.filename_uri = file
        config.sqlite.connection_mode = pb.SqliteMetadataSourceConfig.READWRITE_OPENCREATE
        self._store = metadata_store.MetadataStore(config)
        kinds = pb.ArtifactType(name="data"), pb.ArtifactType(name="model")
        self._data, self._model = (self._store.put_artifact_type(kind) for kind in kinds)
        self._run = self._store.put_execution_type(pb.ExecutionType(name="run"))
        self._ids: dict[str, int] = {}

    def build(self, shape: lineage_shape.Shape) -> None:
        """Put everything in, in batches."""
        all_steps = list(lineage_shape.steps(shape))
        self._put_artifacts(self._data, [lineage_shape.data(chain) for chain in range(shape.chains)])
        self._put_artifacts(self._model, [step.made for step in all_steps])
        for start in range(0, len(all_steps), _BATCH):
            page = all_steps[start : start + _BATCH]
            runs = self._store.put_executions([pb.Execution(type_id=self._run, name=step.run) for step in page])
            events = []
            for run, step in zip(runs, page, strict=True):
                taken = [step.data, *([step.before] if step.before else [])]
                events += [self._event(run, name, pb.Event.INPUT) for name in taken]
                events.append(self._event(run, step.made, pb.Event.OUTPUT))
            self._store.put_events(events)

    def nodes(self, name: str, direction: int, hops: int) -> int:
        """How many artifacts and executions lie above or below an artifact, itself included."""
        options = pb.LineageSubgraphQueryOptions(
            starting_artifacts=pb.LineageSubgraphQueryOptions.StartingNodes(filter_query=f"id = {self._ids[name]}"),
            max_num_hops=hops,
            direction=direction,
        )
        graph = self._store.get_lineage_subgraph(options)
        return len(graph.artifacts) + len(graph.executions)

    def _put_artifacts(self, kind: int, names: list[str]) -> None:
        for start in range(0, len(names), _BATCH):
            page = names[start : start + _BATCH]
            ids = self._store.put_artifacts([pb.Artifact(type_id=kind, name=name) for name in page])
            self._ids.update(zip(page, ids, strict=True))

    def _event(self, run: int, name: str, kind: int) -> pb.Event:
        return pb.Event(execution_id=run, artifact_id=self._ids[name], type=kind)


def main() -> None:
    """Build, ask, print."""
    chains, depth, questions = map(int, sys.argv[1:4])
    shape = lineage_shape.Shape(chains, depth)
    peer = Peer(sys.argv[4])
    start = perf_counter()
    peer.build(shape)
    build = perf_counter() - start
    up, down = pb.LineageSubgraphQueryOptions.UPSTREAM, pb.LineageSubgraphQueryOptions.DOWNSTREAM
    hops = 2 * depth
    last = depth - 1
    answers = {
        "up": lineage_shape.timed(
            shape, lambda chain: peer.nodes(lineage_shape.model(chain, last), up, hops), chains=questions
        ),
        "down": lineage_shape.timed(
            shape, lambda chain: peer.nodes(lineage_shape.data(chain), down, hops), chains=questions
        ),
    }
    print(json.dumps({"build": build, **answers}))


if __name__ == "__main__":
    main()
