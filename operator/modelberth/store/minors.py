"""Minor versions that runs make: the first number behind the one they started from, one per run, for ever.

The record says which run it belongs to, so that a run that comes again, after a crash or by a second leader, finds the
number that it has: whatever is in its way on the way up was in its way before, for numbers never become free again.
It has one even where it comes with other content: two leaders may each have seen another attempt succeed, and then the
record that is there says which one it was. Whoever pushes says in a record what he likes: the run's own is only what
the same writer wrote, and no user bears the operator's name.
"""

from dataclasses import replace
from typing import Any, Protocol

from modelberth.content.collections import Collection
from modelberth.content.errors import FormatError
from modelberth.content.versions import Version, is_version
from modelberth.store.errors import StoreUnavailable, VersionTaken
from modelberth.store.types import NewVersion, Reservation, Space, VersionRecord

_STEPS = 1000


class VersionShelf(Protocol):
    """Version records, as `VersionRecords` keeps them."""

    async def get(self, space: Space, collection: Collection, version: str, /) -> VersionRecord | None:
        """What a number means."""
        ...

    async def reserve(self, space: Space, new: NewVersion, /) -> Reservation:
        """Give a number its meaning."""
        ...


async def reserve_minor(
    versions: VersionShelf, space: Space, new: NewVersion, *, major: int, base: str, run_uid: str
) -> Reservation:
    """Give a run its number (see `port.StorePort.reserve_minor`)."""
    number = _checked(base, major)
    if run_of(new.spec) != run_uid:
        raise FormatError(f"spec.lineage.run.uid is {run_of(new.spec)!a} and not the run's, {run_uid!a}")
    for _ in range(_STEPS):
        number = number.next()
        if not is_version(str(number)):
            raise FormatError(f"version: nothing follows {base} by itself: push a new major")
        found = await _at(versions, space, replace(new, versioning="Semantic", version=str(number)))
        if found.created or _is_of(found.record, new):
            return found
    raise FormatError(f"version: the {_STEPS} numbers behind {base} of {new.collection} are taken: push a new major")


async def _at(versions: VersionShelf, space: Space, new: NewVersion) -> Reservation:
    """What the number means now: ours if it was free."""
    number = str(new.version)
    there = await versions.get(space, new.collection, number)
    if there is not None:
        return Reservation(there, created=False)
    try:
        return await versions.reserve(space, new)
    except VersionTaken:
        return Reservation(await _taken(versions, space, new, number), created=False)


async def _taken(versions: VersionShelf, space: Space, new: NewVersion, number: str) -> VersionRecord:
    record = await versions.get(space, new.collection, number)
    if record is None:
        raise StoreUnavailable(f"version {number} of {new.collection} was there a moment ago; try again")
    return record


def _is_of(record: VersionRecord, new: NewVersion) -> bool:
    """Whether the record is the run's own, from an earlier time that it came here, of whichever content."""
    return (run_of(record.spec), record.created_by) == (run_of(new.spec), new.created_by)


def run_of(spec: Any) -> str:
    """The uid of the run that made a version, as its record's spec says; empty where no run did."""
    for field in ("lineage", "run", "uid"):
        spec = spec.get(field) if isinstance(spec, dict) else None
    return spec if isinstance(spec, str) else ""


def _checked(base: str, major: int) -> Version:
    number = Version.parse(base)
    if number.versioning != "Semantic" or not base.startswith(f"{major}."):
        raise FormatError(f"version {base}: a run of major {major} starts from {major}.<minor>")
    return number
