"""Processes under measurement: those that run to their end, and those that are looked at while they run."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_LAUNCHER = Path(__file__).with_name("launch.py")


class BenchError(Exception):
    """Something that is measured did not work; the message has its own words."""


@dataclass(frozen=True, slots=True)
class Finished:
    """A process from its start to its end.

    Attributes:
        seconds: of the clock on the wall.
        peak_rss: bytes of resident memory at most.
        cpu_seconds: on all cores together.
        output: what it printed.
    """

    seconds: float
    peak_rss: float
    cpu_seconds: float
    output: str


def run_to_end(command: Sequence[str], environment: Mapping[str, str] | None = None) -> Finished:
    """Run a command to its end.

    Args:
        command: program and arguments.
        environment: besides this process's own.

    Raises:
        BenchError: it failed; with the last lines of what it said.
    """
    with tempfile.NamedTemporaryFile("r", encoding="ascii") as report:
        launcher = [sys.executable, "-S", "-E", str(_LAUNCHER), report.name]
        done = subprocess.run(
            [*launcher, *command],
            env={**os.environ, **(environment or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        numbers = report.read().split()
    if len(numbers) != 4 or numbers[3] != "0":
        words = "\n".join(done.stderr.splitlines()[-10:])
        raise BenchError(f"{' '.join(command[:6])} ended with status {numbers[3:] or done.returncode}: {words}")
    elapsed, peak, cpu = map(float, numbers[:3])
    return Finished(elapsed, peak, cpu, done.stdout)


def resident(pid: int) -> tuple[int, int]:
    """(now, at most since the start or `forget_peak`) in bytes."""
    fields = dict(line.partition(":")[::2] for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return _bytes(fields["VmRSS"]), _bytes(fields["VmHWM"])


def forget_peak(pid: int) -> None:
    """Let the peak of a process count from now on (proc(5), clear_refs)."""
    Path(f"/proc/{pid}/clear_refs").write_text("5", encoding="ascii")


def _bytes(text: str) -> int:
    number, unit = text.split()
    if unit != "kB":
        raise ValueError(f"proc(5) gives kB, not {text}")
    return int(number) * 1024
