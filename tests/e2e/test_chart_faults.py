"""Operator and registry are killed in the middle of a roll; bytes are changed behind everybody's back."""

import base64
import contextlib
import io
import os
import signal
from pathlib import Path

import pytest
from minio import Minio

from tests.e2e.support import (
    RELEASE_NAMESPACE,
    STORE_NODE_PORT,
    Cluster,
    eventually,
    model_deployment,
    model_folder,
    registered_model,
    requests,
)


def kill(release: Cluster, *components: str) -> None:
    """SIGKILL all processes of the components at once: no grace, no goodbye. (A forced deletion sends SIGTERM first.)"""
    selector = f"--selector=app.kubernetes.io/component in ({','.join(components)})"
    processes = _processes({pod["metadata"]["uid"] for pod in release.list(RELEASE_NAMESPACE, "pods", selector)})
    assert len(processes) >= len(components), "the node's processes are this machine's, with kind and with localkind"
    for process in processes:
        os.kill(process, signal.SIGKILL)


def _processes(pods: set[str]) -> list[int]:
    """The processes of these pods, without those that only hold a pod's namespaces: by the cgroup, which names the pod."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it has ended meanwhile
            cgroup = (folder / "cgroup").read_text().replace("_", "-")
            if b"modelberth" in (folder / "cmdline").read_bytes() and any(uid in cgroup for uid in pods):
                found.append(int(folder.name))
    return found


@pytest.mark.parametrize("killed", [("operator",), ("registry",), ("operator", "registry")], ids="-".join)
def test_a_roll_survives_the_death_of(
    killed: tuple[str, ...], release: Cluster, namespace: str, tmp_path: Path
) -> None:
    """Whoever dies in the middle of a roll, it ends by itself in the desired state, and no request is lost."""
    first = release.push(namespace, model_folder(tmp_path, "first"), "words")
    second = release.push(namespace, model_folder(tmp_path, "second"), "words")
    release.apply(namespace, registered_model("words", first), model_deployment("words", replicas=1))
    release.wait_served(namespace, "words", first)
    with requests(release, namespace, "words") as asked:
        eventually(lambda: asked.versions() == {first}, "the first version answers")
        release.apply(namespace, registered_model("words", second))
        eventually(lambda: _rolls(release, namespace, second), "the roll has begun")
        kill(release, *killed)
        release.wait_served(namespace, "words", second)
        eventually(lambda: second in asked.versions(), "the second version answers")
        assert asked.errors() == []


def _rolls(release: Cluster, namespace: str, version: str) -> bool:
    annotations = release.get(namespace, "deployment", "words-a")["metadata"]["annotations"]
    return bool(annotations["modelberth.io/version"] == version)


def test_changed_bytes_are_refused_and_named(release: Cluster, namespace: str, tmp_path: Path) -> None:
    """A version whose bytes an administrator changed serves nothing; the status names the object, the old one serves."""
    first = release.push(namespace, model_folder(tmp_path, "first"), "words")
    before = _objects(release)
    second = release.push(namespace, model_folder(tmp_path, "second"), "words")
    (victim,) = [name for name in _objects(release) - before if "/data/" in name]
    release.apply(namespace, registered_model("words", first), model_deployment("words", replicas=1))
    release.wait_served(namespace, "words", first)
    with requests(release, namespace, "words") as asked:
        _store(release).put_object("modelberth", victim, io.BytesIO(b"sec0nd"), len(b"second"))
        release.apply(namespace, registered_model("words", second))

        def refused() -> bool:
            conditions = release.get(namespace, "modeldeployment", "words")["status"]["conditions"]
            (ready,) = [entry["message"] for entry in conditions if entry["type"] == "Ready"]
            return "refused" in ready and victim.split("/")[-2] in ready

        def why() -> str:
            return release.kubectl("get", "modeldeployment", "words", f"--namespace={namespace}", "--output=yaml")

        eventually(refused, "the status says in the loader's words which object is wrong", explain=why)
        assert asked.versions() == {first}
        assert asked.errors() == []
    alias = release.get(namespace, "registeredmodel", "words")["status"]["aliases"]["production"]
    assert (alias["desired"], alias["current"]) == (second, first)


def _store(release: Cluster) -> Minio:
    data = release.get(RELEASE_NAMESPACE, "secret", "modelberth-minio")["data"]
    user, password = (base64.b64decode(data[field]).decode() for field in ("rootUser", "rootPassword"))
    endpoint = f"{release.node_address()}:{STORE_NODE_PORT}"
    return Minio(endpoint, access_key=user, secret_key=password, secure=False)


def _objects(release: Cluster) -> set[str]:
    found = _store(release).list_objects("modelberth", recursive=True)
    return {str(entry.object_name) for entry in found}
