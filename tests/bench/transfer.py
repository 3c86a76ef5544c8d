"""Push and load of real bytes through the real registry and the real MinIO, beside what else moves them.

Every candidate is a process of its own. They take turns, each round with bytes that the store has not seen, the source
in the page cache, and nothing left to be written to the disk when a candidate begins.
"""

import os
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from minio import Minio

from tests.bench.contest import Contest
from tests.bench.control_plane import ControlPlane, control_plane
from tests.bench.loader import Loader
from tests.bench.payloads import make_file, make_small_files
from tests.bench.processes import Finished, forget_peak, resident, run_to_end
from tests.bench.progress import say
from tests.bench.report import Report, Table
from tests.bench.series import MIB, mebibytes, seconds
from tests.cluster.registry_process import RegistryProcess, new_namespace, pod_token, running_registry

ARTIFACT = "weights"
PUSH, LOAD, COPY = "`modelberth push`", "`modelberth load`", "copy"
SMALL = 2048
_KEY, _PREFIX = "peer/weights.bin", "peer/small/"


@dataclass(frozen=True)
class _Sizes:
    """How much is moved: bytes of the timed file and of the one whose memory counts; small files, by whom; rounds."""

    timed: int = 1024 * MIB
    large: int = 4096 * MIB
    small_files: int = 100_000
    small_files_of_peers: int = 2_000
    rounds: int = 5


_QUICK = _Sizes(timed=64 * MIB, large=128 * MIB, small_files=2_000, small_files_of_peers=200, rounds=2)


def run(*, quick: bool) -> Mapping[str, Report]:
    """The section `transfer`: one file, timed; one large file, for the memory; many small files."""
    sizes = _QUICK if quick else _Sizes()
    with (
        control_plane() as plane,
        running_registry(plane.cluster, plane.folder / "registry", store=plane.store) as registry,
    ):
        bench = _Bench(plane, registry)
        tables = [*bench.one_file(sizes), bench.large_file(sizes), *bench.small_files(sizes)]
    return {"transfer": Report(tables)}


