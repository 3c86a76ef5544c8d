"""What an address stands for: alias → current version → digest.

Alias names are looked for in RegisteredModels first, then in ModelArtifacts; a hit in both is an error naming both. An
alias means what it *currently* stands for; `desired` asks for the wish. Versions are read from the bucket's records,
so drafts (content without an object) resolve too.
"""

from typing import Literal

from modelberth.content import collections
from modelberth.content.addresses import LATEST, Address
from modelberth.content.errors import FormatError
from modelberth.content.versions import split_object_name
from modelberth.registry.models import Resolution
from modelberth.registry.problems import Problem
from modelberth.runtime.kube import KubeApi
from modelberth.runtime.resources import MODEL_ARTIFACTS, REGISTERED_MODELS, Object
from modelberth.store.content_store import ContentStore
from modelberth.store.types import Space

Via = Literal["alias", "version", "digest"]


class Resolver:
    """Resolves addresses of one cluster."""

    def __init__(self, kube: KubeApi, store: ContentStore) -> None:
        self._kube = kube
        self._store = store

    async def resolve(self, space: Space, address: Address, *, desired: bool = False) -> Resolution:
        """What an address of this namespace means now.

        Raises:
            Problem: 404 names what is missing; 409 an alias name that two objects have.
        """
        if address.digest is not None:
            return await self._by_digest(space, address.name, address.digest)
        if address.version is not None:
            return await self._by_version(space, address.name, address.version, via="version")
        alias = address.alias or LATEST
        name = await self._version_name(space.namespace, address.name, alias, desired=desired)
        try:
            artifact, version = split_object_name(name)
        except FormatError as error:
            raise Problem(409, "NotAVersion", f"alias {alias} of {address.name}: {error}") from None
        return await self._by_version(space, artifact, version, via="alias")

    async def _by_digest(self, space: Space, artifact: str, digest: str) -> Resolution:
        version = await self._store.find_by_digest(space, collections.artifact(artifact), digest)
        if version is None:
            raise Problem(404, "VersionNotFound", f"{artifact} has no version with the content {digest}")
        return Resolution(namespace=space.namespace, artifact=artifact, version=version, digest=digest, via="digest")

    async def _by_version(self, space: Space, artifact: str, version: str, *, via: Via) -> Resolution:
        record = await self._store.version_record(space, collections.artifact(artifact), version)
        if record is None:
            raise Problem(404, "VersionNotFound", f"there is no version {version} of {artifact}")
        return Resolution(namespace=space.namespace, artifact=artifact, version=version, digest=record.digest, via=via)

    async def _version_name(self, namespace: str, name: str, alias: str, *, desired: bool) -> str:
        model = await self._kube.get(REGISTERED_MODELS, namespace, name) if alias != LATEST else None
        artifact = await self._kube.get(MODEL_ARTIFACTS, namespace, name)
        in_model, in_artifact = _has_alias(model, alias), _has_alias(artifact, alias)
        if in_model and in_artifact:
            raise Problem(
                409,
                "AmbiguousAlias",
                f"{name}:{alias} is an alias of RegisteredModel {name} and of ModelArtifact {name}: remove one of them",
            )
        if model is None and artifact is None:
            raise Problem(404, "NameNotFound", f"there is no RegisteredModel and no ModelArtifact {name}")
        if alias == LATEST:
            return _latest(artifact, name)
        holder = model if in_model else artifact
        found = _target(holder, alias, desired=desired) if in_model or in_artifact else None
        if found is None:
            raise Problem(404, "AliasNotFound", _why_not(name, alias, is_known=in_model or in_artifact))
        return found


def _has_alias(holder: Object | None, alias: str) -> bool:
    if holder is None:
        return False
    return any(alias in (_part(holder, part).get("aliases") or {}) for part in ("spec", "status"))


def _target(holder: Object | None, alias: str, *, desired: bool) -> str | None:
    part, field = ("spec", "version") if desired else ("status", "current")
    entry = (_part(holder or {}, part).get("aliases") or {}).get(alias) or {}
    return str(entry[field]) if entry.get(field) else None


def _latest(artifact: Object | None, name: str) -> str:
    found = _part(artifact or {}, "status").get("latestVersion")
    if not found:
        raise Problem(404, "VersionNotFound", f"ModelArtifact {name} has no version yet: push one")
    return str(found)


def _why_not(name: str, alias: str, *, is_known: bool) -> str:
    if is_known:
        return f"alias {alias} of {name} stands for no version yet: ask with desired=true for what it is to become"
    return f"{name} has no alias {alias}"


def _part(holder: Object, part: str) -> Object:
    return holder.get(part) or {}
