"""Runs a package's `train.py` in a container that has nothing but Python 3.9: this file and the standard library.

    python3 -u harness.py FOLDER                  supervises, as the container's first process
    python3 -u harness.py FOLDER --program FD     runs the package, and tells the supervisor through FD

The supervisor holds FOLDER/run/lock for its whole life, so that the container beside it knows when this one has ended,
however it ended. That container says by FOLDER/run/watched that it has the lock's file open, and no program is started
before: it could put another file there. What the file holds goes into the outcome, and is deleted before the program
starts: an outcome without it is not from us. The supervisor hands the program's output on as it is, keeps a bounded
copy, ends what does not end by itself, and writes FOLDER/run/outcome.json last. The program runs in a process of its
own, so nothing that it does to itself (an exit in the middle, a crash of a library, a signal that it ignores) keeps the
outcome from being written.

The syntax is Python 3.6's: an image whose Python is too old is told so, instead of shown a syntax error.
"""

import collections.abc
import fcntl
import functools
import hashlib
import importlib.util
import inspect
import json
import math
import os
import selectors
import signal
import subprocess
import sys
import time
import traceback
from contextlib import suppress
from datetime import datetime, timezone
from typing import Any, AnyStr, Callable, Dict, Iterator, List, Optional, Sequence, Set, Tuple

MINIMUM = (3, 9)

DEADLINE_GRACE = 10.0
"""Seconds between SIGTERM and SIGKILL when the deadline is over."""
STOP_GRACE = 30.0
"""The same when the pod is told to end: half of the pod's 60 seconds, the other half is for the report."""
LEFT_OVER_GRACE = 2.0
"""The same for processes that the program left behind."""
EXIT_GRACE = 10.0
"""How long a program may take to exit when it is through."""
UNKILLABLE = 10.0
"""How long processes may take to die of SIGKILL."""

WATCH_PATIENCE = 300.0
"""Seconds until the container that is to watch this one is given up; it is started before, and mostly there."""
WATCH_PAUSE = 0.01

SUCCEEDED, FAILED, DIED = 0, 3, 4
"""Exit statuses of a supervisor that has held the lock: the outcome is a success, is a failure, was not written.

Python ends with others where it cannot run this file: who sees one knows that nobody has held the lock.
"""
UNHEARD = 79
"""Exit status of a program that has closed the descriptor over which it tells how far it is."""

RESERVE = 1024 * 1024
"""Bytes that are kept free for the outcome: a program may fill the disk."""
LOG_HEAD = 8 * 1024 * 1024
LOG_SEGMENT = 14 * 1024 * 1024
LOG_SEGMENTS = 4
"""`log` keeps the first 8 MiB of the output; the last 42 to 56 MiB are in segments `log.1`, `log.2`, … of 14 MiB."""

PROGRAM_REASONS = ("UserException", "BadPackage", "BadMetric", "NothingSaved")
"""What the program's process can say of a failure."""
MAX_METRICS = 256
MAX_METRIC_NAME = 128
MAX_TRACEBACK_LINES = 60
MAX_LINE = 1000
MAX_MESSAGE = 1024
MAX_PACKAGES = 5000
MAX_WORDS = 4 * 1024 * 1024
"""Of what the program's process tells, in bytes."""
HASHED_FILE = 1024 * 1024
"""Files up to this size are compared by content, too: two writes may be closer together than a file system's clock."""

OOM_COUNTERS = (
    "/sys/fs/cgroup/memory.events",  # version 2
    "/sys/fs/cgroup/memory/memory.oom_control",  # version 1
)
CUT = "[cut]"
"""What stands in the place of a secret."""
SHORTEST_SECRET = 6
MASKED_NAMES = "MODELBERTH_SECRET_ENVIRONMENT"
"""Names the environment variables, separated by commas, whose values are cut out of the output, and of what is told."""

Json = Dict[str, Any]


def main(words: List[str]) -> int:
    """Run as told; returns the process's exit status."""
    if len(words) == 3 and words[1] == "--program":
        return Program(words[0], int(words[2])).run()
    if len(words) != 1:
        sys.stderr.write("usage: harness.py FOLDER\n")
        return 2
    return Supervisor(words[0]).run()


# --- The supervisor ---------------------------------------------------------------------------------------------------


