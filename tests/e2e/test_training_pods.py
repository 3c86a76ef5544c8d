"""Training pods whose program or image does what it likes: each run ends, with words of its own and without a version."""

import re
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.support import ROOT, Cluster
from tests.e2e.training import (
    LEARNS,
    complete,
    push_package,
    push_words,
    start_runs,
    template,
    training_run,
    wait_ended,
)

PYTHONS = "localhost/pythons:1"
TOO_OLD = r"Python 3\.9 or newer"
DEAF = """
import os, signal, sys, time

class Main:
    def train(self, data_directory):
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        if os.fork() == 0:
            os.setsid()
        time.sleep(600)

    def save(self):
        pass
"""
LEAVES = """
import os, signal, time

class Main:
    def train(self, data_directory):
        if os.fork() == 0:
            os.setsid()
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            if os.fork() == 0:
                while True:
                    os.write(1, b"\\xff\\xfe still here " * 1000)
            os._exit(0)
        os.wait()

    def save(self):
        open("model.txt", "w").write("m")
"""
EXITS = "import os\n\nclass Main:\n    def train(self, data_directory):\n        os._exit(0)\n\n    def save(self):\n        pass\n"
HOMELESS = EXITS.replace("import os", "import os, shutil").replace("os._exit(0)", "shutil.rmtree(os.getcwd()); 1 / 0")
TELLS = """
import json, os

class Main:
    def train(self, data_directory):
        key = os.environ["KEY"]
        print(key, repr(key), json.dumps({"key": key}), key.splitlines()[1], "and nothing else", flush=True)
        raise KeyError(key)

    def save(self):
        pass
"""
ENDS = {
    "answers-as-3-8": (LEARNS, {"image": PYTHONS, "environment": {"ANSWERS_AS": "3.8"}}, "PythonTooOld", TOO_OLD),
    "answers-as-2-7": (LEARNS, {"image": PYTHONS, "environment": {"ANSWERS_AS": "2.7"}}, "PythonTooOld", TOO_OLD),
    "python-is-broken": (LEARNS, {"image": PYTHONS}, "ContainerNotCreated", r"status 127.*libpython3\.so"),
    "ignores-sigterm": (DEAF, {"activeDeadlineSeconds": 2}, "DeadlineExceeded", r"activeDeadlineSeconds: 2"),
    "exits-silently": (EXITS, {}, "UserException", r"status 0 in train\(\), before save\(\) had returned"),
    "deletes-its-folder": (HOMELESS, {}, "UserException", r"ZeroDivisionError: division by zero in train\(\)"),
}


@pytest.fixture(scope="module")
def unruly(release: Cluster, leave: Callable[[str], None], tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A namespace in which one run of each kind was started."""
    name = f"unruly-{secrets.token_hex(3)}"
    folder = tmp_path_factory.mktemp("unruly")
    pythons = ROOT / "tests" / "e2e" / "pythons"
    release.load(PYTHONS, pythons / "Dockerfile", pythons, folder / "pythons.tar")
    runs = {run: (train, more) for run, (train, more, _, _) in ENDS.items()} | {"leaves-children": (LEAVES, {})}
    start_runs(release, name, folder, runs)
    yield name
    leave(name)


@pytest.mark.parametrize("run", ENDS)
def test_an_end_has_its_own_words_and_makes_no_version(run: str, release: Cluster, unruly: str) -> None:
    """Neither a Python that cannot run the harness nor a program that heeds nothing keeps its run from ending."""
    _, _, reason, words = ENDS[run]
    status = wait_ended(release, unruly, run)
    ended = complete(status)
    assert (status["phase"], ended["reason"]) == ("Failed", reason), ended
    assert re.search(words, ended["message"], re.DOTALL), ended
    assert "version" not in status
    found = release.list(unruly, "modelversions", f"--field-selector=spec.artifact={run}")
    assert [version["metadata"]["name"] for version in found] == [f"{run}-1.0"]


def test_children_that_a_program_leaves_behind_hold_up_no_version(
    release: Cluster, unruly: str, tmp_path: Path
) -> None:
    """A daemon that is deaf and writes without end: the run succeeds, its pod ends, its bytes are kept as they are."""
    status = wait_ended(release, unruly, "leaves-children")
    assert (status["phase"], status.get("version")) == ("Succeeded", "leaves-children-1.1"), status
    ended = "--for=jsonpath={.status.phase}=Succeeded"
    release.kubectl("wait", f"--namespace={unruly}", ended, "pod/leaves-children-0", "--timeout=60s")
    done = release.modelberth("run", "get", "leaves-children", str(tmp_path / "run"), "--namespace", unruly)
    assert done.returncode == 0, done.stderr
    with (tmp_path / "run" / "log.txt").open("rb") as log:
        assert log.read(13) == b"\xff\xfe still here"[:13]


def test_the_value_of_a_secret_is_told_nowhere(release: Cluster, namespace: str, tmp_path: Path) -> None:
    """A program that prints it in every way and raises with it: neither log, record, status, event nor pod has it."""
    hidden = secrets.token_hex(8)
    value = f"-----BEGIN KEY-----\nMII{hidden}'\"\\\n-----END KEY-----\n"
    source = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "tracking"}, "stringData": {"key": value}}
    push_words(release, namespace, tmp_path, "one two three")
    package = push_package(release, namespace, tmp_path, "tells", TELLS)
    named = {"KEY": {"name": "tracking", "key": "key"}}
    run = training_run("tells", template=template(package, secretEnvironment=named, backoffLimit=0))
    release.apply(namespace, source, run)
    status = wait_ended(release, namespace, "tells")
    assert complete(status)["reason"] == "UserException", status
    told = [
        release.kubectl("logs", "tells-0", f"--namespace={namespace}", "--all-containers"),
        release.kubectl("get", "trainingruns,pods,events", f"--namespace={namespace}", "--output=yaml"),
        described(release, namespace, "run", "describe", "tells"),
        described(release, namespace, "why", "tells"),
    ]
    described(release, namespace, "run", "get", "tells", str(tmp_path / "run"))
    told += [path.read_text() for path in (tmp_path / "run").rglob("*") if path.is_file()]
    assert sum("[cut]" in text and "and nothing else" in text for text in told) >= 2
    assert not [text for text in told if hidden in text]


def described(release: Cluster, namespace: str, *words: str) -> str:
    """What a command says."""
    done = release.modelberth(*words, "--namespace", namespace)
    assert done.returncode == 0, done.stderr
    return done.stdout
