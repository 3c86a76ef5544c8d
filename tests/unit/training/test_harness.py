"""The harness as the process that it is in a pod, over good packages and every bad one we could think of."""

import ast
import functools
import importlib.util
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelberth.training import HARNESS_REASONS
from tests.unit.training.pod_folder import HARNESS, SEAL


def body(**methods):
    """A train.py whose Main has the methods of GOOD, other bodies where given."""
    lines = {"train": "pass", "save": 'open("model.txt", "w").write("m")', **methods}
    text = "import os, sys, time, signal, subprocess, math\nclass Main:\n"
    for name, code in lines.items():
        arguments = "self" if name == "save" else "self, data_directory"
        text += f"    def {name}({arguments}):\n" + "".join(f"        {line}\n" for line in code.splitlines())
    return text


def test_a_good_package_is_trained_evaluated_and_saved(pod):
    """The outcome has metrics, phases in their order, the versions of what was installed, and it says so last."""
    folder = pod()
    ended = folder.run()
    assert ended.code == 0, ended.output
    assert ended.verdict == ("Succeeded", "")
    assert ended.outcome["metrics"] == {"rows": 3.0}
    assert [phase["name"] for phase in ended.outcome["phases"]] == ["Training", "Evaluating", "Saving"]
    assert all(phase["seconds"] >= 0 and phase["startedAt"].endswith("Z") for phase in ended.outcome["phases"])
    assert ended.phase["phases"] == ended.outcome["phases"]
    assert ended.outcome["saved"] is True
    assert ended.outcome["python"] == "{}.{}.{}".format(*sys.version_info[:3])
    assert "pytest" in ended.outcome["packages"]
    assert (folder.package / "model.txt").read_text() == "the model"


def test_the_working_directory_is_the_package_and_neighbours_can_be_imported(pod):
    """A package may have modules beside train.py, and finds its own files by relative paths."""
    folder = pod("from helper import Main\n")
    (folder.package / "helper.py").write_text(body(train="assert open('train.py')"))
    assert folder.run().verdict == ("Succeeded", "")


def test_worker_processes_find_the_package(pod):
    """A pool of spawned processes imports train.py by its name, and the harness does not run again in them."""
    pool = """
import multiprocessing
with multiprocessing.get_context("spawn").Pool(2) as workers:
    self.squares = workers.map(square, [1, 2, 3])
"""
    save = "import pickle\nopen('model.bin', 'wb').write(pickle.dumps(square))\nprint(self.squares)"
    folder = pod(body(train=pool, save=save) + "def square(number): return number * number\n")
    ended = folder.run()
    assert ended.verdict == ("Succeeded", ""), ended.output
    assert ended.output == b"[1, 4, 9]\n"
    assert b"train" in (folder.package / "model.bin").read_bytes()


def test_process_data_comes_first_and_all_get_the_data_directory(pod):
    """process_data(), train() and, without another one, evaluate() get the directory of the data."""
    folder = pod(
        body(
            process_data="self.seen = [data_directory]",
            train="self.seen.append(data_directory)",
            evaluate="self.seen.append(data_directory); print(self.seen); return 1",
        )
    )
    ended = folder.run()
    assert ended.output.decode().strip() == str([str(folder.root / "data")] * 3)
    assert ended.outcome["metrics"] == {"score": 1.0}


def test_an_evaluation_dataset_is_what_evaluate_gets(pod):
    """Where the run has one, it is not the training's data."""
    folder = pod(body(evaluate="return {'value': float(open(data_directory + '/rows.csv').read())}"), evaluation=True)
    assert folder.run().outcome["metrics"] == {"value": 4.0}


def test_the_artifacts_directory_is_there(pod):
    """What is written into it is no part of what save() left."""
    write = "open(os.path.join(os.environ['artifacts_directory'], 'curve.txt'), 'w').write('1')"
    folder = pod(body(train=write, save=write))
    assert folder.run().verdict == ("Failed", "NothingSaved")
    assert (folder.package / "artifacts" / "curve.txt").exists()


