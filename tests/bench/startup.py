"""How long the operator takes from its start until everything is known and nothing is left to do, and its memory.

A restart finds 10,000 versions that are Ready; a first start finds 1,000 whose content is in no store yet. Beside them:
a process that lists the same objects with the same client, and one that imports what the operator is built on.
"""

import asyncio
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field

from modelberth.runtime.kube_client import KubeClient
from tests.bench import fleet
from tests.bench.control_plane import ControlPlane, control_plane
from tests.bench.processes import BenchError, run_to_end
from tests.bench.report import Report, Table
from tests.bench.series import Series, mebibytes, seconds

_IMPORTS = "import kopf, aiohttp, minio, pydantic, prometheus_client"


@dataclass
class _Starts:
    """What several starts of one process were like, in seconds and bytes; not all is known of each process."""

    name: str
    ready: list[float] = field(default_factory=list)
    quiet: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    peak: list[float] = field(default_factory=list)
    settled: list[float] = field(default_factory=list)


def run(*, quick: bool) -> Report:
    """First start, then restarts and their peers in turn."""
    new, many, rounds = (50, 300, 2) if quick else (1_000, 10_000, 5)
    with control_plane() as plane:
        asyncio.run(_fill(plane, new=new, ready=0))
        first = _Starts(f"operator, first start: {new:,} versions, none in the store")
        _start_operator(plane, first)
        asyncio.run(_fill(plane, new=0, ready=many))
        _start_operator(plane, _Starts("adds up what is new, so that the next ones change nothing"))
        imports = _Starts("the operator's libraries, imported")
        listing = _Starts(f"bare list of the {many + new:,} versions")
        restart = _Starts(f"operator, restart: {many + new:,} versions, all Ready")
        for _ in range(rounds):
            _run_once([sys.executable, "-c", _IMPORTS], plane, imports)
            if _run_once([sys.executable, "-m", "tests.bench.bare_list"], plane, listing).strip() != str(many + new):
                raise BenchError("the bare list does not have as many versions as were made")
            _start_operator(plane, restart)
    return Report([_table([imports, listing, restart, first], listing)])


async def _fill(plane: ControlPlane, *, new: int, ready: int) -> None:
    async with KubeClient(plane.connection) as kube:
        for namespace, make, count in (
            ("first", fleet.make_new_versions, new),
            ("many", fleet.make_ready_versions, ready),
        ):
            if count:
                await fleet.make_namespace(kube, namespace)
                await make(kube, namespace, range(count))
                await fleet.make_model(kube, namespace, count - 1)


def _start_operator(plane: ControlPlane, starts: _Starts) -> None:
    with plane.operator() as operator:
        starts.ready.append(operator.wait_ready())
        starts.quiet.append(operator.wait_quiet())
        starts.cpu.append(operator.cpu_seconds())
        now, most = operator.rss()
        starts.settled.append(now)
        starts.peak.append(most)


def _run_once(command: Sequence[str], plane: ControlPlane, starts: _Starts) -> str:
    done = run_to_end(command, {"KUBECONFIG": str(plane.cluster.kubeconfig)})
    starts.quiet.append(done.seconds)
    starts.cpu.append(done.cpu_seconds)
    starts.peak.append(done.peak_rss)
    return done.output


def _table(all_starts: Sequence[_Starts], peer: _Starts) -> Table:
    columns = ["process", "ready after", "nothing left to do after", "ratio", "CPU", "peak RSS", "ratio", "RSS settled"]
    rows = [
        [
            starts.name,
            seconds(starts.ready) if starts.ready else "",
            seconds(starts.quiet),
            Series.of(starts.quiet).per(Series.of(peer.quiet)),
            Series.of(starts.cpu).text("s"),
            mebibytes(starts.peak),
            Series.of(starts.peak).per(Series.of(peer.peak)),
            mebibytes(starts.settled) if starts.settled else "",
        ]
        for starts in all_starts
    ]
    return Table(columns, rows)
