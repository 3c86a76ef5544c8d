"""The layout has one spelling, and is complete for a tree or refused."""

import hashlib
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelberth.content.chunks import CHUNK_SIZE, EMPTY_SHA256, Chunk, chunk_count, chunk_length, file_digest
from modelberth.content.errors import FormatError, TooLarge
from modelberth.content.layout import LAYOUT_HEADER, Layout, LayoutParser
from modelberth.content.packs import is_small, plan_packs
from modelberth.content.tree import FOLDER_HEX, Entry, Tree
from tests.unit.content.strategies import hex_digests, ulids

A, B, C = (hashlib.sha256(letter).hexdigest() for letter in (b"a", b"b", b"c"))
ULID = "01ARZ3NDEKTSV4RRFFQ69G5FAV"


@st.composite
def placed(draw):
    """A tree and a layout that is complete for it; chunk digests are invented, packs follow the rule."""
    entries, chunks, files = [], {}, {}
    for number in range(draw(st.integers(0, 6))):
        size = draw(st.one_of(st.just(0), st.integers(1, 5000), st.integers(1, 4 * CHUNK_SIZE)))
        digests = tuple(draw(hex_digests.filter(lambda d: d not in chunks)) for _ in range(chunk_count(size)))
        for index, digest in enumerate(digests):
            if chunks.setdefault(digest, chunk_length(size, index)) != chunk_length(size, index):
                return draw(placed())
        digest = file_digest(size, digests)
        if size > CHUNK_SIZE:
            files[digest] = digests
        entries.append(Entry("f", digest, size, f"file-{number}"))
    if draw(st.booleans()):
        entries.append(Entry("d", FOLDER_HEX, 0, "void"))
    objects, places = {}, {}
    for digest, length in chunks.items():
        if not is_small(length):
            objects[digest] = (length, draw(ulids))
            places[digest] = (digest, 0, length)
    for pack in plan_packs(Chunk(digest, length) for digest, length in chunks.items() if is_small(length)):
        whole = len(pack) == 1
        name = pack[0].digest if whole else hashlib.sha256("".join(c.digest for c in pack).encode()).hexdigest()
        objects[name] = (sum(c.length for c in pack), draw(ulids))
        offset = 0
        for chunk in pack:
            places[chunk.digest] = (name, offset, chunk.length)
            offset += chunk.length
    return Tree.build(entries), Layout.build(objects, places, files)


@given(placed())
def test_a_layout_survives_writing_and_reading_and_is_complete(pair):
    """What is written is read as the same layout, and covers its tree."""
    tree, layout = pair
    text = layout.to_bytes()
    again = Layout.parse(text)
    assert again.to_bytes() == text
    assert (again.objects, dict(again.chunks), dict(again.files)) == (
        layout.objects,
        dict(layout.chunks),
        dict(layout.files),
    )
    again.check_complete(tree)


@given(placed(), st.data())
def test_no_other_bytes_are_the_same_layout(pair, data):
    """Any byte changed, added or left away is refused or reads as something else that is canonical, too."""
    text = bytearray(pair[1].to_bytes())
    place = data.draw(st.integers(0, len(text) - 1))
    change = data.draw(st.sampled_from(["replace", "insert", "drop"]))
    if change == "replace":
        text[place] = data.draw(st.sampled_from(b"0129abcfox \n/"))
    elif change == "insert":
        text.insert(place, data.draw(st.sampled_from(b"0129abcfox \n/")))
    else:
        del text[place]
    with suppress(FormatError):
        assert Layout.parse(bytes(text)).to_bytes() == bytes(text)


@given(placed(), st.data())
def test_a_layout_that_lost_a_line_is_not_complete(pair, data):
    """Without any one of its lines a layout is refused: at reading, or as incomplete for its tree."""
    tree, layout = pair
    lines = list(layout.lines())
    if len(lines) == 1:
        return
    del lines[data.draw(st.integers(1, len(lines) - 1))]
    with pytest.raises(FormatError):
        Layout.parse(b"".join(lines)).check_complete(tree)


def text(*lines):
    return LAYOUT_HEADER + "".join(line + "\n" for line in lines).encode()


ONE = f"o {A} 10 {ULID}"
ORDERED = sorted([A, B, C])
REFUSED = [
    (b"", "first line"),
    (b"modelberth-layout/2\n", "first line"),
    (text(ONE)[:-1], "cut off"),
    (text(ONE, ONE), "doubled"),
    (text(f"o {ORDERED[1]} 1 {ULID}", f"o {ORDERED[0]} 1 {ULID}"), "out of order"),
    (text(f"o {A} 0 {ULID}"), "0 bytes"),
    (text(f"o {A} {CHUNK_SIZE + 1} {ULID}"), "bytes"),
    (text(f"o {A} 010 {ULID}"), "decimal"),
    (text(f"o {A} 10 {ULID.lower()}"), "ULID"),
    (text(f"o {A} 10 8{ULID[1:]}"), "ULID"),
    (text(f"o {A} 10 ../{ULID[3:]}"), "ULID"),
    (text(f"o {A[:-1]}g 10 {ULID}"), "hexadecimal"),
    (text(ONE, f"c {B} 1 0 5"), "does not exist"),
    (text(ONE, f"c {B} 0 6 5"), "inside"),
    (text(ONE, f"c {B} 0 0 0"), "inside"),
    (text(ONE, f"c {B} 0 0 10"), "another digest"),
    (text(ONE, f"c {B} 0 0 5", ONE), "out of order"),
    (text(ONE, f"c {A} 0 0 10", f"f {C} {A}"), "no object, chunk or file"),
    (text(ONE, f"c {A} 0 0 10", f"f {C} {A} {B}"), "not listed"),
    (text(f"x {A} 10 {ULID}"), "no object"),
    (text(""), "no object"),
    (text("ö"), "ASCII"),
    (text(ONE + " "), "no object"),
]


