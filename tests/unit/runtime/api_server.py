"""A small real HTTP server that answers as it is told and remembers what it was asked."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from modelberth.runtime.connection import Connection
from modelberth.runtime.credentials import Credentials, StaticCredentials


@dataclass
class Asked:
    """One request as it arrived."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: Any


@dataclass
class Answering:
    """Answers from a list, the last one again and again."""

    url: str = ""
    answers: list[web.Response | Callable[[Asked], web.Response]] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)
    hang: asyncio.Event | None = None

    def connection(self, credentials: Credentials | None = None) -> Connection:
        return Connection(server=self.url, credentials=credentials or StaticCredentials())

    async def handle(self, request: web.Request) -> web.StreamResponse:
        text = await request.text()
        asked = Asked(
            request.method, request.path, dict(request.query), dict(request.headers), json.loads(text) if text else None
        )
        self.asked.append(asked)
        if self.hang is not None:
            await self.hang.wait()
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return answer(asked) if callable(answer) else answer


def ok(body: Any) -> Callable[[Asked], web.Response]:
    """200 with a JSON body."""
    return lambda _: web.json_response(body)


def status(code: int, reason: str, message: str, *, headers: dict[str, str] | None = None, **details: Any):
    """A refusal as the API server words it."""
    body = {
        "kind": "Status",
        "status": "Failure",
        "code": code,
        "reason": reason,
        "message": message,
        "details": details,
    }
    return lambda _: web.json_response(body, status=code, headers=headers)


def text(code: int, words: str) -> Callable[[Asked], web.Response]:
    """An answer by something that is no API server, such as a load balancer."""
    return lambda _: web.Response(status=code, text=words)


@asynccontextmanager
async def answering(*answers) -> AsyncIterator[Answering]:
    """Serve these answers on a port of this machine."""
    server = Answering(answers=list(answers))
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", server.handle)
    runner = web.AppRunner(app, handle_signals=False, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    server.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield server
    finally:
        if server.hang is not None:
            server.hang.set()
        await runner.cleanup()
