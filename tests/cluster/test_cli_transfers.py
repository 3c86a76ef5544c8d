"""The command line against the real registry, API server and MinIO: as a user with nothing but a kubeconfig, and as a
pod's loader.
"""

import io
import json
import os
import subprocess
import sys
import threading
import time

import pytest
import yaml
from minio import Minio

from tests.cluster.registry_process import new_namespace, pod_token, registry
from tests.unit.transfer.conftest import content, fill, noise

__all__ = ["registry"]

MIB = 1024 * 1024
FILES = {
    "weights.bin": noise(20 * MIB + 17),
    "medium.bin": noise(2 * MIB, "medium"),
    "small/with space.json": b"{}",
    "small/Größe": b"text",
    "empty": b"",
    "void/": None,
}


@pytest.fixture(scope="module")
def namespace(control_plane, registry):
    return new_namespace(control_plane)


@pytest.fixture
def run(control_plane, namespace):
    """Run the program in a process of its own: `run("push", …)` gives the finished process."""
    environment = {**os.environ, "KUBECONFIG": str(control_plane.kubeconfig), "PYTHONPATH": "operator"}
    for name in [name for name in environment if name.startswith("MODELBERTH_")]:
        del environment[name]

    def call(command, *words, **more):
        arguments = [sys.executable, "-m", "modelberth", command, *map(str, words), f"--namespace={namespace}"]
        return subprocess.run(arguments, env={**environment, **more}, capture_output=True, text=True, check=False)

    return call


@pytest.fixture
def source(tmp_path):
    return fill(tmp_path / "source", FILES)


def pushed(run, source, *words):
    """Push; (object name, digest)."""
    done = run("push", source, *words)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def objects(control_plane, namespace, resource):
    return json.loads(control_plane.kubectl("get", resource, f"--namespace={namespace}", "-ojson").stdout)["items"]


def test_push_and_load_through_the_api_server(control_plane, registry, namespace, run, tmp_path):
    """A laptop's way: no address but the kubeconfig's; the objects are made, the session is gone, the bytes are equal."""
    source = fill(tmp_path / "source", FILES)
    name, digest = pushed(run, source, "--artifact=through", "--alias=best", "--metric=accuracy=0.97")
    assert name == "through-v0"
    version = next(v for v in objects(control_plane, namespace, "modelversions") if v["metadata"]["name"] == name)
    assert version["spec"]["digest"] == digest
    assert version["spec"]["metrics"] == {"accuracy": 0.97}
    artifact = next(
        a for a in objects(control_plane, namespace, "modelartifacts") if a["metadata"]["name"] == "through"
    )
    assert artifact["spec"]["aliases"] == {"best": {"version": name}}
    assert objects(control_plane, namespace, "transfersessions") == []
    done = run("load", "through:v0", tmp_path / "model")
    assert done.returncode == 0, done.stderr
    assert content(tmp_path / "model") == content(source)
    assert run("verify", "through:v0").returncode == 0
    assert run("verify", "through:v0", tmp_path / "model").returncode == 0


def test_data_goes_the_same_way(control_plane, registry, namespace, run, tmp_path):
    """A dataset is pushed with where it came from, and found, loaded, and loaded in part without saying what it is."""
    source = fill(tmp_path / "source", {"train/rows.csv": noise(3 * MIB), "test/rows.csv": b"1,2"})
    first, digest = pushed(run, source, "--dataset=housing", "--label=region=north")
    second, _ = pushed(run, source / "train", "--dataset=housing", f"--derived-from={first}", "--alias=reviewed")
    versions = {v["metadata"]["name"]: v["spec"] for v in objects(control_plane, namespace, "datasetversions")}
    assert (versions[first]["digest"], versions[first]["labels"]) == (digest, {"region": "north"})
    assert versions[second]["derivedFrom"] == [first]
    for address, expected in ((first, source), (f"{first}#train", source / "train")):
        place = tmp_path / address
        name, _, rest = address.partition("-")
        done = run("load", f"{name}:{rest}", place)
        assert done.returncode == 0, done.stderr
        assert content(place) == content(expected)
        assert run("verify", f"{name}:{rest}", place).returncode == 0
    assert "the folders are 'test', 'train'" in run("load", "housing:v0#validation", tmp_path / "none").stderr
    assert objects(control_plane, namespace, "transfersessions") == []