@pytest.mark.parametrize(("data", "why"), REFUSED)
def test_what_is_not_canonical_or_contradicts_itself_is_refused(data, why):
    """Each rule that needs no tree is held at reading, with its reason."""
    with pytest.raises(FormatError, match=why):
        Layout.parse(data)


BIG = CHUNK_SIZE + 1
BIG_DIGEST = file_digest(BIG, [A, B])


def layout_of(objects, chunks, files):
    return Layout.build({d: (size, ULID) for d, size in objects.items()}, chunks, files)


INCOMPLETE = [
    (Entry("f", A, 10, "p"), layout_of({A: 9}, {A: (A, 0, 9)}, {}), "needs 10 there"),
    (Entry("f", A, 10, "p"), layout_of({}, {}, {}), "no line for chunk"),
    (Entry("f", A, 10, "p"), layout_of({A: 10, B: 1}, {A: (A, 0, 10)}, {}), "used by no chunk"),
    (Entry("f", A, 10, "p"), layout_of({A: 10, B: 1}, {A: (A, 0, 10), B: (B, 0, 1)}, {}), "not part of the tree"),
    (Entry("f", C, BIG, "p"), layout_of({}, {}, {}), "no line for the file"),
    (
        Entry("f", C, BIG, "p"),
        layout_of({A: CHUNK_SIZE, B: 1}, {A: (A, 0, CHUNK_SIZE), B: (B, 0, 1)}, {C: (A, B)}),
        "do not make its digest",
    ),
    (
        Entry("f", BIG_DIGEST, BIG, "p"),
        layout_of({A: 1, B: CHUNK_SIZE}, {A: (A, 0, 1), B: (B, 0, CHUNK_SIZE)}, {BIG_DIGEST: (A, B)}),
        "needs 8388608 there",
    ),
    (
        Entry("f", BIG_DIGEST, BIG, "p"),
        layout_of({A: CHUNK_SIZE, B: 1}, {A: (A, 0, CHUNK_SIZE), B: (B, 0, 1)}, {BIG_DIGEST: (A, B, B)}),
        "2 chunks, not 3",
    ),
]


@pytest.mark.parametrize(("entry", "layout", "why"), INCOMPLETE)
def test_a_layout_that_does_not_cover_its_tree_is_refused(entry, layout, why):
    """Sizes, counts, composite digests, missing lines and lines too many."""
    with pytest.raises(FormatError, match=why):
        layout.check_complete(Tree.build([entry]))


def test_one_digest_under_two_sizes_is_refused():
    """Two large files that claim one digest must both fit it."""
    good = layout_of({A: CHUNK_SIZE, B: 1}, {A: (A, 0, CHUNK_SIZE), B: (B, 0, 1)}, {BIG_DIGEST: (A, B)})
    tree = Tree.build([Entry("f", BIG_DIGEST, BIG, "p"), Entry("f", BIG_DIGEST, BIG + 1, "q")])
    with pytest.raises(FormatError, match="needs 2 there"):
        good.check_complete(tree)


def test_empty_files_and_folders_need_no_lines():
    """A tree without bytes has a layout without lines."""
    tree = Tree.build([Entry("f", EMPTY_SHA256, 0, "a"), Entry("d", FOLDER_HEX, 0, "b")])
    Layout.parse(LAYOUT_HEADER).check_complete(tree)


def test_an_endless_text_is_refused_without_collecting_it_twice():
    """A line may be as long as the limit of the text, and small pieces of it cost no more than large ones."""
    parser = LayoutParser()
    block = b"0" * 65536

    def feed():
        for _ in range(2000):
            parser.feed(block)

    with pytest.raises(TooLarge):
        feed()


def test_a_hundred_thousand_small_files_are_a_handful_of_objects():
    """Tree and layout of 100,000 files of 2 KiB are written, read and complete, in about 50 packs."""
    digests = [hashlib.sha256(str(number).encode()).hexdigest() for number in range(100_000)]
    tree = Tree.build(Entry("f", digest, 2048, f"part-{n % 100}/{n:06}") for n, digest in enumerate(digests))
    objects, places = {}, {}
    for pack in plan_packs(Chunk(entry.digest, entry.size) for entry in tree.entries):
        name = hashlib.sha256("".join(chunk.digest for chunk in pack).encode()).hexdigest()
        objects[name] = (2048 * len(pack), ULID)
        places |= {chunk.digest: (name, 2048 * at, 2048) for at, chunk in enumerate(pack)}
    assert 40 < len(objects) < 70
    layout = Layout.parse(Layout.build(objects, places, {}).to_bytes())
    layout.check_complete(Tree.parse(tree.to_bytes()))
