"""A picture in the language of Graphviz, for who wants to draw it otherwise."""

import re
from typing import Final

from modelberth.lineage.picture import Picture

_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")


def dot(picture: Picture) -> str:
    """The picture as a digraph."""
    lines = ["digraph lineage {", "  rankdir=LR;", '  node [shape=box, style=rounded, fontname="sans-serif"];']
    for box in picture.boxes:
        label = f"{_escaped(box.title)}\\n{_escaped(box.subtitle)}" if box.subtitle else _escaped(box.title)
        style = ", penwidth=2" if box.is_root else "" if box.is_known else ', style="rounded,dashed"'
        lines.append(f'  "{_escaped(box.id)}" [label="{label}"{style}];')
    for arrow in picture.drawable():
        style = ", style=dashed" if arrow.is_dashed else ""
        ends = f'"{_escaped(arrow.source)}" -> "{_escaped(arrow.target)}"'
        lines.append(f'  {ends} [label="{_escaped(arrow.label)}"{style}];')
    return "\n".join([*lines, "}\n"])


def _escaped(text: str) -> str:
    return _CONTROL.sub(" ", text).replace("\\", "\\\\").replace('"', '\\"')
