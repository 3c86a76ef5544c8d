"""A picture as SVG, with nothing but the standard library. Names are text and nothing else, whatever they contain."""

import itertools
import re
from collections.abc import Mapping, Sequence
from typing import Final
from xml.sax.saxutils import escape, quoteattr

from modelberth.lineage.layers import Layout, lay_out
from modelberth.lineage.picture import Arrow, Box, Picture

_NAMESPACE: Final = "http://www.w3.org/2000/svg"
_WIDTH: Final = 200
_HEIGHT: Final = 38
_COLUMN: Final = 290
_ROW: Final = 54
_MARGIN: Final = 20
_TITLE: Final = 29
"""Characters that fit into a box."""
_COLOURS: Final[Mapping[str, str]] = {
    "datasetversion": "#dbeafe",
    "outside": "#f3f4f6",
    "trainingrun": "#fef3c7",
    "modelversion": "#dcfce7",
    "code": "#ede9fe",
    "environment": "#fae8ff",
    "alias": "#fee2e2",
    "registeredmodel": "#ffedd5",
}
_FONT: Final = "font-family:system-ui,sans-serif;font-size:11px;fill:#111827"
_NOT_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def svg(picture: Picture) -> str:
    """The picture as one SVG document."""
    arrows = picture.drawable()
    layout = lay_out(
        [box.id for box in picture.boxes], list(dict.fromkeys((arrow.source, arrow.target) for arrow in arrows))
    )
    width = layout.columns * _COLUMN - (_COLUMN - _WIDTH) + 2 * _MARGIN
    height = round(layout.rows * _ROW) - (_ROW - _HEIGHT) + 2 * _MARGIN
    return "\n".join(
        [
            f'<svg xmlns="{_NAMESPACE}" width="{width}" height="{height}" viewBox="0 0 {width} {height}">',
            '<rect width="100%" height="100%" fill="#ffffff"/>',
            (
                '<defs><marker id="tip" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7" '
                'orient="auto"><path d="M0,0 L8,4 L0,8 z" fill="#6b7280"/></marker></defs>'
            ),
            *(line for arrow in arrows for line in _arrow(arrow, layout)),
            *(line for box in picture.boxes for line in _box(box, layout)),
            "</svg>\n",
        ]
    )


def _box(box: Box, layout: Layout) -> list[str]:
    x, y = _corner(*layout.boxes[box.id])
    dashed = "" if box.is_known else ' stroke-dasharray="4 3"'
    stroke = 'stroke="#111827" stroke-width="2"' if box.is_root else 'stroke="#9ca3af"'
    middle = y + (16 if box.subtitle else 23)
    lines = [
        f"<g><title>{_text(f'{box.title} {box.subtitle}'.strip())}</title>",
        (
            f'<rect x="{x}" y="{y}" width="{_WIDTH}" height="{_HEIGHT}" rx="6" '
            f"fill={quoteattr(_COLOURS.get(box.kind, '#ffffff'))} {stroke}{dashed}/>"
        ),
        f'<text x="{x + 10}" y="{middle}" style="{_FONT}">{_text(shortened(box.title))}</text>',
    ]
    if box.subtitle:
        small = f'x="{x + 10}" y="{y + 30}" style="{_FONT};font-size:9px;fill:#4b5563"'
        lines.append(f"<text {small}>{_text(shortened(box.subtitle, _TITLE + 7))}</text>")
    return [*lines, "</g>"]


def _arrow(arrow: Arrow, layout: Layout) -> list[str]:
    (start_x, start_y), (end_x, end_y) = (_corner(*layout.boxes[end]) for end in (arrow.source, arrow.target))
    forwards = start_x < end_x
    points = [
        (start_x + (_WIDTH if forwards else 0), start_y + _HEIGHT / 2),
        *_bends(layout.bends[arrow.source, arrow.target], forwards=forwards),
        (end_x + (0 if forwards else _WIDTH), end_y + _HEIGHT / 2),
    ]
    dashed = ' stroke-dasharray="5 4"' if arrow.is_dashed else ""
    says = "declared" if arrow.is_dashed else "recorded"
    lines = [
        f"<g><title>{_text(f'{arrow.label} ({says})'.strip())}</title>",
        f'<path d="{_path(points)}" fill="none" stroke="#6b7280"{dashed} marker-end="url(#tip)"/>',
    ]
    if arrow.label:
        (x1, y1), (x2, y2) = points[-2:]  # near the target: what it was made of is what the label is about
        anchor = f'x="{(x1 + x2) / 2:.0f}" y="{(y1 + y2) / 2 - 3:.0f}" text-anchor="middle"'
        small = f'{anchor} style="{_FONT};font-size:8px;fill:#6b7280"'
        lines.append(f"<text {small}>{_text(shortened(arrow.label))}</text>")
    return [*lines, "</g>"]


def _bends(places: Sequence[tuple[int, float]], *, forwards: bool) -> list[tuple[float, float]]:
    """The left and the right end of the straight line on which an arrow passes a column."""
    points: list[tuple[float, float]] = []
    for column, row in places:
        x, y = _corner(column, row)
        ends = [(float(x), y + _HEIGHT / 2), (float(x + _WIDTH), y + _HEIGHT / 2)]
        points += ends if forwards else ends[::-1]
    return points


def _path(points: Sequence[tuple[float, float]]) -> str:
    """A line through the points that leaves and reaches each of them horizontally."""
    parts = [f"M{points[0][0]:.0f},{points[0][1]:.1f}"]
    for (x1, y1), (x2, y2) in itertools.pairwise(points):
        middle = (x1 + x2) / 2
        parts.append(f"C{middle:.0f},{y1:.1f} {middle:.0f},{y2:.1f} {x2:.0f},{y2:.1f}")
    return " ".join(parts)


def _corner(column: int, row: float) -> tuple[int, float]:
    return _MARGIN + column * _COLUMN, round(_MARGIN + row * _ROW, 1)


def shortened(text: str, limit: int = _TITLE) -> str:
    """The text, or its beginning and its end in `limit` characters: names of a family differ there."""
    if len(text) <= limit:
        return text
    return f"{text[: limit // 2]}…{text[len(text) - (limit - limit // 2 - 1) :]}"


def _text(text: str) -> str:
    return escape(_NOT_XML.sub("\ufffd", text))
