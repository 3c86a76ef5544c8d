"""Training against a real API server: its admission of pods and statuses, its quotas, its words."""

import asyncio
import json
import secrets

import pytest

from modelberth.api.names import ANNOTATION_CREATED_BY
from modelberth.runtime.kube_client import KubeClient
from modelberth.runtime.kubeconfig import load_connection
from modelberth.runtime.resources import MODEL_VERSIONS, PODS, TRAINING_PIPELINES, TRAINING_RUNS
from modelberth.store.errors import VersionTaken
from modelberth.store.minors import reserve_minor
from modelberth.store.run_types import AttemptRecord, PhaseTime, RunId
from modelberth.store.types import ContentSummary, Reservation, VersionRecord
from tests.cluster.reconciling import MemoryStore, Operator
from tests.cluster.registry_process import account_kubeconfig, install_rights

PACKAGE, DATA, OUTPUT = ("sha256:" + letter * 64 for letter in "abc")
PIPELINE = {
    "package": {"version": "price-1.0"},
    "dataset": {"name": "housing", "folder": "train"},
    "image": "localhost/python:1",
    "resources": {"requests": {"cpu": "100m"}, "limits": {"memory": "64Mi"}},
    "environment": {"EPOCHS": "3"},
    "secretEnvironment": {"TOKEN": {"name": "tracking", "key": "token"}},
    "pod": {"nodeSelector": {"gpu": "yes"}, "tolerations": [{"key": "gpu", "operator": "Exists"}]},
    "storage": {"sizeLimit": "1Gi"},
    "activeDeadlineSeconds": 60,
    "triggers": {"schedule": {"cron": "0 3 * * 1", "timeZone": "Europe/Berlin"}, "onDatasetVersion": {}},
}


class RunStore(MemoryStore):
    """With records of runs, each of which the first writer makes."""

    def __init__(self):
        super().__init__()
        self.contents = {digest: ContentSummary(digest, 1, 1000, 1000) for digest in (PACKAGE, DATA, OUTPUT)}
        self.attempts, self.runs, self.keys = {}, {}, {}

    async def attempt(self, space, run, number):
        return self.attempts.get((run, number))

    async def run_record(self, space, run):
        return self.runs.get(run)

    async def finish_run(self, space, record):
        return self.runs.setdefault(record.run, record)

    async def run_of_key(self, space, key):
        return self.keys.get(key)

    async def remember_key(self, space, record, *, instead_of=None):
        return self.keys.setdefault(record.key, record)

    async def reserve_minor(self, space, new, *, major, base, run_uid):
        return await reserve_minor(self, space, new, major=major, base=base, run_uid=run_uid)

    async def get(self, space, collection, version):
        return await self.version_record(space, collection, version)

    async def reserve(self, space, new):
        key = (space.id, new.collection, new.version)
        record = VersionRecord(
            new.collection, new.version, new.digest, "2026-01-01T00:00:00Z", new.created_by, spec=new.spec
        )
        there = self.records.get(key)
        if there is not None and there.digest != new.digest:
            raise VersionTaken(new.collection, new.version, there.digest)
        return Reservation(self.records.setdefault(key, record), created=there is None)


@pytest.fixture(scope="module")
def cluster(control_plane, admission):
    """With the chart's kinds, policies and rights: only the operator's account makes a run's pods."""
    install_rights(control_plane)
    return control_plane


@pytest.fixture
def shop(cluster):
    """A namespace under the restricted standard, with a package, data and a pipeline."""
    name = f"train-{secrets.token_hex(3)}"
    cluster.make_namespace(name)
    cluster.kubectl("label", "namespace", name, "pod-security.kubernetes.io/enforce=restricted")
    pushed = {"source": {"pushed": {}}}
    _apply(
        cluster,
        name,
        _kind("ModelArtifact", "price", {"versioning": "Semantic"}),
        _kind("ModelVersion", "price-1.0", {"artifact": "price", "version": "1.0", "digest": PACKAGE, **pushed}),
        _kind("Dataset", "housing", {}),
        _kind("DatasetVersion", "housing-v0", {"dataset": "housing", "version": "v0", "digest": DATA, **pushed}),
        _kind("TrainingPipeline", "weekly", PIPELINE),
    )
    yield name
    cluster.kubectl("delete", "namespace", name, "--wait=false")


@pytest.fixture
async def kube(cluster, tmp_path):
    """The operator's own account."""
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_bytes(account_kubeconfig(cluster, "modelberth-operator"))
    async with KubeClient(load_connection(kubeconfig)) as client:
        yield client


@pytest.fixture
def store():
    return RunStore()


@pytest.fixture
def operator(kube, shop, store):
    return Operator(kube, shop, store, loader_image="localhost/modelberth:1")


def _kind(kind, name, spec):
    return {"apiVersion": "modelberth.io/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": spec}


def _apply(cluster, namespace, *objects):
    items = {"apiVersion": "v1", "kind": "List", "items": list(objects)}
    cluster.kubectl("apply", f"--namespace={namespace}", "-f-", input=json.dumps(items))


async def _run(operator, name="first"):
    found = await operator.kube.get(TRAINING_RUNS, operator.namespace, name)
    return found, found.get("status", {})


async def _users(operator, version):
    """Who uses a package, as its status says."""
    return (await operator.kube.get(MODEL_VERSIONS, operator.namespace, version))["status"]["usedBy"]


