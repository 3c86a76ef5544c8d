"""Store away, API server away, a process killed, a certificate renewed: what clients see, and that it goes on by itself."""

import os
import signal
import ssl
import time
import uuid
from datetime import UTC, datetime

import httpx
import pytest

from modelberth.runtime.certificates import new_authority, new_serving
from tests.cluster.pushing import Client, folder
from tests.cluster.registry_process import (
    new_namespace,
    pod_token,
    prepare_registry,
    registry,
    session_header,
)

__all__ = ["registry"]


@pytest.fixture(scope="module")
def pushed(control_plane, registry):
    """A client who may pull, and content that is there."""
    namespace = new_namespace(control_plane)
    content = folder({"file": uuid.uuid4().bytes})
    with registry.client() as http:
        Client(http, namespace, session_header(control_plane, namespace, "Push")).push("kept", content)
        yield Client(http, namespace, session_header(control_plane, namespace, "Pull")), content


def until(condition, seconds=30.0):
    """Wait for a condition."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "not in time"
        time.sleep(0.2)


def test_the_store_is_away(control_plane, registry, pushed):
    """While MinIO is down requests are refused with 503 and the wish to wait; afterwards everything goes on."""
    client, content = pushed
    control_plane.stop("minio")
    try:
        answer = client.post("/artifacts/kept/versions", json={"digest": content.tree.digest})
        assert answer.status_code == 403  # it is a Pull session: rights are asked first, whatever is away
        answer = client.get("/artifacts/kept/versions")
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "StoreUnavailable")
        assert int(answer.headers["Retry-After"]) > 0
        assert client.http.get("/healthz").status_code == 200
    finally:
        control_plane.start("minio")
    until(lambda: client.get("/artifacts/kept/versions").status_code == 200)
    assert client.load(content.tree.digest).keys() == {"file"}


def test_started_without_its_store(control_plane, tmp_path):
    """A registry that starts before its store is alive, not ready, says why, and gets ready by itself."""
    prepared = prepare_registry(control_plane, tmp_path)
    http = prepared.client()

    def is_alive():
        try:
            return http.get("/healthz").status_code == 200
        except httpx.TransportError:
            return False

    control_plane.stop("minio")
    try:
        prepared.spawn()
        until(is_alive)
        until(lambda: http.get("/readyz").json()["problems"] != ["starting"])
        ready = http.get("/readyz")
        assert (ready.status_code, "does not answer" in ready.json()["problems"][0]) == (503, True)
    finally:
        control_plane.start("minio")
        try:
            prepared.wait_ready()
        finally:
            prepared.close()


def test_the_api_server_is_away(control_plane, registry, pushed):
    """While the API server is down who was known is answered for a while, and all others wait; then all goes on."""
    client, content = pushed
    stranger = pod_token(control_plane, client.namespace)
    path = f"{client.base}/content/{content.tree.digest}/tree"
    assert client.get(f"/content/{content.tree.digest}/tree").status_code == 200
    with registry.client(Authorization=f"Bearer {stranger}") as http:
        control_plane.stop("kube-apiserver")
        try:
            answer = http.get(path)
            assert (answer.status_code, answer.json()["error"]["code"]) == (503, "KubernetesUnavailable")
        finally:
            control_plane.start("kube-apiserver")
        until(lambda: http.get(path).status_code == 200, seconds=60)


def test_killed_and_started_again(control_plane, registry, pushed):
    """A registry that is killed has lost nothing: the next one serves what was committed."""
    client, content = pushed
    registry.stop(signal.SIGKILL)
    registry.start()
    assert client.load(content.tree.digest).keys() == {"file"}


def test_it_ends_when_told(control_plane, tmp_path):
    """SIGTERM ends the process at once with status 0, though a client keeps a connection open."""
    prepared = prepare_registry(control_plane, tmp_path)
    prepared.start()
    try:
        assert prepared.client().get("/v1/info").status_code == 200
        started = time.monotonic()
        assert prepared.stop() == 0
        assert time.monotonic() - started < 15
    finally:
        prepared.close()


def test_a_renewed_certificate(control_plane, registry, pushed, tmp_path):
    """New certificate files are served to new connections without a restart; half-written ones change nothing."""
    folder_of = os.path.dirname(registry.ca)
    pid = registry.process.pid
    authority = new_authority(datetime.now(UTC))
    serving = new_serving(authority, ["localhost"], datetime.now(UTC))
    new_ca = tmp_path / "ca.crt"
    new_ca.write_bytes(authority.certificate)

    def put(name, content):
        with open(f"{folder_of}/next", "wb") as file:
            file.write(content)
        os.replace(f"{folder_of}/next", f"{folder_of}/{name}")

    def answers(ca):
        try:
            with httpx.Client(verify=ssl.create_default_context(cafile=str(ca))) as http:
                return http.get(f"{registry.url}/healthz").status_code == 200
        except httpx.ConnectError:
            return False

    put("tls.crt", serving.certificate)  # the old key is still beside it
    assert answers(registry.ca)
    put("tls.key", serving.key)
    until(lambda: answers(new_ca))
    assert not answers(registry.ca)
    assert registry.process.pid == pid
    registry.ca.write_bytes(authority.certificate)
