"""Store, registry and API server are away for a minute each: nothing that serves changes, and everything goes on."""

import json
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.e2e.support import (
    RELEASE_NAMESPACE,
    Cluster,
    Object,
    eventually,
    model_deployment,
    model_folder,
    registered_model,
    requests,
)

AWAY_SECONDS = 60


@contextmanager
def scaled_to_zero(release: Cluster, workload: str) -> Iterator[None]:
    """All pods of a workload are gone while the context is open, for at least a minute."""
    wanted = release.kubectl("get", workload, f"--namespace={RELEASE_NAMESPACE}", "--output=jsonpath={.spec.replicas}")
    release.kubectl("scale", workload, f"--namespace={RELEASE_NAMESPACE}", "--replicas=0")
    began = time.monotonic()
    try:
        yield
        time.sleep(max(0.0, AWAY_SECONDS - (time.monotonic() - began)))
    finally:
        release.kubectl("scale", workload, f"--namespace={RELEASE_NAMESPACE}", f"--replicas={wanted}")
        release.kubectl("rollout", "status", workload, f"--namespace={RELEASE_NAMESPACE}", "--timeout=120s")


def condition(obj: Object, kind: str) -> Object:
    """A status condition; empty where there is none of that type."""
    return next((entry for entry in obj.get("status", {}).get("conditions", ()) if entry["type"] == kind), {})


@pytest.mark.parametrize("workload", ["statefulset/modelberth-minio", "deployment/modelberth-registry"])
def test_a_roll_waits_for_what_is_away_and_then_goes_on(
    workload: str, release: Cluster, namespace: str, tmp_path: Path
) -> None:
    """The alias moves in the middle of the outage: the old version serves all the while, and the move is recorded."""
    first = release.push(namespace, model_folder(tmp_path, "first"), "words")
    second = release.push(namespace, model_folder(tmp_path, "second"), "words")
    release.apply(namespace, registered_model("words", first), model_deployment("words", replicas=1))
    release.wait_served(namespace, "words", first)
    with requests(release, namespace, "words") as asked:
        eventually(lambda: asked.versions() == {first}, "the first version answers")
        with scaled_to_zero(release, workload):
            eventually(lambda: not _pods(release, workload), "its pods are gone")
            release.apply(namespace, registered_model("words", second))
            eventually(lambda: _says_why(release, namespace, workload), "a condition says what is waited for")
        assert asked.versions() == {first}
        release.wait_served(namespace, "words", second)
        eventually(lambda: second in asked.versions(), "the second version answers")
        assert asked.errors() == []
    eventually(lambda: _recorded(release, namespace) == [first, first, second, second], "both moves are recorded")


def _pods(release: Cluster, workload: str) -> list[Object]:
    component = workload.rpartition("-")[2]
    return release.list(RELEASE_NAMESPACE, "pods", f"--selector=app.kubernetes.io/component={component}")


def _says_why(release: Cluster, namespace: str, workload: str) -> bool:
    """Without the store moves wait unrecorded; without either the new pod does not get ready."""
    if "minio" in workload and condition(release.get(namespace, "rmod", "words"), "Recorded").get("status") != "False":
        return False
    return condition(release.get(namespace, "mdep", "words"), "Reconciling").get("status") == "True"


def _recorded(release: Cluster, namespace: str) -> list[str]:
    """The versions of the history's entries in the bucket's order: each is moved to, then served."""
    done = release.modelberth("history", "words:production", "--namespace", namespace, "--output", "json")
    assert done.returncode == 0, done.stderr
    return [entry["version"] for entry in json.loads(done.stdout)]


def _is_moved(release: Cluster, namespace: str, version: str) -> bool:
    """Move the alias; a starting API server serves its own kinds and answers to policies a moment later."""
    try:
        release.apply(namespace, registered_model("words", version))
    except AssertionError:
        return False
    return True


def test_pods_serve_on_without_an_api_server(release: Cluster, namespace: str, tmp_path: Path) -> None:
    """And an alias that moves when it is back rolls as if nothing had been."""
    if release.kind.name != "localkind":
        pytest.skip("stopping the API server alone is something that only tests/localkind can do")
    first = release.push(namespace, model_folder(tmp_path, "first"), "words")
    second = release.push(namespace, model_folder(tmp_path, "second"), "words")
    release.apply(namespace, registered_model("words", first), model_deployment("words", replicas=1))
    release.wait_served(namespace, "words", first)
    with requests(release, namespace, "words") as asked:
        eventually(lambda: asked.versions() == {first}, "the first version answers")
        subprocess.run([str(release.kind), "stop", "kube-apiserver", f"--name={release.name}"], check=True)
        time.sleep(AWAY_SECONDS)
        subprocess.run([str(release.kind), "start", "kube-apiserver", f"--name={release.name}"], check=True)
        eventually(lambda: _is_moved(release, namespace, second), "the API server is back and takes the move")
        assert asked.errors() == []
        release.wait_served(namespace, "words", second)
        eventually(lambda: second in asked.versions(), "the second version answers")
        assert asked.errors() == []
