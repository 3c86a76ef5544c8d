"""What a run's pod sends when its program has ended, and what it never sends."""

import json
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from modelberth.cli import pod, run_reporter
from modelberth.cli.main import main
from modelberth.content.layout import Layout
from modelberth.content.tree import Tree
from tests.unit.training.pod_folder import GOOD, SEAL, PodFolder

TOKEN = "token-of-the-pod-that-nobody-may-see"
RUN = {
    "run": "r1",
    "uid": "u1",
    "attempt": 2,
    "package": {"name": "p-1.0", "digest": f"sha256:{1:064x}"},
    "dataset": {"name": "d-v1", "digest": f"sha256:{2:064x}", "folder": ""},
    "evaluation": None,
}


@pytest.fixture
def report(registry, tmp_path, monkeypatch):
    """Run the harness over a package and the report after it: gives the report and what the registry holds."""
    (tmp_path / "token").write_text(TOKEN)
    monkeypatch.setattr(pod, "TOKEN_FILE", str(tmp_path / "token"))
    quickly = replace(run_reporter._REFUSALS, seconds=0.3, first=0.01, longest=0.01)
    monkeypatch.setattr(run_reporter, "_REFUSALS", quickly)
    monkeypatch.setattr("modelberth.training.handshake.new_seal", lambda: SEAL)
    monkeypatch.setenv("MODELBERTH_REGISTRY_URL", registry.url)
    monkeypatch.setenv("MODELBERTH_NAMESPACE", "team")
    monkeypatch.setenv("MODELBERTH_RUN_CONFIG", json.dumps(RUN))

    def run(train=GOOD, *, before=lambda folder: None, at_once=False, code=0, **options):
        folder = PodFolder(tmp_path / "modelberth", train, watched=not at_once, **options)
        loading = {"phases": [{"name": "Loading", "startedAt": "2026-01-31T12:00:00Z", "seconds": 1.5, "bytes": 7}]}
        (folder.root / "run" / "loading.json").write_text(json.dumps(loading))
        process = folder.start(SECRET=str(tmp_path / "token"), MODELBERTH_ROOT=str(folder.root))
        if not at_once:
            process.communicate(timeout=60)
        before(folder)
        handler = signal.getsignal(signal.SIGTERM)
        try:
            assert main(["run-report", str(folder.root)]) == code
        finally:
            signal.signal(signal.SIGTERM, handler)
            process.communicate(timeout=60)
        assert not any(TOKEN.encode() in data for data in registry.objects.values())
        if code:
            return None
        [(name, number, said)] = registry.attempts
        assert (name, number) == ("r1", 2)
        return said

    return run


def paths(registry, digest):
    """The committed files of a digest."""
    Layout.parse(registry.layouts[digest])
    return [entry.path for entry in Tree.parse(registry.trees[digest]).entries]


def content(registry, digest, path):
    """The bytes of a small file."""
    [entry] = [entry for entry in Tree.parse(registry.trees[digest]).entries if entry.path == path]
    layout = Layout.parse(registry.layouts[digest])
    chunk = layout.chunks[entry.digest]
    stored = layout.objects[chunk.object]
    return registry.objects[f"{stored.digest}/{stored.ulid}"][chunk.offset : chunk.offset + entry.size]


def body(save="open('model.txt', 'w').write('m')", train="pass", rest=""):
    """A train.py of two methods."""
    lines = "import os, sys\nclass Main:\n    def train(self, data_directory):\n"
    lines += textwrap.indent(train, " " * 8) + "\n    def save(self):\n" + textwrap.indent(save, " " * 8) + "\n"
    return lines + textwrap.indent(rest, " " * 4)


def test_a_good_run_is_a_version_and_files(report, registry):
    """The package and what save() left make the version; log, packages and artifacts are the run's files."""
    train = "print('hello')\nos.makedirs('artifacts/plots')\nopen('artifacts/plots/a.txt', 'w').write('1')"
    said = report(body(train=train, rest="def evaluate(self, d): return 0.5\n"))
    assert (said["status"], said["reason"], said["message"]) == ("Succeeded", "", "")
    assert paths(registry, said["output"]) == ["model.txt", "train.py"]
    assert paths(registry, said["files"]) == ["artifacts/plots/a.txt", "log.txt", "packages.txt"]
    assert content(registry, said["files"], "log.txt") == b"hello\n"
    assert b"pytest==" in content(registry, said["files"], "packages.txt")
    assert said["filePaths"] == ["artifacts/plots/a.txt"]
    assert said["metrics"] == {"score": 0.5}
    assert said["logTail"] == ["hello"]
    assert [phase["name"] for phase in said["phases"]] == ["Loading", "Training", "Evaluating", "Saving", "Uploading"]
    assert said["phases"][0]["bytes"] == 7
    assert said["phases"][-1]["bytes"] > 0


