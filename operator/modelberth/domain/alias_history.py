"""The history of an alias: what is to be appended to the bucket, and what it says already.

The bucket holds all of it, in a sequence; the status shows the last entries, and those that the bucket does not hold
yet (they have no sequence) because the store is away. Losing a status write must neither lose an entry nor double it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, cast

AliasEvent = Literal["Moved", "Served", "Removed"]

SHOWN = 10
"""Entries in the status."""


@dataclass(frozen=True, slots=True)
class Entry:
    """Something that happened to an alias.

    Generations are of the RegisteredModel. A level-triggered observer cannot see A→B→A in between: a range from
    ``first_generation`` to ``generation`` says which changes one entry stands for. ``at`` is RFC 3339.
    """

    event: AliasEvent
    version: str
    digest: str
    previous: str
    first_generation: int
    generation: int
    moved_by: str
    at: str
    sequence: int | None = None


def news(known: Sequence[Entry], *, desired: str, is_served: bool, base: Entry) -> list[Entry]:
    """What has happened since the last known entry. ``base`` carries the observation; its event is set here."""
    last = known[-1] if known else None
    found = []
    if last is None or last.version != desired:
        found.append(replace(base, event="Moved", version=desired, previous=last.version if last else ""))
        last = found[-1]
    if is_served and last.event != "Served":
        found.append(replace(base, event="Served", version=desired, previous="", first_generation=base.generation))
    return found


def pending(known: Sequence[Entry]) -> list[Entry]:
    """The entries that the bucket does not hold yet, oldest first, as few as the status may carry.

    More than that in one outage are coalesced: the next entry stands for the dropped one's generations too.
    """
    waiting = [entry for entry in known if entry.sequence is None]
    while len(waiting) > SHOWN:
        dropped, following = waiting[0], waiting[1]
        merged = replace(following, first_generation=dropped.first_generation, previous=dropped.previous)
        waiting = [merged, *waiting[2:]]
    return waiting


def shown(recorded: Sequence[Entry], waiting: Sequence[Entry]) -> list[Entry]:
    """The entries for the status: all that wait, and as many recorded ones before them as fit."""
    room = SHOWN - len(waiting)
    return [*(recorded[-room:] if room > 0 else ()), *waiting]


def to_status(entry: Entry) -> dict[str, Any]:
    """An entry as the status shows it."""
    said: dict[str, Any] = {
        "event": entry.event,
        "version": entry.version,
        "digest": entry.digest,
        "previous": entry.previous,
        "firstGeneration": entry.first_generation,
        "generation": entry.generation,
        "movedBy": entry.moved_by,
        "at": entry.at,
        "sequence": entry.sequence,
    }
    return {key: value for key, value in said.items() if value not in ("", None)}


def from_status(said: dict[str, Any]) -> Entry:
    """The inverse of ``to_status``."""
    return Entry(
        event=cast("AliasEvent", said["event"]),
        version=str(said.get("version") or ""),
        digest=str(said.get("digest") or ""),
        previous=str(said.get("previous") or ""),
        first_generation=int(said.get("firstGeneration") or 0),
        generation=int(said.get("generation") or 0),
        moved_by=str(said.get("movedBy") or ""),
        at=str(said["at"]),
        sequence=said.get("sequence"),
    )
