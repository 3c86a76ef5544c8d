"""The operator in a namespace that grows to 10,000 versions: alias moves at each size, starts at the last one."""

import asyncio
from collections.abc import Mapping

from modelberth.runtime.kube_client import KubeClient
from tests.bench import alias_move, fleet, startup
from tests.bench.control_plane import ControlPlane, control_plane
from tests.bench.progress import say
from tests.bench.report import Report


def run(*, quick: bool) -> Mapping[str, Report]:
    """The sections `alias_move` and `startup`: one cluster, because to fill it takes longer than to measure it."""
    sizes, new, rounds = ((10, 100), 50, 2) if quick else ((10, 1_000, 10_000), 1_000, 5)
    with control_plane() as plane:
        moves = []
        for before, size in zip((0, *sizes), sizes, strict=False):
            say(f"operator: making ModelVersions up to {size:,}")
            asyncio.run(_grow(plane, before, size))
            say(f"operator: moving an alias among {size:,}")
            with plane.operator() as operator:
                operator.wait_quiet()
                moves.append(asyncio.run(alias_move.measure(plane, operator, size)))
        say("operator: starting it")
        starts = startup.restarts(plane, sizes[-1], rounds)
        late = startup.start_with_new_versions(plane, new)
    return {
        "alias_move": Report([alias_move.table(moves)]),
        "startup": Report([startup.table([*starts, late], peer=starts[1])]),
    }


async def _grow(plane: ControlPlane, before: int, size: int) -> None:
    async with KubeClient(plane.connection) as kube:
        if not before:
            await fleet.make_namespace(kube, fleet.NAMESPACE)
        await fleet.make_ready_versions(kube, fleet.NAMESPACE, range(before, size))
        if not before:
            await fleet.make_model(kube, fleet.NAMESPACE, 0)
