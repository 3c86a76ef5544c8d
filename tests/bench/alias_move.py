"""From an alias move that the API server accepted to the Deployment that a watcher sees changed, at three sizes.

The namespace's versions all belong to one artifact, which is the worst case for whoever adds them up. The floor is
what no operator can do without: one GET and one server-side apply of the same Deployment (of a copy that is nobody's,
so that the operator does not mend it), until the same watcher sees it.
"""

import asyncio
import copy
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from modelberth.api.names import ANNOTATION_VERSION
from modelberth.domain.objects import annotation, name_of
from modelberth.runtime.kube_client import KubeClient
from modelberth.runtime.resources import DEPLOYMENTS, REGISTERED_MODELS, Object
from tests.bench import fleet
from tests.bench.control_plane import ControlPlane
from tests.bench.measured_operator import MeasuredOperator
from tests.bench.processes import BenchError
from tests.bench.report import Table
from tests.bench.series import Series, mebibytes, seconds
from tests.bench.watching import ObjectWatch, watch_deployments

COPY = "floor"
STEPS = 9
"""The alias goes so many versions on, up to the newest one, and then all the way back."""


@dataclass
class Moves:
    """What one size of the namespace gave, in seconds and bytes."""

    versions: int
    floor: list[float] = field(default_factory=list)
    to_new: list[float] = field(default_factory=list)
    back: list[float] = field(default_factory=list)
    own_clock: float = 0.0
    rss: int = 0


async def measure(plane: ControlPlane, operator: MeasuredOperator, size: int) -> Moves:
    """Move the alias there and back, in turn with the floor.

    Args:
        plane: where.
        operator: runs, and has nothing to do.
        size: how many versions the namespace has.
    """
    async with KubeClient(plane.connection) as kube, watch_deployments(plane.connection, fleet.NAMESPACE) as watch:
        return await _measure_at(size, kube, watch, operator)


async def _measure_at(size: int, kube: KubeClient, watch: ObjectWatch, operator: MeasuredOperator) -> Moves:
    moves = Moves(size)
    newest = size - 1
    oldest = newest - STEPS
    await fleet.move_alias(kube, fleet.NAMESPACE, oldest)
    await _settled(kube, operator, oldest)
    copied = await _copy_workload(kube)
    seconds_before, count_before = operator.observed_to_patched()
    there = [(goal, moves.to_new) for goal in range(oldest + 1, newest + 1)]
    back = [(goal, moves.back) for goal in range(newest - 1, oldest - 1, -1)]
    for goal, times in [*there, *back]:
        moves.floor.append(await _patch_directly(kube, watch, copied, goal))
        times.append(await _move(kube, watch, goal))
        await _settled(kube, operator, goal)
    total, count = operator.observed_to_patched()
    moves.own_clock = (total - seconds_before) / (count - count_before)
    moves.rss = operator.rss()[1]
    return moves


async def _move(kube: KubeClient, watch: ObjectWatch, goal: int) -> float:
    """Move the alias; seconds from the API server's answer to the Deployment's change."""
    await fleet.move_alias(kube, fleet.NAMESPACE, goal)
    accepted = time.perf_counter()
    return await watch.seen(_runs(fleet.WORKLOAD, goal)) - accepted


async def _settled(kube: KubeClient, operator: MeasuredOperator, goal: int) -> None:
    """Until the move is over for the operator as well."""
    await asyncio.to_thread(operator.wait_quiet)
    if not fleet.is_settled(await kube.get(REGISTERED_MODELS, fleet.NAMESPACE, fleet.MODEL), goal):
        raise BenchError(f"the operator has nothing to do, and {fleet.MODEL} does not say that it serves v{goal}")


async def _patch_directly(kube: KubeClient, watch: ObjectWatch, copied: Object, goal: int) -> float:
    """Read the copy and apply it for another version; seconds from before the read to its change."""
    begin = time.perf_counter()
    await kube.get(DEPLOYMENTS, fleet.NAMESPACE, COPY)
    body = copy.deepcopy(copied)
    for metadata in (body["metadata"], body["spec"]["template"]["metadata"]):
        metadata["annotations"][ANNOTATION_VERSION] = fleet.version_name(goal)
    await kube.apply(DEPLOYMENTS, fleet.NAMESPACE, COPY, body, manager=fleet.MANAGER)
    return await watch.seen(_runs(COPY, goal)) - begin


def _runs(name: str, number: int) -> Callable[[Object], bool]:
    return lambda obj: name_of(obj) == name and annotation(obj, ANNOTATION_VERSION) == fleet.version_name(number)


async def _copy_workload(kube: KubeClient) -> Object:
    """Apply a Deployment with the same pod template under another name and without the labels of ours."""
    live = await kube.get(DEPLOYMENTS, fleet.NAMESPACE, fleet.WORKLOAD)
    assert live is not None
    labels = {"app": COPY}
    template = copy.deepcopy(live["spec"]["template"])
    template["metadata"]["labels"] = labels
    annotations = {
        name: text for name, text in live["metadata"]["annotations"].items() if name.startswith("modelberth.io/")
    }
    body = {
        "metadata": {"name": COPY, "annotations": annotations},
        "spec": {**live["spec"], "selector": {"matchLabels": labels}, "template": template},
    }
    await kube.apply(DEPLOYMENTS, fleet.NAMESPACE, COPY, body, manager=fleet.MANAGER)
    return body


def table(found: Sequence[Moves]) -> Table:
    """A row for each size."""
    rows = []
    for moves in found:
        floor, to_new, back = Series.of(moves.floor), Series.of(moves.to_new), Series.of(moves.back)
        rows.append(
            [
                f"{moves.versions:,}",
                seconds(floor.values),
                seconds(to_new.values),
                to_new.per(floor),
                seconds(back.values),
                back.per(floor),
                seconds([moves.own_clock]),
                mebibytes([moves.rss]),
            ]
        )
    columns = [
        "ModelVersions",
        "floor: GET + apply",
        "to a version that is new",
        "ratio",
        "back to one that ran before",
        "ratio",
        "operator's own share (mean)",
        "its peak RSS",
    ]
    return Table(columns, rows)
