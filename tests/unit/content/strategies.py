"""Hypothesis strategies for the formats."""

import hashlib
import unicodedata

from hypothesis import strategies as st

from modelberth.content.chunks import CHUNK_SIZE, EMPTY_SHA256
from modelberth.content.errors import UnsafePath
from modelberth.content.paths import PathSet
from modelberth.content.tree import FOLDER_HEX, Entry, Tree

CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

components = st.one_of(
    st.text("ab-_.0 é数", min_size=1, max_size=6),
    st.text(min_size=1, max_size=12),
).map(lambda text: unicodedata.normalize("NFC", text))
paths = st.lists(components, min_size=1, max_size=4).map("/".join)
hex_digests = st.binary(min_size=8, max_size=8).map(lambda data: hashlib.sha256(data).hexdigest())
ulids = st.text(CROCKFORD, min_size=25, max_size=25).map(lambda text: "0" + text)
sizes = st.one_of(st.integers(0, 3), st.integers(1, 3 * CHUNK_SIZE), st.integers(0, 2**40))


@st.composite
def entries(draw):
    kind = draw(st.sampled_from("ffxd"))
    size = 0 if kind == "d" else draw(sizes)
    digest = FOLDER_HEX if kind == "d" else EMPTY_SHA256 if size == 0 else draw(hex_digests)
    return Entry(kind, digest, size, draw(paths))


@st.composite
def trees(draw):
    """Trees of valid entries: what a PathSet refuses is left out, so that every tree can be built."""
    kept = []
    accepted = PathSet()
    for entry in sorted(
        draw(st.lists(entries(), max_size=12)), key=lambda entry: entry.path.encode("utf-8", "surrogatepass")
    ):
        try:
            accepted.add(entry.path)
        except UnsafePath:
            continue
        kept.append(entry)
    try:
        return Tree.build(kept)
    except UnsafePath:  # a path that was half accepted before it was refused
        return Tree.build(kept[:1])
