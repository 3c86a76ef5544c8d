"""Connections over real TLS: who is trusted, who we are, and under which name the server is verified."""

import asyncio
import http.client
import ssl
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from aiohttp import web

from modelberth.runtime.certificates import new_authority, new_serving
from modelberth.runtime.connection import ConfigurationError, Connection
from modelberth.runtime.credentials import ClientCertificate, StaticCredentials
from modelberth.runtime.errors import ApiUnavailable
from modelberth.runtime.kube_client import KubeClient
from modelberth.runtime.resources import PODS

NOW = datetime.now(UTC)
CA = new_authority(NOW)
SERVER = new_serving(CA, ("localhost",), NOW)
CLIENT = new_serving(CA, ("client",), NOW)


def serving_context(folder) -> ssl.SSLContext:
    chain, key = Path(folder, "chain.pem"), Path(folder, "key.pem")
    chain.write_bytes(SERVER.certificate)
    key.write_bytes(SERVER.key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain, key)
    return context


@asynccontextmanager
async def tls_server(tmp_path):
    """An HTTPS server for "localhost"."""
    context = serving_context(tmp_path)

    async def handle(request):
        return web.json_response({"metadata": {"name": request.path}})

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handle)
    runner = web.AppRunner(app, handle_signals=False, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    try:
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


async def answer(connection):
    async with KubeClient(connection) as kube:
        return (await kube.get(PODS, "ns", "p"))["metadata"]["name"]


async def test_the_servers_certificate_is_verified(tmp_path):
    """With its CA it is trusted, with another one it is not."""
    async with tls_server(tmp_path) as port:
        assert (
            await answer(Connection(f"https://localhost:{port}", ca=CA.certificate)) == "/api/v1/namespaces/ns/pods/p"
        )
        with pytest.raises(ApiUnavailable, match="certificate verify failed"):
            await answer(Connection(f"https://localhost:{port}", ca=new_authority(NOW).certificate))


async def test_another_name_than_the_address_can_be_verified(tmp_path):
    """`tls-server-name` counts instead of the host; without it an address that is not in the certificate is refused."""
    async with tls_server(tmp_path) as port:
        by_address = Connection(f"https://127.0.0.1:{port}", ca=CA.certificate, tls_server_name="localhost")
        assert await answer(by_address) == "/api/v1/namespaces/ns/pods/p"
        with pytest.raises(ApiUnavailable, match="certificate verify failed"):
            await answer(Connection(f"https://127.0.0.1:{port}", ca=CA.certificate))


async def test_verification_can_be_switched_off(tmp_path):
    """`insecure-skip-tls-verify`, for those who ask for it."""
    async with tls_server(tmp_path) as port:
        assert await answer(Connection(f"https://127.0.0.1:{port}", insecure=True)) == "/api/v1/namespaces/ns/pods/p"


class TestClientCertificates:
    def test_nothing_of_the_key_stays_on_the_disk(self, tmp_path, monkeypatch):
        """OpenSSL reads keys from files only; the file lives as long as the reading. Later calls give the same context."""
        monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
        pair = ClientCertificate(CLIENT.certificate, CLIENT.key)
        connection = Connection("https://localhost", credentials=StaticCredentials(certificate=pair), insecure=True)
        assert connection.tls() is connection.tls()
        assert list(tmp_path.iterdir()) == []

    def test_a_pair_that_does_not_match_is_refused(self):
        """Before anything is sent."""
        wrong = ClientCertificate(CLIENT.certificate, SERVER.key)
        connection = Connection("https://localhost", credentials=StaticCredentials(certificate=wrong))
        with pytest.raises(ConfigurationError, match="no matching pair"):
            connection.tls()

    def test_a_ca_that_is_no_pem_is_refused(self):
        """With the server's name, not with OpenSSL's."""
        with pytest.raises(ConfigurationError, match="the certificate authority of https://localhost is no PEM"):
            Connection("https://localhost", ca=b"garbage").tls()


async def test_http_client_can_use_the_same_connection(tmp_path):
    """The CLI speaks through the standard library: same context, same name, same headers."""
    async with tls_server(tmp_path) as port:
        connection = Connection(f"https://127.0.0.1:{port}", ca=CA.certificate, tls_server_name="localhost")

        def ask():
            parts = urlsplit(connection.server)
            plain = http.client.HTTPSConnection(parts.hostname, parts.port, context=connection.tls(), timeout=10)
            plain.request("GET", "/", headers=dict(connection.headers()))
            status = plain.getresponse().status
            plain.close()
            return status

        assert await asyncio.to_thread(ask) == 200


def test_plain_http_has_no_tls():
    """For API servers behind `kubectl proxy`."""
    assert Connection("http://127.0.0.1:8001").tls() is None
