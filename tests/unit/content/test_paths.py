"""The path table: which names mean one file on every system."""

import pytest

from modelberth.content.errors import UnsafePath
from modelberth.content.paths import MAX_COMPONENT_BYTES, MAX_PATH_BYTES, PathSet, check_path, escape

LONGEST = ("a" * 255 + "/") * 15 + "b" * 127 + "/" + "c" * 128

REFUSED = [
    ("", "empty"),
    ("/etc/passwd", "absolute"),
    ("a//b", "empty part"),
    ("a/", "empty part"),
    (".", "'.'"),
    ("..", "'..'"),
    ("../a", "'..'"),
    ("a/../b", "'..'"),
    ("a/./b", "'.'"),
    ("a\\b", r"'\\\\'"),
    ("c:/x", "':'"),
    ("a?", "'?'"),
    ("a*", "'*'"),
    ('a"', "'\"'"),
    ("a<b", "'<'"),
    ("a>b", "'>'"),
    ("a|b", "'|'"),
    ("a\0b", "control"),
    ("a\nb", "control"),
    ("a\x7f", "control"),
    ("a\x85b", "control"),
    ("a\u2028b", "control"),
    ("a\u202eb", "control"),
    ("e\u0301", "NFC"),
    ("\udc80", "UTF-8"),
    ("trailing.", "dot or a space"),
    ("trailing /x", "dot or a space"),
    ("...", "dot or a space"),
    ("CON", "device"),
    ("con", "device"),
    ("Nul.txt", "device"),
    ("aux.tar.gz", "device"),
    ("com1", "device"),
    ("LPT9.x", "device"),
    ("com\u00b9", "device"),
    ("CONIN$", "device"),
    ("con .txt", "device"),
    ("x/prn/y", "device"),
    ("a" * 256, "255"),
    ("é" * 128, "255"),
    ("a/" * 10_000 + "a", "4096"),
    (LONGEST + "c", "4096"),
]

ACCEPTED = [
    "a",
    "a/b/c",
    ".hidden",
    "..a",
    "a..b",
    "with space",
    " leading",
    "Größe",
    "数字/データ",
    "émoji-🦆",
    "console",
    "com",
    "com10",
    "lpt",
    "nul_",
    "~tilde",
    "a=b,c+d@e#f%g&h(i)[j]{k}!'$;",
    "a" * 255,
    "é" * 127,
    "\u0645\u06cc\u200c\u062e",
    LONGEST,
]


@pytest.mark.parametrize(("path", "why"), REFUSED, ids=lambda value: ascii(value)[:30])
def test_a_path_that_is_not_portable_is_refused_with_the_reason(path, why):
    """Each line of the table is refused, and the message holds the reason and the path in printable ASCII."""
    with pytest.raises(
        UnsafePath, match=why.replace("?", r"\?").replace("*", r"\*").replace("|", r"\|").replace("..", r"\.\.")
    ) as caught:
        check_path(path)
    assert str(caught.value).isascii()
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 2000


@pytest.mark.parametrize("path", ACCEPTED, ids=lambda value: ascii(value)[:30])
def test_a_portable_path_is_taken(path):
    """Ordinary names, with spaces and letters of any script, up to the limits, are fine."""
    check_path(path)


def test_the_limits_are_what_the_table_uses():
    """255 and 4096 bytes."""
    assert (MAX_COMPONENT_BYTES, MAX_PATH_BYTES, len(LONGEST)) == (255, 4096, 4096)


CLASHES = [
    ("Model", "model"),
    ("ﬁle", "file"),
    ("straße", "STRASSE"),
    ("Å", "å"),
    ("①", "1"),
    ("a", "a/b"),
    ("A", "a/b"),
    ("A/x", "a/y"),
    ("x/Ｄ/1", "x/d/2"),
    ("deep/a/b", "deep/A"),
    ("Σίγμας", "ΣΊΓΜΑΣ"),
]


@pytest.mark.parametrize("pair", CLASHES, ids=ascii)
def test_two_paths_that_some_system_takes_for_one_are_refused_in_either_order(pair):
    """Case, compatibility forms, and a file that is a folder clash, whichever comes first."""
    for first, second in (pair, pair[::-1]):
        paths = PathSet()
        paths.add(first)
        with pytest.raises(UnsafePath):
            paths.add(second)


def test_neighbours_do_not_clash():
    """Names that merely begin alike, and folders shared by many files, are fine."""
    paths = PathSet()
    for path in ("a-b", "a/b", "a/c", "ab", "b/a", "c/d/e", "c/d/f", "c/de"):
        paths.add(path)


def test_the_same_path_twice_is_refused():
    """A double is a clash with itself."""
    paths = PathSet()
    paths.add("a/b")
    with pytest.raises(UnsafePath, match="same file"):
        paths.add("a/b")


def test_a_long_path_is_shown_cut():
    """A hostile path cannot flood a log."""
    assert len(escape("\x00" * 100_000)) < 1300
