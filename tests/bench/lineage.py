"""Lineage in both directions, in process and through the registry's API, beside ML Metadata with the same graph.

ML Metadata gets an environment of its own in `.cache/bench`, because it pins old libraries; where it cannot be
installed, the tables say so and stand without it.
"""

import asyncio
import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Awaitable, Iterable, Mapping
from dataclasses import dataclass
from itertools import chain as concatenated
from pathlib import Path

import httpx

from modelberth.content.collections import artifact, dataset
from modelberth.store.content_store import ContentStore
from modelberth.store.run_types import RunId, RunRecord
from modelberth.store.types import NewVersion, Space
from tests.bench.control_plane import ControlPlane, control_plane
from tests.bench.lineage_shape import Shape, Step, data, model, steps, timed
from tests.bench.processes import BenchError, resident, run_to_end
from tests.bench.progress import say
from tests.bench.report import Report, Table
from tests.bench.series import Series, mebibytes, seconds
from tests.cluster.pushing import SESSION
from tests.cluster.registry_process import RegistryProcess, new_namespace, running_registry, session_header

ML_METADATA = "ml-metadata==1.17.1"
_ENVIRONMENT = Path(".cache/bench/ml-metadata")
_AT_ONCE = 16
_BUILD_SECONDS = 900.0


@dataclass(frozen=True)
class _Answers:
    """What was measured of a candidate: seconds, and bytes of memory where it is a process of its own."""

    build: float
    up: list[float]
    down: list[float]
    peak_rss: float | None = None


def run(*, quick: bool) -> Mapping[str, Report]:
    """The section `lineage`."""
    shape, questions = (Shape(20, 20), 10) if quick else (Shape(500, 20), 100)
    candidates: dict[str, _Answers] = {}
    notes: list[str] = []
    say(f"lineage: {shape.versions:,} versions in process")
    candidates["Modelberth's index, in process"] = _ours(shape, questions)
    try:
        say("lineage: ML Metadata")
        candidates["ML Metadata on SQLite, in process"] = _peer(shape, questions)
    except BenchError as error:
        notes.append(f"ML Metadata could not be measured here: {error}")
    with (
        control_plane() as plane,
        running_registry(plane.cluster, plane.folder / "registry", store=plane.store) as registry,
    ):
        candidates["the registry's API, records in MinIO"] = _Api(plane, registry).measure(shape, questions)
    return {"lineage": Report([_table(candidates, shape)], notes)}


def _table(candidates: Mapping[str, _Answers], shape: Shape) -> Table:
    ours = next(iter(candidates.values()))
    rows = []
    for name, found in candidates.items():
        rows.append([name])
        for mine, theirs in ((ours.up, found.up), (ours.down, found.down)):
            rows[-1] += [seconds(theirs), Series.of(theirs).per(Series.of(mine))]
        rows[-1] += [seconds([found.build]), mebibytes([found.peak_rss]) if found.peak_rss else ""]
    title = f"{shape.versions:,} model versions in chains of {shape.depth}, as many runs; {shape.answer} nodes in each answer"
    columns = [
        "",
        "up: from a model to its data",
        "ratio",
        "down: from data to all models",
        "ratio",
        "made in",
        "peak RSS",
    ]
    return Table(columns, rows, title)


def _ours(shape: Shape, questions: int) -> _Answers:
    command = [sys.executable, "-m", "tests.bench.lineage_ours", *map(str, (*shape, questions))]
    return _of_process(command, {"PYTHONPATH": "operator:."})


def _peer(shape: Shape, questions: int) -> _Answers:
    python = _environment()
    file = _ENVIRONMENT / "lineage.sqlite"
    file.unlink(missing_ok=True)
    script = str(Path(__file__).with_name("lineage_peer.py"))
    try:
        return _of_process([str(python), script, *map(str, (*shape, questions)), str(file)], {})
    finally:
        file.unlink(missing_ok=True)


def _of_process(command: list[str], environment: Mapping[str, str]) -> _Answers:
    done = run_to_end(command, environment)
    answers = json.loads(done.output)
    return _Answers(answers["build"], answers["up"], answers["down"], done.peak_rss)


