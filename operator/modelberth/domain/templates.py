"""Faults of a pod template that the API server cannot know of, because they concern what Modelberth adds to it."""

from collections.abc import Callable, Iterator
from typing import Any, Final

from modelberth.api import names
from modelberth.domain.objects import Object, dig

_CONTAINER: Final = {"env": [{}], "volumeMounts": [{}], "ports": [{"containerPort": 0}]}
_SHAPE: Final = {
    "metadata": {"labels": {}, "annotations": {}},
    "spec": {"securityContext": {}, "volumes": [{}], "initContainers": [_CONTAINER], "containers": [_CONTAINER]},
}
"""What rendering relies on: maps, lists of maps, a number in each port. All else is for the API server to judge."""


def faults(template: Object, *, container: str | None, mount_path: str, where: str) -> Iterator[str]:
    """Each fault as one sentence that names the field (below ``where``) and the mend.

    What the template itself says wrongly is left to the API server's dry run, which knows it better; but nothing can
    be added to a template, and tried, that is not even shaped like one.
    """
    misshapen = next(_misshapen(template, _SHAPE, where), None)
    if misshapen is not None:
        yield misshapen
        return
    containers = dig(template, "spec", "containers")
    if not containers:
        yield f"{where}.spec.containers: the template has no containers; give it the one that serves the model"
        return
    yield from _reserved_names(template, where)
    yield from _reserved_labels(template, where)
    server = server_container(template, container)
    if server is None:
        known = ", ".join(sorted(str(c.get("name")) for c in containers))
        yield f"spec.container: the template has no container {container}; it has {known}"
        return
    yield from _server_faults(server, mount_path=mount_path, where=where)


def server_container(template: Object, container: str | None) -> Object | None:
    """The container that serves the model: the named one, else the first."""
    containers = dig(template, "spec", "containers") or []
    if container is None:
        return containers[0] if containers else None
    return next((c for c in containers if c.get("name") == container), None)


def _reserved_names(template: Object, where: str) -> Iterator[str]:
    reserved: tuple[tuple[str, Callable[[str], bool]], ...] = (
        ("containers", lambda name: name == names.LOADER_CONTAINER),
        ("initContainers", lambda name: name == names.LOADER_CONTAINER),
        ("volumes", lambda name: name in names.INJECTED_VOLUMES),
    )
    for field, is_reserved in reserved:
        for index, entry in enumerate(dig(template, "spec", field) or ()):
            name = str(entry.get("name"))
            if is_reserved(name):
                yield f"{where}.spec.{field}[{index}].name: {name} is reserved for what Modelberth adds; rename it"


def _reserved_labels(template: Object, where: str) -> Iterator[str]:
    for key in sorted(dig(template, "metadata", "labels") or {}):
        if key in names.INJECTED_LABELS:
            yield f"{where}.metadata.labels: {key} is set by Modelberth; remove it"


def _server_faults(server: Object, *, mount_path: str, where: str) -> Iterator[str]:
    path = f"{where}.spec.containers[name={server.get('name')}]"
    for entry in server.get("env") or ():
        if str(entry.get("name")) in names.INJECTED_ENV:
            yield f"{path}.env: {entry['name']} is set by Modelberth; remove it"
    for entry in server.get("volumeMounts") or ():
        if str(entry.get("mountPath")).rstrip("/") == mount_path.rstrip("/"):
            yield (
                f"{path}.volumeMounts: {mount_path} is where the model is mounted; "
                "mount something else elsewhere or set spec.loader.mountPath"
            )


def _misshapen(value: Any, shape: Any, path: str) -> Iterator[str]:
    """Where ``value`` is no map, list or number although ``shape`` has one there; null counts as left out."""
    if not isinstance(value, type(shape)):
        yield f"{path} must be {_KINDS[type(shape)]}; correct the template"
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _misshapen(item, shape[0], f"{path}[{index}]")
    elif isinstance(value, dict):
        for field, below in shape.items():
            if value.get(field) is not None or isinstance(below, int):
                yield from _misshapen(value.get(field), below, f"{path}.{field}")


_KINDS: Final = {dict: "a map", list: "a list", int: "a number"}
