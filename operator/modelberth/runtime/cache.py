"""What the watches have told so far: the latest known state of every watched object, with indexes.

Invariants
- *Newer wins.* Within one resource, resource versions are comparable integers (KEP-5504), also across a deletion and a
  re-creation. An older state, or one from before a known deletion, never replaces a newer one, whichever way it came:
  by watch, by list, or as the answer to a write of our own.
- *No ghosts.* kopf reports no deletes that happened while a watch was down. `replace` takes a complete list and drops
  what is gone, but never something that was observed after the list was asked for.
- Objects in here are shared: nobody changes them.

It belongs to one event loop and is not thread-safe.
"""

from collections import OrderedDict, defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping

from modelberth.runtime.resources import (
    MODEL_ARTIFACTS,
    REGISTERED_MODELS,
    Key,
    Object,
    Resource,
    key_of,
    resource_of,
)

IndexFunction = Callable[[Object], Iterable[str]]
"""Names the values under which an object is found by `Cache.by_index`; pure."""

Listener = Callable[[Resource, Object | None, Object | None], None]
"""Hears of every change as (resource, old, new); old is None for a new object, new is None for one that is gone."""

Mark = Mapping[Key, int]
"""What the cache held at a moment, as resource versions: taken before a list is asked for."""

_REMEMBERED_DELETIONS = 10_000
_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