class Supervisor:
    """Watches over one program until nothing of it runs any more."""

    def __init__(self, root: str) -> None:
        self._root = root
        self._run = os.path.join(root, "run")
        self._config = read_json(os.path.join(self._run, "config.json"))
        self._reserve = os.path.join(self._run, "reserve")
        self._phases = Phases(os.path.join(self._run, "phase.json"))
        self._secrets = secrets_here()
        self._log = Log(os.path.join(self._run, "log"), self._secrets)
        self._said = Said()
        self._seal: Optional[str] = None  # which the container that watches knows our outcome by
        self._program = 0  # its process; 0 before it is started
        self._status: Optional[int] = None  # the program's, as of waitpid
        self._stopped = ""  # why we ended it: "deadline" or "told"
        self._deadline = math.inf
        self._kill_at = math.inf
        self._kills_since = math.inf
        self._winds_down = False  # the program has ended, what it left behind is to end now
        self._wakes: Tuple[int, int] = (-1, -1)

    def run(self) -> int:
        """Hold the lock, run the program, write the outcome."""
        with open(os.path.join(self._run, "lock"), "ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            lock.write(b"held")  # in the file itself, which is watched: the program may delete everything else
            lock.flush()
            with suppress(OSError), open(self._reserve, "wb") as reserve:
                reserve.write(b"\1" * RESERVE)
            self._phases.begin("Training")
            try:
                return self._run_through()
            except Exception:
                traceback.print_exc()
                return DIED

    def _run_through(self) -> int:
        before = oom_kills()
        if sys.version_info[:2] < MINIMUM:
            self._said.take(refusal_of_python())
        else:
            self._supervise()
        self._log.end()
        self._phases.end()
        outcome = self._outcome(killed_for_memory=oom_kills() > before)
        with suppress(OSError):
            os.unlink(self._reserve)
        write_outcome(os.path.join(self._run, "outcome.json"), outcome)
        return SUCCEEDED if outcome["status"] == "Succeeded" else FAILED

    def _supervise(self) -> None:
        adopt_orphans()
        self._listen()
        if not self._is_watched():
            return
        program, output, words = self._start()
        try:
            for fd in (output, words, self._wakes[0]):
                os.set_blocking(fd, False)
            self._watch(program, output, words)
        finally:
            os.close(output)
            os.close(words)
        program.returncode = self._status if self._status is not None else 1  # reaped here, not by subprocess

    def _is_watched(self) -> bool:
        """Wait until the container beside this one has the lock's file open; nothing has run that could claim so."""
        watched = os.path.join(self._run, "watched")
        end = time.monotonic() + WATCH_PATIENCE
        while not os.path.exists(watched) and not self._stopped:
            if time.monotonic() >= end:
                self._said.take(refusal_unwatched())
                return False
            time.sleep(WATCH_PAUSE)
        if self._stopped:
            return False
        self._seal = read_json(watched).get("seal")
        os.unlink(watched)  # the program must not see it
        return True

    def _start(self) -> "Tuple[subprocess.Popen[bytes], int, int]":
        """The program's process, its output, and what it tells us."""
        output, output_end = os.pipe()
        words, words_end = os.pipe()
        directory = self._config.get("artifactsDirectory") or "artifacts"
        command = [sys.executable, "-u", os.path.abspath(__file__), self._root, "--program", str(words_end)]
        seconds = self._config.get("deadlineSeconds")
        if isinstance(seconds, (int, float)):
            self._deadline = time.monotonic() + seconds
        program = subprocess.Popen(
            command,
            cwd=os.path.join(self._root, "package"),
            env=dict(os.environ, artifacts_directory=os.environ.get("artifacts_directory", directory)),
            stdin=subprocess.DEVNULL,
            stdout=output_end,
            stderr=output_end,
            pass_fds=(words_end,),
            start_new_session=True,
        )
        os.close(output_end)
        os.close(words_end)
        return program, output, words

    def _listen(self) -> None:
        """Wake up for signals; the first process of a container gets only those that it handles."""
        self._wakes = os.pipe()
        for end in self._wakes:
            os.set_blocking(end, False)
        signal.set_wakeup_fd(self._wakes[1], warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        for told in (signal.SIGTERM, signal.SIGINT):
            signal.signal(told, lambda *_: self._told_to_end())

    def _told_to_end(self) -> None:
        self._stop("told", STOP_GRACE)

    def _watch(self, program: "subprocess.Popen[bytes]", output: int, words: int) -> None:
        self._program = program.pid
        if self._stopped:
            os.killpg(self._program, signal.SIGTERM)  # we were told before there was anybody to tell
        takers: Dict[int, Callable[[bytes], None]] = {
            output: self._log.write,
            words: lambda data: self._said.feed(data, self._phases),
            self._wakes[0]: lambda _: None,
        }
        with selectors.DefaultSelector() as selector:
            for fd in takers:
                selector.register(fd, selectors.EVENT_READ)
            while not self._is_over(is_heard_out=len(selector.get_map()) == 1):
                for key, _ in selector.select(self._patience()):
                    with suppress(BlockingIOError):
                        data = os.read(key.fd, 1 << 16)
                        if data:
                            takers[key.fd](data)
                        else:
                            selector.unregister(key.fd)
                self._reap()
                self._keep_time()

    def _patience(self) -> float:
        """How long to wait for something to happen: shortly while something is to be ended."""
        if self._status is not None or self._kill_at < math.inf or self._said.is_through:
            return 0.05
        return max(0.0, min(60.0, self._deadline - time.monotonic()))

    def _reap(self) -> None:
        """Bury who has ended, also the orphans of the program."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if pid == self._program:
                self._status = status

    def _keep_time(self) -> None:
        now = time.monotonic()
        if now >= self._deadline and self._status is None and not self._said.is_through:
            self._stop("deadline", DEADLINE_GRACE)
        if self._said.is_through:
            self._kill_at = min(self._kill_at, self._said.through_at + EXIT_GRACE)
        if self._status is not None and not self._winds_down:
            self._end_left_overs()
        if now >= self._kill_at:
            self._kills_since = min(self._kills_since, now)
            send(signal.SIGKILL, descendants())

    def _end_left_overs(self) -> None:
        """What the program left behind is asked to end, too."""
        self._winds_down = True
        left = descendants()
        send(signal.SIGTERM, left)
        self._kill_at = min(self._kill_at, time.monotonic() + (LEFT_OVER_GRACE if left else 0))

    def _stop(self, why: str, grace: float) -> None:
        """Ask the program to end; it gets `grace` seconds. What ends it first is what is told."""
        if self._stopped:
            return
        if self._status is None:
            self._stopped = why
            self._said.is_late = True
            if self._program:
                with suppress(OSError):
                    os.killpg(self._program, signal.SIGTERM)
        self._kill_at = min(self._kill_at, time.monotonic() + grace)

    def _is_over(self, *, is_heard_out: bool) -> bool:
        if self._status is None:
            return False
        if time.monotonic() > self._kills_since + UNKILLABLE:
            return True
        return is_heard_out and not descendants()

    def _outcome(self, *, killed_for_memory: bool) -> Json:
        verdict = judge(
            self._said,
            status=self._status,
            stopped=self._stopped,
            killed_for_memory=killed_for_memory,
            deadline=self._config.get("deadlineSeconds"),
        )
        verdict["message"] = without(self._secrets, verdict["message"])
        verdict["traceback"] = [without(self._secrets, line) for line in verdict["traceback"]]
        verdict["seal"] = self._seal
        verdict["phases"] = self._phases.ended
        verdict["python"] = ".".join(map(str, sys.version_info[:3]))
        verdict["packages"] = installed_packages(os.path.join(self._root, "package"))
        return verdict


class Said:
    """What the program's process has told about itself: JSON objects, one a line."""

    def __init__(self) -> None:
        self.step = "train.py"
        self.metrics: Dict[str, float] = {}
        self.failure: Optional[Json] = None
        self.failed_late = False  # it failed after it was told to end
        self.saved = False
        self.is_through = False
        self.through_at = math.inf
        self.is_late = False
        self._rest = b""
        self._seen = 0

    def feed(self, data: bytes, phases: "Phases") -> None:
        """Take in some bytes; what is no such line is not from us and is left alone."""
        self._seen += len(data)
        if self._seen > MAX_WORDS:
            return
        lines = (self._rest + data).split(b"\n")
        self._rest = lines.pop()
        for line in lines:
            try:
                word = json.loads(line.decode())
            except ValueError:
                continue
            if isinstance(word, dict):
                if "reason" in word and word["reason"] not in PROGRAM_REASONS:
                    word["reason"] = "UserException"  # not from us: the others are for the supervisor to find
                self.take(word)
                if "phase" in word:
                    phases.begin(str(word["phase"]))

    def take(self, word: Json) -> None:
        """Remember one thing; of several failures the first counts."""
        self.step = word.get("step", self.step)
        self.metrics = word.get("metrics", self.metrics)
        self.saved = word.get("saved", self.saved)
        if word.get("through") and not self.is_through:
            self.is_through, self.through_at = True, time.monotonic()
        if "reason" in word and self.failure is None:
            self.failure = word
            self.failed_late = self.is_late


def judge(
    said: Said, *, status: Optional[int], stopped: str, killed_for_memory: bool, deadline: Optional[float] = None
) -> Json:
    """How the run ended.

    Args:
        said: what the program told.
        status: of its process, as waitpid gives it; None if it never ran.
        stopped: `deadline` or `told` if we ended it, else "".
        killed_for_memory: whether the kernel killed something in this container for its memory.
        deadline: in seconds, for the message.
    """
    failure = said.failure
    told = {"traceback": failure["traceback"] if failure else [], "metrics": said.metrics, "saved": said.saved}

    def failed(reason: str, message: str) -> Json:
        return dict(told, status="Failed", reason=reason, message=message)

    if said.is_through and failure is None:
        return dict(told, status="Succeeded", reason="", message="")
    if killed_for_memory and (failure is None or failure["reason"] == "UserException"):
        return failed(
            "OutOfMemory",
            "a process was killed in %s because the container used more memory than its limit: "
            "raise resources.limits.memory or use less" % said.step,
        )
    if failure is not None and not said.failed_late:
        return failed(failure["reason"], failure["message"])
    if stopped == "deadline":
        return failed(
            "DeadlineExceeded",
            "the program was ended in %s after activeDeadlineSeconds: %s" % (said.step, deadline),
        )
    if stopped == "told":
        return failed("Killed", "the pod was told to end while the program was in %s" % said.step)
    return failed(*_silent_end(status, said.step))


def _silent_end(status: Optional[int], step: str) -> Tuple[str, str]:
    """(reason, message) of a program that ended without a word."""
    if status is not None and os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        if number == signal.SIGKILL:
            return "Killed", "the program was killed (SIGKILL) in %s, by something outside of it" % step
        try:
            name = signal.Signals(number).name
        except ValueError:
            name = "signal %d" % number
        return "UserException", "the program was ended by %s in %s" % (name, step)
    code = os.WEXITSTATUS(status) if status is not None else 1
    if code == UNHEARD:
        return (
            "UserException",
            "the program closed a file descriptor that it has not opened, so that it could not be heard any more, "
            "in %s: close only its own ones" % step,
        )
    return (
        "UserException",
        "the program ended with status %d in %s, before save() had returned: something in it ends the process"
        % (code, step),
    )


class Phases:
    """Which phase it is and how long each took; the file always holds all of it."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._name = ""
        self._since = 0.0
        self._began = 0.0
        self.ended: List[Json] = []

    def begin(self, name: str) -> None:
        """A phase begins, and ends the one before."""
        if name == self._name:
            return
        self._close()
        self._name, self._since, self._began = name, time.time(), time.monotonic()
        self._write()

    def end(self) -> None:
        """The last phase ends."""
        self._close()
        self._write()

    def _close(self) -> None:
        if self._name:
            seconds = round(time.monotonic() - self._began, 3)
            self.ended.append({"name": self._name, "startedAt": rfc3339(self._since), "seconds": seconds})

    def _write(self) -> None:
        """The disk may be full."""
        with suppress(OSError):
            write_json(self._path, {"phase": self._name, "since": rfc3339(self._since), "phases": self.ended})


class Log:
    """The program's output: handed on to our own, and kept in files of bounded size, byte for byte but for secrets."""

    def __init__(self, path: str, secrets: Sequence[str] = ()) -> None:
        self._path = path
        self._secrets = [os.fsencode(secret) for secret in secrets]
        self._held = b""  # what may be the beginning of a secret
        self._cut = 0  # how many bytes of that lie in a secret that is cut out already
        self._segment = 0
        self._file = open(path, "wb", buffering=0)
        self._left = LOG_HEAD
        self._is_heard = True

    def write(self, data: bytes) -> None:
        """Take some bytes. A full disk or a closed output is no reason to end a training."""
        data = self._held + data
        self._take(data, len(data) - max((begun(secret, data) for secret in self._secrets), default=0))

    def end(self) -> None:
        """Nothing more comes: what looked like the beginning of a secret was none."""
        self._take(self._held, len(self._held))

    def _take(self, data: bytes, whole: int) -> None:
        """Keep so many bytes without secrets, and hold back the rest."""
        kept, at = [], 0
        for start, end in spans(self._secrets, data, self._cut):
            is_told = start == 0 and self._cut > 0
            if start >= whole and not is_told:
                break
            kept += [data[at:start], b"" if is_told else CUT.encode()]
            at = end
        kept.append(data[at:whole])
        self._held, self._cut = data[whole:], max(0, at - whole)
        self._keep(b"".join(kept))

    def _keep(self, data: bytes) -> None:
        self._hand_on(data)
        with suppress(OSError):
            while data:
                if not self._left:
                    self._next_segment()
                written = self._file.write(data[: self._left]) or 0
                self._left -= written
                data = data[written:]

    def _hand_on(self, data: bytes) -> None:
        while data and self._is_heard:
            try:
                data = data[os.write(1, data) :]
            except OSError:
                self._is_heard = False

    def _next_segment(self) -> None:
        self._file.close()
        self._segment += 1
        self._file = open("%s.%d" % (self._path, self._segment), "wb", buffering=0)
        self._left = LOG_SEGMENT
        if self._segment > LOG_SEGMENTS:
            os.unlink("%s.%d" % (self._path, self._segment - LOG_SEGMENTS))


def refusal_of_python() -> Json:
    """The failure of an image whose Python is too old."""
    message = "Python %d.%d or newer is needed, this is %d.%d: choose another image" % (MINIMUM + sys.version_info[:2])
    sys.stderr.write(message + "\n")
    return {"reason": "PythonTooOld", "message": message, "traceback": []}


def refusal_unwatched() -> Json:
    """The failure of a pod whose other container does not come."""
    message = (
        "container modelberth-report was not there within %d seconds, so the program was not started" % WATCH_PATIENCE
    )
    sys.stderr.write(message + "\n")
    return {"reason": "UploadFailed", "message": message, "traceback": []}


def adopt_orphans() -> None:
    """Be the parent of the program's orphans also where we are not the container's first process."""
    with suppress(Exception):
        import ctypes

        ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER


def descendants() -> Set[int]:
    """All processes below this one that have not ended.

    Never `kill(-1)`: where the pod's containers share their processes, that would be the other containers'.
    """
    parents: Dict[int, int] = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            with suppress(OSError, ValueError, IndexError):
                with open("/proc/%s/stat" % name, "rb") as file:
                    fields = file.read().rpartition(b")")[2].split()  # the name in front may hold anything
                if fields[0] not in (b"Z", b"X"):
                    parents[int(name)] = int(fields[1])
    found: Set[int] = set()
    ours = {os.getpid()}
    while ours:
        ours = {pid for pid, parent in parents.items() if parent in ours} - found
        found |= ours
    return found


def send(number: int, processes: Set[int]) -> None:
    """Send a signal to each; those that have ended meanwhile are fine."""
    for pid in processes:
        with suppress(OSError):
            os.kill(pid, number)


def oom_kills(counters: Tuple[str, ...] = OOM_COUNTERS) -> int:
    """How many processes of this container the kernel has killed for their memory; 0 where it does not say."""
    for path in counters:
        with suppress(OSError, ValueError), open(path) as file:
            for line in file:
                name, _, count = line.partition(" ")
                if name == "oom_kill":
                    return int(count)
    return 0


@functools.lru_cache(maxsize=1)
def secrets_here() -> Tuple[str, ...]:
    """What must not be told, from the environment that this process began with."""
    values = [os.environ.get(name, "") for name in os.environ.get(MASKED_NAMES, "").split(",") if name]
    return tuple(form for value in values for form in forms_of(value))


def forms_of(value: str) -> List[str]:
    """A secret as it is and as Python and JSON show it, whole and by lines; without what would cut everything."""
    texts = [value] + [text for line in value.splitlines() for text in (line, line.strip())]
    found: Set[str] = set()
    for text in texts:
        found |= {text, repr(text)[1:-1], ascii(text)[1:-1], json.dumps(text)[1:-1]}
        found |= {repr("'\"" + text)[4:-1], json.dumps(text, ensure_ascii=False)[1:-1]}  # among quotes of both kinds
    return sorted(form for form in found if len(form.strip()) >= SHORTEST_SECRET)


def spans(secrets: Sequence[AnyStr], text: AnyStr, cut: int = 0) -> List[Tuple[int, int]]:
    """From where to where secrets stand in a text, of which so much in front is one; those that overlap as one."""
    found = [(0, cut)] if cut else []
    for secret in secrets:
        at = text.find(secret)
        while at >= 0:
            found.append((at, at + len(secret)))
            at = text.find(secret, at + 1)
    merged: List[Tuple[int, int]] = []
    for start, end in sorted(found):
        if merged and start < merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def without(secrets: Sequence[str], text: str) -> str:
    """The text without these."""
    kept, at = [], 0
    for start, end in spans(secrets, text):
        kept += [text[at:start], CUT]
        at = end
    return "".join([*kept, text[at:]])


def begun(secret: bytes, data: bytes) -> int:
    """How many of the last bytes may be the beginning of a secret whose rest is still to come."""
    at = data.find(secret[:1], max(0, len(data) - len(secret) + 1))
    while at >= 0 and not secret.startswith(data[at:]):
        at = data.find(secret[:1], at + 1)
    return len(data) - at if at >= 0 else 0


def installed_packages(package: str) -> Dict[str, str]:
    """The versions of all distributions that the program could import."""
    try:
        from importlib.metadata import distributions
    except ImportError:  # Python before 3.8
        return {}
    found: Dict[str, str] = {}
    for distribution in distributions(path=[package, *sys.path]):
        with suppress(Exception):  # whatever a broken installation raises
            metadata = distribution.metadata  # a file, read and parsed anew each time that it is asked for
            name = metadata["Name"]
            if name and len(found) < MAX_PACKAGES:
                found.setdefault(str(name)[:200], str(metadata["Version"])[:200])
    return dict(sorted(found.items(), key=lambda item: item[0].lower()))


# --- The program's own process ----------------------------------------------------------------------------------------


class Refused(Exception):  # noqa: N818 - as everywhere here: what happened
    """Why there is no version of this run: a reason of its own, and a sentence with the mend."""

    def __init__(self, reason: str, message: str, lines: Optional[List[str]] = None) -> None:
        super().__init__(message)
        self.word: Json = {"reason": reason, "message": message[:MAX_MESSAGE], "traceback": lines or []}


class Program:
    """Imports train.py and calls Main's methods, one after the other."""

    def __init__(self, root: str, fd: int) -> None:
        self._package = os.path.join(os.path.abspath(root), "package")
        self._data = os.path.join(os.path.abspath(root), "data")
        config = read_json(os.path.join(root, "run", "config.json"))
        self._evaluation = os.path.join(os.path.abspath(root), "evaluation") if config.get("evaluation") else self._data
        self._fd = fd
        self._pipe = os.fstat(fd)
        self._pid = os.getpid()
        self._step = ""
        self._failed = False
        secrets_here()  # before the program may take them out of its environment

    def run(self) -> int:
        """Go through all steps; returns the exit status."""
        os.set_inheritable(self._fd, False)
        sys.argv = ["train.py"]
        if os.path.abspath(sys.path[0]) == os.path.dirname(os.path.abspath(__file__)):
            del sys.path[0]
        sys.path.insert(0, self._package)
        try:
            self._run_all()
        except Refused as refused:
            self._fail(refused)
        except BaseException as error:
            self._fail(self._exception(error))
        self._tell(through=True)
        return 1 if self._failed else 0

    def _run_all(self) -> None:
        self._begin("Training", "train.py")
        artifacts = self._make_artifacts()
        main = self._construct()
        if hasattr(main, "process_data"):
            self._begin("Training", "process_data()")
            main.process_data(self._data)
        self._begin("Training", "train()")
        main.train(self._data)
        if hasattr(main, "evaluate"):
            self._evaluate(main)
        self._begin("Saving", "save()")
        before = snapshot(self._package, artifacts)
        main.save()
        if snapshot(self._package, artifacts) == before:
            raise Refused(
                "NothingSaved",
                "save() changed no file of its working directory, the package's folder: write the model there, "
                "by a relative path",
            )
        self._tell(saved=True)

    def _make_artifacts(self) -> str:
        """The artifacts folder; relative paths count from the package's folder, where the program runs."""
        artifacts = os.path.join(self._package, os.environ.get("artifacts_directory", "artifacts"))
        try:
            os.makedirs(artifacts, exist_ok=True)
        except OSError as error:
            raise Refused("BadPackage", "the artifacts folder %s cannot be made: %s" % (artifacts, error)) from None
        return artifacts

    def _construct(self) -> Any:
        main_class = getattr(self._import(), "Main", None)
        if not inspect.isclass(main_class):
            raise Refused(
                "BadPackage", "train.py has no class Main: write one with train(self, data_directory), save(self)"
            )
        for name in ("train", "save"):
            if not callable(getattr(main_class, name, None)):
                raise Refused("BadPackage", "class Main of train.py has no method %s" % name)
        check_call("Main()", main_class, [])
        main = main_class()
        check_call("train(self, data_directory)", main.train, [self._data])
        check_call("save(self)", main.save, [])
        for name in ("process_data", "evaluate"):
            if hasattr(main, name):
                check_call("%s(self, data_directory)" % name, getattr(main, name), [self._data])
        return main

    def _import(self) -> Any:
        """The module `train`, under this name for whatever is pickled."""
        path = os.path.join(self._package, "train.py")
        if not os.path.isfile(path):
            raise Refused("BadPackage", "the package has no file train.py: it must lie at the top of the package")
        spec = importlib.util.spec_from_file_location("train", path)
        if spec is None or spec.loader is None:
            raise Refused("BadPackage", "train.py cannot be imported")
        module = importlib.util.module_from_spec(spec)
        sys.modules["train"] = module
        try:
            spec.loader.exec_module(module)
        except SyntaxError as error:
            where = "%s, line %s" % (os.path.basename(error.filename or "train.py"), error.lineno)
            raise Refused("BadPackage", "%s: %s" % (where, error.msg), traceback_of(error)) from None
        except ValueError as error:
            if error.__traceback__ is not None and not list(own_frames(error)):
                raise Refused("BadPackage", "train.py is no Python source: %s" % error) from None  # a null byte
            raise
        return module

    def _evaluate(self, main: Any) -> None:
        """Whatever is wrong with the evaluation, save() is called after it: a model of many hours is not lost."""
        self._begin("Evaluating", "evaluate()")
        try:
            self._tell(metrics=metrics_of(main.evaluate(self._evaluation)))
        except Refused as refused:
            self._fail(refused)
        except Exception as error:
            self._fail(self._exception(error))

    def _exception(self, error: BaseException) -> Refused:
        lines = traceback_of(error)
        if isinstance(error, SystemExit):
            message = "the program called sys.exit(%r) in %s, before it was through" % (error.code, self._step)
        else:
            message = "%s in %s" % (_words_of(error), self._step)
        return Refused("UserException", message, lines)

    def _fail(self, refused: Refused) -> None:
        self._failed = True
        word = refused.word
        with suppress(Exception):  # the program may have closed it, or put anything in its place
            sys.stderr.write("\n".join(word["traceback"] or [word["message"]]) + "\n")
        self._tell(**word)

    def _begin(self, phase: str, step: str) -> None:
        self._step = step
        self._tell(phase=phase, step=step)

    def _tell(self, **word: Any) -> None:
        if os.getpid() != self._pid:  # a fork of the program that came back here: it has no word in this
            os._exit(1)
        if not self._is_heard():
            os._exit(UNHEARD)
        data = (json.dumps(word) + "\n").encode()
        while data:
            data = data[os.write(self._fd, data) :]

    def _is_heard(self) -> bool:
        """Whether the descriptor still is the supervisor's pipe: a file of the program may have its number by now."""
        try:
            return os.path.samestat(os.fstat(self._fd), self._pipe)
        except OSError:
            return False


def check_call(form: str, function: Any, arguments: List[str]) -> None:
    """Refuse a method that cannot be called as it will be.

    Raises:
        Refused: BadPackage, with the form that is expected.
    """
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # one written in C does not always tell
        return
    try:
        signature.bind(*arguments)
    except TypeError as error:
        raise Refused(
            "BadPackage", "Main: %s cannot be called as %s: %s" % (form.partition("(")[0], form, error)
        ) from None
    if inspect.iscoroutinefunction(function) or inspect.isgeneratorfunction(function):
        raise Refused(
            "BadPackage", "Main: %s would not run when it is called: make it a plain function" % form.partition("(")[0]
        )


def metrics_of(value: Any) -> Dict[str, float]:
    """What evaluate() returned, by name; a number alone is the `score`.

    Raises:
        Refused: BadMetric, naming the metric and what it is.
    """
    items = list(value.items()) if isinstance(value, collections.abc.Mapping) else [("score", value)]
    if len(items) > MAX_METRICS:
        raise Refused("BadMetric", "evaluate() returned %d metrics; at most %d are kept" % (len(items), MAX_METRICS))
    return {name: number_of(name, number) for name, number in items}


def number_of(name: Any, value: Any) -> float:
    """A finite number, whatever its type."""
    if not isinstance(name, str) or not 0 < len(name) <= MAX_METRIC_NAME:
        raise Refused("BadMetric", "evaluate(): %.140r is no name of a metric: 1 to 128 characters" % (name,))
    kind = type(value)
    if kind.__name__ in ("bool", "bool_") or not hasattr(kind, "__float__"):
        raise Refused("BadMetric", "evaluate(): %s is of type %s, which is no number" % (name, kind.__name__))
    try:
        number = float(value)
    except Exception as error:
        raise Refused(
            "BadMetric", "evaluate(): %s of type %s is no number: %s" % (name, kind.__name__, error)
        ) from None
    if not math.isfinite(number):
        raise Refused("BadMetric", "evaluate(): %s is %s, not a finite number" % (name, number))
    return number


def snapshot(folder: str, artifacts: str) -> Dict[str, Tuple[Any, ...]]:
    """The state of every file below a folder, without the artifacts and without compiled modules.

    Any write shows: in the size, in the times (which no program can set back: the change time is among them), or
    in the content of small files.
    """
    if os.path.islink(folder):  # put there by the program: it may lead to the whole image
        return {folder: ("link", os.readlink(folder))}
    artifacts = os.path.realpath(artifacts)
    found: Dict[str, Tuple[Any, ...]] = {}
    for parent, folders, files in os.walk(folder):
        folders[:] = [
            name
            for name in folders
            if name != "__pycache__" and os.path.realpath(os.path.join(parent, name)) != artifacts
        ]
        for name in files + folders:
            path = os.path.join(parent, name)
            with suppress(OSError):
                status = os.lstat(path)
                if name in folders and not os.path.islink(path):
                    found[path] = ("folder",)
                    continue
                found[path] = (status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns, _content(path))
    return found


def _content(path: str) -> str:
    if os.path.islink(path):
        return os.readlink(path)
    if not os.path.isfile(path) or os.path.getsize(path) > HASHED_FILE:
        return ""
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def own_frames(error: BaseException) -> Iterator[str]:
    """The files of the program's frames, outermost first: without this file's, and without the import system's."""
    for frame in traceback.extract_tb(error.__traceback__):
        if not _is_ours(frame.filename):
            yield frame.filename


def traceback_of(error: BaseException) -> List[str]:
    """The lines that Python would print, from the program's first frame on; of very many, the first and the last."""
    where = error.__traceback__
    while where is not None and _is_ours(where.tb_frame.f_code.co_filename):
        where = where.tb_next
    text = without(secrets_here(), "".join(traceback.format_exception(type(error), error, where)))
    lines = [line.encode("utf-8", "replace").decode()[:MAX_LINE] for line in text.splitlines()]
    if len(lines) > MAX_TRACEBACK_LINES:
        lines[1 : 2 - MAX_TRACEBACK_LINES] = ["  …"]
    return lines


def _words_of(error: BaseException) -> str:
    name = type(error).__qualname__
    try:
        words = without(secrets_here(), str(error))  # before it is shortened: half a secret is one
    except Exception:
        words = "(it cannot be printed)"
    return "%s: %s" % (name, words[: MAX_MESSAGE // 2]) if words else name


def _is_ours(filename: str) -> bool:
    return (
        filename == __file__
        or os.path.abspath(filename) == os.path.abspath(__file__)
        or filename.startswith("<frozen ")
    )


# --- Files and times --------------------------------------------------------------------------------------------------


def rfc3339(seconds: float) -> str:
    """A moment of the wall clock as `2026-01-31T12:00:00.123Z`."""
    moment = datetime.fromtimestamp(seconds, timezone.utc)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + "%03dZ" % (moment.microsecond // 1000)


def read_json(path: str) -> Json:
    """An object from a file."""
    with open(path, encoding="utf-8") as file:
        value = json.load(file)
    return value if isinstance(value, dict) else {}


def write_json(path: str, value: Json) -> None:
    """Replace a file by one rename: whoever reads it sees all or nothing of it."""
    with open(path + ".new", "w", encoding="utf-8") as file:
        json.dump(value, file)
        file.flush()
        os.fsync(file.fileno())
    os.rename(path + ".new", path)


def write_outcome(path: str, outcome: Json) -> None:
    """Write the outcome; without its lists where even the room that was kept for it is not enough."""
    try:
        write_json(path, outcome)
    except OSError:
        write_json(path, dict(outcome, packages={}, traceback=outcome["traceback"][-3:]))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
