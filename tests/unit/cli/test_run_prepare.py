"""What a run's pod finds when its program starts, and what ends the run before it does."""

import json
import signal

import pytest

from modelberth.cli import pod
from modelberth.cli.main import main
from modelberth.transfer.http import Http
from modelberth.transfer.progress import Progress
from modelberth.transfer.push import send
from modelberth.transfer.registry_client import RegistryClient
from modelberth.transfer.scan import scan
from tests.unit.training.pod_folder import HARNESS

TRAIN = b"class Main: pass\n"


@pytest.fixture
def prepare(registry, tmp_path, monkeypatch):
    """Push a package and data, then run the pod's first container; gives (exit code, folder)."""
    (tmp_path / "token").write_text("token")
    monkeypatch.setattr(pod, "TOKEN_FILE", str(tmp_path / "token"))
    monkeypatch.setenv("MODELBERTH_REGISTRY_URL", registry.url)
    monkeypatch.setenv("MODELBERTH_NAMESPACE", "team")

    def push(name, files):
        folder = tmp_path / f"pushed-{name}"
        for path, data in files.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(data)
        with Http() as http:
            client = RegistryClient(http, registry.url, "team", credentials=list)
            scanned = scan(str(folder), workers=2, progress=Progress())
            send(client, http, scanned, workers=2, progress=Progress())
        return scanned.tree.digest

    def run(*, package=None, data=None, folder="", evaluation=None, **changes):
        config = {
            "run": "r1",
            "uid": "u1",
            "attempt": 0,
            "package": {"name": "p-1.0", "digest": push("package", package or {"train.py": TRAIN})},
            "dataset": {"name": "d-v1", "digest": push("data", data or {"rows.csv": b"1"}), "folder": folder},
            "evaluation": None,
            "artifactsDirectory": "artifacts",
            "deadlineSeconds": 60,
            **changes,
        }
        if evaluation is not None:
            config["evaluation"] = {"name": "d-v2", "digest": push("evaluation", evaluation), "folder": ""}
        monkeypatch.setenv("MODELBERTH_RUN_CONFIG", json.dumps(config))
        registry.requests.clear()
        registry.seen_headers.clear()
        handler = signal.getsignal(signal.SIGTERM)
        try:
            return main(["run-prepare", str(tmp_path / "modelberth")]), tmp_path / "modelberth"
        finally:
            signal.signal(signal.SIGTERM, handler)

    return run


def test_everything_is_there(prepare, registry):
    """Package, data and evaluation data, verified; the harness and what it needs to know; a home to write to."""
    code, folder = prepare(evaluation={"rows.csv": b"2"})
    assert code == 0
    assert (folder / "package" / "train.py").read_bytes() == TRAIN
    assert (folder / "data" / "rows.csv").read_bytes() == b"1"
    assert (folder / "evaluation" / "rows.csv").read_bytes() == b"2"
    assert (folder / "bin" / "harness.py").read_bytes() == HARNESS.read_bytes()
    assert (folder / "home").is_dir()
    config = json.loads((folder / "run" / "config.json").read_text())
    assert config == {"artifactsDirectory": "artifacts", "deadlineSeconds": 60, "evaluation": "d-v2"}
    [loading] = json.loads((folder / "run" / "loading.json").read_text())["phases"]
    assert (loading["name"], loading["bytes"]) == ("Loading", len(TRAIN) + 2)
    assert registry.progress[-1]["phase"] == "Loading"


def test_it_says_whose_pod_it_is(prepare, registry):
    """The registry is told of which run, with every request."""
    prepare()
    assert {headers.get("Modelberth-Run") for kind, headers in registry.seen_headers if kind != "object"} == {"r1"}


def test_a_folder_of_the_data(prepare):
    """Only what is below it, with paths from there on."""
    code, folder = prepare(data={"train/rows.csv": b"1", "test/rows.csv": b"2"}, folder="train")
    assert code == 0
    assert [path.name for path in (folder / "data").iterdir()] == ["rows.csv"]


def test_a_start_that_was_broken_off_is_mended(prepare):
    """What a start before this one left, or changed, is not trusted."""
    _, folder = prepare()
    (folder / "package" / "train.py").write_text("changed")
    (folder / "data" / "more").write_text("more")
    code, _ = prepare()
    assert code == 0
    assert (folder / "package" / "train.py").read_bytes() == TRAIN
    assert not (folder / "data" / "more").exists()


@pytest.mark.parametrize(
    ("options", "reason", "says"),
    [
        ({"folder": "nowhere"}, "LoadFailed", "nowhere"),
        ({"dataset": {"name": "d-v9", "digest": f"sha256:{9:064x}", "folder": ""}}, "LoadFailed", "d-v9"),
        ({"package": {"train.py": TRAIN, "artifacts/old.txt": b"x"}}, "BadPackage", "another artifactsDirectory"),
        ({"package": {"train.py": TRAIN, "artifacts": b"x"}}, "BadPackage", "another artifactsDirectory"),
    ],
)
def test_what_no_waiting_mends_ends_the_attempt(prepare, registry, options, reason, says):
    """The registry is told why, and the pod fails."""
    code, _ = prepare(**options)
    assert code == 1
    [(run, number, report)] = registry.attempts
    assert (run, number, report["status"], report["reason"]) == ("r1", 0, "Failed", reason)
    assert says in report["message"]


def test_an_object_that_is_damaged_ends_the_attempt(prepare, registry):
    """Nothing unverified is ever trained on."""

    def damage(method, kind, path):
        if kind == "object" and method == "GET":
            registry.objects.update({key: b"x" * len(data) for key, data in registry.objects.items()})

    registry.faults = damage
    code, folder = prepare()
    assert code == 1
    assert registry.attempts[0][2]["reason"] == "LoadFailed"
    assert not (folder / "package").exists()


def test_an_outage_is_waited_for(prepare, registry):
    """A registry and a store that come back lose nobody a run."""
    left = {"tree": 2, "layout": 1, "object": 2}

    def faults(method, kind, path):
        if method == "GET" and left.get(kind, 0):
            left[kind] -= 1
            return "break"
        return None

    registry.faults = faults
    assert prepare()[0] == 0
    assert not any(left.values())


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"run": "r1"}', "null"])
def test_a_config_that_nobody_wrote(monkeypatch, tmp_path, text):
    """The pod was not made by the operator: a clear end."""
    monkeypatch.setenv("MODELBERTH_RUN_CONFIG", text)
    handler = signal.getsignal(signal.SIGTERM)
    try:
        with pytest.raises(ValueError, match="MODELBERTH_RUN_CONFIG"):
            main(["run-prepare", str(tmp_path)])
    finally:
        signal.signal(signal.SIGTERM, handler)