def test_the_same_content_again_sends_nothing(run, source):
    """By another folder and another artifact, too: objects are shared within the namespace."""
    first = pushed(run, source, "--artifact=again", "--draft")
    done = run("push", source, "--artifact=again", "--draft")
    assert done.stdout.split() == first
    assert "0 B sent" in done.stderr
    assert "0 B sent" in run("push", source, "--artifact=other", "--draft").stderr


def test_a_hundred_thousand_small_files_go_and_come_back(run, tmp_path):
    """Packed on the way, so that the store sees few objects; every file is there again with its bytes."""
    source = tmp_path / "source"
    for number in range(100_000):
        folder = source / f"{number // 1000:03}"
        if number % 1000 == 0:
            folder.mkdir(parents=True)
        (folder / f"{number}.json").write_text(f'{{"number": {number}}}')
    pushed(run, source, "--artifact=many", "--draft")
    done = run("load", "many:v0", tmp_path / "model")
    assert done.returncode == 0, done.stderr
    assert sum(len(files) for _, _, files in os.walk(tmp_path / "model")) == 100_000
    assert run("verify", "many:v0", tmp_path / "model").returncode == 0
    assert run("verify", "many:v0", source).returncode == 0


def test_get_and_history_answer(run, source):
    """Drafts are shown, and an alias of no model has no history."""
    pushed(run, source, "--artifact=shown", "--draft")
    table = run("get", "shown").stdout
    assert "shown-v0" in table
    assert "Draft" in table
    assert "nothing is recorded" in run("history", "shown:best").stderr


DESCRIBED = (
    "--format=onnx --description=first --metric=accuracy=0.97 --parameter=lr=0.1 --parent=base-v1 --python=3.11.7 "
    "--trained-on=s3://d/train,role=train --run=https://mlflow/1 --code-repository=https://git/x --code-revision=abc "
    "--code-path=train.py --code-dirty --image=registry/x:1"
)


def test_printed_manifests_can_be_applied(control_plane, namespace, run, source):
    """`push -o yaml` is for Git: the API server takes what it prints, strictly and with every describing field."""
    done = run("push", source, "--artifact=printed", "--versioning=Semantic", "-o=yaml", *DESCRIBED.split())
    assert done.returncode == 0, done.stderr
    control_plane.kubectl("apply", "--server-side", "--validate=strict", "-f-", input=done.stdout)
    names = {item["metadata"]["name"] for item in objects(control_plane, namespace, "modelversions")}
    assert "printed-1.0" in names
    again = run("push", source, "--artifact=printed", *DESCRIBED.split())
    assert again.returncode == 0, again.stderr
    assert "modelversion/printed-1.0 is there already" in again.stderr


@pytest.mark.parametrize("damage", ["tampered", "truncated", "missing", "swapped"])
def test_damage_by_an_administrator_of_the_store_is_named(registry, run, tmp_path, damage):
    """Whoever holds the root keys of the store can change objects: the loader refuses each by its name, and pushing the
    same folder again mends the version.
    """
    pair = {name: noise(2 * MIB, damage + name) for name in ("one", "two")}
    source = fill(tmp_path / "source", pair)
    _, digest = pushed(run, source, f"--artifact={damage}", "--draft")
    assert registry.root is not None
    with_root = _minio(registry)
    keys = sorted(
        o.object_name
        for o in with_root.list_objects(registry.store.bucket, recursive=True)
        if "/data/" in o.object_name
    )
    bodies = {key: with_root.get_object(registry.store.bucket, key).read() for key in keys}
    victim, other = (next(key for key in keys if bodies[key] == pair[name]) for name in ("one", "two"))
    body = bodies[victim]
    changed = {"tampered": b"X" + body[1:], "truncated": body[:-1], "missing": None, "swapped": bodies[other]}[damage]
    if changed is None:
        with_root.remove_object(registry.store.bucket, victim)
    else:
        with_root.put_object(registry.store.bucket, victim, io.BytesIO(changed), len(changed))
    done = run("load", f"{damage}@{digest}", tmp_path / "model")
    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]
    hexadecimal, space = victim.split("/")[4], victim.split("/")[1]
    assert last.startswith(f"modelberth load: refused: object {hexadecimal} of spaces/{space} ")
    assert f" is {damage}: " in last
    assert not (tmp_path / "model").exists()
    assert pushed(run, source, f"--artifact={damage}", "--draft")[1] == digest
    done = run("load", f"{damage}@{digest}", tmp_path / "model")
    assert done.returncode == 0, done.stderr
    assert content(tmp_path / "model") == content(source)


