"""An API server in memory: the storage semantics that controllers depend on, without HTTP.

Every write that changes something gets the next resourceVersion and one event in the history; a write that changes
nothing changes nothing. Objects in the store are never mutated in place; what goes in and out is copied.
"""

import bisect
import marshal
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from modelberth.api.conditions import timestamp
from modelberth.runtime.clock import Clock
from modelberth.runtime.errors import AlreadyExists, Conflict, Gone, Invalid, NotFound
from modelberth.runtime.resources import (
    CONTROLLER_REVISIONS,
    DEPLOYMENTS,
    OWN_KINDS,
    PODS,
    REPLICA_SETS,
    SERVICES,
    Object,
    Resource,
    resource_of,
)
from tests.simulation import kinds
from tests.simulation.ssa import MissingKeyError, Ownership

Place = tuple[str, str]
"""Namespace ("" for cluster-scoped kinds) and name."""

_WITH_STATUS = frozenset({*OWN_KINDS, DEPLOYMENTS, REPLICA_SETS, PODS, SERVICES})
_WITH_GENERATION = frozenset({*OWN_KINDS, DEPLOYMENTS, REPLICA_SETS})
_OWNERLESS = frozenset({PODS, REPLICA_SETS})
"""Resources that nobody applies here: who owns their fields does not matter."""
_FIRST_VERSION = 100
"""The real server's versions do not begin at 1 either: etcd has written before the first object."""
_SERVER_OWNED = ("uid", "creationTimestamp", "generation", "managedFields", "deletionTimestamp", "selfLink")

Admission = Callable[["ApiServer", str, Resource, Object | None, Object | None], Object | None]
"""``(server, user, resource, old, new)``: returns the object as admitted (mutated or not); raises what it refuses with."""


@dataclass(frozen=True, slots=True)
class Change:
    """One entry of the watch history."""

    version: int
    type: str  # ADDED | MODIFIED | DELETED
    resource: Resource
    object: Object


@dataclass(frozen=True, slots=True)
class Write:
    """A change, with who made it and what was there before: what the invariants look at."""

    user: str
    change: Change
    old: Object | None


@dataclass(slots=True)
class _Stored:
    object: Object
    ownership: Ownership


T = TypeVar("T")


def copied(value: T) -> T:
    """A deep copy of a JSON value."""
    source: Any = value
    copy: T = marshal.loads(marshal.dumps(source))  # noqa: S302 - our own bytes; ten times faster than a copy in Python
    return copy


