"""Show what there is: without NAME the artifacts and models of the namespace; with the name of an artifact its
versions, drafts included, and its aliases; with the name of a registered model its aliases.
"""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from modelberth.cli.arguments import add_place
from modelberth.cli.cluster import Cluster
from modelberth.cli.display import size
from modelberth.cli.errors import CommandError
from modelberth.cli.session import Place, session_access
from modelberth.cli.tables import table
from modelberth.content.versions import object_name
from modelberth.domain.objects import dig
from modelberth.runtime.resources import MODEL_ARTIFACTS, MODEL_VERSIONS, REGISTERED_MODELS, Object
from modelberth.transfer.errors import HttpFailure


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("name", metavar="NAME", nargs="?")
    parser.add_argument("-o", "--output", choices=("json",), help="print JSON instead of a table")
    add_place(parser)


def run(arguments: argparse.Namespace) -> int:
    """Print the tables, or their rows as JSON."""
    place = Place.of(arguments)
    with place.connect() as cluster:
        namespace = place.namespace or cluster.namespace
        if arguments.name is None:
            found = {"artifacts": _artifacts(cluster, namespace), "models": _models(cluster, namespace)}
        else:
            found = _named(cluster, place, namespace, arguments.name)
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
    if name == "size" and isinstance(value, int):
        return size(value)
    return "" if value is None else str(value)


def _artifacts(cluster: Cluster, namespace: str) -> list[Row]:
    return [
        {
            "artifact": dig(artifact, "metadata", "name"),
            "versions": dig(artifact, "status", "versionCount"),
            "latest": dig(artifact, "status", "latestVersion"),
            "aliases": [f"{row['alias']}={row['current'] or row['desired']}" for row in _aliases(artifact)],
        }
        for artifact in cluster.list(MODEL_ARTIFACTS, namespace)
    ]


def _models(cluster: Cluster, namespace: str) -> list[Row]:
    return [
        {"model": dig(model, "metadata", "name"), **row}
        for model in cluster.list(REGISTERED_MODELS, namespace)
        for row in _aliases(model) or [dict.fromkeys(("alias", "desired", "current", "state", "message"))]
    ]


def _named(cluster: Cluster, place: Place, namespace: str, name: str) -> dict[str, list[Row]]:
    artifact = cluster.get(MODEL_ARTIFACTS, namespace, name)
    model = cluster.get(REGISTERED_MODELS, namespace, name)
    only_a_model = model is not None and artifact is None
    versions = [] if only_a_model else _versions(cluster, place, namespace, name, artifact)
    if artifact is None and model is None and not versions:
        raise CommandError(f"there is neither a ModelArtifact nor a RegisteredModel {name} in namespace {namespace}")
    return {
        "versions": versions,
        "aliases": _aliases(artifact) if artifact else [],
        "modelAliases": _aliases(model) if model else [],
    }


def _versions(cluster: Cluster, place: Place, namespace: str, artifact_name: str, artifact: Object | None) -> list[Row]:
    """Records and objects together: a record without an object is a draft, an object without a record is waiting."""
    records = {str(record["version"]): record for record in _records(cluster, place, namespace, artifact_name)}
    objects = {
        str(dig(item, "spec", "version")): item
        for item in cluster.list(MODEL_VERSIONS, namespace)
        if dig(item, "spec", "artifact") == artifact_name
    }
    aliases: dict[str, list[str]] = {}
    for row in _aliases(artifact) if artifact else []:
        aliases.setdefault(str(row["current"] or row["desired"]), []).append(str(row["alias"]))
    return [
        {
            "version": object_name(artifact_name, number),
            "state": _state(records.get(number), objects.get(number)),
            "digest": str(dig(records.get(number), "digest") or dig(objects.get(number), "status", "digest") or ""),
            "size": dig(objects.get(number), "status", "sizeBytes"),
            "created": dig(records.get(number), "createdAt")
            or dig(objects.get(number), "metadata", "creationTimestamp"),
            "by": dig(records.get(number), "createdBy"),
            "aliases": aliases.get(object_name(artifact_name, number), []),
        }
        for number in [*records, *(number for number in objects if number not in records)]
    ]


def _records(cluster: Cluster, place: Place, namespace: str, artifact: str) -> Sequence[Mapping[str, Any]]:
    """What the store has on record; nothing but a warning for who may see the objects only."""
    try:
        with session_access(cluster, place, namespace, "Pull") as access:
            return access.client.versions(artifact)
    except HttpFailure as error:
        if error.status != 403:
            raise
        print(f"drafts are not shown: {error.reason}", file=sys.stderr)
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