def _minio(registry):
    root = registry.root
    return Minio(
        registry.store.endpoint.url.removeprefix("http://"),
        access_key=root.access_key,
        secret_key=root.secret_key,
        secure=False,
        region="us-east-1",
    )


LOADER = (
    "import sys; from modelberth.cli import pod; pod.TOKEN_FILE, pod.REGISTRY_FOLDER = sys.argv[1:3]; "
    "from modelberth.cli.main import main; sys.exit(main(sys.argv[3:]))"
)


def test_a_pods_loader_needs_its_token_only(control_plane, registry, namespace, run, tmp_path):
    """With the projected token, the registry's address and its CA, and no kubeconfig."""
    source = fill(tmp_path / "source", FILES)
    name, digest = pushed(run, source, "--artifact=pods", "--draft")
    token = tmp_path / "token"
    token.write_text(pod_token(control_plane, namespace))
    mounted = fill(tmp_path / "mounted", {"url": registry.url.encode(), "ca.crt": registry.ca.read_bytes()})
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": "operator", "MODELBERTH_NAMESPACE": namespace}

    def load():
        command = [
            sys.executable,
            "-c",
            LOADER,
            str(token),
            str(mounted),
            "load",
            f"pods@{digest}",
            str(tmp_path / "model"),
        ]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    done = load()
    assert done.returncode == 0, done.stderr
    assert content(tmp_path / "model") == content(source)
    token.write_text(pod_token(control_plane, namespace, audience="https://kubernetes.default.svc"))
    refused = load()
    assert refused.returncode == 1
    assert "401" in refused.stderr
    assert name == "pods-v0"


def test_a_push_survives_a_restart_of_the_registry(registry, run, source, tmp_path):
    """Killed in the middle, the registry comes back, and the same push goes on."""
    (source / "more.bin").write_bytes(noise(60 * MIB, "restart"))
    results = []
    thread = threading.Thread(target=lambda: results.append(run("push", source, "--artifact=restart", "--draft")))
    thread.start()
    deadline = time.monotonic() + 30
    while "uploads" not in registry.log.read_text() and time.monotonic() < deadline:
        time.sleep(0.05)
    registry.stop(9)
    registry.start()
    thread.join()
    assert results[0].returncode == 0, results[0].stderr
    done = run("load", "restart:v0", tmp_path / "model")
    assert done.returncode == 0, done.stderr
    assert content(tmp_path / "model") == content(source)


def test_without_rights_the_api_servers_words_are_told(control_plane, namespace, run, source, tmp_path):
    """A user who may do nothing learns which right is missing, from the API server itself."""
    config = yaml.safe_load(control_plane.kubeconfig.read_text())
    config["users"][0]["user"]["as"] = "nobody-special"
    restricted = tmp_path / "kubeconfig"
    restricted.write_text(yaml.safe_dump(config))
    done = run("push", source, "--artifact=denied", KUBECONFIG=str(restricted))
    assert done.returncode == 1
    assert 'User "nobody-special" cannot get resource "modelartifacts"' in done.stderr


MEASURED = (
    "import re, sys; from modelberth.cli.main import main; code = main(sys.argv[1:]); "
    "print(re.search(r'VmHWM:\\s+([0-9]+) kB', open('/proc/self/status').read())[1]); sys.exit(code)"
)
"""Runs the program and prints its peak of resident memory in KiB (`ru_maxrss` would be the parent's before exec)."""


def test_memory_does_not_grow_with_the_file(control_plane, namespace, run, tmp_path):
    """A file of 256 MiB in distinct chunks is pushed and loaded within 150 MiB, by as many threads as there ever are."""
    block = noise(8 * MIB, "memory")
    source = fill(tmp_path / "source", {})
    source.mkdir()
    with (source / "large.bin").open("wb") as file:
        for number in range(32):
            file.write(number.to_bytes(8, "big") + block[8:])
    environment = {**os.environ, "KUBECONFIG": str(control_plane.kubeconfig), "PYTHONPATH": "operator"}

    def peak(*words):
        command = [sys.executable, "-c", MEASURED, *map(str, words), "--workers=8", f"--namespace={namespace}"]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return int(done.stdout.split()[-1])

    assert peak("push", source, "--artifact=memory", "--draft") < 150 * 1024
    assert peak("load", "memory:v0", tmp_path / "model") < 150 * 1024
    assert run("verify", "memory:v0", tmp_path / "model").returncode == 0
