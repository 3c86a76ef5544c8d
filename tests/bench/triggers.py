"""One new version of a dataset that a thousand pipelines follow: until there are as many runs, and a pod of each.

There is no node: the pods stay pending, and what is measured is the operator alone. The floor is one client that does
nothing but create as many of the same pods, one after the other.
"""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from modelberth.domain.objects import is_ready, name_of
from modelberth.runtime.kube_client import KubeClient
from modelberth.runtime.resources import (
    DATASET_VERSIONS,
    DATASETS,
    MODEL_ARTIFACTS,
    MODEL_VERSIONS,
    PODS,
    TRAINING_PIPELINES,
    TRAINING_RUNS,
    Object,
    Resource,
)
from tests.bench.control_plane import ControlPlane, control_plane
from tests.bench.fleet import all_at_once
from tests.bench.measured_operator import MeasuredOperator
from tests.bench.processes import BenchError, forget_peak
from tests.bench.progress import say
from tests.bench.report import Report, Table
from tests.bench.series import Series, mebibytes, seconds
from tests.bench.watching import watch_objects

DATASET = "words"
PACKAGE = "sorter"
_PATIENCE = 900.0
_IDLE_SECONDS = 10.0


@dataclass
class _Found:
    """What the rounds gave: seconds from the API server's answer to the new version, CPU seconds, bytes."""

    floor: list[float] = field(default_factory=list)
    runs: list[float] = field(default_factory=list)
    pods: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    asked: list[float] = field(default_factory=list)
    idle: list[float] = field(default_factory=list)
    rss_before: list[float] = field(default_factory=list)
    rss_peak: list[float] = field(default_factory=list)


def run(*, quick: bool) -> Mapping[str, Report]:
    """The section `triggers`."""
    count, rounds = (50, 1) if quick else (1_000, 3)
    found = _Found()
    with control_plane() as plane, plane.operator() as operator:
        operator.wait_quiet()
        for number in range(rounds):
            say(f"triggers: {count:,} of them, round {number + 1} of {rounds}")
            asyncio.run(_round(plane, operator, f"round-{number}", count, found))
    return {"triggers": Report([_table(found, count)])}


async def _round(plane: ControlPlane, operator: MeasuredOperator, namespace: str, count: int, found: _Found) -> None:
    """In a namespace of its own, which is empty again at the end: its runs are no work of the next round."""
    for name in (namespace, f"{namespace}-floor"):
        plane.cluster.make_namespace(name)
    async with KubeClient(plane.connection) as kube:
        await _make_inputs(plane, kube, namespace)
        await _make_pipelines(kube, namespace, count)
        await asyncio.to_thread(operator.wait_quiet)
        await _trigger(plane, operator, kube, namespace, count, found)
        pod = (await kube.list(PODS, namespace))[0]
        for resource in (TRAINING_PIPELINES, TRAINING_RUNS, PODS):
            await _delete_all(kube, resource, namespace)
        await asyncio.to_thread(operator.wait_quiet)
        found.floor.append(await _create_pods(kube, f"{namespace}-floor", pod, count))
        await _delete_all(kube, PODS, f"{namespace}-floor")


async def _trigger(
    plane: ControlPlane, operator: MeasuredOperator, kube: KubeClient, namespace: str, count: int, found: _Found
) -> None:
    forget_peak(operator.process.process.pid)
    found.rss_before.append(operator.rss()[0])
    cpu_before, asked_before = operator.cpu_seconds(), operator.requests()
    async with (
        watch_objects(plane.connection, TRAINING_RUNS, namespace) as runs,
        watch_objects(plane.connection, PODS, namespace) as pods,
    ):
        await _create(kube, DATASET_VERSIONS, namespace, f"{DATASET}-v2", _data("v2"))
        accepted = time.perf_counter()
        moments = await asyncio.gather(runs.named(count, _PATIENCE), pods.named(count, _PATIENCE))
    found.runs.append(moments[0] - accepted)
    found.pods.append(moments[1] - accepted)
    found.cpu.append(operator.cpu_seconds() - cpu_before)
    found.asked.append((operator.requests() - asked_before) / count)
    found.rss_peak.append(operator.rss()[1])
    cpu_before, begin = operator.cpu_seconds(), time.perf_counter()
    await asyncio.sleep(_IDLE_SECONDS)
    found.idle.append((operator.cpu_seconds() - cpu_before) / (time.perf_counter() - begin))
    there = [len(await kube.list(resource, namespace)) for resource in (TRAINING_RUNS, PODS)]
    if there != [count, count]:
        raise BenchError(f"{count} pipelines made {there[0]} runs and {there[1]} pods")