@pytest.mark.parametrize(
    ("train", "says"),
    [
        (None, "no file train.py"),
        ("x = 1", "no class Main"),
        ("Main = 3", "no class Main"),
        ("def Main(): pass", "no class Main"),
        ("class Main:\n    def save(self): pass", "no method train"),
        ("class Main:\n    def train(self, data_directory): pass", "no method save"),
        ("class Main\n    pass", "train.py, line 1"),
        ("x = '\0'", "null byte"),
        ("class Main:\n    def train(self): pass\n    def save(self): pass", "train(self, data_directory)"),
        ("class Main:\n    def train(self, a, b): pass\n    def save(self): pass", "missing a required argument: 'b'"),
        ("class Main:\n    def train(self, a): pass\n    def save(self, path): pass", "save(self)"),
        ("class Main:\n    async def train(self, a): pass\n    def save(self): pass", "plain function"),
        ("class Main:\n    def train(self, a): yield\n    def save(self): pass", "plain function"),
        (body() + "    def evaluate(self): pass\n", "evaluate(self, data_directory)"),
        (body() + "    def __init__(self, rate): pass\n", "Main()"),
    ],
)
def test_a_bad_package_is_refused_by_name(pod, train, says):
    """Whatever keeps Main's methods from being called is a BadPackage with the mend, before anything is trained."""
    ended = pod(train).run()
    assert ended.code == 3
    assert ended.verdict == ("Failed", "BadPackage")
    assert says in ended.outcome["message"]
    assert ended.outcome["saved"] is False


def test_a_syntax_error_in_a_neighbour_is_told_with_its_place(pod):
    """Also of a module that train.py imports."""
    folder = pod("import helper")
    (folder.package / "helper.py").write_text("x = (\n")
    assert "helper.py, line 1" in folder.run().outcome["message"]


def test_an_exception_is_told_from_the_programs_own_frames_on(pod):
    """The traceback begins at train.py, and nothing of the harness is in it."""
    ended = pod(
        body(train="self.deeper()\ndef f(): pass") + "    def deeper(self): raise ValueError('no rows')\n"
    ).run()
    assert ended.verdict == ("Failed", "UserException")
    assert ended.outcome["message"] == "ValueError: no rows in train()"
    lines = ended.outcome["traceback"]
    assert lines[0] == "Traceback (most recent call last):"
    assert "train.py" in lines[1]
    assert lines[-1] == "ValueError: no rows"
    assert "harness.py" not in "\n".join(lines)
    assert b"ValueError: no rows" in ended.output


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("import nothing_of_this_name", "ModuleNotFoundError"),
        ("raise ValueError('at import')", "ValueError: at import in train.py"),
        (body(train="sys.exit()"), "sys.exit(None) in train()"),
        (body(train="sys.exit(0)"), "sys.exit(0) in train()"),
        (body(train="sys.exit('bad')"), "sys.exit('bad') in train()"),
        (body(train="os._exit(0)"), "status 0 in train()"),
        (body(train="os._exit(3)"), "status 3 in train()"),
        (body(train="raise KeyboardInterrupt"), "KeyboardInterrupt in train()"),
        (body(train="os.kill(os.getpid(), signal.SIGSEGV)"), "SIGSEGV in train()"),
        (body(train="import ctypes; ctypes.string_at(0)"), "SIGSEGV in train()"),
        (body(save="raise OSError('disk')"), "OSError: disk in save()"),
        (body(process_data="1/0"), "ZeroDivisionError: division by zero in process_data()"),
        (body(train="def f(n): return f(n + 1)\nf(0)"), "RecursionError"),
        (body(train="class E(Exception):\n    def __str__(self): raise ValueError\nraise E"), "cannot be printed"),
        (body(train="raise ValueError('\\udc80')"), "ValueError"),
    ],
)
def test_an_end_before_the_end_is_a_failure_that_says_where(pod, code, says):
    """Exceptions, exits in the middle and crashes: the outcome is written whatever the program does to itself."""
    ended = pod(code).run()
    assert ended.code == 3
    assert ended.verdict == ("Failed", "UserException")
    assert says in ended.outcome["message"]


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("float('nan')", "score is nan"),
        ("{'loss': math.inf}", "loss is inf"),
        ("{'loss': -math.inf}", "loss is -inf"),
        ("None", "NoneType"),
        ("True", "bool"),
        ("'0.9'", "str"),
        ("{'a': [1]}", "list"),
        ("{'a': {'b': 1}}", "dict"),
        ("{3: 1.0}", "3 is no name"),
        ("{'': 1.0}", "no name of a metric"),
        ("{'x' * 129: 1.0}", "no name of a metric"),
        ("{str(n): 1.0 for n in range(300)}", "300 metrics"),
        ("10 ** 400", "no number"),
        ("1j", "complex"),
    ],
)
def test_a_bad_metric_makes_no_version_and_loses_no_model(pod, value, says):
    """It is told by name; save() has been called all the same."""
    folder = pod(body(evaluate=f"return {value}"))
    ended = folder.run()
    assert ended.verdict == ("Failed", "BadMetric")
    assert says in ended.outcome["message"]
    assert ended.outcome["saved"] is True
    assert ended.outcome["metrics"] == {}
    assert (folder.package / "model.txt").exists()