async def _pod_ends(cluster, operator, store, name="first", **record):
    """What registry and kubelet make of the pod's end."""
    run, status = await _run(operator, name)
    uid = status["pod"]["uid"]
    phases = (PhaseTime("Training", "2026-01-31T12:00:00Z", 1.5),)
    fields = {"status": "Succeeded", "reason": "", "message": "", "output": OUTPUT, "metrics": {"score": 0.9}, **record}
    run_id = RunId(name, run["metadata"]["uid"])
    packages = {"numpy": "2.0"}
    store.attempts[run_id, status["attempt"]] = AttemptRecord(
        run_id, status["attempt"], uid, phases=phases, packages=packages, python="3.12", finished_at="x", **fields
    )
    patch = ["--subresource=status", "--type=merge", "-p", json.dumps({"status": {"phase": "Succeeded"}})]
    cluster.kubectl("patch", "pod", status["pod"]["name"], f"--namespace={operator.namespace}", *patch)


async def test_a_run_makes_the_next_minor_and_its_like_is_skipped(cluster, operator, store, shop):
    """The pod passes the restricted standard, its success becomes 1.1 with its lineage, an equal run needs no pod."""
    await operator.settle()
    _apply(cluster, shop, _kind("TrainingRun", "first", {"pipeline": "weekly"}))
    await operator.settle()
    run, status = await _run(operator)
    assert status["inputs"]["datasetDigest"] == DATA
    assert status["parameters"]["TOKEN"] == "(secret tracking/token)"
    pod = await operator.kube.get(PODS, shop, "first-0")
    assert status["pod"] == {"name": "first-0", "uid": pod["metadata"]["uid"]}
    assert pod["metadata"]["ownerReferences"][0]["uid"] == run["metadata"]["uid"]
    assert await _users(operator, "price-1.0") == ["trainingpipeline/weekly", "trainingrun/first"]

    await _pod_ends(cluster, operator, store)
    await operator.settle()
    _, status = await _run(operator)
    assert (status["phase"], status["version"], status["metrics"]) == ("Succeeded", "price-1.1", {"score": 0.9})
    made = await operator.kube.get(MODEL_VERSIONS, shop, "price-1.1")
    assert made["spec"]["lineage"]["run"] == {"trainingRun": "first", "uid": run["metadata"]["uid"]}
    assert made["spec"]["parameters"] == {"EPOCHS": "3"}
    assert made["status"]["digest"] == OUTPUT
    cluster.kubectl("wait", "--for=condition=Complete", "trun/first", "-n", shop, "--timeout=5s")
    assert await _users(operator, "price-1.0") == ["trainingpipeline/weekly"]
    (record,) = store.runs.values()
    assert record.created_by == run["metadata"]["annotations"][ANNOTATION_CREATED_BY] != ""

    _apply(cluster, shop, _kind("TrainingRun", "second", {"pipeline": "weekly"}))
    await operator.settle()
    _, status = await _run(operator, "second")
    assert (status["phase"], status["version"]) == ("Skipped", "price-1.1")
    assert await operator.kube.get(PODS, shop, "second-0") is None


async def test_a_failure_keeps_its_words(cluster, operator, store, shop):
    """A program's exception ends the run with its reason, and makes no version."""
    await operator.settle()
    _apply(cluster, shop, _kind("TrainingRun", "first", {"pipeline": "weekly"}))
    await operator.settle()
    failure = {"status": "Failed", "reason": "UserException", "message": "ValueError: no rows", "output": None}
    await _pod_ends(cluster, operator, store, **failure)
    await operator.settle()
    _, status = await _run(operator)
    assert (status["phase"], status["reason"], status["message"]) == ("Failed", "UserException", "ValueError: no rows")
    assert status["attempts"][0]["reason"] == "UserException"
    assert await operator.kube.get(MODEL_VERSIONS, shop, "price-1.1") is None


async def test_a_full_quota_is_told_in_the_servers_words(cluster, operator, shop):
    """A pod that the quota refuses leaves the run waiting, with what the API server said."""
    quota = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "small"},
        "spec": {"hard": {"pods": "0"}},
    }
    _apply(cluster, shop, quota)
    used = "--for=jsonpath={.status.used.pods}=0"
    cluster.kubectl("wait", used, "resourcequota/small", "-n", shop, "--timeout=20s")
    _apply(cluster, shop, _kind("TrainingRun", "first", {"pipeline": "weekly"}))
    await operator.settle()
    _, status = await _run(operator)
    ready = next(entry for entry in status["conditions"] if entry["type"] == "Ready")
    assert (status["phase"], ready["reason"]) == ("Waiting", "QuotaExceeded")
    assert "exceeded quota: small" in ready["message"]


async def test_new_data_starts_a_run(cluster, operator, shop):
    """A version that comes after the pipeline was seen starts one run; the one that was there starts none."""
    await operator.settle()
    pipeline = await operator.kube.get(TRAINING_PIPELINES, shop, "weekly")
    assert pipeline["status"]["onDatasetVersion"]["version"] == "housing-v0"
    assert await operator.kube.list(TRAINING_RUNS, shop) == []
    spec = {"dataset": "housing", "version": "v1", "digest": DATA, "source": {"pushed": {}}}
    await asyncio.sleep(1.1)  # times of the API server are whole seconds
    _apply(cluster, shop, _kind("DatasetVersion", "housing-v1", spec))
    await operator.settle(rounds=10)
    (run,) = await operator.kube.list(TRAINING_RUNS, shop)
    assert run["spec"]["trigger"] == {"type": "DatasetVersion", "datasetVersion": "housing-v1"}
    assert run["status"]["inputs"]["dataset"] == "housing-v1"
    assert run["status"]["pod"]["name"] == f"{run['metadata']['name']}-0"
