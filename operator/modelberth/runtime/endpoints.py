"""The process's own HTTP endpoint: /metrics for Prometheus, /healthz and /readyz for the kubelet."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from aiohttp import web

from modelberth.runtime.health import Health
from modelberth.runtime.metrics import Metrics

_EXPOSITION = "text/plain; version=0.0.4; charset=utf-8"


@asynccontextmanager
async def serve_endpoints(*, port: int, metrics: Metrics, health: Health) -> AsyncIterator[int]:
    """Serve on all addresses while the context lasts; gives the port, which 0 leaves to the system.

    Raises:
        OSError: the port is taken.
    """

    async def exposition(_: web.Request) -> web.Response:
        return web.Response(body=metrics.exposition(), headers={"Content-Type": _EXPOSITION})

    async def live(_: web.Request) -> web.Response:
        return _verdict(health.problems())

    async def ready(_: web.Request) -> web.Response:
        reason = health.unready_reason()
        return _verdict([reason] if reason else [])

    app = web.Application()
    app.add_routes([web.get("/metrics", exposition), web.get("/healthz", live), web.get("/readyz", ready)])
    runner = web.AppRunner(app, handle_signals=False, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        site = web.TCPSite(runner, None, port)
        await site.start()
        # One socket for each IP version, with a port each if the system chose them: an IPv4 address is a pair.
        yield int(min(runner.addresses, key=len)[1])
    finally:
        await runner.cleanup()


def _verdict(problems: Sequence[str]) -> web.Response:
    return web.Response(text="\n".join(problems) or "ok", status=503 if problems else 200)
