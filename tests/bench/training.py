"""What a TrainingRun costs beside the user's script alone in a pod of the same image, by phase.

On a cluster with a node, from the chart. Both do the same next to nothing: what is left is the overhead. The image is
on the node before the first round, and every run is one of its own (`cache: false`).
"""

import asyncio
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from modelberth.runtime.connection import Connection
from modelberth.runtime.kube_client import KubeClient
from modelberth.runtime.kubeconfig import load_connection
from modelberth.runtime.resources import PODS, TRAINING_RUNS, Object
from tests.bench.processes import BenchError
from tests.bench.progress import say
from tests.bench.report import Report, Table
from tests.bench.series import Series, seconds
from tests.bench.watching import watch_objects
from tests.e2e.support import (
    IMAGE,
    MINIO_IMAGE,
    RELEASE_NAMESPACE,
    ROOT,
    TAG,
    Cluster,
    restricted_container,
    restricted_namespace,
)
from tests.e2e.training import ENDED, push_package, push_words, template
from tests.localkind.fixture import LOCALKIND, localkind, temporary_cluster

NAMESPACE = "training"
PHASES = ("Loading", "Training", "Saving", "Uploading")
_SCRIPT = """
import pathlib

class Main:
    def train(self, data_directory):
        self.words = "a b c".split()

    def save(self):
        pathlib.Path("model.txt").write_text(" ".join(self.words))
"""
_ALONE = f"{_SCRIPT}\nmain = Main()\nmain.train('.')\nmain.save()\n"


@dataclass
class _Found:
    """Seconds: of the bare pods, of the runs, until a run's pod was there, and of its phases."""

    bare: list[float] = field(default_factory=list)
    whole: list[float] = field(default_factory=list)
    pod: list[float] = field(default_factory=list)
    rest: list[float] = field(default_factory=list)
    phases: dict[str, list[float]] = field(default_factory=lambda: {phase: [] for phase in PHASES})


def run(*, quick: bool) -> Mapping[str, Report]:
    """The section `training`."""
    rounds = 2 if quick else 10
    with temporary_cluster("node") as running, tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        say("training: installing the chart")
        cluster = Cluster(running.name, LOCALKIND, running.bin, running.kubeconfig)
        _install(cluster, folder)
        restricted_namespace(cluster, NAMESPACE)
        push_words(cluster, NAMESPACE, folder, "b a c")
        package = push_package(cluster, NAMESPACE, folder, "trivial", _SCRIPT)
        found = asyncio.run(_rounds(load_connection(str(running.kubeconfig)), package, rounds))
    return {"training": Report([_table(found)])}


def _install(cluster: Cluster, folder: Path) -> None:
    localkind("build", "kubectl", "helm", "minio")
    images = ROOT / "images"
    cluster.load(f"{IMAGE}:{TAG}", images / "modelberth" / "Dockerfile", ROOT, folder / "modelberth.tar")
    minio = (cluster.bin / "minio").resolve().parent
    cluster.load(MINIO_IMAGE, images / "minio" / "Dockerfile", minio, folder / "minio.tar")
    restricted_namespace(cluster, RELEASE_NAMESPACE)
    cluster.install()


async def _rounds(connection: Connection, package: str, rounds: int) -> _Found:
    found = _Found()
    async with KubeClient(connection) as kube:
        for number in range(-1, rounds):
            into = found if number >= 0 else _Found()  # the first round warms up
            say(f"training: round {number + 1} of {rounds}")
            into.bare.append(await _bare(connection, kube, f"bare-{number + 1}"))
            await _run(connection, kube, f"run-{number + 1}", package, into)
    return found


async def _bare(connection: Connection, kube: KubeClient, name: str) -> float:
    """Seconds from the creation of the script's pod until a watcher hears that it has succeeded."""
    async with watch_objects(connection, PODS, NAMESPACE) as pods:
        begin = time.perf_counter()
        await kube.create(PODS, NAMESPACE, {"metadata": {"name": name}, "spec": _alone()})
        ended = await pods.seen(lambda pod: pod["metadata"]["name"] == name and _phase(pod) in ("Succeeded", "Failed"))
    if _phase(await kube.get(PODS, NAMESPACE, name) or {}) != "Succeeded":
        raise BenchError(f"pod {name} with the bare script has not succeeded")
    return ended - begin


async def _run(connection: Connection, kube: KubeClient, name: str, package: str, found: _Found) -> None:
    """The same as a TrainingRun, and what its status says of its phases."""
    async with (
        watch_objects(connection, PODS, NAMESPACE) as pods,
        watch_objects(connection, TRAINING_RUNS, NAMESPACE) as runs,
    ):
        begin = time.perf_counter()
        body = {"metadata": {"name": name}, "spec": {"template": template(package, cache=False)}}
        await kube.create(TRAINING_RUNS, NAMESPACE, body)
        made = await pods.seen(lambda pod: pod["metadata"]["name"] == f"{name}-0")
        ended = await runs.seen(lambda obj: obj["metadata"]["name"] == name and _phase(obj) in ENDED)
    status = (await kube.get(TRAINING_RUNS, NAMESPACE, name) or {})["status"]
    if status["phase"] != "Succeeded":
        raise BenchError(f"run {name} is {status['phase']}: {status.get('message')}")
    took = {phase["name"]: float(phase["seconds"]) for phase in status["phases"]}
    found.pod.append(made - begin)
    found.whole.append(ended - begin)
    for phase, values in found.phases.items():
        values.append(took.pop(phase, 0.0))
    if took:
        raise BenchError(f"run {name} has phases that the table does not know: {', '.join(took)}")
    found.rest.append(ended - made - sum(values[-1] for values in found.phases.values()))


def _phase(obj: Object) -> str:
    return str((obj.get("status") or {}).get("phase", ""))


def _alone() -> Object:
    container = {
        "name": "train",
        "image": f"{IMAGE}:{TAG}",
        "command": ["python3", "-u", "-c", _ALONE],
        "workingDir": "/work",
        "resources": {"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"memory": "256Mi"}},
        "securityContext": restricted_container(),
        "volumeMounts": [{"name": "work", "mountPath": "/work"}],
    }
    return {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": 65532,
            "fsGroup": 65532,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [container],
        "volumes": [{"name": "work", "emptyDir": {}}],
    }


def _table(found: _Found) -> Table:
    bare = Series.of(found.bare)
    over = [whole - alone for whole, alone in zip(found.whole, found.bare, strict=True)]
    parts = {
        "the bare script's pod, from creation until Succeeded": found.bare,
        "TrainingRun, from creation until Succeeded": found.whole,
        "of that: until its pod is there": found.pod,
        **{f"of that: {phase}": values for phase, values in found.phases.items()},
        "of that: all else (starts of three containers, what nobody is told of)": found.rest,
        "overhead: the run's time less that of the bare pod before it": over,
    }
    rows = [[name, seconds(values), Series.of(values).per(bare)] for name, values in parts.items()]
    return Table(["", "time", "ratio"], rows, f"{len(found.bare)} rounds, each a bare pod and then a run")
