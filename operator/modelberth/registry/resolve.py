"""What an address stands for: alias → current version → digest.

A version or digest is looked for in the artifact and in the dataset of that name; an alias in RegisteredModels, too. A
hit in two of them is an error naming both, unless the question says which family it means. An alias means what it
*currently* stands for; `desired` asks for the wish. Versions are read from the bucket's records, so drafts (content
without an object) resolve too.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from modelberth.content.addresses import LATEST, Address
from modelberth.content.collections import Collection, CollectionFamily
from modelberth.content.errors import FormatError
from modelberth.content.versions import split_object_name
from modelberth.registry.models import Resolution
from modelberth.registry.problems import Problem
from modelberth.runtime.families import FAMILY_OF
from modelberth.runtime.kube import KubeApi
from modelberth.runtime.resources import REGISTERED_MODELS, Object, Resource
from modelberth.store.content_store import ContentStore
from modelberth.store.types import Space

Via = Literal["alias", "version", "digest"]

_COLLECTIONS: Final = {name: family.collections for name, family in FAMILY_OF.items()}


@dataclass(frozen=True, slots=True)
class _Holder:
    """An object of the name asked for, and the family of the versions that it names."""

    resource: Resource
    family: CollectionFamily
    object: Object

    def __str__(self) -> str:
        return f"{self.resource.kind} {self.object['metadata']['name']}"

    def knows(self, alias: str) -> bool:
        """Whether it has the alias; `latest` is what a collection with a version has."""
        if alias == LATEST:
            return bool(self._part("status").get("latestVersion"))
        return any(alias in (self._part(part).get("aliases") or {}) for part in ("spec", "status"))

    def target(self, alias: str, *, desired: bool) -> str | None:
        """The object name of the version that an alias stands for, or is to."""
        if alias == LATEST:
            return str(self._part("status")["latestVersion"])
        part, field = ("spec", "version") if desired else ("status", "current")
        entry = (self._part(part).get("aliases") or {}).get(alias) or {}
        return str(entry[field]) if entry.get(field) else None

    def _part(self, part: str) -> Object:
        return self.object.get(part) or {}


class Resolver:
    """Resolves addresses of one cluster."""

    def __init__(self, kube: KubeApi, store: ContentStore) -> None:
        self._kube = kube
        self._store = store

    async def resolve(
        self, space: Space, address: Address, *, desired: bool = False, family: CollectionFamily | None = None
    ) -> Resolution:
        """What an address of this namespace means now.

        Args:
            space: the namespace's.
            address: what is asked for; its folder plays no part.
            desired: take what an alias is to stand for.
            family: look among models or among datasets only.

        Raises:
            Problem: 404 names what is missing; 409 what two objects have.
        """
        collections = [Collection(name, address.name) for name in _COLLECTIONS if family in (None, name)]
        if address.digest is not None:
            return await self._by_digest(space, collections, address.digest)
        if address.version is not None:
            return await self._by_version(space, collections, address.version, via="version")
        alias = address.alias or LATEST
        holder, name = await self._by_alias(space.namespace, address.name, alias, desired=desired, family=family)
        try:
            owner, version = split_object_name(name)
        except FormatError as error:
            raise Problem(409, "NotAVersion", f"alias {alias} of {address.name}: {error}") from None
        return await self._by_version(space, [Collection(holder.family, owner)], version, via="alias")

    async def has_version(self, space: Space, family: CollectionFamily, name: str) -> bool:
        """Whether the object of a version is there: its record stays when somebody deletes it.

        Args:
            space: the namespace's.
            family: of the version.
            name: of the object, such as housing-v3.
        """
        return await self._kube.get(FAMILY_OF[family].versions, space.namespace, name) is not None

    async def _by_digest(self, space: Space, collections: list[Collection], digest: str) -> Resolution:
        found = {
            collection: version
            for collection in collections
            if (version := await self._store.find_by_digest(space, collection, digest)) is not None
        }
        name = collections[0].name
        if not found:
            raise Problem(404, "VersionNotFound", f"{name} has no version with the content {digest}")
        collection = _only(list(found), f"{name}@{digest}")
        return _resolution(space, collection, found[collection], digest, via="digest")

    async def _by_version(self, space: Space, collections: list[Collection], version: str, *, via: Via) -> Resolution:
        found = {
            collection: record.digest
            for collection in collections
            if (record := await self._store.version_record(space, collection, version)) is not None
        }
        name = collections[0].name
        if not found:
            raise Problem(404, "VersionNotFound", f"there is no version {version} of {name}")
        collection = _only(list(found), f"{name}:{version}")
        return _resolution(space, collection, version, found[collection], via=via)

    async def _by_alias(
        self, namespace: str, name: str, alias: str, *, desired: bool, family: CollectionFamily | None
    ) -> tuple[_Holder, str]:
        """Who has the alias, and the object name of the version that it stands for."""
        holders = await self._holders(namespace, name, alias, family)
        knowing = [holder for holder in holders if holder.knows(alias)]
        if len(knowing) > 1:
            raise _ambiguous(f"{name}:{alias}", "alias", knowing)
        if not holders:
            raise Problem(404, "NameNotFound", f"there is no {' and no '.join(_kinds(alias, family))} {name}")
        if not knowing and alias == LATEST:
            raise Problem(404, "VersionNotFound", f"{holders[0]} has no version yet: push one")
        if not knowing:
            raise Problem(404, "AliasNotFound", f"{name} has no alias {alias}")
        found = knowing[0].target(alias, desired=desired)
        if found is None:
            raise Problem(
                404,
                "AliasNotFound",
                f"alias {alias} of {name} stands for no version yet: ask with desired=true for what it is to become",
            )
        return knowing[0], found

    async def _holders(self, namespace: str, name: str, alias: str, family: CollectionFamily | None) -> list[_Holder]:
        """The objects of this name that can have the alias."""
        asked = _places(alias, family)
        found = await asyncio.gather(*(self._kube.get(resource, namespace, name) for resource, _ in asked))
        return [_Holder(resource, of, obj) for (resource, of), obj in zip(asked, found, strict=True) if obj is not None]


def _places(alias: str, family: CollectionFamily | None) -> list[tuple[Resource, CollectionFamily]]:
    """Where an alias is looked for, and the family of the versions there. Only collections have a `latest`."""
    places = [(resource, of) for of, resource in _COLLECTIONS.items() if family in (None, of)]
    if alias == LATEST or family == "datasets":
        return places
    return [(REGISTERED_MODELS, "models"), *places]


def _kinds(alias: str, family: CollectionFamily | None) -> list[str]:
    return [resource.kind for resource, _ in _places(alias, family)]


def _only(found: list[Collection], address: str) -> Collection:
    if len(found) > 1:
        kinds = [f"{_COLLECTIONS[collection.family].kind} {collection.name}" for collection in found]
        raise _ambiguous(address, "version", kinds)
    return found[0]


def _ambiguous(address: str, what: str, holders: Sequence[object]) -> Problem:
    both = " and of ".join(map(str, holders))
    mend = "say which is meant by family=models or family=datasets (--dataset), or remove one of them"
    return Problem(409, f"Ambiguous{what.capitalize()}", f"{address} is the {what} of {both}: {mend}")


def _resolution(space: Space, collection: Collection, version: str, digest: str, *, via: Via) -> Resolution:
    return Resolution(
        namespace=space.namespace,
        family=collection.family,
        name=collection.name,
        artifact=collection.name,
        version=version,
        digest=digest,
        via=via,
    )
