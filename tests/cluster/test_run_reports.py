"""A run's pod before the real registry: believed for the pod uid in the run's status, and for nothing else."""

import hashlib
import json
import secrets
import signal
import subprocess
import sys
import textwrap
import uuid
from pathlib import Path

import pytest

from modelberth.cli import pod as pod_module
from modelberth.cli.main import main
from modelberth.content.tree import Tree
from tests.cluster.pushing import Client, folder
from tests.cluster.registry_process import new_namespace, pod_token, registry, session_header

__all__ = ["registry"]

SAID = {"status": "Succeeded", "metrics": {"rmse": 0.5}, "python": "3.12.4"}
TRAIN = """
    import os

    class Main:
        def train(self, data_directory):
            self.rows = open(data_directory + "/rows.csv").read().split()
            print("trained on", len(self.rows))
            with open(os.environ["artifacts_directory"] + "/curve.csv", "w") as file:
                file.write("1,2")

        def evaluate(self, data_directory):
            return len(self.rows)

        def save(self):
            with open("model.txt", "w") as file:
                file.write(" ".join(self.rows))
"""


@pytest.fixture(scope="module")
def namespace(control_plane, registry):
    """A namespace for the tests of this module; they keep apart by run."""
    return new_namespace(control_plane)


def new_run(cluster, namespace):
    """A TrainingRun of nothing that exists."""
    name = f"run-{uuid.uuid4().hex[:8]}"
    template = {
        "package": {"version": "price-1.0"},
        "dataset": {"version": "housing-v1"},
        "image": "python:3.12-slim",
    }
    manifest = {
        "apiVersion": "modelberth.io/v1alpha1",
        "kind": "TrainingRun",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"template": template},
    }
    cluster.kubectl("create", "-f-", input=json.dumps(manifest))
    return name


def name_pod(cluster, namespace, run, pod, *, attempt=0, uid=None):
    """What the operator does when it has made the pod."""
    uid = uid or cluster.kubectl("get", "pod", pod, f"--namespace={namespace}", "-ojsonpath={.metadata.uid}").stdout
    status = {"phase": "Loading", "attempt": attempt, "pod": {"name": pod, "uid": uid}}
    patch = ["--subresource=status", "--type=merge", "-p", json.dumps({"status": status})]
    cluster.kubectl("patch", "trainingrun", run, f"--namespace={namespace}", *patch)


class RunClient(Client):
    """The requests of a run's pod."""

    def __init__(self, http, namespace, token, run):
        super().__init__(http, namespace, "")
        self.headers = {"Authorization": f"Bearer {token}", "Modelberth-Run": run}
        self.run = run

    def report(self, number=0, **changes):
        return self.post(f"/runs/{self.run}/attempts/{number}", json={**SAID, **changes})

    def commit_all(self, content):
        assert self.put(f"/trees/{content.tree.digest}", content.tree.to_bytes()).status_code == 204
        return self.commit(content.tree.digest, content.layout(self.upload(content.objects)))


@pytest.fixture
def of_run(control_plane, registry, namespace):
    """Makes (run, client of a pod of this name)."""

    def make(pod_name="{run}-0", *, run=None):
        run = run or new_run(control_plane, namespace)
        token = pod_token(control_plane, namespace, pod=pod_name.format(run=run))
        return run, RunClient(registry.client(), namespace, token, run)

    return make


def test_the_pod_in_the_status_sends_and_tells(control_plane, namespace, of_run):
    """It commits what it left, and its first report is the attempt for ever."""
    run, client = of_run()
    early = client.report()
    assert (early.status_code, early.json()["error"]["code"]) == (503, "RunNotReady")
    name_pod(control_plane, namespace, run, f"{run}-0")
    content = folder({"model.txt": run.encode()})
    assert client.commit_all(content).status_code == 200
    first = client.report(output=content.tree.digest)
    assert first.status_code == 200, first.text
    second = client.report(status="Failed", reason="UserException")
    assert second.json() == first.json()
    assert first.json()["output"] == content.tree.digest


def test_no_other_pod_is_believed(control_plane, namespace, of_run):
    """A stranger of the namespace, a pod of the same name made anew, and the pod of an attempt that is over."""
    run, client = of_run()
    name_pod(control_plane, namespace, run, f"{run}-0")
    _, stranger = of_run("stranger-{run}", run=run)
    assert stranger.report().status_code == 403
    assert client.report(7).status_code == 403
    other, double = of_run()
    name_pod(control_plane, namespace, other, f"{other}-0", uid="00000000-0000-0000-0000-000000000000")
    assert double.report().status_code == 403
    third, late = of_run()
    name_pod(control_plane, namespace, third, f"{third}-1", attempt=1, uid="00000000-0000-0000-0000-000000000001")
    assert late.report().status_code == 403


