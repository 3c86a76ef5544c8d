"""Layout, SVG and Graphviz."""

import re
import xml.etree.ElementTree as ET
from itertools import combinations, pairwise

from hypothesis import given
from hypothesis import strategies as st

from modelberth.lineage.dot import dot
from modelberth.lineage.layers import lay_out
from modelberth.lineage.picture import Arrow, Box, Picture
from modelberth.lineage.svg import svg

SVG = "{http://www.w3.org/2000/svg}"


def parsed(text):
    return ET.fromstring(text)  # noqa: S314 - our own drawing


def chain(length):
    names = [str(number) for number in range(length)]
    return names, list(pairwise(names))


class TestLayout:
    def test_a_chain_is_a_straight_line(self):
        """From left to right, all in one row."""
        layout = lay_out(*chain(4))
        assert layout.boxes == {"0": (0, 0.0), "1": (1, 0.0), "2": (2, 0.0), "3": (3, 0.0)}
        assert (layout.columns, layout.rows) == (4, 1.0)

    def test_what_has_no_sources_stands_before_its_target(self):
        """The environment of a late run does not lie far to the left."""
        boxes, arrows = chain(4)
        assert lay_out([*boxes, "env"], [*arrows, ("env", "3")]).boxes["env"][0] == 2

    def test_a_long_arrow_bends_in_every_column(self):
        """So that it does not run through boxes."""
        boxes, arrows = chain(4)
        layout = lay_out(boxes, [*arrows, ("0", "3")])
        assert [column for column, _ in layout.bends["0", "3"]] == [1, 2]
        assert all(row != layout.boxes[str(column)][1] for column, row in layout.bends["0", "3"])

    def test_a_circle(self):
        """Gets places, too; the arrow that closes it leads back."""
        layout = lay_out(["a", "b", "c"], [("a", "b"), ("b", "c"), ("c", "a")])
        assert [layout.boxes[box][0] for box in "abc"] == [0, 1, 2]
        assert [column for column, _ in layout.bends["c", "a"]] == [1]

    def test_crossing_arrows_are_untangled(self):
        """Two chains that were given crosswise."""
        layout = lay_out(["a", "b", "x", "y"], [("a", "y"), ("b", "x")])
        assert layout.boxes["a"][1] == layout.boxes["y"][1]
        assert layout.boxes["b"][1] == layout.boxes["x"][1]

    def test_nothing(self):
        """Has one column and one row."""
        assert (lay_out([], []).columns, lay_out([], []).rows) == (1, 1.0)

    @given(
        st.sets(st.tuples(st.integers(0, 11), st.integers(0, 11)).filter(lambda pair: pair[0] != pair[1]), max_size=30)
    )
    def test_no_two_things_share_a_place(self, pairs):
        """In every column boxes and bends are at least a row apart, and an arrow never stays in its column."""
        boxes = [str(number) for number in range(12)]
        layout = lay_out(boxes, sorted((str(a), str(b)) for a, b in pairs))
        places = list(layout.boxes.values())
        drawn_once = {tuple(sorted(ends)): bends for ends, bends in layout.bends.items()}
        places += [place for bends in drawn_once.values() for place in bends]
        assert all(row >= 0 for _, row in places)
        assert all(a[0] != b[0] or abs(a[1] - b[1]) > 0.999 for a, b in combinations(places, 2))
        for (source, target), bends in layout.bends.items():
            columns = [layout.boxes[source][0], *(column for column, _ in bends), layout.boxes[target][0]]
            assert {abs(a - b) for a, b in pairwise(columns)} == {1}


NASTY = '<script>alert("&")</script>\x00\x1b[31m]]>\ud800\n"; rm'


class TestDrawing:
    def test_every_box_and_arrow_is_there(self):
        """Titles in full for who points at them, and shortened in the box; declared arrows are dashed."""
        long = "a-very-long-name-of-an-artifact-with-its-version-v12"
        boxes = [Box("a", long, "2026", "datasetversion", is_root=True), Box("b", "b", kind="alias", is_known=False)]
        root = parsed(svg(Picture(boxes, [Arrow("a", "b", "answered", is_dashed=True)])))
        titles = [title.text for title in root.iter(f"{SVG}title")]
        assert titles == ["answered (declared)", f"{long} 2026", "b"]
        texts = [text.text for text in root.iter(f"{SVG}text")]
        assert texts[0] == "answered"
        assert re.fullmatch(r"a-very-long-na…ts-version-v12", texts[1])
        assert root.find(f".//{SVG}path[@stroke-dasharray]") is not None

    def test_names_are_never_markup(self):
        """Whatever stands in a URI stays text, in SVG and in Graphviz."""
        picture = Picture([Box(NASTY, NASTY, NASTY, NASTY), Box("b", "b")], [Arrow(NASTY, "b", NASTY)])
        root = parsed(svg(picture))
        assert {element.tag.removeprefix(SVG) for element in root.iter()} <= {
            "svg",
            "rect",
            "defs",
            "marker",
            "path",
            "g",
            "title",
            "text",
        }
        text = dot(picture)
        assert "\x00" not in text
        unescaped = re.sub(r"\\.", "", text)
        assert all(line.count('"') % 2 == 0 for line in unescaped.splitlines())

    def test_arrows_to_nowhere_and_to_itself(self):
        """Are left out."""
        picture = Picture([Box("a", "a")], [Arrow("a", "a"), Arrow("a", "gone")])
        assert picture.drawable() == []
        assert "->" not in dot(picture)

    def test_graphviz(self):
        """Labels, dashes and the root."""
        text = dot(
            Picture(
                [Box("a", "A", "x", is_root=True), Box("b", "B", is_known=False)],
                [Arrow("a", "b", "made by", is_dashed=True)],
            )
        )
        assert '"a" [label="A\\nx", penwidth=2];' in text
        assert '"b" [label="B", style="rounded,dashed"];' in text
        assert '"a" -> "b" [label="made by", style=dashed];' in text