@pytest.mark.parametrize("value", ["3", "0.5", "__import__('decimal').Decimal('0.25')", "{'a': 1, 'b': 2.5}", "{}"])
def test_whatever_is_a_number_is_a_metric(pod, value):
    """Integers, and everything that turns into a float by itself."""
    ended = pod(body(evaluate=f"return {value}")).run()
    assert ended.verdict == ("Succeeded", "")
    assert all(isinstance(number, float) for number in ended.outcome["metrics"].values())


def test_an_evaluation_that_fails_loses_no_model(pod):
    """save() is called after it; the run has failed."""
    ended = pod(body(evaluate="raise ValueError('no test data')")).run()
    assert ended.verdict == ("Failed", "UserException")
    assert ended.outcome["saved"] is True


@pytest.mark.parametrize(
    "save",
    [
        "pass",
        "open(os.environ['HOME'] + '/model.txt', 'w').write('m')",
        "os.makedirs('__pycache__', exist_ok=True); open('__pycache__/x.pyc', 'w').write('m')",
        "open('train.py').read()",
    ],
)
def test_a_save_that_writes_nothing_is_told(pod, save):
    """Nothing, something elsewhere, or only what is no content: there is no model."""
    folder = pod(body(save=save))
    ended = folder.run(HOME=str(folder.root / "home"))
    assert ended.verdict == ("Failed", "NothingSaved")
    assert "relative path" in ended.outcome["message"]


@pytest.mark.parametrize(
    "save",
    [
        "open('base.txt', 'w').write('base')",  # the same bytes again
        "open('base.txt', 'r+').write('BASE'); os.utime('base.txt', ns=(1, 1))",
        "os.remove('base.txt')",
        "os.symlink('base.txt', 'best.txt')",
        "os.makedirs('empty/folder')",
        "os.rename('base.txt', 'other.txt')",
    ],
)
def test_any_change_is_something_saved(pod, save):
    """A model that came out the same was saved, too; changed times hide nothing."""
    folder = pod(body(save=save))
    (folder.package / "base.txt").write_text("base")
    os.utime(folder.package / "base.txt", ns=(1, 1))
    assert folder.run().verdict == ("Succeeded", "")


def test_the_output_is_handed_on_byte_for_byte(pod):
    """What is no UTF-8 arrives as it is, in the container's output and in the log, and both streams are one."""
    folder = pod(body(train="os.write(1, b'\\xff\\x00\\xfe\\n'); os.write(2, b'error\\n')"))
    ended = folder.run()
    assert ended.output == b"\xff\x00\xfe\nerror\n"
    assert folder.log() == ended.output


