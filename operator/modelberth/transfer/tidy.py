"""Takes out of a folder what no version can hold, so that the rest of it can be sent.

For folders that a program has filled that nobody supervised: a link to a secret, a FIFO or a name that no other system
can keep must neither be followed nor cost what lies beside it.
"""

import os
import shutil
import stat
from contextlib import suppress

from modelberth.content.errors import FormatError
from modelberth.content.paths import check_path, escape
from modelberth.transfer.scan import MAX_DEPTH

COMPILED = "__pycache__"
_DEEPEST = MAX_DEPTH - 1
"""What is left may be put into a folder beside others."""


def tidy(folder: str) -> list[str]:
    """Remove what cannot be part of a version, and compiled modules.

    Args:
        folder: a real folder that nobody writes to any more.

    Returns:
        A sentence for each thing that was removed, naming its path; compiled modules are not worth one.
    """
    base = os.path.realpath(folder)
    with suppress(OSError):
        os.chmod(base, 0o755)  # noqa: S103 - as every folder of a version
    refused: list[str] = []
    for parent, folders, files in os.walk(base):
        for name in [*folders, *files]:
            path = os.path.join(parent, name)
            why = "" if name == COMPILED else _why_not(base, path)
            if why or name == COMPILED:
                remove(path)
            if why:
                refused.append(why)
        folders[:] = [name for name in folders if os.path.isdir(os.path.join(parent, name))]
    return refused


def _why_not(base: str, path: str) -> str:
    """Why a version cannot hold this; "" if it can."""
    shown = os.path.relpath(path, base)
    try:
        check_path(shown.replace(os.sep, "/"))
        status = os.lstat(path)
        if stat.S_ISLNK(status.st_mode):
            return _why_not_link(base, path, escape(shown))
    except FormatError as error:
        return str(error)
    except OSError as error:
        return f"{escape(shown)} cannot be read: {error.strerror}"
    if stat.S_ISDIR(status.st_mode):
        return _why_not_folder(path, shown)
    if not stat.S_ISREG(status.st_mode):
        return f"{escape(shown)} is neither a file nor a folder"
    if not os.access(path, os.R_OK):
        with suppress(OSError):
            os.chmod(path, 0o644)
    return "" if os.access(path, os.R_OK) else f"{escape(shown)} cannot be read"


def _why_not_folder(path: str, shown: str) -> str:
    if shown.count(os.sep) + 1 > _DEEPEST:
        return f"{escape(shown)} lies more than {_DEEPEST} folders deep"
    with suppress(OSError):
        os.chmod(path, 0o755)  # noqa: S103 - as every folder of a version
    return "" if os.access(path, os.R_OK | os.X_OK) else f"{escape(shown)} cannot be read"


def _why_not_link(base: str, path: str, shown: str) -> str:
    try:
        real = os.path.realpath(path, strict=True)
    except OSError:
        return f"{shown} is a broken link"
    if real != base and not real.startswith(base + os.sep):
        return f"{shown} is a link that leaves the folder"
    if os.path.isdir(real) and (path + os.sep).startswith(real + os.sep):
        return f"{shown} is a link to a folder that it lies in"
    mode = os.lstat(real).st_mode
    return "" if stat.S_ISREG(mode) or stat.S_ISDIR(mode) else f"{shown} is a link to what is neither file nor folder"


def remove(path: str) -> None:
    """Remove whatever is there, without following links."""
    if os.path.isdir(path) and not os.path.islink(path):
        with suppress(RecursionError):  # before Python 3.13
            shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            os.unlink(path)
