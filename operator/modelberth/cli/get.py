"""Show what there is. Without ADDRESS: the artifacts, datasets and registered models of the namespace. With the name of
an artifact or a dataset: its versions (drafts, which have no object, included) and its aliases. With the name of a
registered model: its aliases. With more than a name, such as handwriting:v1 or handwriting:best: only that version or
alias. With --zip the version that ADDRESS stands for goes into a zip file.
"""

import argparse
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

from modelberth.cli.arguments import add_family, add_place, address, family_of
from modelberth.cli.cluster import Cluster
from modelberth.cli.display import size
from modelberth.cli.errors import CommandError, UsageError
from modelberth.cli.existence import check_namespace
from modelberth.cli.matching import matching
from modelberth.cli.questions import number, short_digest
from modelberth.cli.reading import object_name_meant
from modelberth.cli.session import Place, session_access
from modelberth.cli.tables import table
from modelberth.cli.times import time_text
from modelberth.cli.zipping import save_zip
from modelberth.content.addresses import LATEST
from modelberth.content.collections import Collection, CollectionFamily
from modelberth.content.versions import object_name
from modelberth.domain.objects import dig
from modelberth.runtime.families import FAMILIES, FAMILY_OF, ContentFamily
from modelberth.runtime.resources import REGISTERED_MODELS, Object, Resource
from modelberth.transfer.errors import HttpFailure, TransferError
from modelberth.transfer.patience import is_passing

T = TypeVar("T")

_FIELDS: Mapping[CollectionFamily, str] = {"models": "artifact", "datasets": "dataset"}
_KEYS: Mapping[CollectionFamily, tuple[str, str]] = {
    "models": ("versions", "aliases"),
    "datasets": ("datasetVersions", "datasetAliases"),
}
"""Under which the JSON has a collection's versions and its aliases."""
_DESCRIBED: Mapping[CollectionFamily, str] = {"models": "metrics", "datasets": "labels"}
"""The field of a version's spec that tells it from the others; of drafts it is not shown."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "address", metavar="ADDRESS", nargs="?", type=address, help="such as handwriting, handwriting:v1, digits"
    )
    parser.add_argument(
        "--zip", metavar="FILE", help="write the version into a zip file instead of showing what there is"
    )
    parser.add_argument(
        "-o", "--output", choices=("json",), help="print JSON instead of a table, with whole digests and messages"
    )
    add_family(parser)
    add_place(parser)


def run(arguments: argparse.Namespace) -> int:
    """Print the tables, or their rows as JSON."""
    place, about, family = Place.of(arguments), arguments.address, family_of(arguments)
    if arguments.zip is not None and arguments.output is not None:
        raise UsageError("--zip writes a file and shows nothing: leave -o away")
    if arguments.zip is not None and about is None:
        raise UsageError("--zip: say which version, such as housing-price:1.1")
    if arguments.zip is None and about is not None and about.folder is not None:
        raise UsageError(f"{about}: only --zip takes a folder: leave #{about.folder} away")
    with place.connect() as cluster:
        namespace = (about.namespace if about else None) or place.namespace or cluster.namespace
        if arguments.zip is not None:
            print(f"{arguments.zip} {save_zip(cluster, place, about, arguments.zip, family=family)}")
            return 0
        if about is None:
            found = _all(cluster, namespace, family)
            if not any(found.values()):
                check_namespace(cluster, namespace)
        else:
            found = matching(about, _named(cluster, place, namespace, about.name, family))
    if arguments.output == "json":
        print(json.dumps(found, indent=2, ensure_ascii=False))
        return 0
    shown = [_as_table(rows) for rows in found.values() if rows]
    print("\n\n".join(shown) if shown else f"nothing in namespace {namespace}")
    return 0


Row = Mapping[str, Any]


def _as_table(rows: list[Row]) -> str:
    header = list(rows[0])
    return table([name.upper() for name in header], [[_cell(row[name], name) for name in header] for row in rows])


def _cell(value: Any, name: str) -> str:
    if isinstance(value, list):
        return ",".join(str(item) for item in value)
    if isinstance(value, dict):
        return ",".join(f"{key}={number(x) if isinstance(x, float) else x}" for key, x in sorted(value.items()))
    if name == "digest":
        return short_digest(str(value))
    if name == "size" and isinstance(value, int):
        return size(value)
    return "" if value is None else str(value)


def _families(only: CollectionFamily | None) -> list[ContentFamily]:
    return [family for family in FAMILIES if only in (None, family.name)]


def _all(cluster: Cluster, namespace: str, only: CollectionFamily | None) -> dict[str, list[Row]]:
    found = {f"{_FIELDS[family.name]}s": _collections(cluster, namespace, family) for family in _families(only)}
    return found if only == "datasets" else {**found, "models": _models(cluster, namespace)}


def _collections(cluster: Cluster, namespace: str, family: ContentFamily) -> list[Row]:
    return [
        {
            _FIELDS[family.name]: dig(collection, "metadata", "name"),
            "versions": dig(collection, "status", "versionCount"),
            "latest": dig(collection, "status", "latestVersion"),
            "aliases": [f"{row['alias']}={row['current'] or row['desired']}" for row in _aliases(collection)],
        }
        for collection in _listed(cluster, namespace, family, family.collections)
    ]


def _listed(cluster: Cluster, namespace: str, family: ContentFamily, resource: Resource) -> list[Object]:
    return _seen(family, partial(cluster.list, resource, namespace)) or []


def _seen(family: ContentFamily, ask: Callable[[], T]) -> T | None:
    """What the user may see of a family; a warning and nothing where they may not."""
    try:
        return ask()
    except HttpFailure as error:
        if error.status != 403:
            raise
        print(f"{family.collections.plural} are not shown: {error.reason}", file=sys.stderr)
        return None


def _models(cluster: Cluster, namespace: str) -> list[Row]:
    return [
        {"model": dig(model, "metadata", "name"), **row}
        for model in cluster.list(REGISTERED_MODELS, namespace)
        for row in _aliases(model) or [dict.fromkeys(("alias", "desired", "current", "state", "message"))]
    ]


def _named(
    cluster: Cluster, place: Place, namespace: str, name: str, only: CollectionFamily | None
) -> dict[str, list[Row]]:
    holders = {
        family: _seen(family, partial(cluster.get, family.collections, namespace, name)) for family in _families(only)
    }
    model = cluster.get(REGISTERED_MODELS, namespace, name) if only is None else None
    is_known = model is not None or any(holders.values())
    found: dict[str, list[Row]] = {}
    for family, holder in holders.items():
        versions, aliases = _KEYS[family.name]
        # A name that no object has may be that of drafts, in either family.
        asked = holder is not None or not is_known
        found[versions] = _versions(cluster, place, namespace, Collection(family.name, name), holder) if asked else []
        found[aliases] = _aliases(holder) if holder else []
    if model is not None:
        found["modelAliases"] = _aliases(model)
    if not is_known and not any(found.values()):
        kinds = [*(family.collections.kind for family in holders), *([] if only else [REGISTERED_MODELS.kind])]
        raise CommandError(
            f"there is no {' and no '.join(kinds)} {name} in namespace {namespace}{object_name_meant(name)}"
        )
    return found


def _versions(
    cluster: Cluster, place: Place, namespace: str, collection: Collection, holder: Object | None
) -> list[Row]:
    """Records and objects together: a record without an object is a draft, an object without a record is waiting."""
    records = {str(record["version"]): record for record in _records(cluster, place, namespace, collection, holder)}
    family = FAMILY_OF[collection.family]
    objects = {
        str(dig(item, "spec", "version")): item
        for item in _listed(cluster, namespace, family, family.versions)
        if dig(item, "spec", collection.field) == collection.name
    }
    aliases = _aliases_by_version(holder)
    described = _DESCRIBED[collection.family]
    return [
        {
            "version": object_name(collection.name, number),
            "state": _state(records.get(number), objects.get(number)),
            "digest": str(dig(records.get(number), "digest") or dig(objects.get(number), "status", "digest") or ""),
            "size": dig(objects.get(number), "status", "sizeBytes"),
            "created": time_text(
                dig(records.get(number), "createdAt") or dig(objects.get(number), "metadata", "creationTimestamp")
            ),
            "by": dig(records.get(number), "createdBy"),
            "aliases": aliases.get(object_name(collection.name, number), []),
            described: dict(dig(objects.get(number), "spec", described) or {}),
        }
        for number in [*records, *(number for number in objects if number not in records)]
    ]


def _aliases_by_version(holder: Object | None) -> dict[str, list[str]]:
    """Which aliases stand for a version, by its object's name; `latest` included."""
    found: dict[str, list[str]] = {}
    for row in _aliases(holder) if holder else []:
        found.setdefault(str(row["current"] or row["desired"]), []).append(str(row["alias"]))
    newest = dig(holder, "status", "latestVersion")
    if newest:
        found.setdefault(str(newest), []).append(LATEST)
    return found


