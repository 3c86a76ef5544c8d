"""Pods before the registry: TokenReview for who they are, SubjectAccessReview for what they may do."""

import hashlib
import time
from collections.abc import Callable, Mapping
from typing import Any

from modelberth.api.names import AUDIENCE, CONTENT_SUBRESOURCE, GROUP, NAMESPACE_PODS_GROUP
from modelberth.content.collections import Family
from modelberth.registry.caches import AgingCache
from modelberth.registry.callers import PodCaller
from modelberth.registry.limits import RateLimit
from modelberth.registry.problems import unauthorized
from modelberth.registry.tokens import TokenVerifier
from modelberth.runtime.kube import KubeApi
from modelberth.runtime.resources import (
    DATASET_VERSIONS,
    MODEL_DEPLOYMENTS,
    MODEL_VERSIONS,
    SUBJECT_ACCESS_REVIEWS,
    TOKEN_REVIEWS,
    TRAINING_RUNS,
    Resource,
)

POSITIVE_SECONDS = 30.0
"""How long a yes of the API server counts."""
NEGATIVE_SECONDS = 3.0
"""How long a no counts: a right that is given takes effect soon, and who asks without end costs next to nothing."""
CONTENT_RESOURCES: Mapping[Family, Resource] = {
    "models": MODEL_VERSIONS,
    "datasets": DATASET_VERSIONS,
    "runs": TRAINING_RUNS,
}
"""Whose sub-resource `content` stands for the bytes of a family."""
_REMEMBERED = 20_000
_Question = tuple[PodCaller, str, str]
"""Who asks, for which resource, in which namespace."""


class Pods:
    """Authenticates tokens and asks what their owners may do.

    Args:
        kube: the API server.
        verifier: refuses forged tokens before the API server hears of them.
        monotonic: seconds since some point.
    """

    def __init__(
        self, kube: KubeApi, verifier: TokenVerifier, *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._kube = kube
        self._verifier = verifier
        self._known: AgingCache[str, PodCaller] = AgingCache(seconds=POSITIVE_SECONDS, weight=_REMEMBERED)
        # A no that is remembered does not help against who asks for another namespace each time.
        self._refusals = RateLimit(per_second=5, burst=50, each="pod", monotonic=monotonic)
        self._allowed: AgingCache[_Question, bool] = AgingCache(
            seconds=POSITIVE_SECONDS, weight=_REMEMBERED, monotonic=monotonic
        )
        self._denied: AgingCache[_Question, bool] = AgingCache(
            seconds=NEGATIVE_SECONDS, weight=_REMEMBERED, monotonic=monotonic
        )

    async def authenticate(self, token: str) -> PodCaller:
        """Whose token it is.

        Raises:
            Problem: 401 unless the API server vouches for it, for our audience.
            ApiError: the API server does not answer.
        """
        name = hashlib.sha256(token.encode(errors="surrogateescape")).hexdigest()
        known = self._known.get(name)
        if known is not None:
            return known
        claims = await self._verifier.claims(token)
        caller = await self._review(token)
        self._known.put(name, caller, seconds=float(claims["exp"]) - time.time())
        return caller

    async def may_read_content(self, caller: PodCaller, namespace: str, family: Family) -> bool:
        """Whether the caller has `get` on the `content` of the family's kind there, such as `modelversions/content`.

        A pod asking for content of its own namespace is reviewed with one more group, which the chart binds to that
        right by default: a binding that can be taken away, not a second path in the code.
        """
        own = bool(caller.pod) and caller.namespace == namespace
        groups = (*caller.groups, NAMESPACE_PODS_GROUP) if own else caller.groups
        attributes = {
            "group": GROUP,
            "resource": CONTENT_RESOURCES[family].plural,
            "subresource": CONTENT_SUBRESOURCE,
            "verb": "get",
            "namespace": namespace,
        }
        return await self._may(caller, groups, attributes)

    async def may_see_progress(self, caller: PodCaller) -> bool:
        """Whether the caller may read the state of every ModelDeployment, as the operator does."""
        attributes = {"group": GROUP, "resource": MODEL_DEPLOYMENTS.plural, "subresource": "status", "verb": "get"}
        return await self._may(caller, caller.groups, attributes)

    async def _review(self, token: str) -> PodCaller:
        body = {"spec": {"token": token, "audiences": [AUDIENCE]}}
        status = (await self._kube.create(TOKEN_REVIEWS, None, body)).get("status") or {}
        if status.get("authenticated") is not True or AUDIENCE not in (status.get("audiences") or ()):
            raise unauthorized()
        return PodCaller.from_review(status.get("user") or {})

    async def _may(self, caller: PodCaller, groups: tuple[str, ...], attributes: dict[str, str]) -> bool:
        key = (caller, attributes["resource"], attributes.get("namespace", ""))
        if self._allowed.get(key):
            return True
        if self._denied.get(key):
            return False
        self._refusals.check(_pod_of(caller))
        spec: dict[str, Any] = {
            "user": caller.user,
            "uid": caller.uid,
            "groups": list(groups),
            "extra": caller.extra,
            "resourceAttributes": attributes,
        }
        review = await self._kube.create(SUBJECT_ACCESS_REVIEWS, None, {"spec": spec})
        allowed = (review.get("status") or {}).get("allowed") is True
        (self._allowed if allowed else self._denied).put(key, value=True)
        if not allowed:
            self._refusals.take(_pod_of(caller))
        return allowed


def _pod_of(caller: PodCaller) -> str:
    """Names the pod; of a token that is bound to none, the account."""
    return f"{caller.pod} of {caller.user}" if caller.pod else caller.user
