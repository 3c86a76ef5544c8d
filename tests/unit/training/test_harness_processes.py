"""What a program may do to itself, its output and its folder: each has an end, with words of its own, and none hangs."""

import signal

import pytest

from modelberth.training import HARNESS_EXITS, harness
from tests.unit.training.test_harness import OTHERS, body, is_alive, overdue_when_ready, shorten

CLOSED = "os.close(1); os.close(2)"


def test_a_flood_of_bytes_costs_no_memory(pod):
    """A hundred MiB that are no text and have no line ends, as fast as a pipe takes them."""
    flood = "block = bytes(range(256)) * 256\nfor _ in range(1600): os.write(1, block)"
    peak = "open('peak', 'w').write(open('/proc/%d/status' % os.getppid()).read())"
    folder = pod(body(train=flood, save=peak))
    ended = folder.run()
    assert ended.verdict == ("Succeeded", "")
    assert len(ended.output) == 100 << 20
    kept = sum(path.stat().st_size for path in (folder.root / "run").glob("log*"))
    assert kept < harness.LOG_HEAD + harness.LOG_SEGMENTS * harness.LOG_SEGMENT + 1
    line = next(line for line in (folder.package / "peak").read_text().splitlines() if line.startswith("VmHWM"))
    assert int(line.split()[1]) < 64 << 10


def test_a_log_that_cannot_be_written_ends_no_training(pod):
    """As on a full disk: what comes is handed on, and no more than the copy is lost."""
    ended = pod(body(train="os.mkdir('../run/log.1')\nfor _ in range(9): os.write(1, bytes(1 << 20))")).run()
    assert ended.verdict == ("Succeeded", "")
    assert len(ended.output) == 9 << 20


def test_an_output_that_nobody_reads_ends_no_training(pod):
    """The container's output is closed at the other end: the copy is whole."""
    folder = pod(body(train="while not os.path.exists('go'): time.sleep(0.02)\nfor _ in range(3): print('x' * 70000)"))
    process = folder.start()
    process.stdout.close()
    (folder.package / "go").touch()
    assert process.wait(60) == harness.SUCCEEDED
    assert folder.log() == (b"x" * 70000 + b"\n") * 3


@pytest.mark.parametrize("how", [CLOSED, "sys.stderr = None", "sys.stderr.close(); sys.stdout.close()"])
def test_a_program_that_closes_its_output_is_heard_all_the_same(pod, how):
    """Its exception is told with its traceback, though nothing can be printed any more."""
    ended = pod(body(train=f"{how}\nraise ValueError('no rows')")).run()
    assert ended.verdict == ("Failed", "UserException")
    assert ended.outcome["message"] == "ValueError: no rows in train()"
    assert ended.outcome["traceback"][-1] == "ValueError: no rows"


@pytest.mark.parametrize("how", [CLOSED, "sys.stdout = sys.stderr = None"])
def test_a_program_may_go_on_without_output(pod, how):
    """Also through an evaluation that fails: save() is called after it."""
    folder = pod(body(train=how, evaluate="raise ValueError('no test data')"))
    ended = folder.run()
    assert (ended.verdict, ended.outcome["saved"]) == (("Failed", "UserException"), True)
    assert pod_succeeds(folder, body(train=how))


def pod_succeeds(folder, train):
    """Whether another program runs through in the same pod."""
    (folder.package / "train.py").write_text(train)
    (folder.package / "model.txt").unlink()
    return folder.run().verdict == ("Succeeded", "")


def test_who_closes_what_is_not_his_is_told_so(pod):
    """Every descriptor closed, and the number of ours taken by a file of his: not a byte of ours gets into it."""
    train = """
os.closerange(3, 200)
self.files = [open('mine-%d' % number, 'wb', buffering=0) for number in range(20)]
"""
    folder = pod(body(train=train))
    ended = folder.run()
    assert ended.verdict == ("Failed", "UserException")
    assert "closed a file descriptor that it has not opened" in ended.outcome["message"]
    assert "in train()" in ended.outcome["message"]
    assert {path.stat().st_size for path in folder.package.glob("mine-*")} == {0}


@pytest.mark.parametrize(
    ("method", "step"), [("evaluate", "evaluate()"), ("save", "save()"), ("process_data", "process_data()")]
)
def test_a_silent_exit_says_where(pod, method, step):
    """Status 0 is no success as long as save() has not returned."""
    ended = pod(body(**{method: "os._exit(0)"})).run()
    assert ended.verdict == ("Failed", "UserException")
    assert ended.outcome["message"].startswith(f"the program ended with status 0 in {step}, before save() had returned")


