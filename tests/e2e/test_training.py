"""Real training pods in a namespace that enforces the restricted standard: how they end, and what is left of them."""

import os
import re
import secrets
import signal
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.e2e.support import MINIO_IMAGE, RELEASE_NAMESPACE, Cluster, eventually
from tests.e2e.training import (
    LEARNS,
    complete,
    phase,
    push_package,
    push_words,
    start_runs,
    template,
    training_pipeline,
    training_run,
    wait_ended,
)

RAISES = """
class Main:
    def train(self, data_directory):
        raise ValueError("there is nothing to learn from " + data_directory)

    def save(self):
        pass
"""
HUNGRY = """
class Main:
    def train(self, data_directory):
        self.kept = [bytearray(16 << 20) for _ in range(1000)]

    def save(self):
        pass
"""
SLEEPS = """
import time

class Main:
    def train(self, data_directory):
        time.sleep(600)

    def save(self):
        pass
"""
SLOW = LEARNS.replace("self.words =", "import time; time.sleep(20); self.words =")
THIEF = LEARNS.replace(
    'pathlib.Path("model.txt").write_text(" ".join(sorted(self.words)))',
    'os.symlink("/var/run/secrets/modelberth/token", "model.txt")',
)
FAILURES = {
    "raises": (RAISES, {}, "UserException", r"ValueError: there is nothing to learn from /modelberth/data"),
    "hungry": (HUNGRY, {}, "OutOfMemory", r"memory"),
    "sleeps": (SLEEPS, {"activeDeadlineSeconds": 3}, "DeadlineExceeded", r"activeDeadlineSeconds"),
    "thief": (THIEF, {}, "BadOutput", r"model\.txt"),
    "no-python": (LEARNS, {"image": MINIO_IMAGE}, "NoPython", r"(?i)python"),
    "no-image": (
        LEARNS,
        {"image": "localhost/nobody-built-this:1", "startDeadlineSeconds": 5},
        "ImagePullFailed",
        r"localhost/nobody-built-this:1",
    ),
}


