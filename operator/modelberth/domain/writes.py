"""The writes a plan may hold. Each is idempotent and carries what was observed, so that a stale writer is refused."""

from dataclasses import dataclass
from enum import StrEnum

from modelberth.domain.objects import Object, uid_of


class Verb(StrEnum):
    """How a body reaches the API server."""

    CHECK = "check"  # server-side dry run: refuses as the real write would, changes nothing
    CREATE = "create"  # POST
    CLAIM = "claim"  # server-side apply *without* force: creates, and conflicts where somebody else's object stands
    APPLY = "apply"  # server-side apply with force and the uid and resourceVersion that were observed
    DELETE = "delete"  # with the uid that was observed


@dataclass(frozen=True, slots=True)
class Write:
    """One write; ``body`` is the whole object (for DELETE and preconditions: its identity)."""

    verb: Verb
    body: Object
    manager: str


def check(body: Object, *, manager: str) -> Write:
    """A dry run of ``claim(body)``."""
    return Write(Verb.CHECK, body, manager)


def create(body: Object, *, manager: str) -> Write:
    """A POST: the object is never changed afterwards (a ControllerRevision)."""
    return Write(Verb.CREATE, body, manager)


def claim(body: Object, *, manager: str) -> Write:
    """The first apply of an object.

    A POST would leave an ``Update`` entry in managedFields that co-owns every field for ever, so that a field left
    out of a later apply would stay. Without force an object that somebody else made under the name is a conflict
    (its selector differs), never taken over.
    """
    return Write(Verb.CLAIM, body, manager)


def apply(body: Object, *, observed: Object, manager: str) -> Write:
    """An apply that only the state that was observed accepts: 409 if it moved on, no resurrection if it is gone."""
    fenced = {
        **body,
        "metadata": {
            **body["metadata"],
            "uid": uid_of(observed),
            "resourceVersion": observed["metadata"]["resourceVersion"],
        },
    }
    return Write(Verb.APPLY, fenced, manager)


def delete(observed: Object, *, manager: str) -> Write:
    """A deletion of exactly the object that was observed, not of a namesake."""
    return Write(Verb.DELETE, observed, manager)