def test_a_program_that_deletes_its_folder_fails_by_its_own_words(pod):
    """Python's, of the first thing that it cannot do there any more."""
    ended = pod(body(train="import shutil; shutil.rmtree(os.getcwd())")).run()
    assert ended.verdict == ("Failed", "UserException")
    assert "FileNotFoundError" in ended.outcome["message"]
    assert "in save()" in ended.outcome["message"]


def test_a_program_that_leads_us_astray_is_not_followed(pod):
    """A link to everything in the place of its folder: what is there now is told without a look at what it leads to."""
    save = "import shutil; here = os.getcwd(); shutil.rmtree(here); os.symlink('/', here)"
    assert pod(body(save=save)).run().outcome["saved"] is True


def test_a_program_that_deletes_our_folder_has_a_death_that_shows(pod):
    """No outcome can be written; the exit status says that the lock was held."""
    folder = pod(body(train="import shutil; shutil.rmtree('../run')"))
    process = folder.start()
    output, _ = process.communicate(timeout=60)
    assert process.returncode == harness.DIED
    assert b"outcome.json" in output


def test_a_pod_that_is_told_to_end_waits_for_nobody_who_does_not_listen(pod):
    """SIGKILL after the grace, to the program and to what it has started."""
    deaf = """
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = os.fork()
if child == 0:
    time.sleep(600)
print(child, flush=True)
time.sleep(600)
"""
    folder = pod(body(train=deaf))
    shorten(folder, "STOP_GRACE", 0.2)
    process = folder.start()
    child = int(process.stdout.readline())
    process.send_signal(signal.SIGTERM)
    ended = folder.wait(process)
    assert ended.verdict == ("Failed", "Killed")
    assert "the pod was told to end while the program was in train()" in ended.outcome["message"]
    assert not is_alive(child)


def test_a_program_that_has_stopped_itself_is_ended_by_its_deadline(pod):
    """SIGSTOP: it takes no SIGTERM any more, and SIGKILL after the grace."""
    train = "open('ready', 'w').close()\nos.kill(os.getpid(), signal.SIGSTOP)"
    folder = overdue_when_ready(pod(body(train=train), deadline=600))
    shorten(folder, "DEADLINE_GRACE", 0.2)
    assert folder.run().verdict == ("Failed", "DeadlineExceeded")


def test_a_child_that_goes_on_writing_holds_up_nobody(pod):
    """In a session of its own, deaf, and with the output in its hand."""
    chatter = """
if os.fork() == 0:
    os.setsid()
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    while True: os.write(1, b'and another thing ' * 1000)
"""
    folder = pod(body(train=chatter))
    shorten(folder, "LEFT_OVER_GRACE", 0.2)
    ended = folder.run()
    assert ended.verdict == ("Succeeded", "")


def test_children_left_behind_are_asked_first(pod):
    """SIGTERM, and time to tidy up, before SIGKILL."""
    child = """
if os.fork() == 0:
    def end(*_):
        open('artifacts/tidied', 'w').close()
        os._exit(0)
    signal.signal(signal.SIGTERM, end)
    open('listens', 'w').close()
    while True: time.sleep(600)
while not os.path.exists('listens'): time.sleep(0.02)
"""
    folder = pod(body(train=child))
    assert folder.run().verdict == ("Succeeded", "")
    assert (folder.package / "artifacts" / "tidied").exists()


@pytest.mark.parametrize("version", ["2.7", "3.5"])
def test_a_python_that_cannot_read_us_ends_with_a_status_that_is_not_ours(pod, version):
    """It holds no lock and says a syntax error, which the pod's status then has."""
    if version not in OTHERS:
        pytest.skip(f"no Python {version} on this machine")
    folder = pod()
    process = folder.start(OTHERS[version])
    output, _ = process.communicate(timeout=60)
    assert process.returncode not in HARNESS_EXITS
    assert process.returncode < 128
    assert b"SyntaxError" in output
    assert not (folder.root / "run" / "phase.json").exists()


def test_statuses_say_how_it_ended(pod):
    """0 and 3 with an outcome; Python's own 1 and 2 are left to Python."""
    folder = pod()
    assert folder.run().code == harness.SUCCEEDED
    (folder.package / "train.py").write_text("x = 1")
    assert folder.run().code == harness.FAILED
    assert {harness.SUCCEEDED, harness.FAILED, harness.DIED}.isdisjoint({1, 2})