class Cache:
    """The objects of every watched resource, by namespace and name."""

    def __init__(self, *, keep_managed_fields: Collection[Resource] = (REGISTERED_MODELS, MODEL_ARTIFACTS)) -> None:
        """Start empty.

        Args:
            keep_managed_fields: the resources whose `metadata.managedFields` somebody reads (who moved an alias);
                they are most of an object's size, so all others lose them.
        """
        self._keep_managed_fields = frozenset(keep_managed_fields)
        self._objects: dict[Resource, dict[str, dict[str, Object]]] = defaultdict(lambda: defaultdict(dict))
        self._indexes: dict[Resource, dict[str, _Index]] = defaultdict(dict)
        self._deletions: dict[Resource, OrderedDict[Key, int]] = defaultdict(OrderedDict)
        self._synced: set[Resource] = set()
        self._listeners: list[Listener] = []

    def add_index(self, resource: Resource, name: str, function: IndexFunction) -> None:
        """Keep an index from now on. To be called before the first object comes in.

        Raises:
            ValueError: there are objects already, or an index of that name.
        """
        if self._objects[resource] or name in self._indexes[resource]:
            raise ValueError(f"index {name} of {resource}: register it once, before the first object is observed")
        self._indexes[resource][name] = _Index(function)

    def subscribe(self, listener: Listener) -> None:
        """Call the listener after every change, in the order of the changes."""
        self._listeners.append(listener)

    def get(self, resource: Resource, namespace: str | None, name: str) -> Object | None:
        """The latest known state of an object, or None."""
        return self._objects[resource].get(namespace or "", {}).get(name)

    def by_index(self, resource: Resource, index: str, namespace: str, value: str) -> list[Object]:
        """The objects of a namespace for which the index function named this value, sorted by name."""
        names = self._indexes[resource][index].names(namespace, value)
        return [self._objects[resource][namespace][name] for name in sorted(names)]

    def list(self, resource: Resource, namespace: str | None = None) -> list[Object]:
        """All known objects of a resource (in one namespace), in no particular order."""
        if namespace is not None:
            return [*self._objects[resource].get(namespace, {}).values()]
        return [obj for objects in self._objects[resource].values() for obj in objects.values()]

    def observe(self, obj: Object) -> bool:
        """Take in a state of an object; says whether it was news.

        Raises:
            LookupError: the object is of a resource that Modelberth does not know.
        """
        resource, key = resource_of(obj), key_of(obj)
        old = self.get(resource, key.namespace, key.name)
        version = resource_version_of(obj)
        if old is not None and version <= resource_version_of(old):
            return False
        if version <= self._deletions[resource].get(key, -1):
            return False
        self._deletions[resource].pop(key, None)
        self._store(resource, key, old, self._trimmed(resource, obj))
        return True

    def forget(self, resource: Resource, namespace: str | None, name: str, *, resource_version: int = 0) -> bool:
        """Take in that an object is gone; says whether it was news.

        Args:
            resource: what it was.
            namespace: where it was.
            name: its name.
            resource_version: the version of the deletion, as a DELETED event carries it. A newer object of the same
                name stays, and older states are refused from then on. 0 means: whatever is there, is gone.
        """
        key = Key(namespace or "", name)
        old = self.get(resource, key.namespace, name)
        if old is not None and 0 < resource_version < resource_version_of(old):
            return False
        self._remember_deletion(resource, key, max(resource_version, resource_version_of(old) if old else 0))
        if old is None:
            return False
        self._store(resource, key, old, None)
        return True

    def mark(self, resource: Resource) -> Mark:
        """What is known now; to be taken before asking for the list that goes into `replace`."""
        return {key_of(obj): resource_version_of(obj) for obj in self.list(resource)}

    def replace(self, resource: Resource, objects: Iterable[Object], *, since: Mark) -> int:
        """Take in a complete list of a resource; says how many changes the watches had missed.

        Args:
            resource: what was listed.
            objects: all objects that the API server has (in the watched namespaces), read after `since` was taken.
            since: the mark. What changed after it is left alone: the watch knows better than the list.
        """
        changes, listed = 0, set()
        for obj in objects:
            listed.add(key_of(obj))
            changes += self.observe(obj)
        for key, version in since.items():
            known = self.get(resource, key.namespace, key.name)
            if key not in listed and known is not None and resource_version_of(known) == version:
                changes += self.forget(resource, key.namespace, key.name)
        self._synced.add(resource)
        return changes

    def synced(self, *resources: Resource) -> bool:
        """Whether a complete list of each of these resources has been taken in."""
        return self._synced.issuperset(resources)

    def _store(self, resource: Resource, key: Key, old: Object | None, new: Object | None) -> None:
        if new is None:
            del self._objects[resource][key.namespace][key.name]
            if not self._objects[resource][key.namespace]:
                del self._objects[resource][key.namespace]
        else:
            self._objects[resource][key.namespace][key.name] = new
        for index in self._indexes[resource].values():
            index.change(key, old, new)
        for listener in self._listeners:
            listener(resource, old, new)

    def _remember_deletion(self, resource: Resource, key: Key, version: int) -> None:
        deletions = self._deletions[resource]
        deletions[key] = max(version, deletions.pop(key, 0))
        while len(deletions) > _REMEMBERED_DELETIONS:
            deletions.popitem(last=False)

    def _trimmed(self, resource: Resource, obj: Object) -> Object:
        """The object without what nobody reads; the caller's own object stays as it is."""
        metadata = dict(obj["metadata"])
        if resource not in self._keep_managed_fields:
            metadata.pop("managedFields", None)
        annotations = metadata.get("annotations")
        if annotations and _LAST_APPLIED in annotations:
            metadata["annotations"] = {name: text for name, text in annotations.items() if name != _LAST_APPLIED}
        return {**obj, "metadata": metadata}


class _Index:
    """One index of one resource: (namespace, value) → names."""

    def __init__(self, function: IndexFunction) -> None:
        self._function = function
        self._names: dict[tuple[str, str], set[str]] = defaultdict(set)

    def names(self, namespace: str, value: str) -> Collection[str]:
        return self._names.get((namespace, value), ())

    def change(self, key: Key, old: Object | None, new: Object | None) -> None:
        before = set(self._function(old)) if old is not None else set()
        after = set(self._function(new)) if new is not None else set()
        for value in before - after:
            names = self._names[key.namespace, value]
            names.discard(key.name)
            if not names:
                del self._names[key.namespace, value]
        for value in after - before:
            self._names[key.namespace, value].add(key.name)


def resource_version_of(obj: Object) -> int:
    """An object's resource version as the number that it is; 0 for an object that was never stored."""
    return int(obj["metadata"].get("resourceVersion") or 0)
