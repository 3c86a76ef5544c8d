"""What a question about lineage is about: an address or an object's name, as people write them."""

from modelberth.content.addresses import Address
from modelberth.content.collections import Collection, CollectionFamily
from modelberth.content.errors import FormatError
from modelberth.content.versions import split_object_name
from modelberth.registry.access import Access
from modelberth.registry.problems import Problem, forbidden
from modelberth.store.types import VersionRecord

FAMILIES: tuple[CollectionFamily, ...] = ("models", "datasets")


def check_unlimited(access: Access) -> None:
    """Refuse sessions that are for one collection: lineage leads to others.

    Raises:
        Problem: 403.
    """
    access.check_all()


async def version_at(access: Access, namespace: str, address: str, family: CollectionFamily | None) -> VersionRecord:
    """The record of the version that an address stands for now. An object's name (`housing-v3`) is understood, too.

    Raises:
        Problem: 404 where there is none, 409 where there are two.
        FormatError: it is no address.
    """
    place, slash, name = address.rpartition("/")
    if slash and place != namespace:
        raise Problem(400, "OtherNamespace", f"address: it names namespace {place}, the request {namespace}: ask there")
    named = await _by_object_name(access, name, family)
    if named is not None:
        return named
    found = await access.backend.resolver.resolve(access.space, Address.parse(name))
    record = await access.store.version_record(access.space, Collection("models", found.artifact), found.version)
    if record is None:
        raise Problem(404, "VersionNotFound", f"there is no version {found.version} of {found.artifact}")
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
