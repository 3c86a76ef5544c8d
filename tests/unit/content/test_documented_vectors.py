"""The vectors in docs/formats.md are what the code does: another implementer may rely on them."""

import hashlib
import json
import re
from pathlib import Path

import pytest

from modelberth.content.chunks import CHUNK_SIZE, EMPTY_SHA256, Chunk, file_digest
from modelberth.content.errors import UnsafePath
from modelberth.content.layout import MAX_LAYOUT_BYTES, Layout
from modelberth.content.packs import plan_packs
from modelberth.content.paths import PathSet, check_path
from modelberth.content.tree import FOLDER_HEX, MAX_TREE_BYTES, MAX_TREE_ENTRIES, Entry, Tree

DOCUMENT = (Path(__file__).parents[3] / "docs" / "formats.md").read_text(encoding="utf-8")


def block(label):
    """The text of a fenced block."""
    found = re.search(rf"^```{label}\n(.*?)^```$", DOCUMENT, re.MULTILINE | re.DOTALL)
    assert found, label
    return found[1]


def sha256(data):
    return hashlib.sha256(data).hexdigest()


ZEROS, ONE, HELLO, SCRIPT = b"\0" * CHUNK_SIZE, b"\1", b"hello\n", b"#!/bin/sh\n"
WEIGHTS = file_digest(CHUNK_SIZE + 1, [sha256(ZEROS), sha256(ONE)])


def documented_tree():
    return Tree.build(
        [
            Entry("f", WEIGHTS, CHUNK_SIZE + 1, "weights.bin"),
            Entry("d", FOLDER_HEX, 0, "void"),
            Entry("x", sha256(SCRIPT), len(SCRIPT), "run.sh"),
            Entry("f", EMPTY_SHA256, 0, "empty"),
            Entry("f", sha256(HELLO), len(HELLO), "a b/größe.txt"),
        ]
    )


def test_the_digests_are_those_of_the_document():
    """Two chunks, and the file that they make."""
    assert block("digests").split() == [sha256(ZEROS), sha256(ONE), WEIGHTS]


def test_the_tree_is_that_of_the_document():
    """Byte for byte, with its digest."""
    tree = documented_tree()
    assert tree.to_bytes().decode() == block("tree")
    assert f"`{tree.digest}`" in DOCUMENT
    assert Tree.parse(block("tree").encode()) == tree


def test_the_layout_is_that_of_the_document():
    """Byte for byte, complete for the tree, and with the pack that the rule makes."""
    layout = Layout.parse(block("layout").encode())
    layout.check_complete(documented_tree())
    small = [Chunk(sha256(data), len(data)) for data in (HELLO, SCRIPT, ONE)]
    (pack,) = plan_packs(small)
    assert [chunk.digest for chunk in pack] == [chunk.digest for chunk in small]
    assert layout.objects[0].digest == sha256(HELLO + SCRIPT + ONE)
    assert layout.to_bytes().decode() == block("layout")


def test_the_packs_are_those_of_the_document():
    """The borders follow from the digests."""
    chunks = [Chunk(sha256(str(number).encode()), 4096) for number in range(3000)]
    assert [len(pack) for pack in plan_packs(chunks)] == json.loads(block("json packs"))


@pytest.mark.parametrize("path", json.loads(block("json refused")), ids=ascii)
def test_documented_refusals_are_refused(path):
    """Each for itself."""
    with pytest.raises(UnsafePath):
        check_path(path)


def test_documented_paths_are_taken_together():
    """None of them is refused or clashes."""
    paths = PathSet()
    for path in json.loads(block("json accepted")):
        paths.add(path)


@pytest.mark.parametrize("pair", json.loads(block("json clashing")), ids=ascii)
def test_documented_clashes_clash(pair):
    """Each alone is fine, both together are not."""
    paths = PathSet()
    paths.add(pair[0])
    check_path(pair[1])
    with pytest.raises(UnsafePath):
        paths.add(pair[1])


def test_the_limits_are_those_of_the_document():
    """Numbers in the text are numbers in the code."""
    assert f"{MAX_TREE_ENTRIES:,} entries, {MAX_TREE_BYTES >> 20} MiB of text" in DOCUMENT
    assert f"Limit: {MAX_LAYOUT_BYTES >> 20} MiB of text" in DOCUMENT
    assert f"8 MiB ({CHUNK_SIZE:,} bytes)" in DOCUMENT
