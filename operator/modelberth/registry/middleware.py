"""What surrounds every request: the limit of its body, and what is counted and logged about it.

Plain ASGI, because bodies and answers are streamed. A line of the log names the route's template, never a query.
"""

import logging
import time
from typing import Any

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from modelberth.content.layout import MAX_LAYOUT_BYTES
from modelberth.content.tree import MAX_TREE_BYTES
from modelberth.registry.limits import JSON_BYTES
from modelberth.registry.metrics import RegistryMetrics

log = logging.getLogger(__name__)

_QUIET = frozenset({"/healthz", "/readyz", "/metrics", "/v1/namespaces/{ns}/progress", "/v1/progress"})
_NO_ROUTE = "(none)"
_BODILESS = frozenset({"GET", "HEAD"})


def body_limit(path: str) -> int:
    """How many bytes a request to this path may have."""
    if "/trees/" in path:
        return MAX_TREE_BYTES
    if "/commits/" in path:
        return MAX_LAYOUT_BYTES
    return JSON_BYTES


class BodyLimit:
    """Refuses bodies over their limit: by what they announce, and again by what comes.

    A refused body that is over its limit, or whose end nobody knows, is not read to its end: the connection is closed
    after the answer. Any other one is drained by the server, so that the client sees the answer and not a reset.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limit = body_limit(scope["path"])
        too_large = HTTPException(413, f"the body has more than {limit} bytes")
        announced = dict(scope["headers"]).get(b"content-length")
        is_endless = announced is None and scope["method"] not in _BODILESS
        over = announced is not None and announced.isdigit() and int(announced) > limit
        received = 0

        async def limited() -> Message:
            nonlocal received, is_endless
            if over:
                raise too_large
            message = await receive()
            received += len(message.get("body", b""))
            if received > limit:
                raise too_large
            is_endless = is_endless and message.get("more_body", False)
            return message

        async def closing(message: Message) -> None:
            if message["type"] == "http.response.start" and (over or is_endless or received > limit):
                message = {**message, "headers": [*message["headers"], (b"connection", b"close")]}
            await send(message)

        await self._app(scope, limited, closing)


class AccessLog:
    """Counts every request and logs those that write or fail."""

    def __init__(self, app: ASGIApp, *, metrics: RegistryMetrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.monotonic()
        status = 500

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = int(message["status"])
            await send(message)

        try:
            await self._app(scope, receive, watched)
        finally:
            self._record(scope, status, time.monotonic() - started)

    def _record(self, scope: Scope, status: int, seconds: float) -> None:
        route = str(getattr(scope.get("route"), "path", _NO_ROUTE))
        method = str(scope["method"]) if route != _NO_ROUTE else "(any)"
        self._metrics.requests.labels(method=method, route=route, code=str(status)).inc()
        self._metrics.seconds.labels(route=route).observe(seconds)
        is_quiet = route in _QUIET or method == "GET"
        level = logging.DEBUG if is_quiet and status < 400 else logging.INFO
        if not log.isEnabledFor(level):
            return
        state: dict[str, Any] = scope.get("state") or {}
        parameters = scope.get("path_params") or {}
        log.log(
            level,
            "request",
            extra={
                "method": method,
                "route": route,
                "status": status,
                "seconds": round(seconds, 4),
                "namespace": parameters.get("ns"),
                "caller": state.get("caller"),
            },
        )