def _environment() -> Path:
    """The Python that has ML Metadata, made if there is none.

    Raises:
        BenchError: no wheel of it fits this Python, or there is no registry to get it from.
    """
    python = _ENVIRONMENT / "bin" / "python"
    if not python.exists():
        _call([sys.executable, "-m", "venv", str(_ENVIRONMENT)])
    _call([str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", ML_METADATA])
    return python


def _call(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": ""})
    if done.returncode:
        raise BenchError(" ".join((done.stderr or done.stdout).split()[-30:]))


class _Api:
    """The registry with the graph as records in its bucket."""

    def __init__(self, plane: ControlPlane, registry: RegistryProcess) -> None:
        self._plane = plane
        self._registry = registry
        self._namespace = new_namespace(plane.cluster)

    def measure(self, shape: Shape, questions: int) -> _Answers:
        """Write the records, ask until the index is made, then ask."""
        say(f"lineage: writing the records of {shape.versions:,} versions")
        asyncio.run(self._write(shape))
        headers = {SESSION: session_header(self._plane.cluster, self._namespace, "Pull", ttl_seconds=3600)}
        with self._registry.client(**headers) as http:
            say("lineage: the first question")
            start = time.perf_counter()
            self._until_made(http)
            build = time.perf_counter() - start
            say("lineage: asking")
            last = shape.depth - 1
            up = timed(shape, lambda chain: self._nodes(http, model(chain, last), "up"), chains=questions)
            down = timed(shape, lambda chain: self._nodes(http, data(chain), "down"), chains=questions)
        process = self._registry.process
        return _Answers(build, up, down, resident(process.pid)[1] if process else None)

    def _until_made(self, http: httpx.Client) -> None:
        deadline = time.monotonic() + _BUILD_SECONDS
        while time.monotonic() < deadline:
            answer = self._ask(http, model(0, 0), "up")
            if answer.status_code == 200:
                return
            if answer.status_code != 503:
                raise BenchError(answer.text)
        raise BenchError(f"the index is not made after {_BUILD_SECONDS:.0f} s")

    def _nodes(self, http: httpx.Client, name: str, direction: str) -> int:
        return len(self._ask(http, name, direction).json()["nodes"])

    def _ask(self, http: httpx.Client, name: str, direction: str) -> httpx.Response:
        query = {"address": name, "direction": direction}
        return http.get(f"/v1/namespaces/{self._namespace}/lineage", params=query)

    async def _write(self, shape: Shape) -> None:
        cluster = self._plane.cluster
        uids = [
            cluster.kubectl("get", "namespace", name, "-ojsonpath={.metadata.uid}").stdout
            for name in ("kube-system", self._namespace)
        ]
        bucket = self._plane.store.open()
        try:
            store = ContentStore(bucket, uids[0])
            space = await store.space(self._namespace, uids[1])
            sets = (_version(store, space, data(chain), is_data=True) for chain in range(shape.chains))
            runs = (one for step in steps(shape) for one in _records(store, space, step))
            await _all(concatenated(sets, runs))
        finally:
            bucket.close()


def _records(store: ContentStore, space: Space, step: Step) -> list[Awaitable[object]]:
    inputs = {"dataset": step.data, **({"package": step.before} if step.before else {})}
    record = RunRecord(RunId(step.run, step.run), "", "Succeeded", "Succeeded", "", version=step.made, inputs=inputs)
    return [_version(store, space, step.made), store.finish_run(space, record)]


def _version(store: ContentStore, space: Space, name: str, *, is_data: bool = False) -> Awaitable[object]:
    collection, _, number = name.rpartition("-")
    made = dataset(collection) if is_data else artifact(collection)
    digest = f"sha256:{hashlib.sha256(name.encode()).hexdigest()}"
    return store.reserve_version(space, NewVersion(made, digest, "bench", version=number))


async def _all(calls: Iterable[Awaitable[object]]) -> None:
    waiting = iter(calls)

    async def work() -> None:
        for call in waiting:
            await call

    await asyncio.gather(*(work() for _ in range(_AT_ONCE)))
