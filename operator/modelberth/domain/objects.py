"""Reading Kubernetes objects: JSON in, plain values out, nothing assumed to be there."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

Object = dict[str, Any]


def dig(obj: Mapping[str, Any] | None, *path: str) -> Any:
    """The value below ``path``, or None where any step is missing or no mapping."""
    here: Any = obj
    for step in path:
        if not isinstance(here, Mapping):
            return None
        here = here.get(step)
    return here


def name_of(obj: Mapping[str, Any]) -> str:
    """``metadata.name``."""
    return str(obj["metadata"]["name"])


def namespace_of(obj: Mapping[str, Any]) -> str:
    """``metadata.namespace``."""
    return str(obj["metadata"]["namespace"])


def uid_of(obj: Mapping[str, Any]) -> str:
    """``metadata.uid``."""
    return str(obj["metadata"]["uid"])


def generation_of(obj: Mapping[str, Any]) -> int:
    """``metadata.generation``; kinds without one count as generation 0."""
    return int(dig(obj, "metadata", "generation") or 0)


def annotation(obj: Mapping[str, Any] | None, key: str) -> str | None:
    """One annotation."""
    return (dig(obj, "metadata", "annotations") or {}).get(key)


def label(obj: Mapping[str, Any] | None, key: str) -> str | None:
    """One label."""
    return (dig(obj, "metadata", "labels") or {}).get(key)


def is_deleting(obj: Mapping[str, Any]) -> bool:
    """Whether the API server has accepted the object's deletion."""
    return dig(obj, "metadata", "deletionTimestamp") is not None


def is_controlled_by(obj: Mapping[str, Any], owner: Mapping[str, Any]) -> bool:
    """Whether ``owner`` is the controller of ``obj``, by uid: a name may have been used before."""
    return any(
        reference.get("controller") and reference.get("uid") == uid_of(owner)
        for reference in dig(obj, "metadata", "ownerReferences") or ()
    )


def controller_reference(owner: Mapping[str, Any]) -> Object:
    """An ownerReference that makes ``owner`` the controller, so that the collector follows its deletion."""
    return {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": name_of(owner),
        "uid": uid_of(owner),
        "controller": True,
        "blockOwnerDeletion": True,
    }


def condition(obj: Mapping[str, Any] | None, kind: str) -> Mapping[str, Any] | None:
    """The status condition of type ``kind``."""
    for entry in dig(obj, "status", "conditions") or ():
        if entry.get("type") == kind:
            return dict(entry)
    return None


def is_ready(obj: Mapping[str, Any]) -> bool:
    """Whether ``Ready`` is True *for the generation that is there now*."""
    ready = condition(obj, "Ready")
    return bool(
        ready and ready.get("status") == "True" and dig(obj, "status", "observedGeneration") == generation_of(obj)
    )


def timestamps(*values: Any) -> Iterator[datetime]:
    """The RFC 3339 values among ``values`` as aware datetimes; everything else is passed over."""
    for value in values:
        if isinstance(value, str) and value:
            yield datetime.fromisoformat(value).astimezone(UTC)


def contains(live: Any, wanted: Any) -> bool:
    """Whether ``live`` says all that ``wanted`` says; what the API server defaulted beside it does not count.

    Lists must have the same length and agree item by item.
    """
    if isinstance(wanted, Mapping):
        return isinstance(live, Mapping) and all(key in live and contains(live[key], wanted[key]) for key in wanted)
    if isinstance(wanted, list):
        return isinstance(live, list) and len(live) == len(wanted) and all(map(contains, live, wanted))
    return bool(live == wanted)