@pytest.fixture(scope="module")
def failing(release: Cluster, leave: Callable[[str], None], tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A namespace in which one run of each kind of failure was started."""
    name = f"failing-{secrets.token_hex(3)}"
    folder = tmp_path_factory.mktemp("failing")
    start_runs(release, name, folder, {run: (train, more) for run, (train, more, _, _) in FAILURES.items()})
    yield name
    leave(name)


@pytest.mark.parametrize("run", FAILURES)
def test_a_failure_says_what_happened_and_makes_no_version(run: str, release: Cluster, failing: str) -> None:
    """Each has a reason of its own and words to go by; the package stays the only version of its artifact."""
    _, _, reason, words = FAILURES[run]
    status = wait_ended(release, failing, run)
    assert status["phase"] == "Failed"
    ended = complete(status)
    assert (ended["status"], ended["reason"]) == ("True", reason), ended
    assert re.search(words, ended["message"]), ended
    assert "version" not in status
    found = release.list(failing, "modelversions", f"--field-selector=spec.artifact={run}")
    assert [version["metadata"]["name"] for version in found] == [f"{run}-1.0"]
    assert reason in release.modelberth("why", run, "--namespace", failing).stdout


def test_the_traceback_of_a_failure_is_kept(release: Cluster, failing: str) -> None:
    """It begins at the user's own file, without a frame of the harness, and outlives the pod."""
    wait_ended(release, failing, "raises")
    release.kubectl("delete", "pods", f"--namespace={failing}", "--selector=modelberth.io/run=raises")
    done = release.modelberth("run", "describe", "raises", "--namespace", failing)
    assert done.returncode == 0, done.stderr
    assert re.search(r'train\.py", line 4, in train', done.stdout), done.stdout
    assert "ValueError: there is nothing to learn from" in done.stdout
    assert "harness.py" not in done.stdout


def test_a_success_makes_the_next_minor_version_with_everything_about_it(
    release: Cluster, namespace: str, tmp_path: Path
) -> None:
    """The version holds the package's files and what save() left; lineage, parameters, metrics and files are there."""
    push_words(release, namespace, tmp_path, "b a c")
    package = push_package(release, namespace, tmp_path, "sorter", LEARNS)
    parameters = {"SPEED": "high"}
    release.apply(namespace, training_run("first", template=template(package, environment=parameters)))
    status = wait_ended(release, namespace, "first")
    assert (status["phase"], status.get("version")) == ("Succeeded", "sorter-1.1"), status
    spec = release.get(namespace, "modelversion", "sorter-1.1")["spec"]
    assert spec["parameters"] == {"SPEED": "high"}
    assert {name: float(value) for name, value in spec["metrics"].items()} == {"words": 3}
    assert spec["lineage"]["run"]["trainingRun"] == "first"
    assert [entry["version"] for entry in spec["lineage"]["datasets"]] == ["words-v0"]
    model, files = tmp_path / "model", tmp_path / "files"
    assert release.modelberth("load", "sorter:1.1", str(model), "--namespace", namespace).returncode == 0
    assert sorted(file.name for file in model.iterdir()) == ["model.txt", "train.py"]
    assert (model / "model.txt").read_text() == "a b c"
    done = release.modelberth("run", "get", "first", str(files), "--namespace", namespace)
    assert done.returncode == 0, done.stderr
    assert (files / "artifacts" / "words.csv").read_text() == "b,a,c"
    assert "learned 3 words" in (files / "log.txt").read_text()


def test_an_equal_run_is_skipped_and_new_data_trains_by_itself(
    release: Cluster, namespace: str, tmp_path: Path
) -> None:
    """Skipped costs no pod; a version that the dataset gets later starts a run without anybody's doing."""
    push_words(release, namespace, tmp_path, "b a c")
    package = push_package(release, namespace, tmp_path, "sorter", LEARNS)
    triggers = {"onDatasetVersion": {}}
    release.apply(namespace, training_pipeline("sorter", **template(package), triggers=triggers))
    release.kubectl("wait", f"--namespace={namespace}", "--for=condition=Ready", "tpipe/sorter", "--timeout=60s")
    for _ in range(2):
        done = release.modelberth("train", "sorter", "--follow", "--namespace", namespace)
        assert done.returncode == 0, done.stderr
    runs = {run["metadata"]["name"]: run["status"] for run in release.list(namespace, "trainingruns")}
    assert sorted(status["phase"] for status in runs.values()) == ["Skipped", "Succeeded"]
    assert {status["version"] for status in runs.values()} == {"sorter-1.1"}
    skipped = next(name for name, status in runs.items() if status["phase"] == "Skipped")
    assert release.list(namespace, "pods", f"--selector=modelberth.io/run={skipped}") == []
    push_words(release, namespace, tmp_path, "e d b a c")
    eventually(
        lambda: release.kubectl("get", "mver", "sorter-1.2", f"--namespace={namespace}", check=False) != "",
        "new data has made version 1.2",
        explain=lambda: release.kubectl("describe", "tpipe,trun", f"--namespace={namespace}"),
    )
    assert len(release.list(namespace, "trainingruns")) == 3


def kill(pod_uid: str, word: str) -> None:
    """SIGKILL, without any notice, for the processes of a pod that have this word in their command line."""
    killed = 0
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has ended meanwhile
            cgroup = (folder / "cgroup").read_text().replace("_", "-")
            if pod_uid in cgroup and word in (folder / "cmdline").read_text().split("\0"):
                os.kill(int(folder.name), signal.SIGKILL)
                killed += 1
    assert killed, f"no process of pod {pod_uid} was found: are the cluster's nodes on this machine?"


def test_an_operator_that_is_killed_meanwhile_goes_on(release: Cluster, namespace: str, tmp_path: Path) -> None:
    """SIGKILL while the program trains: the pod does not notice, and one version comes of it."""
    push_words(release, namespace, tmp_path, "b a c")
    package = push_package(release, namespace, tmp_path, "slow", SLOW)
    release.apply(namespace, training_run("watched", template=template(package)))
    eventually(lambda: phase(release, namespace, "watched") == "Training", "the program trains")
    for operator in release.list(RELEASE_NAMESPACE, "pods", "--selector=app.kubernetes.io/component=operator"):
        kill(operator["metadata"]["uid"], "operator")
    status = wait_ended(release, namespace, "watched", seconds=180)
    assert (status["phase"], status.get("version")) == ("Succeeded", "slow-1.1"), status
    assert "attempts" not in status  # those that failed
    versions = release.list(namespace, "modelversions", "--field-selector=spec.artifact=slow")
    assert sorted(version["metadata"]["name"] for version in versions) == ["slow-1.0", "slow-1.1"]
