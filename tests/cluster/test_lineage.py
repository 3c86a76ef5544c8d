"""Lineage through the real registry: records in the real MinIO, rights of the real API server."""

import asyncio
import os
import subprocess
import sys
import time

import pytest

from modelberth.store.content_store import ContentStore
from tests.cluster.pushing import Client, folder
from tests.cluster.registry_process import new_namespace, pod_token, registry, session_header
from tests.unit.registry.lineage_records import fill, run_record

__all__ = ["registry"]

LATER = 30.0


@pytest.fixture(scope="module")
def namespace(control_plane, registry):
    """A namespace with the small world of records in it."""
    name = new_namespace(control_plane)
    write(control_plane, registry, name, fill)
    return name


def write(cluster, registry, namespace, work):
    """Write records as operator and registry do: `work(store, space)`."""
    uids = [
        cluster.kubectl("get", "namespace", name, "-ojsonpath={.metadata.uid}").stdout
        for name in ("kube-system", namespace)
    ]

    async def run():
        bucket = registry.store.open()
        try:
            store = ContentStore(bucket, uids[0])
            await work(store, await store.space(namespace, uids[1]))
        finally:
            bucket.close()

    asyncio.run(run())


@pytest.fixture(scope="module")
def asking(control_plane, registry, namespace):
    """A user who may pull."""
    with registry.client() as http:
        yield Client(http, namespace, session_header(control_plane, namespace, "Pull"))


def names(answer):
    return {node["name"] for node in answer.json()["nodes"]}


def test_from_data_to_the_alias_and_back(asking):
    """Both directions, transitively, over records of every kind."""
    down = asking.get("/lineage", params={"address": "housing:v0", "direction": "down"})
    assert names(down) == {
        "housing-v0", "housing-v1", "run-0", "run-1", "price-1.1", "price-1.2", "prices:production", "prices",
    }  # fmt: skip
    up = asking.get("/lineage", params={"address": "price:1.2", "direction": "up"})
    assert {"housing-v0", "housing-v1", "run-1", "price-1.0"} <= names(up)
    assert {edge["recorded"] for edge in up.json()["edges"] if edge["relation"] == "made by"} == {True}
    assert up.json()["problems"] == []


def test_every_question_has_an_answer(asking):
    """Description, endings, runs by a metric, and which version was deployed when."""
    known = asking.get("/lineage/description", params={"address": "price-1.1"}).json()
    assert (known["parameters"], known["environment"]["packages"]["tensorflow"]) == ({"EPOCHS": "10"}, "2.16.1")
    runs = asking.get("/lineage/runs", params={"data": "housing:v0", "sort": "rmse", "ascending": "true"}).json()[
        "runs"
    ]
    assert [run["name"] for run in runs] == ["run-1", "run-0"]
    deployed = "/models/prices/aliases/production/deployed"
    assert asking.get(deployed).json()["answered"]["version"] == "price-1.2"
    then = asking.get(deployed, params={"at": "2026-11-21T09:02:30Z"}).json()
    assert then["answered"]["version"] == "price-1.1"


def test_the_commands(control_plane, namespace):
    """From a laptop, through the API server: as people ask, tracebacks of runs included."""
    environment = {**os.environ, "KUBECONFIG": str(control_plane.kubeconfig), "PYTHONPATH": "operator"}

    def run(*words):
        command = [sys.executable, "-m", "modelberth", *words, f"--namespace={namespace}"]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert "alias prices:production" in run("lineage", "housing:v0", "--down")
    assert "tensorflow 2.16.1" in run("describe", "price-1.1")
    assert run("runs", "--data", "housing:v0", "--sort=r2").splitlines()[1].startswith("run-1")
    assert "answers with price-1.2" in run("deployed", "prices:production")
    assert "ok training  run run-1: Succeeded" in run("why", "run-1")


def test_what_was_recorded_before_a_fresh_question_is_in_the_answer(control_plane, registry, namespace, asking):
    """Without `fresh` it comes by itself, some seconds later."""
    asking.get("/lineage/runs")
    write(
        control_plane, registry, namespace, lambda store, space: store.finish_run(space, run_record(5, status="Failed"))
    )
    fresh = asking.get("/lineage/runs", params={"fresh": "true"}).json()
    assert "run-5" in {run["name"] for run in fresh["runs"]}
    write(
        control_plane, registry, namespace, lambda store, space: store.finish_run(space, run_record(6, status="Failed"))
    )
    deadline = time.monotonic() + LATER
    while "run-6" not in {run["name"] for run in asking.get("/lineage/runs").json()["runs"]}:
        assert time.monotonic() < deadline, "what is new is never read"
        time.sleep(0.5)


def test_a_draft_is_in_the_graph_at_once(control_plane, registry, namespace, asking):
    """What a push declares counts from its reservation on, marked as declared."""
    with registry.client() as http:
        pusher = Client(http, namespace, session_header(control_plane, namespace, "Push"))
        digest = folder({"a": b"draft"}).tree.digest
        pusher.reserve("tuned", digest, spec={"lineage": {"parents": ["price-1.2"]}})
    graph = asking.get("/lineage", params={"address": "tuned-v0", "direction": "up", "fresh": "true"}).json()
    first = next(edge for edge in graph["edges"] if edge["relation"] == "parent")
    assert (first["source"], first["recorded"]) == ("modelversion/price-1.2", False)
    assert "housing-v0" in {node["name"] for node in graph["nodes"]}


def test_a_new_registry_makes_the_index_again(registry, asking):
    """It is a cache: nothing of it is lost with the process."""
    question = {"address": "housing-v0", "direction": "down"}
    before = names(asking.get("/lineage", params={**question, "fresh": "true"}))
    registry.stop()
    registry.start()
    assert names(asking.get("/lineage", params=question)) == before


def test_rights(control_plane, registry, namespace, asking):
    """A pod without rights, a session for one artifact, and another namespace's session are refused."""
    stranger = new_namespace(control_plane)
    path, question = f"/v1/namespaces/{namespace}/lineage", {"address": "price-1.1"}
    with registry.client(Authorization=f"Bearer {pod_token(control_plane, stranger)}") as http:
        refused = http.get(path, params=question)
        assert (refused.status_code, "needs the verb get" in refused.text) == (403, True)
    with registry.client() as http:
        one = Client(http, namespace, session_header(control_plane, namespace, "Pull", artifact="price"))
        assert one.get("/lineage", params=question).status_code == 403
        other = Client(http, namespace, session_header(control_plane, stranger, "Pull"))
        assert other.get("/lineage", params=question).status_code == 401
        nowhere = Client(http, stranger, session_header(control_plane, stranger, "Pull"))
        assert nowhere.get("/lineage", params=question).status_code == 404
    assert asking.get("/lineage").status_code == 422
