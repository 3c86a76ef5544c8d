"""Which paths a version may hold: those that mean one file, the same one, on every system.

Linux keeps any bytes, macOS normalises and ignores case, Windows ignores case, trailing dots and spaces and knows
device names. A version that could not be loaded everywhere, or that wrote outside its folder somewhere, is refused
where it is made and again where it is read.
"""

import re
import unicodedata

from modelberth.content.errors import UnsafePath

MAX_COMPONENT_BYTES = 255
MAX_PATH_BYTES = 4096

_SHOWN_CHARACTERS = 300
_NOT_ON_WINDOWS = re.compile(r'[<>:"|?*\\]')
_ASCII_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_DIRECTION_CONTROLS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_CONTROL_CATEGORIES = frozenset({"Cc", "Zl", "Zp"})
_DEVICES = frozenset(
    ["con", "prn", "aux", "nul", "conin$", "conout$"]
    + [f"{port}{number}" for port in ("com", "lpt") for number in "0123456789\u00b9\u00b2\u00b3"]
)


def escape(path: str) -> str:
    """The path in quotes and printable ASCII, cut to a length that a log line can carry."""
    shown = path if len(path) <= _SHOWN_CHARACTERS else path[:_SHOWN_CHARACTERS] + "…"
    return ascii(shown)


def check_path(path: str) -> None:
    """Refuse a path that is not relative, normalised and portable.

    Raises:
        UnsafePath: names the path, escaped, and the rule.
    """
    try:
        encoded = path.encode()
    except UnicodeEncodeError:
        raise UnsafePath(f"path {escape(path)} is not valid UTF-8: rename the file") from None
    if len(encoded) > MAX_PATH_BYTES:
        raise UnsafePath(f"path {escape(path)} has {len(encoded)} bytes; at most {MAX_PATH_BYTES} are allowed")
    _check_characters(path)
    for component in path.split("/"):
        why = _why_not(component)
        if why:
            raise UnsafePath(f"path {escape(path)}: {why}")


def _check_characters(path: str) -> None:
    if _ASCII_CONTROL.search(path):
        raise UnsafePath(f"path {escape(path)} has a control character: rename the file")
    forbidden = _NOT_ON_WINDOWS.search(path)
    if forbidden:
        raise UnsafePath(
            f"path {escape(path)} has the character {forbidden[0]!r}, which not every system can keep: rename the file"
        )
    if path.isascii():
        return
    if any(unicodedata.category(c) in _CONTROL_CATEGORIES or c in _DIRECTION_CONTROLS for c in path):
        raise UnsafePath(f"path {escape(path)} has a control character: rename the file")
    if not unicodedata.is_normalized("NFC", path):
        raise UnsafePath(f"path {escape(path)} is not in Unicode normalisation form NFC: rename the file")


def _why_not(component: str) -> str:
    """Why this name between two slashes is refused, or nothing."""
    if component == "":
        return "it is empty, absolute, or has an empty part between slashes"
    if component in {".", ".."}:
        return f"the part {component!r} is not allowed: paths are relative and normalised"
    if component[-1] in ". ":
        return f"the part {escape(component)} ends with a dot or a space, which Windows drops: rename it"
    if component.split(".", 1)[0].rstrip(" ").casefold() in _DEVICES:
        return f"the part {escape(component)} is a device name on Windows: rename it"
    if len(component) * 4 > MAX_COMPONENT_BYTES and len(component.encode()) > MAX_COMPONENT_BYTES:
        return f"the part {escape(component)} has more than {MAX_COMPONENT_BYTES} bytes"
    return ""


def fold(path: str) -> str:
    """What a file system that ignores case and compatibility forms would see. Equal folds are one file there."""
    if path.isascii():
        lowered = path.lower()
        return path if lowered == path else lowered  # the same object: no second copy of most names is kept
    once = unicodedata.normalize("NFKC", unicodedata.normalize("NFD", path).casefold())
    return unicodedata.normalize("NFKC", once.casefold())


class PathSet:
    """The paths of one tree, refusing two that some system would take for one, and a file that is also a folder.

    Invariant: `_folders` holds every proper ancestor of every entry under its fold, with the one spelling used.
    """

    def __init__(self) -> None:
        self._entries: set[str] = set()
        self._folders: dict[str, str] = {}
        self._last_parent = ""

    def add(self, path: str) -> None:
        """Take one more entry (a file or an empty folder).

        Raises:
            UnsafePath: the path itself is refused, or clashes with one that was added before.
        """
        check_path(path)
        folded = fold(path)
        if folded in self._entries:
            raise UnsafePath(
                f"path {escape(path)} is the same file as another one where case or Unicode form is ignored"
            )
        if folded in self._folders:
            raise UnsafePath(f"path {escape(path)} is a folder with content and an entry of its own")
        self._entries.add(folded)
        parent = path.rpartition("/")[0]
        if parent != self._last_parent:
            self._add_folders(parent, path)
            self._last_parent = parent

    def _add_folders(self, parent: str, path: str) -> None:
        folder = parent
        while folder:
            folded = fold(folder)
            if folded in self._entries:
                raise UnsafePath(f"path {escape(path)} lies under {escape(folder)}, which is a file or an empty folder")
            spelling = self._folders.setdefault(folded, folder)
            if spelling != folder:
                raise UnsafePath(
                    f"path {escape(path)}: the folder {escape(folder)} is the same as {escape(spelling)} "
                    "where case or Unicode form is ignored"
                )
            folder = folder.rpartition("/")[0]
