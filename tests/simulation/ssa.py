"""Server-side apply on JSON trees: who owns which field, and what an apply changes.

A *path* names a field: map keys are strings, items of keyed lists are tuples of their key values. Lists without a key
and the maps of ``_ATOMIC_MAPS`` are one value each. As in structured-merge-diff, an apply owns exactly the fields of
its body; a field left out is removed when nobody else owns it. Items of keyed lists and of maps of objects are owned
as such, beside their fields; a container that somebody still owns and that has lost its last field becomes null.
"""

from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from typing import Any

Step = str | tuple[Any, ...]
Path = tuple[Step, ...]

_LIST_KEYS: dict[str, tuple[tuple[str, Any], ...]] = {
    "containers": (("name", None),),
    "initContainers": (("name", None),),
    "volumes": (("name", None),),
    "env": (("name", None),),
    "imagePullSecrets": (("name", None),),
    "volumeMounts": (("mountPath", None),),
    "ownerReferences": (("uid", None),),
    "conditions": (("type", None),),
}
"""Keyed lists by the name of their field; each key with the default that the API server fills in."""

_OBJECT_MAPS = frozenset({"aliases", "links"})
"""Maps whose keys are the users' and whose values are objects."""
_MEMBER: Any = object()
"""Stands for the value of an item that is owned as such."""
_ATOMIC_MAPS = frozenset({"selector", "nodeSelector", "matchLabels", "fieldRef", "resourceFieldRef"})


class MissingKeyError(ValueError):
    """An item of a keyed list lacks its key."""


def list_keys(path: Path) -> tuple[tuple[str, Any], ...] | None:
    """The keys of the list at ``path``; None for an atomic list."""
    name = path[-1] if path else None
    if name == "ports":  # containers and Services name their ports' key differently
        inside_pod = any(step in ("containers", "initContainers") for step in path)
        return (("containerPort" if inside_pod else "port", None), ("protocol", "TCP"))
    return _LIST_KEYS.get(name) if isinstance(name, str) else None


def item_key(item: Any, keys: tuple[tuple[str, Any], ...], path: Path) -> tuple[Any, ...]:
    """The step that names ``item`` within its list.

    Raises:
        MissingKeyError: a key without default is not there.
    """
    values = tuple(item.get(name, default) if isinstance(item, dict) else None for name, default in keys)
    if None in values:
        wanted = keys[values.index(None)][0]
        raise MissingKeyError(f"{dotted(path)}: element without its key {wanted}")
    return values


def dotted(path: Path) -> str:
    """A path as error messages write it."""
    return "".join(f".{step}" if isinstance(step, str) else f"[{','.join(map(str, step))}]" for step in path)


def leaves(value: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Every field of ``value`` with its path; items of keyed lists and of maps of objects come as such, too."""
    if isinstance(value, dict) and value and (not path or path[-1] not in _ATOMIC_MAPS):
        for key, child in value.items():
            if path and path[-1] in _OBJECT_MAPS:
                yield (*path, key), _MEMBER
            yield from leaves(child, (*path, key))
    elif isinstance(value, list) and value and (keys := list_keys(path)):
        for item in value:
            here = (*path, item_key(item, keys, path))
            yield here, _MEMBER
            yield from leaves(item, here)
    else:
        yield path, value


def merge(live: Any, applied: Any, path: Path = ()) -> Any:
    """``live`` with all fields of ``applied`` set; neither is changed."""
    if isinstance(applied, dict) and isinstance(live, dict) and (not path or path[-1] not in _ATOMIC_MAPS):
        merged = dict(live)
        for key, child in applied.items():
            merged[key] = merge(live.get(key), child, (*path, key))
        return merged
    keys = list_keys(path)
    if isinstance(applied, list) and isinstance(live, list) and keys:
        return _merge_keyed(live, applied, keys, path)
    return applied


def _merge_keyed(live: list[Any], applied: list[Any], keys: tuple[tuple[str, Any], ...], path: Path) -> list[Any]:
    wanted = {item_key(item, keys, path): item for item in applied}
    old = {item_key(item, keys, path): item for item in live}
    return [
        merge(old.get(key), wanted[key], (*path, key)) if key in wanted else old[key]
        for key in _interleaved([*old], [*wanted])
    ]


def _interleaved(live: list[Any], applied: list[Any]) -> Iterator[Any]:
    """The order of a merged list: the applied one's, with what only the live one has where it stood."""
    rest = list(live)
    for key in applied:
        while rest and rest[0] != key and rest[0] not in applied:
            yield rest.pop(0)
        if key in rest:
            rest.remove(key)
        yield key
    yield from rest


def lookup(value: Any, path: Path) -> Any:
    """What stands at ``path``; None if nothing does."""
    here = value
    for depth, step in enumerate(path):
        if isinstance(step, str):
            here = here.get(step) if isinstance(here, dict) else None
        else:
            here = _find(here, step, path[:depth])
        if here is None:
            return None
    return here


def _find(items: Any, step: tuple[Any, ...], path: Path) -> Any:
    keys = list_keys(path)
    if keys is None or not isinstance(items, list):
        return None
    return next((item for item in items if item_key(item, keys, path) == step), None)


def without(value: Any, path: Path, owned: AbstractSet[Path], parent: Path = ()) -> Any:
    """``value`` without the field at ``path``; a container that becomes empty goes too, or is null if it is owned."""
    step, rest = path[0], path[1:]
    here = (*parent, step)
    if isinstance(step, str):
        if not isinstance(value, dict) or step not in value:
            return value
        others = {key: item for key, item in value.items() if key != step}
        child = without(value[step], rest, owned, here) if rest else None
        if rest and child in ({}, [], None):
            return {**others, step: None} if here in owned else others
        return {**value, step: child} if rest else others
    keys = list_keys(parent)
    if keys is None or not isinstance(value, list):
        return value
    kept = []
    for item in value:
        if item_key(item, keys, parent) != step:
            kept.append(item)
        elif rest:
            kept.append(without(item, rest, owned, here))
    return kept


class Ownership:
    """Who owns which fields of one object. Managers are compared by name, operation and subresource, as the server does."""

    __slots__ = ("sets",)

    def __init__(self) -> None:
        self.sets: dict[tuple[str, str, str], frozenset[Path]] = {}

    def copy(self) -> "Ownership":
        twin = Ownership()
        twin.sets = dict(self.sets)
        return twin

    def apply(self, live: Any, applied: Any, *, owner: tuple[str, str, str], force: bool) -> tuple[Any, list[str]]:
        """The object after the apply, or the conflicts that stand against it (then nothing is changed)."""
        fields = {path: value for path, value in leaves(applied) if path}  # an empty body owns nothing
        paths = frozenset(fields)
        conflicts = [] if force else self._conflicts(live, fields, owner)
        if conflicts:
            return live, conflicts
        result = merge(live, applied)
        kept: set[Path] = set()
        for other, theirs in self.sets.items():
            if other != owner:
                kept |= theirs
        for path in sorted(self.sets.get(owner, frozenset()) - paths, key=_length_then_text):
            if path not in kept and not _has_below(kept | paths, path):
                result = without(result, path, kept | paths)
        self._take_over(live, fields, owner)
        self._keep(owner, paths)
        return result, []

    def _conflicts(self, live: Any, fields: dict[Path, Any], owner: tuple[str, str, str]) -> list[str]:
        return [
            f'conflict with "{other[0]}": {dotted(path)}'
            for other, theirs in self.sets.items()
            if other != owner
            for path in sorted(theirs & fields.keys(), key=_length_then_text)
            if _is_changed(live, path, fields[path])
        ]

    def _take_over(self, live: Any, fields: dict[Path, Any], owner: tuple[str, str, str]) -> None:
        for other, theirs in list(self.sets.items()):
            lost = {path for path in theirs & fields.keys() if other != owner and _is_changed(live, path, fields[path])}
            self._keep(other, theirs - lost)

    def update(self, old: Any, new: Any, *, owner: tuple[str, str, str]) -> None:
        """Account for a plain update: the writer owns what changed, the others lose it."""
        before, after = dict(leaves(old)), dict(leaves(new))
        changed = {path for path, value in after.items() if path not in before or before[path] != value}
        gone = before.keys() - after.keys()
        for other, theirs in list(self.sets.items()):
            self._keep(other, theirs - gone - (changed if other != owner else frozenset()))
        if changed:
            self.sets[owner] = self.sets.get(owner, frozenset()) | changed

    def _keep(self, owner: tuple[str, str, str], paths: frozenset[Path]) -> None:
        if paths:
            self.sets[owner] = paths
        else:
            self.sets.pop(owner, None)


def _is_changed(live: Any, path: Path, value: Any) -> bool:
    """Whether setting the field changes it; an item as such, and a container without contents, changes nothing."""
    is_container = value == {} or (value == [] and list_keys(path) is not None)
    return value is not _MEMBER and not is_container and lookup(live, path) != value


def _length_then_text(path: Path) -> tuple[int, str]:
    return len(path), repr(path)


def _has_below(paths: set[Path] | frozenset[Path], prefix: Path) -> bool:
    size = len(prefix)
    return any(len(path) > size and path[:size] == prefix for path in paths)
