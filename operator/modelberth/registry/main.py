"""`python -m modelberth registry`: the process."""

import asyncio
import logging
import signal
import socket
import ssl
import sys
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager, suppress
from datetime import UTC, datetime
from functools import partial

import uvicorn
from fastapi import FastAPI

from modelberth.registry.api_server import fetch
from modelberth.registry.app import create_app
from modelberth.registry.listening import listen
from modelberth.registry.metrics import RegistryMetrics
from modelberth.registry.peers import Peers
from modelberth.registry.pods import Pods
from modelberth.registry.run_callers import RunPods
from modelberth.registry.services import Endpoints, Services
from modelberth.registry.sessions import Sessions
from modelberth.registry.settings import RegistrySettings
from modelberth.registry.startup import Startup
from modelberth.registry.tls import ServingCertificate
from modelberth.registry.tokens import ApiServerDocuments, TokenVerifier
from modelberth.runtime.connection import ConfigurationError
from modelberth.runtime.kube_client import KubeClient
from modelberth.runtime.kubeconfig import load_connection
from modelberth.runtime.logging import configure_logging
from modelberth.runtime.settings import SettingsError
from modelberth.store.connection import Endpoint
from modelberth.store.content_store import open_bucket

_DRAIN_SECONDS = 20
_KEEP_ALIVE_SECONDS = 60
_BACKLOG = 2048

log = logging.getLogger(__name__)


def main() -> int:
    """Serve until told to end. Returns the exit status."""
    try:
        settings = RegistrySettings.from_environment()
    except SettingsError as error:
        sys.stderr.write(f"modelberth registry: {error}\n")
        return 2
    configure_logging(settings.log_level)
    try:
        asyncio.run(serve(settings))
    except (ConfigurationError, OSError, ValueError) as error:
        log.error("cannot start", extra={"why": str(error)})  # noqa: TRY400 - the sentence says it all
        return 1
    return 0


async def serve(settings: RegistrySettings) -> None:
    """Run the registry in this event loop.

    Raises:
        ConfigurationError: there is no API server to talk to.
        OSError: certificate or CA cannot be read, or the port is taken.
        ValueError: an endpoint of the store is no address.
    """
    async with AsyncExitStack() as stack:
        certificate = _certificate(settings)
        app, startup = await _assemble(settings, stack)
        tasks = [asyncio.create_task(startup.run())]
        if certificate is None:
            log.warning("serving plain HTTP: tokens and sessions can be read on the way")
        else:
            tasks.append(asyncio.create_task(certificate.follow()))
        stack.push_async_callback(_end, tasks)
        server = _Server(_config(app, certificate.context if certificate else None))
        await server.serve([listen(settings.port, backlog=_BACKLOG)])


async def _assemble(settings: RegistrySettings, stack: AsyncExitStack) -> tuple[FastAPI, Startup]:
    metrics = RegistryMetrics()
    connection = load_connection()
    kube = await stack.enter_async_context(KubeClient(connection, observe=metrics.observe_api_request))
    store = settings.store
    bucket = open_bucket(
        endpoint=store.endpoint,
        bucket=store.bucket,
        region=store.region,
        access_key_file=store.access_key_file,
        secret_key_file=store.secret_key_file,
        ca_file=store.ca_file,
    )
    stack.callback(bucket.close)
    documents = ApiServerDocuments(partial(fetch, connection, observe=metrics.observe_api_request))
    verifier = TokenVerifier(documents)
    services = Services(
        pods=Pods(kube, verifier),
        sessions=Sessions(kube, now=lambda: datetime.now(UTC)),
        runs=RunPods(kube),
        endpoints=Endpoints(
            Endpoint(store.internal_endpoint),
            Endpoint(store.external_endpoint) if store.external_endpoint else None,
        ),
        metrics=metrics,
        peers=_peers(settings),
    )
    stack.push_async_callback(services.jobs.close)
    startup = Startup(
        services, kube=kube, verifier=verifier, bucket=bucket, lineage_memory=settings.lineage_memory_mib * 2**20
    )
    return create_app(services), startup


def _certificate(settings: RegistrySettings) -> ServingCertificate | None:
    if settings.cert_file is None or settings.key_file is None:
        return None
    return ServingCertificate(settings.cert_file, settings.key_file)


def _peers(settings: RegistrySettings) -> Peers | None:
    if settings.peers is None:
        return None
    ca_file = settings.ca_file if settings.cert_file else None
    return Peers(settings.peers, port=settings.port, server_name=settings.server_name, ca_file=ca_file)


def _config(app: FastAPI, context: ssl.SSLContext | None) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        lifespan="off",
        backlog=_BACKLOG,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=_DRAIN_SECONDS,
        ssl_context_factory=None if context is None else lambda *_: context,
    )


class _Server(uvicorn.Server):
    """uvicorn, which would raise the signal that ended it once more; here that is how it is meant to end."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """End gracefully on SIGTERM and SIGINT."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.handle_exit, number, None)
        yield

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Answer what is being asked, and let idle clients go at once.

        Closing TLS politely waits for each idle client's goodbye, which most never say before the time is up.
        """
        for connection in list(self.server_state.connections):
            cycle = getattr(connection, "cycle", None)
            if connection.transport is not None and (cycle is None or cycle.response_complete):
                connection.transport.abort()
        await super().shutdown(sockets)


async def _end(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    for task in tasks:
        with suppress(asyncio.CancelledError):
            await task