class ApiServer:
    """Objects by resource and place, with uids, generations, finalizers, field owners and a bounded watch history."""

    def __init__(self, clock: Clock, *, admission: Admission | None = None) -> None:
        self._clock = clock
        self._admission = admission
        self._stored: dict[Resource, dict[Place, _Stored]] = {}
        self._uids = 0
        self.version = _FIRST_VERSION
        self._history: dict[Resource, list[Change]] = {}
        self._compacted: dict[Resource, int] = {}
        self.on_write: Callable[[Write], None] | None = None

    # Reading

    def get(self, resource: Resource, namespace: str | None, name: str) -> Object | None:
        stored = self._all(resource).get((namespace or "", name))
        return copied(stored.object) if stored else None

    def read(self, resource: Resource, namespace: str | None, name: str) -> Object:
        """A copy of an object that has to be there.

        Raises:
            NotFound: it is not.
        """
        return copied(self._existing(resource, (namespace or "", name)).object)

    def peek(self, resource: Resource, namespace: str | None, name: str) -> Object | None:
        """The stored object itself, for readers that promise not to change it."""
        stored = self._all(resource).get((namespace or "", name))
        return stored.object if stored else None

    def peek_all(self, resource: Resource, namespace: str | None = None) -> list[Object]:
        """All stored objects of a resource, sorted by place, for readers that promise not to change them."""
        return [
            stored.object
            for place, stored in sorted(self._all(resource).items(), key=lambda entry: entry[0])
            if namespace is None or place[0] == namespace
        ]

    def select(
        self,
        resource: Resource,
        namespace: str | None = None,
        *,
        labels: Mapping[str, str] | None = None,
        fields: str | None = None,
    ) -> list[Object]:
        wanted = dict(labels or {})
        selected = dict(term.split("=", 1) for term in (fields or "").replace("==", "=").split(",") if term)
        return [
            copied(obj)
            for obj in self.peek_all(resource, namespace)
            if wanted.items() <= (obj["metadata"].get("labels") or {}).items()
            and all(_field(obj, path) == value for path, value in selected.items())
        ]

    def since(self, resource: Resource, version: int) -> list[Change]:
        """The changes of a resource after ``version``.

        Raises:
            Gone: the history does not reach back that far.
        """
        found = []
        while (change := self.next_after(resource, version)) is not None:
            found.append(change)
            version = change.version
        return found

    def next_after(self, resource: Resource, version: int) -> Change | None:
        """The first change of a resource after ``version``, if there is one.

        Raises:
            Gone: the history does not reach back that far.
        """
        changes = self._history.get(resource, [])
        index = bisect.bisect_right(changes, version, key=lambda change: change.version)
        if version < self._compacted.get(resource, 0):
            raise Gone(410, "Expired", f"too old resource version: {version}")
        return changes[index] if index < len(changes) else None

    def latest(self, resource: Resource) -> int:
        """The version of the last change of a resource."""
        changes = self._history.get(resource)
        return changes[-1].version if changes else self._compacted.get(resource, 0)

    def compact(self, resource: Resource) -> None:
        """Forget the watch history of a resource: who has not read it has to list again."""
        self._history.pop(resource, None)
        self._compacted[resource] = self.version

    # Writing

    def create(
        self, user: str, resource: Resource, namespace: str | None, body: Object, *, dry_run: bool = False
    ) -> Object:
        obj = _normalised(resource, namespace, body)
        kinds.refuse_unknown_fields(resource, obj)
        place = _place(obj)
        if place in self._all(resource):
            raise AlreadyExists(409, "AlreadyExists", f'{resource} "{place[1]}" already exists')
        if obj["metadata"].get("resourceVersion"):
            raise Invalid(400, "BadRequest", "resourceVersion should not be set on objects to be created")
        _strip(obj, _SERVER_OWNED)
        if resource in _WITH_STATUS:
            obj.pop("status", None)
        ownership = Ownership()
        if resource not in _OWNERLESS:
            ownership.update({}, _owned_part(obj, None), owner=(user, "Update", ""))
        return self._insert(user, resource, obj, ownership, dry_run=dry_run)

    def update(self, user: str, resource: Resource, obj: Object, *, subresource: str | None = None) -> Object:
        """Replace an object, as `kubectl replace` and controllers do; refused if it moved on since it was read."""
        place = _place(obj)
        stored = self._existing(resource, place)
        _check_fence(resource, stored.object, obj["metadata"])
        new = _combined(resource, stored.object, copied(obj), subresource)
        ownership = stored.ownership.copy()
        if resource not in _OWNERLESS and subresource is None:
            ownership.update(_owned_part(stored.object, None), _owned_part(new, None), owner=(user, "Update", ""))
        return self._replace(user, resource, stored, new, ownership, subresource=subresource, dry_run=False)

    def apply(
        self,
        user: str,
        resource: Resource,
        namespace: str | None,
        name: str,
        body: Object,
        *,
        manager: str,
        subresource: str | None = None,
        force: bool = True,
        dry_run: bool = False,
    ) -> Object:
        applied = _normalised(resource, namespace, body)
        if applied["metadata"].setdefault("name", name) != name:
            raise Invalid(400, "BadRequest", "the name of the object does not match the name on the URL")
        if applied["metadata"].get("managedFields"):
            raise Invalid(400, "BadRequest", "metadata.managedFields must be nil")
        kinds.refuse_unknown_fields(resource, applied)
        place = _place(applied)
        stored = self._all(resource).get(place)
        fence = {key: applied["metadata"].pop(key) for key in ("uid", "resourceVersion") if key in applied["metadata"]}
        owner = (manager, "Apply", subresource or "")
        if stored is None:
            return self._apply_new(user, resource, applied, fence, owner=owner, dry_run=dry_run)
        if subresource is not None:
            fence.pop("uid", None)  # the real server does not look at it there: only the version fences a status
        _check_fence(resource, stored.object, fence)
        ownership = stored.ownership.copy()
        live = _owned_part(stored.object, subresource)
        try:
            merged, conflicts = ownership.apply(
                live, _owned_part(applied, subresource, resource), owner=owner, force=force
            )
        except MissingKeyError as error:
            raise Invalid(422, "Invalid", f'{resource.kind} "{name}" is invalid: {error}') from error
        if conflicts:
            raise Conflict(409, "Conflict", f"Apply failed with {len(conflicts)} conflict: {', '.join(conflicts)}")
        new = _combined(
            resource,
            stored.object,
            {**_decoded(resource, merged), "metadata": _merged_metadata(stored.object, merged)},
            subresource,
        )
        return self._replace(user, resource, stored, new, ownership, subresource=subresource, dry_run=dry_run)

    def _apply_new(
        self,
        user: str,
        resource: Resource,
        applied: Object,
        fence: Mapping[str, Any],
        *,
        owner: tuple[str, str, str],
        dry_run: bool,
    ) -> Object:
        place = _place(applied)
        if owner[2]:
            raise NotFound(404, "NotFound", f'{resource} "{place[1]}" not found')
        if "uid" in fence:  # a resourceVersion alone does not keep the real server from creating it again
            raise Conflict(409, "Conflict", f'Operation cannot be fulfilled on {resource} "{place[1]}": object is gone')
        if resource in _WITH_STATUS:
            applied.pop("status", None)
        ownership = Ownership()
        try:
            ownership.apply({}, _owned_part(applied, None, resource), owner=owner, force=True)
        except MissingKeyError as error:
            raise Invalid(422, "Invalid", f'{resource.kind} "{place[1]}" is invalid: {error}') from error
        return self._insert(user, resource, applied, ownership, dry_run=dry_run)

    def delete(
        self,
        user: str,
        resource: Resource,
        namespace: str | None,
        name: str,
        *,
        uid: str | None = None,
        resource_version: str | None = None,
    ) -> None:
        place = (namespace or "", name)
        stored = self._existing(resource, place)
        _check_fence(resource, stored.object, {"uid": uid, "resourceVersion": resource_version})
        if self._admission:
            self._admission(self, user, resource, stored.object, None)
        if not stored.object["metadata"].get("finalizers"):
            self._remove(user, resource, place)
        elif "deletionTimestamp" not in stored.object["metadata"]:
            marked = copied(stored.object)
            marked["metadata"]["deletionTimestamp"] = timestamp(self._clock.now())
            self._store(user, resource, marked, stored.ownership, "MODIFIED")

    # How a write becomes a fact

    def _insert(self, user: str, resource: Resource, obj: Object, ownership: Ownership, *, dry_run: bool) -> Object:
        obj = kinds.defaulted(resource, obj)
        obj = self._admitted(user, resource, None, obj)
        kinds.validate(resource, obj, None)
        metadata = obj["metadata"]
        metadata["creationTimestamp"] = timestamp(self._clock.now())
        metadata["uid"] = f"00000000-0000-4000-8000-{self._uids + 1:012x}"
        if resource in _WITH_GENERATION:
            metadata["generation"] = 1
        if dry_run:
            return copied(obj)
        self._uids += 1
        return self._store(user, resource, obj, ownership, "ADDED")

    def _replace(
        self,
        user: str,
        resource: Resource,
        stored: _Stored,
        new: Object,
        ownership: Ownership,
        *,
        subresource: str | None,
        dry_run: bool,
    ) -> Object:
        old = stored.object
        new = kinds.defaulted(resource, new)
        for key in ("uid", "creationTimestamp", "resourceVersion", "deletionTimestamp", "generation"):
            if key in old["metadata"]:
                new["metadata"][key] = old["metadata"][key]
        if subresource is None:
            new = self._admitted(user, resource, old, new)
        kinds.validate(resource, new, old)
        if resource in _WITH_GENERATION and _desired(new) != _desired(old):
            new["metadata"]["generation"] = old["metadata"]["generation"] + 1
        if new == old and ownership.sets == stored.ownership.sets:  # who owns what is part of the object
            return copied(old)
        if dry_run:
            return copied(new)
        if "deletionTimestamp" in new["metadata"] and not new["metadata"].get("finalizers"):
            self._remove(user, resource, _place(new))
            return copied(new)
        return self._store(user, resource, new, ownership, "MODIFIED")

    def _admitted(self, user: str, resource: Resource, old: Object | None, new: Object) -> Object:
        admitted = self._admission(self, user, resource, old, new) if self._admission else None
        return admitted if admitted is not None else new

    def _store(self, user: str, resource: Resource, obj: Object, ownership: Ownership, kind: str) -> Object:
        self.version += 1
        obj["metadata"]["resourceVersion"] = str(self.version)
        old = self._all(resource).get(_place(obj))
        self._all(resource)[_place(obj)] = _Stored(obj, ownership)
        self._record(user, kind, resource, old.object if old else None, obj)
        return copied(obj)

    def _remove(self, user: str, resource: Resource, place: Place) -> None:
        old = self._all(resource).pop(place).object
        gone = copied(old)
        self.version += 1
        gone["metadata"]["resourceVersion"] = str(self.version)
        self._record(user, "DELETED", resource, old, gone)

    def _record(self, user: str, kind: str, resource: Resource, old: Object | None, obj: Object) -> None:
        change = Change(self.version, kind, resource, obj)
        self._history.setdefault(resource, []).append(change)
        if self.on_write is not None:
            self.on_write(Write(user, change, old))

    def _all(self, resource: Resource) -> dict[Place, _Stored]:
        return self._stored.setdefault(resource, {})

    def _existing(self, resource: Resource, place: Place) -> _Stored:
        stored = self._all(resource).get(place)
        if stored is None:
            raise NotFound(404, "NotFound", f'{resource} "{place[1]}" not found')
        return stored

    # The garbage collector

    def orphans(self) -> list[tuple[Resource, Object]]:
        """Objects whose owners are all gone (by uid): what the garbage collector deletes."""
        alive = {stored.object["metadata"]["uid"] for places in self._stored.values() for stored in places.values()}
        return [
            (resource, stored.object)
            for resource in (SERVICES, DEPLOYMENTS, CONTROLLER_REVISIONS, REPLICA_SETS, PODS)
            for _, stored in sorted(self._all(resource).items(), key=lambda entry: entry[0])
            if (owners := stored.object["metadata"].get("ownerReferences"))
            and not any(owner["uid"] in alive for owner in owners)
        ]