def test_the_program_is_waited_for_and_its_phases_are_told(report, registry, monkeypatch, tmp_path):
    """The report begins with the program; the registry hears of phases while it runs."""
    monkeypatch.setattr("modelberth.cli.run_progress.POST_SECONDS", 0.05)
    go = tmp_path / "modelberth" / "package" / "go"
    registry.faults = lambda method, kind, path: go.touch() if kind == "progress" and not go.exists() else None
    said = report(body(train="import time\nwhile not os.path.exists('go'): time.sleep(0.02)"), at_once=True)
    assert said["status"] == "Succeeded"
    heard = [post["phase"] for post in registry.progress]
    assert "Training" in heard
    assert heard[-1] == "Uploading"
    assert [phase["name"] for phase in registry.progress[-1]["phases"]] == ["Loading", "Training", "Saving"]


def test_no_artifacts_no_folder(report, registry):
    """What is empty is not there, also where the folder lies deeper."""
    said = report(body())
    assert paths(registry, said["files"]) == ["log.txt", "packages.txt"]
    assert said["filePaths"] == []


def test_a_failure_makes_no_version_and_keeps_everything_else(report, registry):
    """Log, traceback and artifacts."""
    said = report(body(train="open('artifacts/a.txt', 'w').write('1')\nraise ValueError('no rows')"))
    assert (said["status"], said["reason"], said["output"]) == ("Failed", "UserException", None)
    assert said["traceback"][-1] == "ValueError: no rows"
    assert paths(registry, said["files"]) == ["artifacts/a.txt", "log.txt", "packages.txt"]


def test_a_model_that_is_no_version_is_kept_with_the_run(report, registry):
    """After a bad metric the model that save() left can be fetched from the run's files."""
    said = report(body(rest="def evaluate(self, d): return float('nan')\n"))
    assert (said["reason"], said["output"]) == ("BadMetric", None)
    assert "output/model.txt" in paths(registry, said["files"])


@pytest.mark.parametrize(
    ("save", "says"),
    [
        ("os.symlink(os.environ['SECRET'], 'model.txt')", "model.txt' is a link that leaves the folder"),
        ("os.symlink('../run/config.json', 'model.txt')", "model.txt' is a link that leaves the folder"),
        (
            "os.mkdir('../package2'); os.symlink('../package2', 'model.txt')",
            "model.txt' is a link that leaves the folder",
        ),
        ("os.symlink('nowhere', 'model.txt')", "model.txt' is a broken link"),
        ("os.mkfifo('model.txt')", "model.txt' is neither a file nor a folder"),
        ("open(b'model\\xff', 'w').write('m')", "not valid UTF-8"),
        ("open('con', 'w').write('m')", "con"),
        ("os.symlink('.', 'model')", "a link to a folder that it lies in"),
        ("import shutil; here = os.getcwd(); shutil.rmtree(here); os.symlink('/', here)", "no folder"),
    ],
)
def test_what_cannot_be_a_version_is_told_by_name(report, registry, save, says):
    """Nothing is followed, nothing hangs, and the rest of what save() left is kept with the run."""
    said = report(body(save=save + "\nif os.path.isfile('train.py'): open('good.txt', 'w').write('m')"))
    assert (said["status"], said["reason"], said["output"]) == ("Failed", "BadOutput", None)
    assert says in said["message"]
    if "no folder" not in says:
        assert "output/good.txt" in paths(registry, said["files"])


def test_artifacts_that_cannot_be_kept_cost_no_version(report, registry):
    """A link to a secret among the artifacts is left out and told; the model and the other artifacts stay."""
    train = "os.symlink(os.environ['SECRET'], 'artifacts/token')\nopen('artifacts/a.txt', 'w').write('1')"
    said = report(body(train=train))
    assert said["status"] == "Succeeded"
    assert "token' is a link that leaves the folder" in said["message"]
    assert said["filePaths"] == ["artifacts/a.txt"]


@pytest.mark.parametrize(
    "trick",
    [
        "os.rmdir('artifacts'); os.symlink(os.path.dirname(os.environ['SECRET']), 'artifacts')",
        "log = os.environ['MODELBERTH_ROOT'] + '/run/log'; os.unlink(log); os.symlink(os.environ['SECRET'], log)",
        "log = os.environ['MODELBERTH_ROOT'] + '/run/log.9'; os.symlink(os.environ['SECRET'], log)",
        "os.symlink(os.path.dirname(os.environ['SECRET']), os.environ['MODELBERTH_ROOT'] + '/files')",
        "os.mkfifo(os.environ['MODELBERTH_ROOT'] + '/run/log.3')",
        "os.mkdir(os.environ['MODELBERTH_ROOT'] + '/run/log.9')",
    ],
)
def test_no_trick_makes_us_send_our_token(report, registry, trick):
    """Whatever the program puts in the place of what we read, links are not followed and nothing is waited for."""
    said = report(body(train=trick))
    assert said["status"] == "Succeeded"
    assert TOKEN not in json.dumps(said)


