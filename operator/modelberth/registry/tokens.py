"""Pods' tokens, judged without the API server first: signature, issuer, audience, expiry.

The API server's own verdict (TokenReview: does the pod still exist?) comes after, so a forged token costs it nothing.
Only the audience `modelberth` alone is accepted: a token that the API server would take, too, could be replayed by
whoever gets hold of this process.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

import jwt

from modelberth.api.names import AUDIENCE
from modelberth.registry.problems import unauthorized
from modelberth.runtime.errors import ApiError

ALGORITHMS = ("RS256", "RS384", "RS512", "ES256", "ES384", "ES512")
_REREAD_SECONDS = 600.0
_SOONEST_SECONDS = 10.0
_LEEWAY_SECONDS = 10
_MAX_TOKEN = 16 * 1024

Fetch = Callable[[str], Awaitable[dict[str, Any]]]
"""GET of a path of the API server, decoded; raises an `ApiError`."""


class IssuerDocuments(Protocol):
    """Where the API server says who issues its tokens, and with which keys."""

    async def issuer(self) -> str:
        """The issuer, from `/.well-known/openid-configuration`."""
        ...

    async def key_set(self) -> dict[str, Any]:
        """The JSON Web Key Set."""
        ...


class TokenVerifier:
    """Verifies tokens by the cluster's own keys, which are read again when an unknown key turns up.

    Args:
        documents: the API server's.
        monotonic: seconds since some point.
    """

    def __init__(self, documents: IssuerDocuments, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._documents = documents
        self._monotonic = monotonic
        self._issuer = ""
        self._keys: dict[str, jwt.PyJWK] = {}
        self._read_at = float("-inf")
        self._lock = asyncio.Lock()

    async def refresh(self) -> None:
        """Read issuer and keys now.

        Raises:
            ApiError: the API server does not give them.
        """
        issuer, keys = await self._documents.issuer(), await self._documents.key_set()
        self._keys = {str(key.key_id): key for key in jwt.PyJWKSet.from_dict(keys).keys}
        self._issuer = issuer
        self._read_at = self._monotonic()

    async def claims(self, token: str) -> dict[str, Any]:
        """The claims of a token that is good for us.

        Raises:
            Problem: 401 for every other one.
            ApiError: the keys cannot be read.
        """
        try:
            header = jwt.get_unverified_header(token) if len(token) <= _MAX_TOKEN else {}
        except jwt.PyJWTError:
            raise unauthorized() from None
        key = await self._key(str(header.get("kid", "")))
        if key is None:
            raise unauthorized()
        try:
            claims: dict[str, Any] = jwt.decode(
                token,
                key,
                algorithms=ALGORITHMS,
                audience=AUDIENCE,
                issuer=self._issuer,
                leeway=_LEEWAY_SECONDS,
                options={"require": ["exp", "iss", "aud", "sub"]},
            )
        except jwt.PyJWTError:
            raise unauthorized() from None
        if claims["aud"] not in (AUDIENCE, [AUDIENCE]):
            raise unauthorized()
        return claims

    async def _key(self, name: str) -> jwt.PyJWK | None:
        if name in self._keys and self._age() < _REREAD_SECONDS:
            return self._keys[name]
        async with self._lock:
            # Unknown keys may be forged: they make the API server read its keys out once in a while, not each time.
            if self._age() >= (_REREAD_SECONDS if name in self._keys else _SOONEST_SECONDS):
                await self._reread(name)
        return self._keys.get(name)

    async def _reread(self, name: str) -> None:
        try:
            await self.refresh()
        except ApiError:
            if name not in self._keys:
                raise

    def _age(self) -> float:
        return self._monotonic() - self._read_at


class ApiServerDocuments:
    """`IssuerDocuments` of the API server, which serves both to every service account.

    Args:
        fetch: GET of a path of the API server, decoded.
    """

    def __init__(self, fetch: Fetch) -> None:
        self._fetch = fetch

    async def issuer(self) -> str:
        """See `IssuerDocuments.issuer`."""
        return str((await self._fetch("/.well-known/openid-configuration")).get("issuer", ""))

    async def key_set(self) -> dict[str, Any]:
        """See `IssuerDocuments.key_set`."""
        return await self._fetch("/openid/v1/jwks")
