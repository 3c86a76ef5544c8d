"""How to reach the API server: address, trust, proxy, credentials. The CLI and the operator use the same one.

It needs nothing but the standard library, so that it serves `http.client` and aiohttp alike.
"""

import ipaddress
import os
import ssl
import tempfile
import threading
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from modelberth.runtime.credentials import ClientCertificate, Credentials, Headers, StaticCredentials, TokenFile

SERVICE_ACCOUNT_FOLDER = Path("/var/run/secrets/kubernetes.io/serviceaccount")
"""Where the kubelet mounts a pod's token, CA and namespace."""


class ConfigurationError(Exception):
    """No usable description of a cluster; the message names the file and the field, and what to do."""


@dataclass(eq=False, slots=True)
class Connection:
    """One API server and who we are to it.

    Attributes:
        server: `https://host:port`, possibly with a path prefix, without a slash at the end.
        namespace: where objects are meant that name no namespace.
        credentials: who we are.
        ca: the certificates to trust, PEM; None for the system's.
        tls_server_name: the name that the server's certificate has to carry, if not the one in `server`.
        insecure: do not verify the server at all.
        proxy: an `http://` or `https://` proxy to go through.
        impersonation: headers by which we ask to be somebody else.
    """

    server: str
    namespace: str = "default"
    credentials: Credentials = field(default_factory=StaticCredentials)
    ca: bytes | None = field(default=None, repr=False)
    tls_server_name: str | None = None
    insecure: bool = False
    proxy: str | None = None
    impersonation: tuple[tuple[str, str], ...] = ()
    _tls: "_ClientContext | None" = field(default=None, init=False, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)

    def headers(self) -> Headers:
        """The headers of a request sent now. May block (see `ready`).

        Raises:
            CredentialsError: there are no credentials to be had.
        """
        return [*self.credentials.headers(), *self.impersonation]

    def ready(self) -> bool:
        """Whether `headers` answers without running a program."""
        return self.credentials.ready()

    def refresh(self) -> None:
        """The server answered 401: get credentials anew, for new connections also the client certificate."""
        self.credentials.refresh()
        with self._lock:
            if self._tls is not None:
                _present(self._tls, self.credentials.certificate())

    def tls(self) -> ssl.SSLContext | None:
        """The TLS context, always the same one; None for plain http. May block (see `ready`).

        Raises:
            CredentialsError: there are no credentials to be had.
            ConfigurationError: the CA or the client certificate is no PEM.
        """
        if not self.server.startswith("https://"):
            return None
        with self._lock:
            if self._tls is None:
                self._tls = self._new_context()
            return self._tls

    def _new_context(self) -> "_ClientContext":
        context = _ClientContext(ssl.PROTOCOL_TLS_CLIENT)
        context.verified_name = self.tls_server_name
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if self.insecure:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        elif self.ca is None:
            context.load_default_certs()
        else:
            try:
                context.load_verify_locations(cadata=self.ca.decode("ascii"))
            except (ssl.SSLError, UnicodeDecodeError) as error:
                raise ConfigurationError(f"the certificate authority of {self.server} is no PEM certificate") from error
        _present(context, self.credentials.certificate())
        return context


class _ClientContext(ssl.SSLContext):
    """A client's context that can verify another name than the one it connects to (`tls-server-name`)."""

    verified_name: str | None = None

    def wrap_bio(self, *args: Any, **keywords: Any) -> ssl.SSLObject:
        """For asyncio."""
        return super().wrap_bio(*args, **self._renamed(keywords))

    def wrap_socket(self, *args: Any, **keywords: Any) -> ssl.SSLSocket:
        """For sockets."""
        return super().wrap_socket(*args, **self._renamed(keywords))

    def _renamed(self, keywords: dict[str, Any]) -> dict[str, Any]:
        return {**keywords, "server_hostname": self.verified_name} if self.verified_name else keywords


def in_cluster_connection(
    environment: Mapping[str, str] | None = None, *, folder: Path = SERVICE_ACCOUNT_FOLDER
) -> Connection | None:
    """The connection of a pod's service account; None if this is no pod.

    Raises:
        ConfigurationError: this is a pod, but its service account is not (completely) mounted.
    """
    environment = os.environ if environment is None else environment
    host, port = environment.get("KUBERNETES_SERVICE_HOST"), environment.get("KUBERNETES_SERVICE_PORT")
    if not host or not port:
        return None
    try:
        ca = (folder / "ca.crt").read_bytes()
        namespace = (folder / "namespace").read_text(encoding="utf-8").strip()
    except OSError as error:
        raise ConfigurationError(
            f"{error.filename}: {error.strerror}; the pod needs its service account's token "
            "(automountServiceAccountToken: true)"
        ) from error
    return Connection(
        server=f"https://{_bracketed(host)}:{port}",
        namespace=namespace or "default",
        credentials=TokenFile(folder / "token"),
        ca=ca,
    )


def proxy_from_environment(server: str) -> str | None:
    """The proxy that HTTPS_PROXY, HTTP_PROXY and NO_PROXY name for a server; never one for this machine itself."""
    parts = urlsplit(server)
    host = parts.hostname or ""
    if host == "localhost" or _is_loopback(host) or urllib.request.proxy_bypass(parts.netloc):
        return None
    return urllib.request.getproxies().get(parts.scheme)


def _present(context: ssl.SSLContext, certificate: ClientCertificate | None) -> None:
    """Load a client certificate. `ssl` reads files only: they live as long as the reading, in a folder of our own."""
    if certificate is None:
        return
    with tempfile.TemporaryDirectory(prefix="modelberth-") as folder:
        chain, key = Path(folder, "chain.pem"), Path(folder, "key.pem")
        chain.write_bytes(certificate.chain)
        key.touch(mode=0o600)
        key.write_bytes(certificate.key)
        try:
            context.load_cert_chain(chain, key)
        except ssl.SSLError as error:
            raise ConfigurationError("the client certificate and its key are no matching pair of PEM files") from error


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host and not host.startswith("[") else host


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