def test_a_long_log_keeps_its_beginning_and_its_end(pod):
    """The middle of more than 64 MiB is left out, in files whose numbers tell how much."""
    folder = pod(body(train="for n in range(100): os.write(1, bytes([n]) * (1 << 20))"))
    ended = folder.run()
    mebi = 1 << 20
    assert len(ended.output) == 100 * mebi
    assert folder.log() == ended.output[: 8 * mebi]
    segments = sorted(int(path.suffix[1:]) for path in (folder.root / "run").glob("log.*"))
    kept = b"".join((folder.root / "run" / f"log.{number}").read_bytes() for number in segments)
    assert segments == [4, 5, 6, 7]
    assert kept == ended.output[8 * mebi + 3 * 14 * mebi :]


def test_children_left_behind_are_ended(pod):
    """A process that a program leaves behind, in a session of its own and deaf to SIGTERM, does not outlive it."""
    child = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('ready', flush=True); time.sleep(600)"
    leave = f"""
child = subprocess.Popen([sys.executable, '-c', {child!r}], stdout=subprocess.PIPE, start_new_session=True)
child.stdout.readline()
print(child.pid)
"""
    ended = pod(body(train=leave)).run()
    assert ended.verdict == ("Succeeded", "")
    assert not is_alive(int(ended.output))


def test_orphans_are_ended_too(pod):
    """A daemon that has detached itself by two forks is found all the same."""
    daemon = """
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        open('daemon', 'w').write(str(os.getpid()))
        time.sleep(600)
    os._exit(0)
os.wait()
while not os.path.exists('daemon') or not open('daemon').read(): time.sleep(0.01)
"""
    folder = pod(body(train=daemon))
    assert folder.run().verdict == ("Succeeded", "")
    assert not is_alive(int((folder.package / "daemon").read_text()))


def test_a_fork_that_comes_back_has_no_word(pod):
    """A child that falls through train() neither saves nor ends the run."""
    folder = pod(body(train="if os.fork() == 0: return\nos.wait()", save="open('saves', 'a').write('x')"))
    assert folder.run().verdict == ("Succeeded", "")
    assert (folder.package / "saves").read_text() == "x"


def test_a_deadline_is_held(pod):
    """The real one, however far the program has come by then."""
    ended = pod(body(train="time.sleep(600)"), deadline=0.2).run()
    assert ended.verdict == ("Failed", "DeadlineExceeded")
    assert "0.2" in ended.outcome["message"]


def test_a_deadline_ends_a_program_that_listens(pod):
    """SIGTERM first: it may tidy up, and cannot turn the end into a success."""
    tidy = """
def end(*_):
    open('artifacts/tidied', 'w').close()
    sys.exit(0)
signal.signal(signal.SIGTERM, end)
open('ready', 'w').close()
print('up', flush=True)
while True: time.sleep(0.05)
"""
    folder = overdue_when_ready(pod(body(train=tidy), deadline=600))
    ended = folder.run()
    assert ended.verdict == ("Failed", "DeadlineExceeded")
    assert "train()" in ended.outcome["message"]
    assert (folder.package / "artifacts" / "tidied").exists()


def test_a_deadline_ends_a_program_that_does_not_listen(pod):
    """SIGKILL after the grace, to its children, too."""
    deaf = """
signal.signal(signal.SIGTERM, signal.SIG_IGN)
if os.fork() == 0:
    time.sleep(600)
open('ready', 'w').close()
print('up', flush=True)
while True: time.sleep(600)
"""
    folder = overdue_when_ready(pod(body(train=deaf), deadline=600))
    shorten(folder, "DEADLINE_GRACE", 0.2)
    assert folder.run().verdict == ("Failed", "DeadlineExceeded")


def test_a_pod_that_is_told_to_end_tells_the_program(pod):
    """SIGTERM goes on to it; the outcome says that it did not end by itself."""
    folder = pod(body(train="print('up', flush=True)\nwhile True: time.sleep(0.05)"))
    process = folder.start()
    assert process.stdout.readline() == b"up\n"
    process.send_signal(signal.SIGTERM)
    ended = folder.wait(process)
    assert ended.verdict == ("Failed", "Killed")