def _normalised(resource: Resource, namespace: str | None, body: Object) -> Object:
    obj: Object = copied(body)
    obj.setdefault("apiVersion", resource.api_version)
    obj.setdefault("kind", resource.kind)
    if resource_of(obj) != resource:
        raise Invalid(400, "BadRequest", f"the object is a {obj['kind']}, the URL is for {resource}")
    metadata = obj.setdefault("metadata", {})
    if resource.namespaced and metadata.setdefault("namespace", namespace) != namespace:
        raise Invalid(400, "BadRequest", "the namespace of the object does not match the namespace on the request")
    return obj


def _place(obj: Object) -> Place:
    metadata = obj["metadata"]
    return metadata.get("namespace") or "", metadata["name"]


def _strip(obj: Object, names: tuple[str, ...]) -> None:
    for name in names:
        obj["metadata"].pop(name, None)


def _check_fence(resource: Resource, live: Object, fence: Mapping[str, Any]) -> None:
    for field in ("uid", "resourceVersion"):
        expected = fence.get(field)
        if expected and expected != live["metadata"][field]:
            raise Conflict(
                409,
                "Conflict",
                f'Operation cannot be fulfilled on {resource} "{live["metadata"]["name"]}": {field} is '
                f"{live['metadata'][field]}, not {expected}",
            )


