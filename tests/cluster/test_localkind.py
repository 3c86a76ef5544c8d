"""The cluster without Docker, at the control-plane level: it comes up, stands beside others, and goes without a trace."""

import json
import os
import signal
import subprocess
import sys
import urllib.request
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.localkind.fixture import LOCALKIND, RunningCluster, control_plane, localkind, temporary_cluster

__all__ = ["control_plane"]  # a fixture is found by its name in this module


def traces(cluster: RunningCluster) -> list[str]:
    """What of a cluster can still be seen on this machine: files, processes, links, routes, mounts, cgroups."""
    state, network = cluster.info["state"], cluster.info["nodeIP"].split(".")[1]
    found = [path for path in (state, f"/sys/class/net/localkind{network}") if os.path.lexists(path)]
    for process in Path("/proc").iterdir():
        if process.name.isdigit() and process.name != str(os.getpid()):
            try:
                words = (process / "cmdline").read_bytes().decode(errors="replace")
            except OSError:
                continue
            if state in words or cluster.info["nodeIP"] in words:
                found.append(words.replace("\0", " "))
    routes = subprocess.run(["ip", "-4", "route"], capture_output=True, text=True, check=True).stdout
    found += [route for route in routes.splitlines() if route.startswith(f"10.{network}.")]
    found += [line for line in Path("/proc/mounts").read_text().splitlines() if state in line]
    found += [str(folder) for folder in Path("/sys/fs/cgroup").glob(f"*/localkind-{cluster.name}")]
    return found


def test_serves_kubernetes_and_minio(control_plane: RunningCluster) -> None:
    """A created cluster answers as Kubernetes 1.36 with RBAC and admission policies, and MinIO takes requests."""
    version = json.loads(control_plane.kubectl("version", "-ojson").stdout)
    assert version["serverVersion"]["gitVersion"] == "v1.36.3"
    anybody = control_plane.kubectl("auth", "can-i", "delete", "namespaces", "--as=somebody", check=False)
    assert anybody.stdout.strip() == "no"
    served = control_plane.kubectl("api-resources", "--api-group=admissionregistration.k8s.io", "-oname").stdout
    assert "mutatingadmissionpolicies" in served
    assert "validatingadmissionpolicies" in served
    with urllib.request.urlopen(f"{control_plane.minio.endpoint}/minio/health/ready") as answer:  # noqa: S310 - http
        assert answer.status == 200