def test_a_program_that_is_through_when_it_is_told_to_end_has_succeeded(pod):
    """Who handles SIGTERM by saving and ending in good order loses nothing."""
    stop = """
self.stop = False
def end(*_): self.stop = True
signal.signal(signal.SIGTERM, end)
print('up', flush=True)
while not self.stop: time.sleep(0.02)
"""
    folder = pod(body(train=stop))
    process = folder.start()
    process.stdout.readline()
    process.send_signal(signal.SIGTERM)
    assert folder.wait(process).verdict == ("Succeeded", "")


def test_a_kill_from_outside_is_told_as_such(pod):
    """SIGKILL without the kernel's memory killer."""
    assert pod(body(train="os.kill(os.getpid(), signal.SIGKILL)")).run().verdict == ("Failed", "Killed")


def test_threads_that_do_not_end_do_not_hold_up_a_run_that_is_through(pod):
    """After a grace the process is ended; save() had returned, so it is a success."""
    folder = pod(
        body(save="import threading\nthreading.Thread(target=time.sleep, args=(600,)).start()\nopen('m', 'w')")
    )
    shorten(folder, "EXIT_GRACE", 0.2)
    assert folder.run().verdict == ("Succeeded", "")


def test_secrets_are_cut_out_of_what_is_told(pod):
    """The values of the variables that hold secrets stand neither in the message nor in the traceback."""
    folder = pod(body(train="raise ValueError('login with ' + os.environ['TOKEN'])"))
    ended = folder.run(TOKEN="hunter22", MODELBERTH_SECRET_ENVIRONMENT="TOKEN,OTHER")
    told = str(ended.outcome["message"]) + "".join(ended.outcome["traceback"])
    assert "hunter22" not in told
    assert "login with [cut]" in told
    assert "login with [cut]" in folder.log().decode()
    assert b"hunter22" not in folder.log() + ended.output


def test_secrets_are_cut_out_of_what_is_printed(pod):
    """However the output is cut into pieces, also where a secret comes in two; what only began like one is kept."""
    train = (
        "for part in (b'a hunt', b'er22 b hunter22', b'hunter', b'x hun'):\n    os.write(1, part)\n    time.sleep(0.1)"
    )
    folder = pod(body(train=train))
    ended = folder.run(TOKEN="hunter22", MODELBERTH_SECRET_ENVIRONMENT="TOKEN")
    assert folder.log() == ended.output == b"a [cut] b [cut]hunterx hun"


@pytest.mark.parametrize(("told", "taken"), [("NothingSaved", "NothingSaved"), ("UploadFailed", "UserException")])
def test_a_program_has_no_reasons_but_its_own(harness, tmp_path, told, taken):
    """One that writes to our pipe does not pass for the cluster, whose failures are forgiven."""
    said = harness.Said()
    word = {"reason": told, "message": "m", "traceback": []}
    said.feed(json.dumps(word).encode() + b"\n", harness.Phases(str(tmp_path / "phase.json")))
    assert said.failure == dict(word, reason=taken)
    assert HARNESS_REASONS.issuperset(harness.PROGRAM_REASONS)


KEY = "-----BEGIN KEY-----\nMIIabcdef\\'\"é\n-----END KEY-----\n"


@pytest.mark.parametrize(
    "shown",
    [
        "key",
        "repr(key)",
        'repr([key, "it\'s"])',
        "ascii(key)",
        "json.dumps({'key': key})",
        "json.dumps(key, ensure_ascii=False)",
        "key.splitlines()[1]",
        "repr(key.splitlines())",
        "'  '.join(key.split())",
        "KeyError(key)",
    ],
)
def test_secrets_are_cut_out_in_the_forms_that_python_shows(pod, shown):
    """Whole and by lines: in what is printed, in messages and in tracebacks, also of a variable that is gone."""
    train = f"import json; key = os.environ.pop('KEY'); text = str({shown}); print(text)\nraise ValueError(text)"
    folder = pod(body(train=train))
    ended = folder.run(KEY=KEY, MODELBERTH_SECRET_ENVIRONMENT="KEY", PYTHONIOENCODING="utf-8")
    for told in (folder.log().decode(), ended.output.decode(), json.dumps(ended.outcome, ensure_ascii=False)):
        assert "MIIabcdef" not in told
        assert "[cut]" in told


