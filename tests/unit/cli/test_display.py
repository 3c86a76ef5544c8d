"""What people see while bytes move."""

import io
import sys

import pytest

from modelberth.cli.display import Notices, showing, size
from modelberth.transfer.errors import Unreachable
from modelberth.transfer.progress import Progress


class Screen(io.StringIO):
    """A stderr that is a terminal, or not."""

    def __init__(self, *, terminal):
        super().__init__()
        self.terminal = terminal

    def isatty(self):
        return self.terminal


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (4 << 20, "4.0 MiB"), (3 << 29, "1.5 GiB"), (5 << 40, "5.0 TiB")],
)
def test_sizes_are_for_people(count, text):
    """Powers of 1024, one digit after the point."""
    assert size(count) == text


def test_a_terminal_shows_a_bar(monkeypatch):
    """The phase, how much of it, and at the end a new line."""
    screen = Screen(terminal=True)
    monkeypatch.setattr(sys, "stderr", screen)
    progress = Progress()
    with showing(progress, quiet=False):
        progress.begin("load", 8 << 20)
        progress.add(4 << 20)
    text = screen.getvalue()
    assert "\rloading" in text
    assert "50%" in text
    assert "4.0 MiB of 8.0 MiB" in text
    assert text.endswith("\n")


def test_a_log_gets_lines(monkeypatch):
    """No carriage returns where nobody looks at a screen."""
    screen = Screen(terminal=False)
    monkeypatch.setattr(sys, "stderr", screen)
    progress = Progress()
    with showing(progress, quiet=False):
        progress.begin("send", 2048)
        progress.add(2048)
    assert screen.getvalue() == "storing: 2.0 KiB of 2.0 KiB\n"


@pytest.mark.parametrize("begun", [True, False])
def test_quiet_is_quiet_and_nothing_to_do_shows_nothing(monkeypatch, begun):
    """Neither prints a thing."""
    screen = Screen(terminal=True)
    monkeypatch.setattr(sys, "stderr", screen)
    progress = Progress()
    with showing(progress, quiet=begun):
        if begun:
            progress.begin("send", 1)
    assert screen.getvalue() == ""


def test_a_reason_to_wait_is_said_once_by_whoever_waits(capsys):
    """Eight threads that wait for one server are one line."""
    notices = Notices()
    for _ in range(8):
        notices(Unreachable("https://store/x", "timed out"))
    notices(Unreachable("https://store/y", "timed out"))
    lines = capsys.readouterr().err.split("\n")
    assert lines.count("waiting, will try again: https://store/x: timed out") == 1
    assert lines.count("waiting, will try again: https://store/y: timed out") == 1
