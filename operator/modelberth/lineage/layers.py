"""Where the boxes of a picture go: in columns from what went in (left) to what came of it (right).

The classic steps: arrows that close a circle are turned round, each box gets the first column behind its sources, long
arrows get a bend in every column that they cross, the columns are sorted until few arrows cross, and every box moves
towards the middle of its neighbours as far as the others leave room.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

_SWEEPS = 8

Bend = tuple[str, str, int]
"""Where the arrow from one box to another crosses a column."""
Place = str | Bend
"""What has a place in a column: a box by its id, or a bend."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Places, in units: one for the distance of two columns, one for the height of a box with its share of space.

    Attributes:
        boxes: (column, row) by id; rows may be fractions, and begin at 0.
        bends: for each arrow (source, target) the places between its ends, from the source to the target.
    """

    boxes: Mapping[str, tuple[int, float]]
    bends: Mapping[tuple[str, str], Sequence[tuple[int, float]]]

    @property
    def columns(self) -> int:
        """How many there are."""
        return 1 + max((column for column, _ in self.boxes.values()), default=0)

    @property
    def rows(self) -> float:
        """The height of the highest column."""
        places = [*self.boxes.values(), *(place for bends in self.bends.values() for place in bends)]
        return 1 + max((row for _, row in places), default=0.0)


def lay_out(boxes: Sequence[str], arrows: Sequence[tuple[str, str]]) -> Layout:
    """Places for boxes.

    Args:
        boxes: their ids, each once, none empty.
        arrows: (source, target), both among the boxes and different.
    """
    forward = _without_circles(boxes, arrows)
    column = _columns(boxes, forward)
    order, links = _with_bends(boxes, forward, column)
    _sort(order, links)
    rows = _rows(order, links)
    least = min(rows.values(), default=0.0)
    bends: dict[tuple[str, str], list[tuple[int, float]]] = {}
    for source, target in arrows:
        start, end = (source, target) if (source, target) in forward else (target, source)
        between = [(at, rows[start, end, at] - least) for at in range(column[start] + 1, column[end])]
        bends[source, target] = between if start == source else between[::-1]
    return Layout({box: (column[box], rows[box] - least) for box in boxes}, bends)


def _without_circles(boxes: Sequence[str], arrows: Sequence[tuple[str, str]]) -> dict[tuple[str, str], None]:
    """The arrows with those turned round that lead back to where a walk came from."""
    targets: dict[str, list[str]] = {box: [] for box in boxes}
    for source, target in arrows:
        targets[source].append(target)
    forward: dict[tuple[str, str], None] = {}
    state: dict[str, str] = {}
    for start in boxes:
        if start in state:
            continue
        state[start] = "open"
        path = [(start, iter(targets[start]))]
        while path:
            box, rest = path[-1]
            target = next(rest, "")
            if not target:
                state[box] = "done"
                path.pop()
            elif state.get(target) == "open":
                forward[target, box] = None
            else:
                forward[box, target] = None
                if target not in state:
                    state[target] = "open"
                    path.append((target, iter(targets[target])))
    return forward


def _columns(boxes: Sequence[str], forward: Mapping[tuple[str, str], None]) -> dict[str, int]:
    """The first column behind all sources; what has no sources stands right before its first target."""
    sources: dict[str, list[str]] = {box: [] for box in boxes}
    targets: dict[str, list[str]] = {box: [] for box in boxes}
    for source, target in forward:
        sources[target].append(source)
        targets[source].append(target)
    waiting = {box: len(sources[box]) for box in boxes}
    ready = [box for box in boxes if not waiting[box]]
    column = dict.fromkeys(boxes, 0)
    for box in ready:  # grows while it is gone through: what all sources of are placed comes next
        for target in targets[box]:
            column[target] = max(column[target], column[box] + 1)
            waiting[target] -= 1
            if not waiting[target]:
                ready.append(target)
    for box in boxes:
        if not sources[box] and targets[box]:
            column[box] = min(column[target] for target in targets[box]) - 1
    return column


def _with_bends(
    boxes: Sequence[str], forward: Mapping[tuple[str, str], None], column: Mapping[str, int]
) -> tuple[list[list[Place]], list[tuple[Place, Place]]]:
    """What stands in each column, and the links from one column to the next."""
    order: list[list[Place]] = [[] for _ in range(1 + max(column.values(), default=0))]
    for box in boxes:
        order[column[box]].append(box)
    links: list[tuple[Place, Place]] = []
    for source, target in forward:
        last: Place = source
        for at in range(column[source] + 1, column[target]):
            bend = (source, target, at)
            order[at].append(bend)
            links.append((last, bend))
            last = bend
        links.append((last, target))
    return order, links


def _neighbours(links: Sequence[tuple[Place, Place]]) -> tuple[dict[Place, list[Place]], dict[Place, list[Place]]]:
    before: dict[Place, list[Place]] = {}
    behind: dict[Place, list[Place]] = {}
    for left, right in links:
        before.setdefault(right, []).append(left)
        behind.setdefault(left, []).append(right)
    return before, behind


def _sort(order: list[list[Place]], links: Sequence[tuple[Place, Place]]) -> None:
    """Sort each column by the mean place of the neighbours, from left to right and back."""
    before, behind = _neighbours(links)
    for sweep in range(_SWEEPS):
        columns, neighbours = (order, before) if sweep % 2 == 0 else (order[::-1], behind)
        index: dict[Place, float] = {place: at for column in order for at, place in enumerate(column)}
        for column in columns:
            means = {
                place: _mean([index[other] for other in neighbours.get(place, ())], index[place]) for place in column
            }
            column.sort(key=lambda place: means[place])
            index.update({place: float(at) for at, place in enumerate(column)})


def _rows(order: list[list[Place]], links: Sequence[tuple[Place, Place]]) -> dict[Place, float]:
    """Rows near the neighbours' mean, at least one apart, in the order given."""
    before, behind = _neighbours(links)
    rows: dict[Place, float] = {place: float(at) for column in order for at, place in enumerate(column)}
    for sweep in range(2 * _SWEEPS):
        columns = order if sweep % 2 == 0 else order[::-1]
        for column in columns:
            wished = [
                _mean([rows[other] for other in (*before.get(place, ()), *behind.get(place, ()))], rows[place])
                for place in column
            ]
            rows.update(zip(column, _apart(wished), strict=True))
    return rows


def _apart(wished: Sequence[float]) -> list[float]:
    """The rows nearest to the wished ones that are at least one apart: blocks that touch share their mean."""
    blocks: list[tuple[float, int]] = []  # (row of the first, how many)
    for row in wished:
        start, count = row, 1
        while blocks and blocks[-1][0] + blocks[-1][1] > start:
            first, length = blocks.pop()
            start = (first * length + (start - length) * count) / (length + count)
            count += length
        blocks.append((start, count))
    return [start + offset for start, count in blocks for offset in range(count)]


def _mean(values: Sequence[float], otherwise: float) -> float:
    return sum(values) / len(values) if values else otherwise