def test_what_is_short_or_blank_is_no_secret(harness):
    """It would cut everything: neither a short line of a value, nor one of blanks."""
    assert harness.forms_of("five5") == []
    assert set(harness.forms_of("hunter22\n        \nabc")) == {"hunter22", "hunter22\n        \nabc"} | {
        "hunter22\\n        \\nabc"
    }


def test_of_secrets_that_begin_alike_the_longest_is_cut_out(pod):
    """Whatever the order of their names, and though only the next bytes tell which one it is."""
    train = "for part in (b'a hunter2', b'-prod-key-9f b hunter2', b'-x'):\n    os.write(1, part)\n    time.sleep(0.1)"
    folder = pod(body(train=train + "\nraise ValueError('hunter2-prod-key-9f')"))
    ended = folder.run(A="hunter2", B="hunter2-prod-key-9f", MODELBERTH_SECRET_ENVIRONMENT="A,B")
    assert folder.log().startswith(b"a [cut] b [cut]-x")
    assert b"prod" not in folder.log() + ended.output
    assert ended.outcome["message"] == "ValueError: [cut] in train()"


@given(
    st.lists(st.text("ab\n", min_size=6, max_size=9), max_size=3), st.lists(st.text("ab\n", max_size=9), max_size=12)
)
def test_however_the_output_is_cut_into_pieces_the_same_is_kept(secrets, pieces):
    """As if it had come at once; and what is held back is never longer than a secret."""
    harness = module()
    kept = []
    log = harness.Log(os.devnull, secrets)
    log._keep = kept.append
    for piece in pieces:
        log.write(piece.encode())
        assert len(log._held) < max(map(len, secrets), default=1)
    log.end()
    log._file.close()
    told = b"".join(kept).decode()
    assert told == harness.without(secrets, "".join(pieces))
    assert not any(secret in told for secret in secrets)


def test_half_a_secret_is_not_told_either(pod):
    """Messages are shortened when the secrets are out of them."""
    folder = pod(body(train="raise ValueError('x' * 508 + os.environ['TOKEN'])"))
    ended = folder.run(TOKEN="hunter22", MODELBERTH_SECRET_ENVIRONMENT="TOKEN")
    assert "hunt" not in ended.outcome["message"]


def test_a_full_disk_does_not_end_a_training(pod):
    """Phases that cannot be written are not told while they last, and stand in the outcome."""
    ended = pod(body(train="os.mkdir('../run/phase.json.new')", evaluate="return 1")).run()
    assert ended.verdict == ("Succeeded", "")
    assert [phase["name"] for phase in ended.outcome["phases"]] == ["Training", "Evaluating", "Saving"]


def test_room_is_kept_for_the_outcome(pod):
    """While the program runs a file holds it, which is gone when the outcome is written."""
    train = "assert os.stat('../run/reserve').st_blocks * 512 >= 1 << 20"
    folder = pod(body(train=train))
    assert folder.run().verdict == ("Succeeded", "")
    assert not (folder.root / "run" / "reserve").exists()


def test_an_outcome_for_which_there_is_no_room_is_told_without_its_lists(pod, monkeypatch):
    """Why it failed is worth more than what was installed."""
    spec = importlib.util.spec_from_file_location("harness_here", HARNESS)
    harness = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(harness)
    proper = harness.write_json

    def full(path, value):
        if value.get("packages"):
            raise OSError(28, "No space left on device")
        proper(path, value)

    monkeypatch.setattr(harness, "write_json", full)
    folder = pod()
    outcome = {"status": "Failed", "reason": "UserException", "packages": {"numpy": "2"}, "traceback": ["a"] * 9}
    harness.write_outcome(str(folder.root / "run" / "outcome.json"), outcome)
    assert folder.read("outcome.json") == {**outcome, "packages": {}, "traceback": ["a"] * 3}


