"""How long the operator takes from its start until everything is known and nothing is left to do, and its memory.

Once with all versions Ready, as after an upgrade, and once with some whose content is in no store yet. Beside them: a
process that lists the same objects with the same client, and one that imports what the operator is built on.
"""

import asyncio
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field

from modelberth.runtime.kube_client import KubeClient
from tests.bench import fleet
from tests.bench.control_plane import ControlPlane
from tests.bench.processes import BenchError, run_to_end
from tests.bench.report import Table
from tests.bench.series import Series, mebibytes, seconds

_NEW = "new"
_IMPORTS = "import kopf, aiohttp, minio, pydantic, prometheus_client"


@dataclass
class Starts:
    """What several starts of one process were like, in seconds and bytes; not all is known of each process."""

    name: str
    ready: list[float] = field(default_factory=list)
    quiet: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    peak: list[float] = field(default_factory=list)
    settled: list[float] = field(default_factory=list)


def restarts(plane: ControlPlane, versions: int, rounds: int) -> list[Starts]:
    """Start the operator over versions that are Ready, in turn with its peers.

    Args:
        plane: where nothing is left to do.
        versions: how many there are.
        rounds: how many times.
    """
    imports = Starts("the operator's libraries, imported")
    listing = Starts(f"bare list of the {versions:,} versions")
    operator = Starts(f"operator, {versions:,} versions, all Ready")
    for _ in range(rounds):
        _run_once([sys.executable, "-c", _IMPORTS], plane, imports)
        if _run_once([sys.executable, "-m", "tests.bench.bare_list"], plane, listing).strip() != str(versions):
            raise BenchError("the bare list does not have as many versions as were made")
        _start_operator(plane, operator)
    return [imports, listing, operator]


def start_with_new_versions(plane: ControlPlane, count: int) -> Starts:
    """Start it once when there are so many more versions whose content is in no store yet."""

    async def make() -> None:
        async with KubeClient(plane.connection) as kube:
            await fleet.make_namespace(kube, _NEW)
            await fleet.make_new_versions(kube, _NEW, range(count))

    asyncio.run(make())
    starts = Starts(f"operator, {count:,} more versions, not in the store")
    _start_operator(plane, starts)
    return starts


def _start_operator(plane: ControlPlane, starts: Starts) -> None:
    with plane.operator() as operator:
        starts.ready.append(operator.wait_ready())
        starts.quiet.append(operator.wait_quiet())
        starts.cpu.append(operator.cpu_seconds())
        now, most = operator.rss()
        starts.settled.append(now)
        starts.peak.append(most)


def _run_once(command: Sequence[str], plane: ControlPlane, starts: Starts) -> str:
    done = run_to_end(command, {"KUBECONFIG": str(plane.cluster.kubeconfig)})
    starts.quiet.append(done.seconds)
    starts.cpu.append(done.cpu_seconds)
    starts.peak.append(done.peak_rss)
    return done.output


def table(all_starts: Sequence[Starts], peer: Starts) -> Table:
    """A row for each, with ratios to the peer."""
    columns = [
        "process",
        "ready after",
        "nothing left to do after",
        "ratio",
        "CPU",
        "ratio",
        "peak RSS",
        "ratio",
        "settled",
    ]
    rows = [
        [
            starts.name,
            seconds(starts.ready) if starts.ready else "",
            seconds(starts.quiet),
            Series.of(starts.quiet).per(Series.of(peer.quiet)),
            Series.of(starts.cpu).text("s"),
            Series.of(starts.cpu).per(Series.of(peer.cpu)),
            mebibytes(starts.peak),
            Series.of(starts.peak).per(Series.of(peer.peak)),
            mebibytes(starts.settled) if starts.settled else "",
        ]
        for starts in all_starts
    ]
    return Table(columns, rows)
