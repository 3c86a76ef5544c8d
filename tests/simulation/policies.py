"""The admission rules that protect what is in use, as the chart's policies and the CRDs' CEL have them."""

from typing import Any

from modelberth.api import names
from modelberth.domain.content_version import collection_of
from modelberth.runtime.errors import Forbidden, Invalid
from modelberth.runtime.families import FAMILIES, ContentFamily
from modelberth.runtime.resources import (
    DATASET_VERSIONS,
    DATASETS,
    MODEL_ARTIFACTS,
    MODEL_VERSIONS,
    REGISTERED_MODELS,
    Object,
    Resource,
)
from tests.simulation.apiserver import ApiServer, copied

OPERATOR = "operator"
"""What the names of operator processes begin with."""


def admit(server: ApiServer, user: str, resource: Resource, old: Object | None, new: Object | None) -> Object | None:
    """Let a write through, possibly stamped, or refuse it.

    Raises:
        Forbidden: a policy says no.
        Invalid: a CEL rule of the CRD says no.
    """
    if new is None:
        assert old is not None
        _admit_delete(server, resource, old)
        return None
    if resource in (MODEL_VERSIONS, DATASET_VERSIONS):
        _admit_version(old, new)
    if resource in (MODEL_ARTIFACTS, DATASETS, REGISTERED_MODELS) and not user.startswith(OPERATOR):
        return _stamped(user, old, new)
    return None


def _admit_delete(server: ApiServer, resource: Resource, obj: Object) -> None:
    namespace, name = obj["metadata"]["namespace"], obj["metadata"]["name"]
    for family in FAMILIES:
        if resource == family.versions and name in _named_anywhere(server, family, namespace):
            raise Forbidden(403, "Forbidden", f"{resource.kind} {name} is in use")
        if resource == family.collections:
            versions = server.peek_all(family.versions, namespace)
            if any(collection_of(version).name == name for version in versions):
                raise Forbidden(403, "Forbidden", f"{resource.kind} {name} has versions")


def _named_anywhere(server: ApiServer, family: ContentFamily, namespace: str) -> set[str]:
    found: set[str] = set()
    for owner in (owner for users in family.users for owner in server.peek_all(users, namespace)):
        spec, status = owner.get("spec") or {}, owner.get("status") or {}
        found |= set(spec.get("links") or {})
        found |= {entry["version"] for entry in (spec.get("aliases") or {}).values()}
        found |= {str(entry.get("current")) for entry in (status.get("aliases") or {}).values()}
    return found


def _admit_version(old: Object | None, new: Object) -> None:
    spec = new["spec"]
    if new["metadata"]["name"] != f"{collection_of(new).name}-{spec['version']}":
        raise Invalid(422, "Invalid", "metadata.name must be <collection>-<version>")
    if old is None:
        return
    if old["spec"] != spec:
        raise Invalid(422, "Invalid", "spec: a version is immutable")
    known, said = _digest(old), _digest(new)
    if known is not None and said != known:
        raise Invalid(422, "Invalid", "status.digest: what a version is never changes")


def _digest(version: Object) -> str | None:
    digest: str | None = (version.get("status") or {}).get("digest")
    return digest


def _stamped(user: str, old: Object | None, new: Object) -> Object:
    """The object with `moved-by` of each changed alias set to the user and every other one as it was."""
    before, after = _aliases(old), _aliases(new)
    stamped = copied(new)
    annotations: dict[str, Any] = {
        key: text
        for key, text in (stamped["metadata"].get("annotations") or {}).items()
        if not key.startswith(names.MOVED_BY_DOMAIN)
    }
    known = (old["metadata"].get("annotations") or {}) if old else {}
    for alias in after:
        key = names.moved_by(alias)
        if before.get(alias) != after[alias]:
            annotations[key] = user
        elif key in known:
            annotations[key] = known[key]
    if annotations:
        stamped["metadata"]["annotations"] = annotations
    return stamped


def _aliases(obj: Object | None) -> dict[str, Any]:
    return dict(((obj or {}).get("spec") or {}).get("aliases") or {})