async def _make_inputs(plane: ControlPlane, kube: KubeClient, namespace: str) -> None:
    """A package, and data at v1; both lie in the store."""
    train = "class Main:\n    def train(self, data_directory):\n        pass\n\n    def save(self):\n        pass\n"
    package = {"artifact": PACKAGE, "version": "1.0", "source": {"inline": {"files": {"train.py": {"text": train}}}}}
    async with watch_objects(plane.connection, MODEL_VERSIONS, namespace) as packages:
        await _create(kube, MODEL_ARTIFACTS, namespace, PACKAGE, {"versioning": "Semantic"})
        await _create(kube, MODEL_VERSIONS, namespace, f"{PACKAGE}-1.0", package)
        await packages.seen(is_ready)
    async with watch_objects(plane.connection, DATASETS, namespace) as datasets:
        await _create(kube, DATASETS, namespace, DATASET, {})
        await _create(kube, DATASET_VERSIONS, namespace, f"{DATASET}-v1", _data("v1"))
        await datasets.seen(lambda dataset: bool((dataset.get("status") or {}).get("latestVersion")))


async def _make_pipelines(kube: KubeClient, namespace: str, count: int) -> None:
    """So many of them, which have nothing to do."""
    pipeline = {
        "package": {"version": f"{PACKAGE}-1.0"},
        "dataset": {"name": DATASET},
        "image": "localhost/nothing:1",
        "cache": False,
        "triggers": {"onDatasetVersion": {}},
    }

    async def make(number: int) -> None:
        await _create(kube, TRAINING_PIPELINES, namespace, f"pipeline-{number:04}", pipeline)

    await all_at_once(make, range(count))


async def _create_pods(kube: KubeClient, namespace: str, pod: Object, count: int) -> float:
    """Seconds in which one client creates so many pods like this one, which are nobody's, one after the other."""
    begin = time.perf_counter()
    for number in range(count):
        await _create(kube, PODS, namespace, f"{name_of(pod)}-{number}", pod["spec"])
    return time.perf_counter() - begin


async def _delete_all(kube: KubeClient, resource: Resource, namespace: str) -> None:
    """Remove all objects of a kind, and wait until they are gone."""
    while objects := await kube.list(resource, namespace):
        names = [name_of(obj) for obj in objects]

        async def delete(number: int, names: list[str] = names) -> None:
            await kube.delete(resource, namespace, names[number])

        await all_at_once(delete, range(len(names)))


async def _create(kube: KubeClient, resource: Resource, namespace: str, name: str, spec: Object) -> None:
    await kube.create(resource, namespace, {"metadata": {"name": name}, "spec": spec})


def _data(version: str) -> Object:
    return {
        "dataset": DATASET,
        "version": version,
        "source": {"inline": {"files": {"words.txt": {"text": f"words of {version}\n"}}}},
    }


def _table(found: _Found, count: int) -> Table:
    floor = Series.of(found.floor)
    asked = f"{Series.of(found.asked).median:.1f} a run"
    idle = f"{100 * Series.of(found.idle).median:.0f} % of a core"
    rows = [
        [f"floor: one client creates {count:,} pods", seconds(found.floor), floor.per(floor), "", "1 a pod", "", ""],
        [f"until {count:,} TrainingRuns are there", seconds(found.runs), Series.of(found.runs).per(floor), *[""] * 4],
        [
            "until each has its pod",
            seconds(found.pods),
            Series.of(found.pods).per(floor),
            Series.of(found.cpu).text("s"),
            asked,
            mebibytes(found.rss_before),
            mebibytes(found.rss_peak),
        ],
        [f"then, while the {count:,} pods are pending", "", "", idle, "", "", ""],
    ]
    columns = ["", "time", "ratio", "operator's CPU", "its requests", "its RSS before", "its peak RSS"]
    return Table(columns, rows, f"{count:,} TrainingPipelines that follow one dataset, which gets a new version")