def test_a_long_traceback_keeps_its_ends(pod):
    """A chain of functions of a thousand lines is told in sixty."""
    text = "".join(f"def f{n}(): f{n + 1}()\n" for n in range(200)) + "def f200(): raise ValueError('deep')\n"
    lines = pod(text + body(train="f0()")).run().outcome["traceback"]
    assert len(lines) == 60
    assert lines[0].startswith("Traceback")
    assert lines[-1] == "ValueError: deep"


def test_the_lock_is_held_until_the_outcome_is_written(pod):
    """Whoever gets the lock finds the outcome, or knows that there will be none."""
    folder = pod(body(train="print('up', flush=True)\nwhile not os.path.exists('go'): time.sleep(0.02)"))
    process = folder.start()
    process.stdout.readline()
    assert (folder.root / "run" / "phase.json").exists()
    taken = subprocess.run(["flock", "--nonblock", str(folder.root / "run" / "lock"), "true"], check=False)
    assert taken.returncode == 1
    (folder.package / "go").touch()
    done = "test -e " + str(folder.root / "run" / "outcome.json")
    subprocess.run(["flock", str(folder.root / "run" / "lock"), "sh", "-c", done], check=True)
    folder.wait(process)


def test_no_program_starts_before_it_is_watched(pod):
    """Until the container beside says that it has the lock's file open, nothing of the package runs.

    By the seal that it gives for the outcome the program could pass for us: that is gone before.
    """
    folder = pod(body(train="assert os.listdir('../run').count('watched') == 0"), watched=False)
    process = folder.start()
    wait_for(folder.root / "run" / "phase.json")
    assert not (folder.package / "artifacts").exists()
    folder.watch()
    assert folder.wait(process).verdict == ("Succeeded", "")
    assert folder.read("outcome.json")["seal"] == SEAL


def test_a_watch_that_never_comes_ends_the_run(pod):
    """In bounded time, with words, and without a line of the package having run."""
    folder = pod(body(train="pass"), watched=False)
    shorten(folder, "WATCH_PATIENCE", 0.2)
    ended = folder.run()
    assert (ended.code, ended.verdict) == (3, ("Failed", "UploadFailed"))
    assert "container modelberth-report was not there" in ended.outcome["message"]
    assert b"so the program was not started" in ended.output
    assert not (folder.package / "artifacts").exists()


def test_who_is_told_to_end_while_it_waits_starts_nothing(pod):
    """A pod that is deleted before its report has come ends at once."""
    folder = pod(body(train="pass"), watched=False)
    process = folder.start()
    wait_for(folder.root / "run" / "phase.json")
    while not caught(process.pid, signal.SIGTERM):
        time.sleep(0.01)
    process.send_signal(signal.SIGTERM)
    ended = folder.wait(process)
    assert ended.verdict == ("Failed", "Killed")
    assert not (folder.package / "artifacts").exists()


def wait_for(path):
    """Until a file is there."""
    while not path.exists():
        time.sleep(0.01)


def caught(pid, number):
    """Whether a process has a handler for a signal."""
    mask = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("SigCgt"))
    return int(mask.split()[1], 16) >> (number - 1) & 1


def test_the_syntax_is_that_of_the_oldest_python_that_is_told_so():
    """Python 3.6 can read the file, so that it can say that it is too old."""
    ast.parse(HARNESS.read_text(), feature_version=(3, 6))


def is_alive(pid):
    """Whether a process is there that is not merely waiting to be buried."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def shorten(folder, name, seconds):
    """Give this pod's harness another grace."""
    path = folder.root / "bin" / "harness.py"
    text, count = re.subn(rf"^{name} = .*$", f"{name} = {seconds}", path.read_text(), flags=re.MULTILINE)
    assert count == 1
    path.write_text(text)


