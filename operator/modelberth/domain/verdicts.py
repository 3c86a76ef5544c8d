"""What a reconcile found, and the three conditions that say so to `kubectl wait`, Flux and Argo CD.

The conditions follow kstatus: ``Ready`` is the summary; ``Reconciling=True`` while the controller goes on by itself;
``Stalled=True`` for what only a change of the spec can mend. The latter two are absent when they do not hold.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from modelberth.api.conditions import READY, RECONCILING, STALLED, remove_condition, set_condition


class Standing(StrEnum):
    """How things stand, seen from outside."""

    READY = "Ready"
    WORKING = "Working"  # goes on by itself
    UNKNOWN = "Unknown"  # goes on by itself, and nothing can be said meanwhile (the store is away)
    STALLED = "Stalled"  # only the user can mend it


@dataclass(frozen=True, slots=True)
class Verdict:
    """One finding: ``state`` for the status field of that name, ``reason`` (CamelCase) and ``message`` for people.

    Messages carry no times, no counters and no names of pods: an unchanged situation has an unchanged text.
    """

    state: str
    standing: Standing
    reason: str
    message: str


def waiting(reason: str, message: str) -> Verdict:
    """What is asked for is not there yet; it is taken up as soon as it is."""
    return Verdict("Waiting", Standing.WORKING, reason, message)


def blocked(reason: str, message: str) -> Verdict:
    """What is asked for must not happen until the user changes something."""
    return Verdict("Blocked", Standing.STALLED, reason, message)


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened, for `kubectl describe`; never a state that merely lasts."""

    type: str  # Normal | Warning
    reason: str
    message: str


_READY_STATUS = {
    Standing.READY: "True",
    Standing.WORKING: "False",
    Standing.UNKNOWN: "Unknown",
    Standing.STALLED: "False",
}


def summarise(
    old: Sequence[Mapping[str, Any]], verdict: Verdict, *, generation: int, now: datetime
) -> list[dict[str, Any]]:
    """The condition list with ``Ready``, ``Reconciling`` and ``Stalled`` as ``verdict`` has them."""

    def put(conditions: Sequence[Mapping[str, Any]], kind: str, status: str) -> list[dict[str, Any]]:
        return set_condition(
            conditions,
            type=kind,
            status=status,
            reason=verdict.reason,
            message=verdict.message,
            generation=generation,
            now=now,
        )

    conditions = put(old, READY, _READY_STATUS[verdict.standing])
    marks = {
        RECONCILING: verdict.standing in (Standing.WORKING, Standing.UNKNOWN),
        STALLED: verdict.standing is Standing.STALLED,
    }
    for kind, holds in marks.items():
        conditions = put(conditions, kind, "True") if holds else remove_condition(conditions, kind)
    return conditions
