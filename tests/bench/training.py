"""What a TrainingRun costs beside the user's script alone in a pod of the same image, by phase.

On a cluster with a node, from the chart. Both do the same next to nothing: what is left is the overhead. The image is
on the node before the first round, and every run is one of its own (`cache: false`).
"""

import asyncio
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from modelberth.api.names import PREPARE_CONTAINER, TRAIN_CONTAINER
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
    TAG,
    Cluster,
    install_release,
    restricted_container,
    restricted_namespace,
)
from tests.e2e.training import ENDED as ENDINGS
from tests.e2e.training import push_package, push_words, template
from tests.localkind.fixture import LOCALKIND, localkind, temporary_cluster

NAMESPACE = "training"
PHASES = ("Loading", "Training", "Saving", "Uploading")
MADE, LOADS, RUNS, ENDED, DONE = "made", "loads", "runs", "ended", "done"
"""What is heard of a pod, in this order, and at last of its run."""
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
    """Seconds of each round, by what they were spent on.

    Attributes:
        bare: the parts of the bare pods' time.
        parts: the parts of the runs' time, one after the other.
        phases: of the runs, as their status tells them: what the containers themselves took inside of those parts.
    """

    bare: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    parts: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    phases: dict[str, list[float]] = field(default_factory=lambda: {phase: [] for phase in PHASES})


def run(*, quick: bool) -> Mapping[str, Report]:
    """The section `training`."""
    rounds = 2 if quick else 10
    with temporary_cluster("node") as running, tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        say("training: installing the chart")
        cluster = Cluster(running.name, LOCALKIND, running.bin, running.kubeconfig)
        localkind("build", "kubectl", "helm", "minio")
        install_release(cluster, folder)
        restricted_namespace(cluster, NAMESPACE)
        push_words(cluster, NAMESPACE, folder, "b a c")
        package = push_package(cluster, NAMESPACE, folder, "trivial", _SCRIPT)
        found = asyncio.run(_rounds(load_connection(str(running.kubeconfig)), package, rounds))
    return {"training": Report([_table(found)])}


async def _rounds(connection: Connection, package: str, rounds: int) -> _Found:
    found = _Found()
    async with KubeClient(connection) as kube:
        for number in range(-1, rounds):
            into = found if number >= 0 else _Found()  # the first round warms up
            say(f"training: round {number + 1} of {rounds}")
            await _bare(connection, kube, f"bare-{number + 1}", into)
            await _run(connection, kube, f"run-{number + 1}", package, into)
    return found


async def _bare(connection: Connection, kube: KubeClient, name: str, found: _Found) -> None:
    """The script's pod, as a watcher hears of it."""
    async with watch_objects(connection, PODS, NAMESPACE) as pods:
        begin = time.perf_counter()
        await kube.create(PODS, NAMESPACE, {"metadata": {"name": name}, "spec": _alone()})
        heard = await pods.first({RUNS: _of(name, _has_begun(TRAIN_CONTAINER)), ENDED: _of(name, _is_over)})
    if _phase(await kube.get(PODS, NAMESPACE, name) or {}) != "Succeeded":
        raise BenchError(f"pod {name} with the bare script has not succeeded")
    _split(begin, heard, found.bare)


async def _run(connection: Connection, kube: KubeClient, name: str, package: str, found: _Found) -> None:
    """The same as a TrainingRun, and what its status says of its phases."""
    async with (
        watch_objects(connection, PODS, NAMESPACE) as pods,
        watch_objects(connection, TRAINING_RUNS, NAMESPACE) as runs,
    ):
        begin = time.perf_counter()
        body = {"metadata": {"name": name}, "spec": {"template": template(package, cache=False)}}
        await kube.create(TRAINING_RUNS, NAMESPACE, body)
        pod = {
            MADE: lambda _: True,
            LOADS: _has_begun(PREPARE_CONTAINER),
            RUNS: _has_begun(TRAIN_CONTAINER),
            ENDED: _is_over,
        }
        heard = await pods.first({part: _of(f"{name}-0", is_so) for part, is_so in pod.items()})
        heard |= await runs.first({DONE: _of(name, lambda obj: _phase(obj) in ENDINGS)})
    status = (await kube.get(TRAINING_RUNS, NAMESPACE, name) or {})["status"]
    if status["phase"] != "Succeeded":
        raise BenchError(f"run {name} is {status['phase']}: {status.get('message')}")
    _split(begin, heard, found.parts)
    took = {phase["name"]: float(phase["seconds"]) for phase in status["phases"]}
    for phase, values in found.phases.items():
        values.append(took.pop(phase, 0.0))
    if took:
        raise BenchError(f"run {name} has phases that the table does not know: {', '.join(took)}")


def _split(begin: float, heard: Mapping[str, float], parts: dict[str, list[float]]) -> None:
    """The time until each thing was heard of, since the one before."""
    for part, moment in sorted(heard.items(), key=lambda item: item[1]):
        parts[part].append(moment - begin)
        begin = moment


def _of(name: str, is_so: Callable[[Object], bool]) -> Callable[[Object], bool]:
    return lambda obj: obj["metadata"]["name"] == name and is_so(obj)


def _has_begun(container: str) -> Callable[[Object], bool]:
    """Whether a pod's status tells that this container runs, or has run."""

    def has_begun(pod: Object) -> bool:
        status = pod.get("status") or {}
        told = [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]
        return any(
            each["name"] == container and "waiting" not in (each.get("state") or {"waiting": 0}) for each in told
        )

    return has_begun


def _is_over(pod: Object) -> bool:
    return _phase(pod) in ("Succeeded", "Failed")


def _phase(obj: Object) -> str:
    return str((obj.get("status") or {}).get("phase", ""))


def _alone() -> Object:
    container = {
        "name": TRAIN_CONTAINER,
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
    bare, whole = _sums(found.bare), _sums(found.parts)
    phases = found.phases
    rows = {
        "the bare script as a pod, from creation until Succeeded": bare,
        "· scheduler and kubelet, until the script's container is said to run": found.bare[RUNS],
        "· the script, until the pod is said to have ended": found.bare[ENDED],
        "the same as a TrainingRun, from creation until Succeeded": whole,
        "· the operator, until the pod is there": found.parts[MADE],
        "· scheduler and kubelet, until the first container is said to run": found.parts[LOADS],
        "· package and data, until the script's container is said to run": found.parts[RUNS],
        "·· of that, in the container itself: Loading": phases["Loading"],
        "· the script and what it left, until the pod is said to have ended": found.parts[ENDED],
        **{f"·· of that, in the containers themselves: {name}": phases[name] for name in PHASES[1:]},
        "· the operator, until the version is made and the run has Succeeded": found.parts[DONE],
        "overhead: the run's time less that of the bare pod before it": [
            run - alone for run, alone in zip(whole, bare, strict=True)
        ],
    }
    alone = Series.of(bare)
    lines = [[name, seconds(values), Series.of(values).per(alone)] for name, values in rows.items()]
    return Table(["", "time", "ratio"], lines, f"{len(bare)} rounds, each a bare pod and then a run")


def _sums(parts: Mapping[str, list[float]]) -> list[float]:
    """The whole time of each round."""
    return [sum(round_) for round_ in zip(*parts.values(), strict=True)]
