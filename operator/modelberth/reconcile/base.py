"""What every reconciler does alike: carry out a plan's writes, and write a status once, last."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from modelberth.domain.objects import Object, name_of, namespace_of, uid_of
from modelberth.domain.verdicts import Event
from modelberth.domain.writes import Verb, Write
from modelberth.runtime.cache import Cache, resource_version_of
from modelberth.runtime.errors import AlreadyExists, Conflict, Forbidden, Invalid, NotFound
from modelberth.runtime.kube import NO_VERSION, KubeApi
from modelberth.runtime.resources import Resource, resource_of
from modelberth.runtime.results import DONE, Reconciler, Result

__all__ = ["DONE", "Outcome", "Reconciler", "Recorder", "Result", "execute", "send", "write_status"]


class Recorder(Protocol):
    """Sends events. Never fails and never blocks."""

    def event(self, regarding: Object, type: str, reason: str, message: str) -> None:  # noqa: A002 - the API's word
        """Tell that something happened to an object."""
        ...


@dataclass(slots=True)
class Outcome:
    """What became of a plan's writes: the objects as the API server returned them, and the refusal that ended them."""

    written: dict[tuple[str, str], Object] = field(default_factory=dict)  # (kind, name)
    refusal: Forbidden | Invalid | None = None


async def execute(writes: Iterable[Write], *, kube: KubeApi, cache: Cache) -> Outcome:
    """Carry out writes in order, up to the first that the API server refuses for what it says.

    Raises:
        ApiError: anything else (Conflict: what was observed is no longer so). Doing it all again is always right.
    """
    outcome = Outcome()
    for write in writes:
        try:
            written = await _carry_out(_follow_on(write, outcome), kube)
        except (Invalid, Forbidden) as refusal:
            outcome.refusal = refusal
            return outcome
        if written is not None:
            outcome.written[write.body["kind"], name_of(write.body)] = written
            cache.observe(written)
    return outcome


def _follow_on(write: Write, outcome: Outcome) -> Write:
    """A second write to the same object is fenced by what the first one returned."""
    earlier = outcome.written.get((write.body["kind"], name_of(write.body)))
    if write.verb is not Verb.APPLY or earlier is None:
        return write
    version = earlier["metadata"]["resourceVersion"]
    metadata = {**write.body["metadata"], "resourceVersion": version}
    return Write(write.verb, {**write.body, "metadata": metadata}, write.manager)


async def _carry_out(write: Write, kube: KubeApi) -> Object | None:
    body = write.body
    resource, namespace, name = resource_of(body), namespace_of(body), name_of(body)
    match write.verb:
        case Verb.CHECK:
            await kube.apply(resource, namespace, name, body, manager=write.manager, dry_run=True)
            return None
        case Verb.CREATE:
            return await _create_once(resource, namespace, body, kube)
        case Verb.CLAIM:
            fenced = {**body, "metadata": {**body["metadata"], "resourceVersion": NO_VERSION}}
            return await kube.apply(resource, namespace, name, fenced, manager=write.manager, force=False)
        case Verb.APPLY:
            return await kube.apply(resource, namespace, name, body, manager=write.manager)
        case Verb.DELETE:
            await kube.delete(resource, namespace, name, uid=uid_of(body))
            return None


async def _create_once(resource: Resource, namespace: str, body: Object, kube: KubeApi) -> Object:
    """Create an object that never changes. One that says the same is our own, whose answer was lost.

    Raises:
        Conflict: the name is taken by another one (a predecessor's, which the collector is about to remove).
    """
    try:
        return await kube.create(resource, namespace, body)
    except AlreadyExists as taken:
        there = await kube.get(resource, namespace, name_of(body))
        if there is not None and _says_the_same(there, body):
            return there
        raise Conflict(taken.status, taken.reason, taken.message) from taken


def _says_the_same(there: Object, body: Object) -> bool:
    owners = [reference["uid"] for reference in there["metadata"].get("ownerReferences") or ()]
    wanted = [reference["uid"] for reference in body["metadata"].get("ownerReferences") or ()]
    return owners == wanted and there.get("data") == body.get("data")


async def write_status(
    resource: Resource, observed: Object, status: Mapping[str, Any], *, manager: str, kube: KubeApi, cache: Cache
) -> bool:
    """Write a status if it differs from the one observed; says whether it is now as given.

    An object that is gone needs no status: then False.

    Raises:
        Conflict: the object changed since it was observed; what is said about it may be wrong.
    """
    # A map that loses its last entry by being applied empty becomes null, and the schema refuses null (server-side
    # apply's own rule, measured); being left out takes it away.
    status = {field: value for field, value in status.items() if value != {}}
    if observed.get("status") == status:
        return True
    body = {
        "apiVersion": observed["apiVersion"],
        "kind": observed["kind"],
        "metadata": {
            "name": name_of(observed),
            "namespace": namespace_of(observed),
            "uid": uid_of(observed),
            "resourceVersion": observed["metadata"]["resourceVersion"],
        },
        "status": status,
    }
    key = namespace_of(observed), name_of(observed)
    try:
        written = await kube.apply(resource, *key, body, manager=manager, subresource="status")
    except NotFound:
        # Nobody told of the deletion yet; until then its children would be made again and collected again.
        version = resource_version_of(observed)
        cache.forget(resource, *key, resource_version=version)
        return False
    cache.observe(written)
    return True


def send(recorder: Recorder, regarding: Object, events: Iterable[Event]) -> None:
    """Send what happened, in order."""
    for event in events:
        recorder.event(regarding, event.type, event.reason, event.message)
