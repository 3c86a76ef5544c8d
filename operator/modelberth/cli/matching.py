"""Of what there is under a name, what an address with a version, an alias or a digest means."""

from collections.abc import Iterator, Mapping
from typing import Any

from modelberth.cli.errors import CommandError
from modelberth.content.addresses import Address
from modelberth.content.versions import object_name

Row = Mapping[str, Any]
_SHOWN = 10


def matching(address: Address, found: Mapping[str, list[Row]]) -> dict[str, list[Row]]:
    """The rows that an address means; all of them where it is a name and nothing more.

    Args:
        address: what is asked for.
        found: tables of versions and of aliases, of everything that has the address' name.

    Raises:
        CommandError: none fits; the message has the versions and aliases that there are.
    """
    if address.alias is None and address.version is None and address.digest is None:
        return dict(found)
    kept = {part: [row for row in rows if _fits(address, row)] for part, rows in found.items()}
    if not any(kept.values()):
        raise CommandError(_what_there_is(address, found))
    return kept


def _fits(address: Address, row: Row) -> bool:
    if "version" not in row:
        return bool(address.alias == row["alias"])
    if address.alias is not None:
        return address.alias in row["aliases"]
    if address.version is not None:
        return bool(row["version"] == object_name(address.name, address.version))
    return bool(row["digest"] == address.digest)


def _what_there_is(address: Address, found: Mapping[str, list[Row]]) -> str:
    asked = (
        f"alias {address.alias}"
        if address.alias
        else f"version {address.version}"
        if address.version
        else "such content"
    )
    rows = [row for part in found.values() for row in part]
    versions = [str(row["version"]).removeprefix(f"{address.name}-") for row in rows if "version" in row]
    aliases = dict.fromkeys(_aliases(rows))
    there_are = [
        f"{what} {', '.join(names[-_SHOWN:])}{' and more' if len(names) > _SHOWN else ''}"
        for what, names in (("the versions", versions), ("the aliases", list(aliases)))
        if names
    ]
    return f"{address.name} has no {asked}; it has {' and '.join(there_are) or 'neither versions nor aliases'}"


def _aliases(rows: list[Row]) -> Iterator[str]:
    for row in rows:
        yield from row["aliases"] if "version" in row else [str(row["alias"])] if row["alias"] else []