def _owned_part(obj: Object, subresource: str | None, resource: Resource | None = None) -> Object:
    """What a writer of the main resource, or of the status subresource, owns and changes."""
    if subresource == "status":
        return {"status": obj["status"]} if "status" in obj else {}
    part: Object = {key: value for key, value in obj.items() if key not in ("apiVersion", "kind", "metadata")}
    if resource is None or resource in _WITH_STATUS:
        part.pop("status", None)
    metadata = {
        key: obj["metadata"][key]
        for key in ("labels", "annotations", "ownerReferences", "finalizers")
        if obj["metadata"].get(key)
    }
    return {**part, "metadata": metadata} if metadata else part


def _decoded(resource: Resource, merged: Object) -> Object:
    """A built-in kind reads null as absent; a custom resource keeps it, and its schema refuses it."""
    return copied(merged) if resource in OWN_KINDS else _without_nulls(merged)


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_without_nulls(item) for item in value]
    return value


def _merged_metadata(live: Object, merged: Object) -> Object:
    kept = {
        key: value
        for key, value in live["metadata"].items()
        if key not in ("labels", "annotations", "ownerReferences", "finalizers")
    }
    return {**copied(kept), **_without_nulls(merged.get("metadata") or {})}


def _combined(resource: Resource, old: Object, new: Object, subresource: str | None) -> Object:
    """The new state of the object: a status write changes only the status, a main write everything else."""
    if resource not in _WITH_STATUS:
        return {**new, "apiVersion": old["apiVersion"], "kind": old["kind"]}
    if subresource == "status":
        combined: Object = copied({key: value for key, value in old.items() if key != "status"})
        if "status" in new:
            combined["status"] = new["status"]
        return combined
    combined = {**new, "apiVersion": old["apiVersion"], "kind": old["kind"]}
    combined.pop("status", None)
    if "status" in old:
        combined["status"] = copied(old["status"])
    return combined


def _desired(obj: Object) -> Object:
    return {key: value for key, value in obj.items() if key not in ("metadata", "status")}


def _field(obj: Object, path: str) -> str:
    here: Any = obj
    for step in path.strip(".").split("."):
        here = here.get(step) if isinstance(here, dict) else None
    return "" if here is None else str(here)
