"""Who uses a version: models and collections by aliases and links, training by what it names and what goes in."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from modelberth.content.collections import CollectionFamily
from modelberth.domain.objects import Object, dig, name_of
from modelberth.domain.training.plan import has_ended

USED_BY_SHOWN: Final = 64
_INPUTS: Final[Mapping[CollectionFamily, tuple[str, ...]]] = {
    "models": ("package",),
    "datasets": ("dataset", "evaluation"),
}
"""Where training names versions of a family, in its template and in a run's status."""


def named_by(owner: Object, family: CollectionFamily) -> set[str]:
    """The versions of a family that an object uses.

    Args:
        owner: a model or a collection, all of whose versions are of one family; a pipeline; a run.
        family: whose versions are asked for.
    """
    return {version for version, _ in _uses(owner, family)}


def used_by(version: str, owners: Iterable[Object], family: CollectionFamily) -> list[str]:
    """Who uses the version, for people to see: the admission policies ask the live objects themselves."""
    found = {
        f"{str(owner['kind']).lower()}/{name_of(owner)}{f':{alias}' if alias else ''}"
        for owner in owners
        for named, alias in _uses(owner, family)
        if named == version
    }
    return sorted(found)[:USED_BY_SHOWN]


def _uses(owner: Object, family: CollectionFamily) -> Iterator[tuple[str, str]]:
    """(version, alias); the alias is empty where it is none that stands for the version."""
    for version in dig(owner, "spec", "links") or ():
        yield str(version), ""
    for part, field in (("spec", "version"), ("status", "current")):
        for alias, entry in (dig(owner, part, "aliases") or {}).items():
            if entry.get(field):
                yield str(entry[field]), str(alias)
    if has_ended(owner):
        return
    template = dig(owner, "spec", "template") or owner.get("spec")
    for field in _INPUTS[family]:
        for version in (dig(template, field, "version"), dig(owner, "status", "inputs", field)):
            if version:
                yield str(version), ""
