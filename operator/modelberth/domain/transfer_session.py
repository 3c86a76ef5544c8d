"""A TransferSession: somebody's permission to push or pull for a while. It expires by itself and is removed."""

from datetime import datetime, timedelta
from typing import Any

from modelberth.api.conditions import timestamp
from modelberth.domain.objects import Object, dig, generation_of, timestamps
from modelberth.domain.verdicts import Standing, Verdict, summarise

DEFAULT_TTL_SECONDS = 3600


def expires_at(session: Object) -> datetime:
    """Creation time, which the API server set, plus the life that the spec asks for."""
    created = next(timestamps(dig(session, "metadata", "creationTimestamp")))
    return created + timedelta(seconds=int(dig(session, "spec", "ttlSeconds") or DEFAULT_TTL_SECONDS))


def status_of(session: Object, *, now: datetime) -> dict[str, Any]:
    """The status of a session that is still open."""
    end = timestamp(expires_at(session))
    generation = generation_of(session)
    verdict = Verdict("Open", Standing.READY, "Open", f"open until {end}")
    old = dig(session, "status", "conditions") or []
    return {
        "observedGeneration": generation,
        "expiresAt": end,
        "conditions": summarise(old, verdict, generation=generation, now=now),
    }