class _Bench:
    """The places and programs of a run."""

    def __init__(self, plane: ControlPlane, registry: RegistryProcess) -> None:
        self._plane = plane
        self._registry = registry
        self._namespace = new_namespace(plane.cluster)
        self._source = plane.folder / "source"
        self._part = plane.folder / "part"
        self._target = plane.folder / "target"
        host, bucket = plane.store.endpoint.host, plane.store.bucket
        keys = plane.cluster.minio.access_key, plane.cluster.minio.secret_key
        self._minio = Minio(host, *keys, secure=False, region="us-east-1")
        self._bucket = bucket
        self._peer = {"BENCH_ENDPOINT": host, "BENCH_ACCESS_KEY": keys[0], "BENCH_SECRET_KEY": keys[1]}
        self._loader = Loader(
            plane.folder / "pod",
            url=registry.url,
            token=pod_token(plane.cluster, self._namespace),
            namespace=self._namespace,
            ca=registry.ca.read_bytes(),
        )

    def one_file(self, sizes: _Sizes) -> list[Table]:
        """Push and load of one file, another one in each round."""
        size = f"{sizes.timed // MIB:,} MiB"
        push, load = Contest(f"Push of one file of {size}", "MiB", PUSH), Contest("Load of the same", "MiB", LOAD)
        file, target = str(self._source / "weights.bin"), str(self._target / "weights.bin")
        put, get = (self._minio.get_presigned_url(method, self._bucket, _KEY) for method in ("PUT", "GET"))
        key = (self._bucket, _KEY)

        def take_turns(contest: Contest, *candidates: tuple[str, Callable[[], Finished]]) -> None:
            for name, transfer in candidates:
                contest.add(name, sizes.timed / MIB, self._cleanly(transfer))

        for seed in range(sizes.rounds):
            say(f"transfer: one file of {size}, round {seed + 1} of {sizes.rounds}")
            self._make_source(partial(make_file, name="weights.bin", size=sizes.timed, seed=seed))
            take_turns(
                push,
                (COPY, lambda: self._run_peer("copy", file, target)),
                ("HTTP PUT of one stream", lambda: self._run_peer("put", put, file)),
                ("minio-py `fput_object`", lambda: self._run_peer("fput", *key, file)),
                (PUSH, self._push),
            )
            address = _address(push.runs[PUSH][-1])
            take_turns(
                load,
                (COPY, lambda: self._run_peer("copy", file, target)),
                ("HTTP GET of one stream", lambda: self._run_peer("get", get, target)),
                ("minio-py `fget_object`", lambda: self._run_peer("fget", *key, target)),
                ("minio-py `fget_object`, then `fsync`", lambda: self._run_peer("fget", *key, target, "sync")),
                (LOAD, partial(self._load, address)),
            )
        self._minio.remove_object(*key)
        return [push.table(), load.table()]

    def large_file(self, sizes: _Sizes) -> Table:
        """The memory of everyone who takes part when one large file goes both ways."""
        say(f"transfer: one file of {sizes.large // MIB:,} MiB")
        self._make_source(partial(make_file, name="weights.bin", size=sizes.large, seed=sizes.rounds))
        pids = [self._registry_pid(), int(self._plane.cluster.info["pids"]["minio"])]

        def measure(name: str, transfer: Callable[[], Finished]) -> tuple[Finished, list[str]]:
            for pid in pids:
                forget_peak(pid)
            done = self._cleanly(transfer)
            peaks = [done.peak_rss, *(resident(pid)[1] for pid in pids)]
            return done, [name, seconds([done.seconds]), *(mebibytes([peak]) for peak in peaks)]

        pushed, push = measure(PUSH, self._push)
        _, load = measure(LOAD, partial(self._load, _address(pushed)))
        columns = ["", "time", "peak RSS", "of the registry meanwhile", "of MinIO meanwhile"]
        return Table(columns, [push, load], f"Memory for one file of {sizes.large // MIB:,} MiB")

    def small_files(self, sizes: _Sizes) -> list[Table]:
        """A folder of many small files, once; minio-py gets a part of them, for it takes a request for each."""
        count, fewer = sizes.small_files, sizes.small_files_of_peers
        title = f"Push of {count:,} files of {SMALL // 1024} KiB (minio-py: {fewer:,} of them)"
        push, load = Contest(title, "files", PUSH), Contest("Load of the same", "files", LOAD)
        say(f"transfer: {count:,} files")
        self._make_source(partial(make_small_files, count=count, size=SMALL))
        make_small_files(self._part, fewer, SMALL)
        source, target = str(self._source), str(self._target / "folder")
        prefix = (self._bucket, _PREFIX)
        copied = self._cleanly(lambda: self._run_peer("copy-folder", source, target))
        push.add(COPY, count, copied)
        load.add(COPY, count, copied)
        uploaded = self._cleanly(lambda: self._run_peer("fput-all", *prefix, str(self._part)))
        push.add("minio-py `fput_object` of each", fewer, uploaded)
        push.add(PUSH, count, self._cleanly(self._push))
        address = _address(push.runs[PUSH][0])
        load.add(
            "minio-py `fget_object` of each", fewer, self._cleanly(lambda: self._run_peer("fget-all", *prefix, target))
        )
        load.add(LOAD, count, self._cleanly(partial(self._load, address)))
        return [push.table(), load.table()]

    def _make_source(self, make: Callable[[Path], None]) -> None:
        """Another source in the place of the last one."""
        shutil.rmtree(self._source, ignore_errors=True)
        self._source.mkdir()
        make(self._source)

    def _cleanly(self, transfer: Callable[[], Finished]) -> Finished:
        """Begin with an empty target and nothing left to be written."""
        shutil.rmtree(self._target, ignore_errors=True)
        self._target.mkdir()
        os.sync()
        return transfer()

    def _run_peer(self, *words: str) -> Finished:
        return run_to_end([sys.executable, "-m", "tests.bench.peers", *words], self._peer)

    def _push(self) -> Finished:
        place = [
            f"--namespace={self._namespace}",
            f"--registry-url={self._registry.url}",
            f"--ca-file={self._registry.ca}",
        ]
        command = [sys.executable, "-m", "modelberth", "push", str(self._source), f"--artifact={ARTIFACT}", "--draft"]
        return run_to_end([*command, *place], {"KUBECONFIG": str(self._plane.cluster.kubeconfig)})

    def _load(self, address: str) -> Finished:
        return run_to_end(self._loader.command(address, str(self._target / "model")), self._loader.environment)

    def _registry_pid(self) -> int:
        assert self._registry.process is not None
        return self._registry.process.pid


def _address(push: Finished) -> str:
    """What was pushed, by its digest."""
    return f"{ARTIFACT}@{push.output.split()[-1]}"
