"""The tree has one spelling, and everything else is refused where it stands."""

import hashlib
import tracemalloc
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelberth.content.chunks import EMPTY_SHA256
from modelberth.content.errors import FormatError, TooLarge, UnsafePath
from modelberth.content.tree import FOLDER_HEX, MAX_TREE_ENTRIES, TREE_HEADER, Entry, Tree, TreeParser
from tests.unit.content.strategies import trees

A = hashlib.sha256(b"a").hexdigest()
HEADER = TREE_HEADER.decode()


@given(trees())
def test_a_tree_survives_writing_and_reading(tree):
    """What is written is read as the same tree with the same digest, and written again as the same bytes."""
    data = tree.to_bytes()
    assert Tree.parse(data) == tree
    assert tree.digest == "sha256:" + hashlib.sha256(data).hexdigest()


@given(trees(), st.data())
def test_pieces_of_any_size_are_one_text(tree, data):
    """A parser that is fed byte by byte, or all at once, sees the same entries."""
    text = tree.to_bytes()
    parser = TreeParser()
    found = []
    while text:
        cut = data.draw(st.integers(1, len(text)))
        found += parser.feed(text[:cut])
        text = text[cut:]
    assert parser.close() == tree.digest
    assert tuple(found) == tree.entries


@given(trees(), st.data())
def test_no_other_bytes_are_the_same_tree(tree, data):
    """Any byte changed, added or left away is refused or is another tree: two spellings of one tree do not exist."""
    text = bytearray(tree.to_bytes())
    place = data.draw(st.integers(0, len(text) - 1))
    change = data.draw(st.sampled_from(["replace", "insert", "drop"]))
    if change == "replace":
        text[place] = data.draw(st.integers(0, 255).filter(lambda value: value != text[place]))
    elif change == "insert":
        text.insert(place, data.draw(st.integers(0, 255)))
    else:
        del text[place]
    if bytes(text) == tree.to_bytes():
        return
    try:
        other = Tree.parse(bytes(text))
    except FormatError:
        return
    assert other.digest != tree.digest
    assert other.to_bytes() == bytes(text)


@given(st.binary(max_size=300))
def test_any_bytes_are_a_tree_or_an_error(data):
    """No input makes the parser fail in any other way."""
    for text in (data, TREE_HEADER + data, TREE_HEADER + f"f {A} 1 ".encode() + data):
        with suppress(FormatError):
            assert Tree.parse(text).to_bytes() == text


REFUSED = [
    ("", "first line"),
    ("modelberth-tree/1", "cut off"),
    ("modelberth-tree/2\n", "first line"),
    (f"{HEADER}f {A} 1 a", "cut off"),
    (f"{HEADER}f {A} 1 a\n\n", "is not '<type>"),
    (f"{HEADER}f {A} 1 a\ntrailing", "cut off"),
    (f"{HEADER}f {A} 1 b\nf {A} 1 a\n", "out of order"),
    (f"{HEADER}f {A} 1 a\nf {A} 1 a\n", "out of order or doubled"),
    (f"{HEADER}f {A} 01 a\n", "decimal"),
    (f"{HEADER}f {A} +1 a\n", "decimal"),
    (f"{HEADER}f {A} 1e3 a\n", "decimal"),
    (f"{HEADER}f {A} -1 a\n", "decimal"),
    (f"{HEADER}f {A} ١ a\n", "decimal"),
    (f"{HEADER}f {A} 9223372036854775808 a\n", "decimal"),
    (f"{HEADER}f {A.upper()} 1 a\n", "lower-case"),
    (f"{HEADER}f {A[:-1]} 1 a\n", "lower-case"),
    (f"{HEADER}l {A} 1 a\n", "unknown type"),
    (f"{HEADER}d {A} 0 a\n", "64 zeros"),
    (f"{HEADER}d {FOLDER_HEX} 1 a\n", "64 zeros"),
    (f"{HEADER}f {A} 0 a\n", "size 0"),
    (f"{HEADER}f {EMPTY_SHA256} 1 a\n", "size 0"),
    (f"{HEADER}f {A} 1 a\r\n", "control"),
    (f"{HEADER}f {A} 1 ../a\n", r"'\.\.'"),
    (f"{HEADER}f {A} 1 a\nf {A} 1 a/b\n", "lies under"),
    (f"{HEADER}d {FOLDER_HEX} 0 a\nf {A} 1 a/b\n", "lies under"),
    (f"{HEADER}f {A}  1 a\n", "decimal"),
    (f"{HEADER}f  {A} 1 a\n", "decimal"),
    (f"{HEADER}f {A} 9223372036854775807 a\nf {A} 1 b\n", "together"),
]