LOCK_TRICKS = [
    "os.unlink(lock)",
    "os.unlink(lock); open(lock, 'w')",
    "os.unlink(lock); os.symlink(os.environ['SECRET'], lock)",
    "os.unlink(lock); os.mkfifo(lock)",
]


@pytest.mark.parametrize("trick", LOCK_TRICKS)
def test_no_trick_with_the_lock_makes_us_start_early(report, registry, monkeypatch, tmp_path, trick):
    """We wait for the lock that was there before the program; whoever puts another in its place makes no version."""
    monkeypatch.setattr("modelberth.cli.run_progress.POST_SECONDS", 0.05)
    go, late = (tmp_path / "modelberth" / "package" / name for name in ("go", "late"))

    def faults(method, kind, path):
        if kind == "progress" and not go.exists():
            go.touch()

    registry.faults = faults
    train = f"""
        import time
        lock = os.environ['MODELBERTH_ROOT'] + '/run/lock'
        open(os.environ['MODELBERTH_ROOT'] + '/run/outcome.json', 'w').write('{{"status": "Succeeded"}}')
        while not os.path.exists('go'): time.sleep(0.02)
        {trick}
        time.sleep(0.5)
        open('late', 'w').write('x')"""
    said = report(body(train=textwrap.dedent(train)), at_once=True)
    assert (said["status"], said["reason"], said["output"]) == ("Failed", "Killed", None)
    assert late.exists()
    assert TOKEN not in json.dumps(said)


@pytest.mark.parametrize("trick", LOCK_TRICKS)
def test_a_lock_that_is_gone_before_we_come_is_a_death(report, trick):
    """Nothing can be waited for, and nothing is followed."""
    said = report(body(train=f"lock = os.environ['MODELBERTH_ROOT'] + '/run/lock'; {trick}"))
    assert said["reason"] in ({"", "Killed"} if "open(" in trick else {"Killed"})
    assert TOKEN not in json.dumps(said)


def test_a_program_that_replaces_the_lock_first_of_all_is_too_late(report):
    """It starts when we have the lock, whatever the order in which the containers began: its trick is a death."""
    said = report("import os\nos.unlink('../run/lock'); open('../run/lock', 'w')\n" + body(), at_once=True)
    assert (said["status"], said["reason"], said["output"]) == ("Failed", "Killed", None)


def test_we_take_hold_before_anything_slow():
    """What a pod imports before it says that it watches is small: neither TLS nor HTTP, nor what packs content."""
    code = "import sys, modelberth.cli.main, modelberth.cli.run_report; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert {"ssl", "http.client", "modelberth.cli.run_reporter"}.isdisjoint(done.stdout.split())


def test_compiled_modules_are_no_content(report, registry):
    """What Python writes beside the modules stays out of the version."""
    folder_of = {}

    def look(folder):
        folder_of["cache"] = (folder.package / "__pycache__").exists()

    said = report("import compileall; compileall.compile_dir('.', quiet=1)\n" + body(train="pass"), before=look)
    assert folder_of["cache"]
    assert paths(registry, said["output"]) == ["model.txt", "train.py"]


def test_a_harness_that_dies_is_reported(report, registry):
    """A container that is killed as a whole leaves the lock and no outcome: the log and the artifacts are kept."""

    def forget(folder):
        (folder.root / "run" / "outcome.json").unlink()

    said = report(body(train="open('artifacts/a.txt', 'w').write('1')"), before=forget)
    assert (said["status"], said["reason"], said["output"]) == ("Failed", "Killed", None)
    assert said["filePaths"] == ["artifacts/a.txt"]


def test_phases_are_those_from_before_the_program(report):
    """The program can write where the load has said how long it took: that was read before it ran."""
    forged = '{"phases": [{"name": "Loading", "startedAt": "x", "seconds": 1}]}'
    said = report(body(train=f"open('../run/loading.json', 'w').write({forged!r})"), at_once=True)
    assert [phase["name"] for phase in said["phases"]] == ["Loading", "Training", "Saving", "Uploading"]
    assert said["phases"][0]["bytes"] == 7


FORGED_OUTCOME = """
import json
said = {'status': 'Succeeded', 'metrics': {'score': 1.0}, 'saved': True, 'python': '9.9', 'packages': {'torch': '99'}}
open('../run/outcome.json', 'w').write(json.dumps(said))
"""