def test_a_process_of_the_test_is_reached_through_the_service_proxy(
    control_plane: RunningCluster, tmp_path: Path
) -> None:
    """A published process answers through the API server, as a Service of pods would."""
    (tmp_path / "index.html").write_text("from the host")
    serve = [sys.executable, "-c", SERVER, str(tmp_path)]
    with subprocess.Popen(serve, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
        assert server.stdout is not None
        port = int(server.stdout.readline())
        control_plane.make_namespace("published")
        control_plane.publish(port, namespace="published", service="web", port=80)
        answer = control_plane.kubectl("get", "--raw", "/api/v1/namespaces/published/services/web:80/proxy/").stdout
        server.terminate()
    assert answer == "from the host"


SERVER = """
import http.server, os, sys
os.chdir(sys.argv[1])
server = http.server.HTTPServer(("", 0), http.server.SimpleHTTPRequestHandler)
print(server.server_port, flush=True)
server.serve_forever()
"""


def test_two_clusters_share_nothing_and_leave_nothing(control_plane: RunningCluster) -> None:
    """A second cluster has its own addresses and objects, and its end touches the first in no way."""
    with temporary_cluster("control-plane") as other:
        assert other.info["nodeIP"] != control_plane.info["nodeIP"]
        other.kubectl("create", "namespace", "only-here")
        seen = control_plane.kubectl("get", "namespace", "only-here", check=False)
        assert "not found" in seen.stderr
        assert traces(other)
    assert traces(other) == []
    assert not other.kubeconfig.exists()
    control_plane.kubectl("get", "--raw=/readyz")


@pytest.mark.parametrize("victims", [["init"], ["etcd", "kube-apiserver"]], ids=" and ".join)
def test_deletes_a_cluster_of_which_a_part_was_killed(victims: list[str]) -> None:
    """Whatever part was killed, deletion succeeds and leaves no process, file, link, route, mount or cgroup."""
    with temporary_cluster("control-plane") as cluster:
        for victim in victims:
            os.kill(cluster.info["pids"][victim], signal.SIGKILL)
    assert traces(cluster) == []


def test_an_interrupted_creation_is_cleared_up_by_the_next_one(tmp_path: Path) -> None:
    """A creation killed half-way is no cluster, and creating the same name again replaces what it left."""
    name, kubeconfig = f"crash{os.getpid()}", f"--kubeconfig={tmp_path}/kubeconfig"
    create = ["create", "cluster", "--level=control-plane", f"--name={name}", kubeconfig]
    with ExitStack() as cleanup:
        cleanup.callback(localkind, "delete", "cluster", f"--name={name}")
        with subprocess.Popen([str(LOCALKIND), *create]) as first:
            while not has_component(name, "kube-apiserver"):
                assert first.poll() is None
            first.kill()
        assert name not in localkind("get", "clusters").split()
        localkind(*create)
        assert name in localkind("get", "clusters").split()


def has_component(name: str, component: str) -> bool:
    """Whether a component of a cluster runs, asked while the cluster is being made."""
    asked = subprocess.run(
        [str(LOCALKIND), "get", "info", f"--name={name}"], capture_output=True, text=True, check=False
    )
    return asked.returncode == 0 and component in json.loads(asked.stdout)["pids"]


def test_a_stopped_component_comes_back_with_its_data(control_plane: RunningCluster) -> None:
    """An API server that was killed and started again still knows what it was told."""
    control_plane.kubectl("create", "namespace", "kept")
    control_plane.stop("kube-apiserver")
    assert control_plane.kubectl("get", "namespace", "kept", check=False).returncode != 0
    control_plane.start("kube-apiserver")
    while control_plane.kubectl("get", "--raw=/readyz", check=False).returncode != 0:
        assert "kube-apiserver" in json.loads(localkind("get", "info", f"--name={control_plane.name}"))["pids"]
    control_plane.kubectl("get", "namespace", "kept")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["create", "cluster", "--name=Not_A_Name"], "use 1 to 40 lower-case letters, digits and dashes"),
        (["create", "cluster", "--image=kindest/node:v1.36"], "--image is kind's and means nothing here"),
        (["get", "info", "--name=nobody"], "there is no cluster named 'nobody'"),
        (["build", "kubelte"], "no component is named 'kubelte'"),
    ],
)
def test_refuses_with_one_sentence(arguments: list[str], sentence: str) -> None:
    """A mistaken command ends with status 1 and one line that says what is wrong."""
    done = subprocess.run([str(LOCALKIND), *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert sentence in done.stderr


def test_refuses_a_user_without_root() -> None:
    """Without root it says that root is missing, and what else can be done."""
    command = ["setpriv", "--reuid=65534", "--clear-groups", sys.executable, "-c", AS_NOBODY]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "needs root" in done.stdout, done.stderr


AS_NOBODY = f"""
import sys
sys.path.insert(0, {str(LOCALKIND.parent.parent)!r})
from localkind.host import LocalkindError, require_cluster_host
try:
    require_cluster_host()
except LocalkindError as error:
    print(error)
"""


def test_load_needs_a_node(control_plane: RunningCluster, tmp_path: Path) -> None:
    """Loading an image into a cluster without nodes is refused with the level that has one."""
    archive = tmp_path / "image.tar"
    archive.touch()
    done = subprocess.run(
        [str(LOCALKIND), "load", "image-archive", str(archive), f"--name={control_plane.name}"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "--level node" in done.stderr