@pytest.mark.parametrize(("text", "why"), REFUSED)
def test_what_is_not_canonical_is_refused_with_the_reason(text, why):
    """Doubles, other orders, other number forms, trailing bytes, unsafe paths: each is refused for what it is."""
    with pytest.raises(FormatError, match=why):
        Tree.parse(text.encode())


def test_bytes_that_are_no_utf8_are_refused():
    """A lone continuation byte in a path."""
    with pytest.raises(FormatError, match="UTF-8"):
        Tree.parse(TREE_HEADER + f"f {A} 1 ".encode() + b"\x80\n")


def test_ten_million_entries_are_refused_early_in_bounded_memory():
    """Hostile input stops at the limit of entries, and costs no more than the paths seen until then."""
    parser = TreeParser()
    parser.feed(TREE_HEADER)
    tracemalloc.start()
    fed = []

    def feed():
        for start in range(0, 10_000_000, 1000):
            parser.feed(b"".join(b"f %s 1 %08x\n" % (A.encode(), n) for n in range(start, start + 1000)))
            fed.append(start + 1000)

    with pytest.raises(TooLarge):
        feed()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert fed[-1] <= MAX_TREE_ENTRIES
    assert peak < 64 * 1024 * 1024


def test_an_endless_line_is_refused_early():
    """A text without a newline is not collected."""
    parser = TreeParser()
    for _ in range(4):
        parser.feed(b"x" * 1000)
    with pytest.raises(TooLarge, match="a line of more than"):
        parser.feed(b"x" * 1000)


def test_building_refuses_what_reading_refuses():
    """A pusher learns about an unsafe path before a registry does."""
    with pytest.raises(UnsafePath):
        Tree.build([Entry("f", A, 1, "ok"), Entry("f", A, 1, "../a")])


def test_building_sorts_by_bytes():
    """`a-b` comes before `a/b`, and `z` before `é`: bytes decide, not letters."""
    tree = Tree.build([Entry("f", A, 1, path) for path in ("é", "a/b", "z", "a-b")])
    assert [entry.path for entry in tree.entries] == ["a-b", "a/b", "z", "é"]


def test_counts_are_of_files():
    """Empty folders are no files and have no bytes."""
    tree = Tree.build([Entry("f", A, 1, "a"), Entry("x", EMPTY_SHA256, 0, "b"), Entry("d", FOLDER_HEX, 0, "c")])
    assert (tree.file_count, tree.size_bytes) == (2, 1)


class TestBelow:
    def test_a_folders_own_tree(self):
        """Is what pushing that folder alone would make, executable files and empty folders included."""
        files = {"a/b/x": ("x", b"1"), "a/b/y/": None, "a/z": ("f", b"2"), "ab/c": ("f", b"3")}
        assert _tree(files).below("a") == _tree({"b/x": ("x", b"1"), "b/y/": None, "z": ("f", b"2")})
        assert _tree(files).below("a/b") == _tree({"x": ("x", b"1"), "y/": None})
        assert _tree(files).below("a/b/y") == _tree({})

    @pytest.mark.parametrize("folder", ["b", "a/z", "a/b/x", "A", "a/"])
    def test_what_is_no_folder(self, folder):
        """Is an error that names the folders there are."""
        with pytest.raises(FormatError, match="the folders are 'a', 'a/b'"):
            _tree({"a/b/x": ("f", b"1"), "a/z": ("f", b"2")}).below(folder)

    def test_without_and_with_many_folders(self):
        """There may be none, and of very many some are named."""
        with pytest.raises(FormatError, match="there are no folders"):
            _tree({"x": ("f", b"1")}).below("a")
        with pytest.raises(FormatError, match="and 10 more"):
            _tree({f"f{number}/x": ("f", b"1") for number in range(30)}).below("a")


def _tree(files):
    """Paths → (type, bytes), or None for an empty folder, whose path ends with a slash."""
    return Tree.build(
        Entry("d", FOLDER_HEX, 0, path[:-1])
        if said is None
        else Entry(said[0], hashlib.sha256(said[1]).hexdigest(), len(said[1]), path)
        for path, said in files.items()
    )