@pytest.mark.parametrize("trick", ["os.mkdir('../run/outcome.json.new')", "os.kill(os.getppid(), 9)"])
def test_no_word_of_a_forged_outcome_counts(report, trick):
    """A program that keeps the supervisor from writing and writes itself has failed; nothing of it is on record."""
    said = report(body(train=f"{FORGED_OUTCOME}{trick}\nos._exit(7)"), at_once=True)
    assert (said["status"], said["reason"], said["output"]) == ("Failed", "UserException", None)
    assert "has written over what its harness keeps" in said["message"]
    assert (said["metrics"], said["python"], said["packages"]) == ({}, "", {})


def test_a_program_that_writes_where_the_outcome_will_be_is_judged_by_what_it_does(report):
    """The supervisor's word comes last."""
    said = report(body(train=f"{FORGED_OUTCOME}raise ValueError('no rows')"), at_once=True)
    assert (said["status"], said["reason"], said["metrics"]) == ("Failed", "UserException", {})
    assert said["message"].startswith("ValueError: no rows")


def test_who_was_never_let_in_has_forged_nothing(report):
    """An outcome from before we came, without a program, is believed: there was nobody else to write it."""
    outcome = {"status": "Failed", "reason": "UploadFailed", "message": "nobody watched"}

    def write(folder):
        (folder.root / "run" / "outcome.json").write_text(json.dumps(outcome))

    said = report(body(), before=write)
    assert (said["reason"], said["message"]) == ("UploadFailed", "nobody watched")


@pytest.mark.parametrize("text", ["", "[]", "{", '{"status": "Failed"}', '{"status": "Failed", "reason": "no word"}'])
def test_an_outcome_that_the_program_has_destroyed_is_none(report, text):
    """What does not bear the seal does not count as the harness' word."""
    train = f"{{}}\nopen('../run/outcome.json', 'w').write({text!r})\nos.mkdir('../run/outcome.json.new')"
    assert report(body(train=train), at_once=True)["reason"] == "UserException"


def test_a_long_log_is_joined_and_its_tail_told(report, registry):
    """The beginning, a line about the middle, the end; the last lines go into the report."""
    said = report(body(train="for n in range(90): os.write(1, (b'%07d\\n' % n) * (1 << 17))"))
    log = content_size(registry, said["files"], "log.txt")
    assert 60 << 20 < log < 66 << 20
    assert said["logTail"] == ["0000089"] * 100


def content_size(registry, digest, path):
    [entry] = [entry for entry in Tree.parse(registry.trees[digest]).entries if entry.path == path]
    return entry.size


def test_an_outage_is_waited_for(report, registry):
    """Registry and store that do not answer for a while lose nothing."""
    left = {"uploads": 3, "object": 2, "commits": 2, "attempts": 3}

    def faults(method, kind, path):
        if left.get(kind, 0):
            left[kind] -= 1
            return 503 if kind == "attempts" else "break"
        return None

    registry.faults = faults
    assert report(body())["status"] == "Succeeded"
    assert not any(left.values())


def test_a_refusal_that_passes_is_tried_again(report, registry):
    """A token that is just rotated, a status that is just written."""
    left = [401, 403, 403]
    registry.faults = lambda method, kind, path: left.pop() if kind == "attempts" and left else None
    assert report(body())["status"] == "Succeeded"


def test_a_refusal_for_good_ends_the_report(report, registry):
    """A pod that is not the run's any more says so and ends."""
    registry.faults = lambda method, kind, path: 403 if kind == "attempts" else None
    report(body(), code=1)


def test_what_cannot_be_sent_is_told(report, registry):
    """A registry that refuses the content gets the report all the same."""
    registry.faults = lambda method, kind, path: 413 if kind == "trees" else None
    said = report(body())
    assert (said["status"], said["reason"], said["output"], said["files"]) == ("Failed", "UploadFailed", None, None)


def test_a_pod_that_is_deleted_before_its_program_has_started_ends(tmp_path, registry):
    """SIGTERM ends the wait for the start."""
    folder = PodFolder(tmp_path / "modelberth")
    environment = {
        **os.environ,
        "MODELBERTH_RUN_CONFIG": json.dumps(RUN),
        "MODELBERTH_NAMESPACE": "team",
        "MODELBERTH_REGISTRY_URL": registry.url,
    }
    command = [os.sys.executable, "-m", "modelberth", "run-report", str(folder.root)]
    process = subprocess.Popen(command, env=environment)
    deadline = threading.Timer(30, process.kill)
    deadline.start()
    while not caught(Path(f"/proc/{process.pid}/status").read_text(), signal.SIGTERM):
        time.sleep(0.05)
    process.terminate()
    assert process.wait() == 128 + signal.SIGTERM
    deadline.cancel()


def caught(status, number):
    """Whether a process has a handler for a signal."""
    mask = next(line.split()[1] for line in status.splitlines() if line.startswith("SigCgt"))
    return int(mask, 16) >> (number - 1) & 1