def _records(
    cluster: Cluster, place: Place, namespace: str, collection: Collection, holder: Object | None
) -> Sequence[Mapping[str, Any]]:
    """What the store has on record; a warning alone for who may see the objects only, or while the registry is away."""
    try:
        with session_access(cluster, place, namespace, "Pull", family=collection.family) as access:
            return access.client.versions(collection)
    except TransferError as error:
        why = (error.reason or str(error)) if isinstance(error, HttpFailure) and error.status == 403 else ""
        # Where not even the holder is there, nothing could be said.
        if not why and not (holder and is_passing(error)):
            raise
        print(f"drafts are not shown: {why or error}", file=sys.stderr)
        return []


def _state(record: Mapping[str, Any] | None, found: Object | None) -> str:
    if found is None:
        return "Draft" if dig(record, "committed") else "Reserved"
    ready = next((c for c in dig(found, "status", "conditions") or [] if c.get("type") == "Ready"), None)
    if ready is None:
        return "Unknown"
    return "Ready" if ready.get("status") == "True" else str(ready.get("reason") or "NotReady")


def _aliases(owner: Object) -> list[Row]:
    """What each alias asks for and stands for; entries that the operator has not seen yet included."""
    spec, status = dig(owner, "spec", "aliases") or {}, dig(owner, "status", "aliases") or {}
    return [
        {
            "alias": name,
            "desired": dig(spec.get(name), "version") or dig(status.get(name), "desired"),
            "current": dig(status.get(name), "current"),
            "state": dig(status.get(name), "state"),
            "message": dig(status.get(name), "message"),
        }
        for name in sorted({*spec, *status})
    ]
