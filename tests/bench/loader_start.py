"""What it costs that a pod's init container starts: the loader beside Python itself and beside an S3 client."""

import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from modelberth.content.layout import Layout
from modelberth.content.tree import Tree
from tests.bench.loader import Loader
from tests.bench.processes import Finished, run_to_end
from tests.bench.report import Report, Table
from tests.bench.series import Series, mebibytes, seconds
from tests.unit.transfer.fake_registry import FakeRegistry


@dataclass
class _Candidate:
    """A command and what its runs were like."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    runs: list[Finished] = field(default_factory=list)


def run(*, quick: bool) -> Mapping[str, Report]:
    """Start each of them in turn, so that whatever else the machine does hits all alike."""
    with FakeRegistry() as registry, tempfile.TemporaryDirectory() as folder:
        candidates = _candidates(registry, Path(folder))
        for round_number in range(3 if quick else 21):
            for candidate in candidates:
                command = [part.replace("{round}", str(round_number)) for part in candidate.command]
                candidate.runs.append(run_to_end(command, candidate.environment))
    return {"loader_start": Report([_table(candidates, candidates[0])])}


def _candidates(registry: FakeRegistry, folder: Path) -> list[_Candidate]:
    python = sys.executable
    empty = Tree.build([])
    registry.trees[empty.digest] = empty.to_bytes()
    registry.layouts[empty.digest] = b"".join(Layout.build({}, {}, {}).lines())
    loader = Loader(folder, url=registry.url, token="a.b.c", namespace="default")
    return [
        _Candidate("`python -c pass`", [python, "-c", "pass"]),
        _Candidate("`python -c 'import minio'`", [python, "-c", "import minio"]),
        _Candidate("`modelberth load --help`", loader.command("--help"), loader.environment),
        _Candidate(
            "`modelberth load` of an empty tree",
            loader.command(f"empty@{empty.digest}", str(folder / "out-{round}" / "model")),
            loader.environment,
        ),
    ]


def _table(candidates: Sequence[_Candidate], floor: _Candidate) -> Table:
    least = Series.of(run.seconds for run in floor.runs)
    least_rss = Series.of(run.peak_rss for run in floor.runs)
    rows = []
    for candidate in candidates:
        wall = Series.of(run.seconds for run in candidate.runs)
        rss = Series.of(run.peak_rss for run in candidate.runs)
        rows.append([candidate.name, seconds(wall.values), wall.per(least), mebibytes(rss.values), rss.per(least_rss)])
    return Table(["process, start to end", "time", "ratio", "peak RSS", "ratio"], rows)