def overdue_when_ready(folder):
    """Let the deadline be over when the program says so, and not before it could listen."""
    path = folder.root / "bin" / "harness.py"
    text = path.read_text()
    assert text.count("now >= self._deadline and") == 1
    path.write_text(text.replace("now >= self._deadline and", "os.path.exists('ready') and"))
    return folder


def pythons():
    """Other Pythons of this machine, by version."""
    found = {}
    places = [Path(path) for path in os.environ["PATH"].split(os.pathsep)]
    places += Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")).glob("versions/*/bin")
    for version in ("2.7", "3.5", "3.6", "3.7", "3.8", "3.9", "3.10", "3.12", "3.13", "3.14"):
        for place in places:
            path = shutil.which(f"python{version}", path=str(place))
            if path and version not in found and _answers(path, version):
                found[version] = path
    return found


def _answers(path, version):
    command = [path, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    return answer.stdout.strip() == version


OTHERS = pythons()


@pytest.mark.parametrize("version", ["3.9", "3.10", "3.12", "3.13", "3.14"])
def test_it_runs_on_every_python_that_is_supported(pod, version):
    """From 3.9 on; a machine without that Python skips and says so."""
    if version not in OTHERS:
        pytest.skip(f"no Python {version} on this machine")
    ended = pod().run(OTHERS[version])
    assert ended.verdict == ("Succeeded", ""), ended.output
    assert ended.outcome["python"].startswith(version + ".")


@pytest.mark.parametrize("version", ["3.9", "3.13"])
def test_a_traceback_is_clean_on_every_python(pod, version):
    """The harness' own frames are left out whatever they are called there."""
    if version not in OTHERS:
        pytest.skip(f"no Python {version} on this machine")
    lines = pod(body(train="raise ValueError('x')")).run(OTHERS[version]).outcome["traceback"]
    assert "harness.py" not in "".join(lines)
    assert lines[-1] == "ValueError: x"


@pytest.mark.parametrize("version", ["3.6", "3.7", "3.8"])
def test_a_python_that_is_too_old_is_told_so(pod, version):
    """By version, in the log and in the outcome, instead of by a syntax error."""
    if version not in OTHERS:
        pytest.skip(f"no Python {version} on this machine")
    ended = pod().run(OTHERS[version])
    assert ended.code == 3
    assert ended.verdict == ("Failed", "PythonTooOld")
    assert f"Python 3.9 or newer is needed, this is {version}" in ended.outcome["message"]


@pytest.fixture(scope="module")
def harness():
    """The file as a module, for what no test can bring about in a process."""
    return module()


@functools.cache
def module():
    """Once for a property's many examples."""
    spec = importlib.util.spec_from_file_location("harness", HARNESS)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    "text", ["low 0\nhigh 0\noom 3\noom_kill 2\noom_group_kill 0\n", "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n"]
)
def test_both_versions_of_cgroups_tell_of_kills(harness, tmp_path, text):
    """memory.events and memory.oom_control are read alike; without either nothing is claimed."""
    (tmp_path / "counter").write_text(text)
    assert harness.oom_kills((str(tmp_path / "none"), str(tmp_path / "counter"))) == 2
    assert harness.oom_kills((str(tmp_path / "none"),)) == 0


@pytest.mark.parametrize("word", [{}, {"reason": "UserException", "message": "worker died", "traceback": ["w"]}])
def test_a_kill_for_memory_is_out_of_memory(harness, word):
    """Of the program itself, or of a worker that it cannot go on without; its traceback stays."""
    said = harness.Said()
    said.take({"step": "train()", **word})
    verdict = harness.judge(said, status=signal.SIGKILL, stopped="", killed_for_memory=True)
    assert verdict["reason"] == "OutOfMemory"
    assert "resources.limits.memory" in verdict["message"]
    assert verdict["traceback"] == word.get("traceback", [])


def test_a_worker_killed_for_memory_does_not_undo_a_success(harness):
    """What was saved was saved."""
    said = harness.Said()
    said.take({"through": True})
    assert harness.judge(said, status=0, stopped="", killed_for_memory=True)["status"] == "Succeeded"
