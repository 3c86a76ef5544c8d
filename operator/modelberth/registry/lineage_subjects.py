"""What a question about lineage is about: an address or an object's name, as people write them."""

from modelberth.content.addresses import Address
from modelberth.content.collections import Collection, CollectionFamily
from modelberth.content.errors import FormatError
from modelberth.content.versions import split_object_name
from modelberth.registry.access import Access
from modelberth.registry.problems import Problem, forbidden
from modelberth.store.types import VersionRecord


def check_unlimited(access: Access) -> None:
    """Refuse sessions that are for one collection: lineage leads to others.

    Raises:
        Problem: 403.
    """
    if access.artifact is not None:
        raise forbidden(f"the session is for artifact {access.artifact} only: create one without spec.artifact")


async def version_at(access: Access, namespace: str, address: str) -> VersionRecord:
    """The record of the version that an address stands for now. An object's name (`housing-v3`) is understood, too.

    Raises:
        Problem: 404 where there is none, 409 where there are two.
        FormatError: it is no address.
    """
    parsed = Address.parse(address)
    if parsed.namespace not in (None, namespace):
        raise Problem(
            400, "OtherNamespace", f"address: it names namespace {parsed.namespace}, the request {namespace}: ask there"
        )
    try:
        found = await access.backend.resolver.resolve(access.space, parsed)
    except Problem as problem:
        named = await _by_object_name(access, parsed) if problem.status == 404 else None
        if named is None:
            raise
        return named
    record = await access.store.version_record(access.space, Collection("models", found.artifact), found.version)
    if record is None:
        raise Problem(404, "VersionNotFound", f"there is no version {found.version} of {found.artifact}")
    return record


async def _by_object_name(access: Access, address: Address) -> VersionRecord | None:
    """The record whose object has the name that stands where an address has a collection's.

    Raises:
        Problem: 409 where a model version and a dataset version have it.
    """
    if address.alias or address.version or address.digest:
        return None
    try:
        name, version = split_object_name(address.name)
    except FormatError:
        return None
    families: tuple[CollectionFamily, ...] = ("models", "datasets")
    records = [
        await access.store.version_record(access.space, Collection(family, name), version) for family in families
    ]
    found = [record for record in records if record is not None]
    if len(found) > 1:
        raise Problem(
            409,
            "AmbiguousName",
            f"{address.name} is a version of {found[0].collection} and of {found[1].collection}: "
            "ask with family=models or family=datasets",
        )
    return found[0] if found else None
