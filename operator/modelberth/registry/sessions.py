"""Users before the registry: a TransferSession of the namespace, and the secret whose hash it holds."""

import hashlib
import hmac
import re
import time
from collections.abc import Callable
from datetime import datetime, timedelta

from pydantic import ValidationError

from modelberth.api.transfer_session import TransferSessionSpec
from modelberth.content.collections import Collection, artifact, dataset
from modelberth.registry.caches import AgingCache
from modelberth.registry.callers import SessionCaller
from modelberth.registry.limits import RateLimit
from modelberth.registry.problems import Problem, unauthorized
from modelberth.runtime.clock import parse_rfc3339
from modelberth.runtime.kube import KubeApi
from modelberth.runtime.resources import TRANSFER_SESSIONS, Object

POSITIVE_SECONDS = 30.0
_REMEMBERED = 10_000
_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
_MAX_SECRET = 512


class Sessions:
    """Authenticates users by their sessions.

    Args:
        kube: the API server.
        now: the wall time in UTC.
        monotonic: seconds since some point.
    """

    def __init__(
        self, kube: KubeApi, *, now: Callable[[], datetime], monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._kube = kube
        self._now = now
        # Each wrong session that is asked for costs the API server a read.
        self._refusals = RateLimit(per_second=5, burst=50, monotonic=monotonic)
        self._known: AgingCache[tuple[str, str, bytes], SessionCaller] = AgingCache(
            seconds=POSITIVE_SECONDS, weight=_REMEMBERED
        )

    async def authenticate(self, namespace: str, header: str) -> SessionCaller:
        """Whose session it is.

        Args:
            namespace: where the session has to be.
            header: `<name>.<secret>`.

        Raises:
            Problem: 401 for a session that is not there, not theirs, or over, without telling which; 429 after many.
            ApiError: the API server does not answer.
        """
        name, _, secret = header.rpartition(".")
        if not _NAME.fullmatch(name) or not 0 < len(secret) <= _MAX_SECRET:
            raise unauthorized()
        shown = hashlib.sha256(secret.encode(errors="surrogateescape"))
        key = (namespace, name, shown.digest())
        known = self._known.get(key)
        if known is not None:
            return known
        self._refusals.check(namespace)
        session = await self._kube.get(TRANSFER_SESSIONS, namespace, name)
        spec = _spec(session)
        if session is None or spec is None or not hmac.compare_digest(spec.secret_hash, shown.hexdigest()):
            raise self._refusal(namespace)
        left = self._seconds_left(session, spec)
        if left <= 0:
            raise self._refusal(namespace)
        caller = SessionCaller(
            user=spec.user,
            namespace=namespace,
            uid=str(session["metadata"]["uid"]),
            operation=spec.operation,
            family=spec.family.value,
            collection=_collection(spec),
        )
        self._known.put(key, caller, seconds=left)
        return caller

    def _refusal(self, namespace: str) -> Problem:
        self._refusals.take(namespace)
        return unauthorized()

    def _seconds_left(self, session: Object, spec: TransferSessionSpec) -> float:
        metadata = session["metadata"]
        if metadata.get("deletionTimestamp"):
            return 0.0
        ends = parse_rfc3339(metadata["creationTimestamp"]) + timedelta(seconds=spec.ttl_seconds)
        return (ends - self._now()).total_seconds()


def _collection(spec: TransferSessionSpec) -> Collection | None:
    if spec.artifact is not None:
        return artifact(spec.artifact)
    return None if spec.dataset is None else dataset(spec.dataset)


def _spec(session: Object | None) -> TransferSessionSpec | None:
    """What the session allows; None for a session that this program does not understand, or for none."""
    try:
        return None if session is None else TransferSessionSpec.model_validate(session.get("spec"))
    except ValidationError:
        return None
