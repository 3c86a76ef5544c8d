"""Faults of a pod template that the API server cannot know of, because they concern what Modelberth adds to it."""

from collections.abc import Callable, Iterator
from typing import Any

from modelberth.api import names
from modelberth.domain.objects import Object, dig


def faults(template: Object, *, container: str | None, mount_path: str, where: str) -> Iterator[str]:
    """Each fault as one sentence that names the field (below ``where``) and the mend.

    What the template itself says wrongly is left to the API server's dry run, which knows it better.
    """
    containers = dig(template, "spec", "containers")
    if not isinstance(containers, list) or not containers:
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
        for index, entry in enumerate(_mappings(dig(template, "spec", field))):
            name = str(entry.get("name"))
            if is_reserved(name):
                yield f"{where}.spec.{field}[{index}].name: {name} is reserved for what Modelberth adds; rename it"


def _reserved_labels(template: Object, where: str) -> Iterator[str]:
    for key in sorted(dig(template, "metadata", "labels") or {}):
        if key in names.INJECTED_LABELS:
            yield f"{where}.metadata.labels: {key} is set by Modelberth; remove it"


def _server_faults(server: Object, *, mount_path: str, where: str) -> Iterator[str]:
    path = f"{where}.spec.containers[name={server.get('name')}]"
    for entry in _mappings(server.get("env")):
        if entry.get("name") in names.INJECTED_ENV:
            yield f"{path}.env: {entry['name']} is set by Modelberth; remove it"
    for entry in _mappings(server.get("volumeMounts")):
        if str(entry.get("mountPath")).rstrip("/") == mount_path.rstrip("/"):
            yield (
                f"{path}.volumeMounts: {mount_path} is where the model is mounted; "
                "mount something else elsewhere or set spec.loader.mountPath"
            )


def _mappings(value: Any) -> list[Object]:
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []
