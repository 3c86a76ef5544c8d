"""What a question about lineage is about: an address or an object's name, as people write them."""

from modelberth.content.addresses import Address
from modelberth.content.collections import Collection, CollectionFamily
from modelberth.content.errors import FormatError
from modelberth.content.versions import is_version, object_name, split_object_name
from modelberth.lineage.index import Index
from modelberth.lineage.nodes import NodeId, dataset_version, model_version
from modelberth.registry.access import Access
from modelberth.registry.problems import Problem
from modelberth.store.types import VersionRecord

FAMILIES: tuple[CollectionFamily, ...] = ("models", "datasets")


async def node_at(
    access: Access, index: Index, namespace: str, address: str, family: CollectionFamily | None
) -> NodeId:
    """The place of a version in the graph. A version by name or number that the index knows costs no look at the store.

    Raises:
        Problem: as `version_at`.
        FormatError: it is no address.
    """
    name = _object_name(namespace, address)
    found = [node for node in _nodes(name, family) if index.node(node).known] if name else []
    if len(found) != 1:
        return node_of(await version_at(access, namespace, address, family))
    await access.check_records(_collection_of(found[0]))
    return found[0]


def node_of(record: VersionRecord) -> NodeId:
    """The version's place in the graph."""
    name = object_name(record.collection.name, record.version)
    return dataset_version(name) if record.collection.family == "datasets" else model_version(name)


async def version_at(access: Access, namespace: str, address: str, family: CollectionFamily | None) -> VersionRecord:
    """The record of the version that an address stands for now. An object's name (`housing-v3`) is understood, too.

    Raises:
        Problem: 404 where there is none, 409 where there are two, 403 where the caller may not read its family.
        FormatError: it is no address.
    """
    place, slash, name = address.rpartition("/")
    if slash and place != namespace:
        raise Problem(400, "OtherNamespace", f"address: it names namespace {place}, the request {namespace}: ask there")
    record = await _by_object_name(access, name, family) or await _by_address(access, _parsed(name), family)
    await access.check_records(record.collection)
    return record


def _parsed(name: str) -> Address:
    """The address; what can only be an object's name (`price-1.1` has a point) names nothing, for it was looked for."""
    try:
        return Address.parse(name)
    except FormatError:
        if not _is_object_name(name):
            raise
        raise Problem(404, "VersionNotFound", f"there is no version {name}") from None


def _is_object_name(name: str) -> bool:
    try:
        split_object_name(name)
    except FormatError:
        return False
    return True


async def _by_address(access: Access, address: Address, family: CollectionFamily | None) -> VersionRecord:
    if address.folder is not None:
        raise Problem(400, "Invalid", f"address: lineage is of whole versions: leave #{address.folder} away")
    found = await access.backend.resolver.resolve(access.space, address, family=family)
    record = await access.store.version_record(access.space, Collection(found.family, found.name), found.version)
    if record is None:
        raise Problem(404, "VersionNotFound", f"there is no version {found.version} of {found.name}")
    return record


async def _by_object_name(access: Access, name: str, family: CollectionFamily | None) -> VersionRecord | None:
    """The record of the version whose object has this name.

    Raises:
        Problem: 409 where a model version and a dataset version have it.
    """
    try:
        collection, version = split_object_name(name)
        records = [
            await access.store.version_record(access.space, Collection(one, collection), version)
            for one in ((family,) if family else FAMILIES)
        ]
    except FormatError:
        return None
    found = [record for record in records if record is not None]
    if len(found) > 1:
        raise Problem(
            409,
            "AmbiguousName",
            f"{name} is a version of {found[0].collection} and of {found[1].collection}: "
            "ask with family=models or family=datasets",
        )
    return found[0] if found else None


def _object_name(namespace: str, address: str) -> str:
    """The object's name that an address spells, by itself or as name and number; empty for aliases and digests."""
    place, slash, name = address.rpartition("/")
    if slash and place != namespace:
        return ""
    collection, colon, version = name.partition(":")
    return f"{collection}-{version}" if colon and is_version(version) else "" if colon else name


def _nodes(name: str, family: CollectionFamily | None) -> list[NodeId]:
    by_family = {"models": model_version(name), "datasets": dataset_version(name)}
    return [node for of, node in by_family.items() if family in (None, of)]


def _collection_of(node: NodeId) -> Collection:
    name, _ = split_object_name(node.name)
    return Collection("datasets" if node.kind == "datasetversion" else "models", name)
