"""A picture of a graph before it is drawn: boxes and arrows."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Box:
    """Something in the picture.

    Attributes:
        id: by which arrows name it.
        title: one line; a long one is shortened in its middle when it is drawn.
        subtitle: a smaller line below.
        kind: decides the colour; as `nodes.Kind`.
        is_root: what the picture is about.
        is_known: whether there is a record of it.
    """

    id: str
    title: str
    subtitle: str = ""
    kind: str = ""
    is_root: bool = False
    is_known: bool = True


@dataclass(frozen=True, slots=True)
class Arrow:
    """From what went in to what came of it; dashed where that was only declared."""

    source: str
    target: str
    label: str = ""
    is_dashed: bool = False


@dataclass(frozen=True, slots=True)
class Picture:
    """Boxes with different ids, and arrows between them; an arrow to nowhere is left out."""

    boxes: Sequence[Box]
    arrows: Sequence[Arrow]

    def drawable(self) -> list[Arrow]:
        """The arrows that have both ends, each once, none from a box to itself."""
        known = {box.id for box in self.boxes}
        return [
            arrow
            for arrow in dict.fromkeys(self.arrows)
            if arrow.source in known and arrow.target in known and arrow.source != arrow.target
        ]
