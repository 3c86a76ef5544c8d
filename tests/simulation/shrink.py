"""Makes a failing schedule shorter: which of its actions does the failure need?"""

from collections.abc import Callable, Sequence

from tests.simulation.invariants import Broken
from tests.simulation.world import Action

Replay = Callable[[Sequence[Action]], object]
"""Runs a schedule and raises `Broken` where it fails."""


def shortened(broken: Broken, replay: Replay, *, tries: int = 200) -> Broken:
    """The same failure from as few actions as were found in so many tries (delta debugging).

    Returns:
        The failure of the shortest schedule that breaks the same invariant; `broken` itself if none is shorter.
    """
    best, piece = broken, max(1, len(broken.actions) // 2)
    while tries > 0:
        start, shrunk = 0, False
        while start < len(best.actions) and tries > 0:
            tries -= 1
            candidate = _failure(replay, [*best.actions[:start], *best.actions[start + piece :]])
            if candidate is not None and candidate.invariant == broken.invariant and _is_shorter(candidate, best):
                best, shrunk = candidate, True
            else:
                start += piece
        if piece == 1 and not shrunk:
            break
        piece = max(1, piece // 2)
    return best


def _failure(replay: Replay, actions: Sequence[Action]) -> Broken | None:
    try:
        replay(actions)
    except Broken as broken:
        return broken
    return None


def _is_shorter(one: Broken, other: Broken) -> bool:
    return len(one.actions) < len(other.actions)
