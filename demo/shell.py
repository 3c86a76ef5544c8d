"""Running other programs: their answer is returned, what they tell on the way is shown, their failure is an error."""

import os
import subprocess
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

from demo.progress import Progress

ROOT = Path(__file__).resolve().parent.parent
_KEPT_LINES = 25


class CommandError(Exception):
    """A program failed; the message holds its last words."""


def run(
    command: Sequence[str | Path],
    *,
    input: str | None = None,  # noqa: A002 - the name in subprocess
    environment: Mapping[str, str] | None = None,
    progress: Progress | None = None,
) -> str:
    """Run a program in the repository's root and return what it printed on stdout.

    Args:
        command: the program and its arguments.
        input: what it reads from stdin.
        environment: variables besides our own.
        progress: shows what the program says on stderr.

    Raises:
        CommandError: its exit status is not 0.
    """
    words = [str(word) for word in command]
    said: list[str] = []
    with subprocess.Popen(
        words,
        cwd=ROOT,
        env={**os.environ, **(environment or {})},
        stdin=subprocess.DEVNULL if input is None else subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None  # noqa: S101 - asked for above
        assert process.stderr is not None  # noqa: S101 - asked for above
        listener = threading.Thread(target=_listen, args=(process.stderr, said, progress), daemon=True)
        listener.start()
        if input is not None and process.stdin is not None:
            process.stdin.write(input)
            process.stdin.close()
        answer = process.stdout.read()
        listener.join()
    if process.returncode != 0:
        last = "\n".join(said[-_KEPT_LINES:])
        raise CommandError(f"{' '.join(words)}: exit status {process.returncode}\n{last}")
    return answer


def _listen(stream: IO[str], said: list[str], progress: Progress | None) -> None:
    for line in stream:
        text = line.replace("\r", "\n").strip().rpartition("\n")[2]
        if text:
            said.append(text)
            if progress is not None:
                progress.detail(text)
