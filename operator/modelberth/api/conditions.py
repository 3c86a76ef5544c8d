"""Conditions of a status: a list that is a map by type, changed by pure functions.

`lastTransitionTime` moves only when a condition's status does, so an unchanged situation leaves the list unchanged and
no write is needed (kubernetes/community, api-conventions.md, "Typical status properties").
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

READY: Final = "Ready"
RECONCILING: Final = "Reconciling"
STALLED: Final = "Stalled"
STORED: Final = "Stored"

MESSAGE_LIMIT: Final = 4096
"""Characters of a message that the CRDs accept; longer ones are cut here, so that a status write is never refused."""


def set_condition(
    old: Sequence[Mapping[str, Any]],
    *,
    type: str,  # noqa: A002 - the field's name in the API
    status: str,
    reason: str,
    message: str,
    generation: int,
    now: datetime,
) -> list[dict[str, Any]]:
    """The list with one condition set, sorted by type.

    `status` is "True", "False" or "Unknown"; `generation` is the `metadata.generation` that was judged; `now` is taken
    over only where the status differs from the old one's.

    Raises:
        ValueError: the status is none of the three, or `now` is without a time zone.
    """
    if status not in {"True", "False", "Unknown"}:
        raise ValueError(f"condition {type}: status {status!r} is not True, False or Unknown")
    before = find_condition(old, type)
    unchanged = before is not None and before.get("status") == status
    condition = {
        "type": type,
        "status": status,
        "reason": reason,
        "message": shortened(message),
        "lastTransitionTime": before["lastTransitionTime"] if before and unchanged else timestamp(now),
        "observedGeneration": generation,
    }
    return sorted([*remove_condition(old, type), condition], key=lambda entry: str(entry["type"]))


def remove_condition(old: Sequence[Mapping[str, Any]], type: str) -> list[dict[str, Any]]:  # noqa: A002
    """The list without one condition, in the order it had."""
    return [dict(entry) for entry in old if entry["type"] != type]


def find_condition(conditions: Sequence[Mapping[str, Any]], type: str) -> Mapping[str, Any] | None:  # noqa: A002
    """The condition of a type, or None."""
    return next((entry for entry in conditions if entry["type"] == type), None)


def shortened(message: str) -> str:
    """The message, cut to `MESSAGE_LIMIT` characters with a mark where something is missing."""
    return message if len(message) <= MESSAGE_LIMIT else message[: MESSAGE_LIMIT - 1] + "…"


def timestamp(now: datetime) -> str:
    """RFC 3339 in UTC, whole seconds, as the API server writes `metadata.creationTimestamp`.

    Raises:
        ValueError: the time has no zone.
    """
    if now.tzinfo is None:
        raise ValueError("a timestamp needs a time zone")
    return now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
