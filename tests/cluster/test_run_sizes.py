"""A gigabyte of artifacts (ten if wished) through the real registry and store, in the memory of a small container."""

import json
import os
import subprocess
import sys

import pytest

from modelberth.content.chunks import CHUNK_SIZE
from modelberth.content.tree import Tree
from tests.cluster.pushing import Client
from tests.cluster.registry_process import new_namespace, pod_token, registry, session_header
from tests.cluster.test_run_reports import RunClient, name_pod, new_run, tree_of_run
from tests.unit.training.pod_folder import PodFolder

__all__ = ["registry"]

SIZE = int(os.environ.get("MODELBERTH_TEST_ARTIFACTS_GIB", "1")) << 30
"""No chunk of it is like another one, so all of it travels. Ten take some minutes and as much room on the disk."""
MEMORY = 150 << 20
"""Whatever the size; far below the limit of our containers in a run's pod."""
WRITES = f"""
class Main:
    def train(self, data_directory):
        with open("artifacts/huge.bin", "wb") as file:
            for offset in range(0, {SIZE}, {CHUNK_SIZE}):
                file.seek(offset)
                file.write(b"chunk at %d" % offset)
            file.truncate({SIZE})

    def save(self):
        open("model.txt", "w").write("m")
"""
REPORT = """
import sys
from modelberth.cli import pod
from modelberth.cli.main import main
pod.TOKEN_FILE, pod.REGISTRY_FOLDER = sys.argv[1] + "/token", sys.argv[1]
code = main(["run-report", sys.argv[1] + "/modelberth"])
print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
sys.exit(code)
"""


@pytest.fixture
def client(control_plane, registry):
    """The pod of a run."""
    namespace = new_namespace(control_plane)
    run = new_run(control_plane, namespace)
    token = pod_token(control_plane, namespace, pod=f"{run}-0")
    name_pod(control_plane, namespace, run, f"{run}-0")
    return RunClient(registry.client(), namespace, token, run)


def test_a_gigabyte_of_artifacts_is_kept_in_little_memory(control_plane, registry, client, tmp_path):
    """Every byte is hashed and sent, and the reporter needs no more memory for it than for a small file."""
    (tmp_path / "token").write_text(client.headers["Authorization"].removeprefix("Bearer "))
    (tmp_path / "url").write_text(registry.url)
    (tmp_path / "ca.crt").write_bytes(registry.ca.read_bytes())
    folder = PodFolder(tmp_path / "modelberth", WRITES)
    assert folder.run().verdict == ("Succeeded", "")
    digest = f"sha256:{0:064x}"
    config = {
        "run": client.run,
        "uid": "by the registry",
        "attempt": 0,
        "package": {"name": "price-1.0", "digest": digest},
        "dataset": {"name": "housing-v1", "digest": digest, "folder": ""},
        "evaluation": None,
    }
    environment = {
        **os.environ,
        "PYTHONPATH": "operator",
        "MODELBERTH_NAMESPACE": client.namespace,
        "MODELBERTH_RUN_CONFIG": json.dumps(config),
    }
    command = [sys.executable, "-c", REPORT, str(tmp_path)]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    peak = int(done.stdout) << 10
    print(f"{SIZE >> 30} GiB were sent in {peak >> 20} MiB of memory")
    assert peak < MEMORY
    held = client.report().json()
    assert held["status"] == "Succeeded"
    session = session_header(control_plane, client.namespace, "Pull", family="runs")
    tree = tree_of_run(Client(registry.client(), client.namespace, session), held["files"])
    assert {entry.path: entry.size for entry in Tree.parse(tree.content).entries}["artifacts/huge.bin"] == SIZE