def test_not_from_another_namespace(control_plane, registry, namespace, of_run):
    """A pod elsewhere that has the run's name in its mouth."""
    run, _ = of_run()
    name_pod(control_plane, namespace, run, f"{run}-0")
    elsewhere = new_namespace(control_plane)
    token = pod_token(control_plane, elsewhere, pod=f"{run}-0")
    assert RunClient(registry.client(), namespace, token, run).report().status_code == 403


def test_only_what_it_has_sent_is_its_own(control_plane, registry, namespace, of_run):
    """A model that a user has pushed does not become a run's by its digest."""
    content = folder({"secret.txt": uuid.uuid4().hex.encode()})
    with registry.client() as http:
        Client(http, namespace, session_header(control_plane, namespace, "Push")).push("other", content)
    run, client = of_run()
    name_pod(control_plane, namespace, run, f"{run}-0")
    answer = client.report(output=content.tree.digest)
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "NotCommitted")


def data_session(cluster, namespace):
    """A session that pushes data."""
    secret, name = secrets.token_hex(32), f"session-{uuid.uuid4().hex[:8]}"
    user = cluster.kubectl("auth", "whoami", "-ojsonpath={.status.userInfo.username}").stdout
    spec = {
        "operation": "Push",
        "family": "datasets",
        "user": user,
        "secretHash": hashlib.sha256(secret.encode()).hexdigest(),
        "ttlSeconds": 600,
    }
    manifest = {
        "apiVersion": "modelberth.io/v1alpha1",
        "kind": "TransferSession",
        "metadata": {"name": name, "namespace": namespace},
        "spec": spec,
    }
    cluster.kubectl("create", "-f-", input=json.dumps(manifest))
    return f"{name}.{secret}"


def test_a_run_from_its_first_byte_to_its_report(control_plane, registry, namespace, of_run, tmp_path, monkeypatch):
    """The three processes of a pod, over the real registry and store: load, train, send, tell."""
    package, data = folder({"train.py": textwrap.dedent(TRAIN).encode()}), folder({"train/rows.csv": b"1 2 3"})
    with registry.client() as http:
        Client(http, namespace, session_header(control_plane, namespace, "Push")).push("price", package)
        pusher = Client(http, namespace, data_session(control_plane, namespace))
        assert pusher.put(f"/trees/{data.tree.digest}", data.tree.to_bytes()).status_code == 204
        assert pusher.commit(data.tree.digest, data.layout(pusher.upload(data.objects))).status_code == 200
    run, client = of_run()
    name_pod(control_plane, namespace, run, f"{run}-0")
    (tmp_path / "token").write_text(client.headers["Authorization"].removeprefix("Bearer "))
    (tmp_path / "url").write_text(registry.url)
    (tmp_path / "ca.crt").write_bytes(registry.ca.read_bytes())
    monkeypatch.setattr(pod_module, "TOKEN_FILE", str(tmp_path / "token"))
    monkeypatch.setattr(pod_module, "REGISTRY_FOLDER", str(tmp_path))
    monkeypatch.setenv("MODELBERTH_NAMESPACE", namespace)
    config = {
        "run": run,
        "uid": "by the registry",
        "attempt": 0,
        "package": {"name": "price-1.0", "digest": package.tree.digest},
        "dataset": {"name": "housing-v1", "digest": data.tree.digest, "folder": "train"},
        "evaluation": None,
        "artifactsDirectory": "artifacts",
        "deadlineSeconds": None,
    }
    monkeypatch.setenv("MODELBERTH_RUN_CONFIG", json.dumps(config))
    root = tmp_path / "modelberth"
    handler = signal.getsignal(signal.SIGTERM)
    try:
        assert main(["run-prepare", str(root)]) == 0
        harness = [sys.executable, "-u", str(root / "bin" / "harness.py"), str(root)]
        program = subprocess.Popen(harness, cwd=root / "package", stdout=subprocess.DEVNULL)
        assert main(["run-report", str(root)]) == 0
        assert program.wait(30) == 0
    finally:
        signal.signal(signal.SIGTERM, handler)
    held = client.report().json()
    assert held["status"] == "Succeeded"
    assert held["isYours"] is True
    a_pod = RunClient(registry.client(), namespace, pod_token(control_plane, namespace), run)
    assert tree_of_run(a_pod, held["output"]).status_code == 403
    reader = Client(registry.client(), namespace, session_header(control_plane, namespace, "Pull", family="runs"))
    assert files_of(reader, held["output"]) == ["model.txt", "train.py"]
    assert files_of(reader, held["files"]) == ["artifacts/curve.csv", "log.txt", "packages.txt"]
    assert Path(root / "package" / "model.txt").read_text() == "1 2 3"


def tree_of_run(client, digest):
    """What a run left, asked for by the right to runs, which no pod has for being one of the namespace's."""
    return client.get(f"/content/{digest}/tree", params={"family": "runs"})


def files_of(client, digest):
    """The paths of what a run left."""
    answer = tree_of_run(client, digest)
    assert answer.status_code == 200, answer.text
    return [entry.path for entry in Tree.parse(answer.content).entries]
