"""HTTP for bulk bytes on the standard library: pooled connections, streamed bodies both ways.

What an error says never includes the query of a URL: a presigned query is a credential.
"""

import base64
import http.client
import json
import re
import select
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Protocol, Self
from urllib.parse import SplitResult, unquote, urlsplit

from modelberth.transfer.errors import HttpFailure, TransferError, Unreachable

Headers = Mapping[str, str] | Sequence[tuple[str, str]]
"""HTTP headers; as pairs when a name may come several times (`Impersonate-Group`)."""

BLOCK = 1024 * 1024

_ERROR_BODY = 64 * 1024
_XML_CODE = re.compile(r"<Code>([A-Za-z]{1,100})</Code>")


class Body(Protocol):
    """What a request can send: like a file, read in blocks."""

    def read(self, size: int, /) -> bytes:
        """The next bytes, at most `size`; none at the end."""
        ...


def describe(url: str) -> str:
    """The URL as it may be shown: without its query."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def failure(where: str, response: http.client.HTTPResponse) -> HttpFailure:
    """The error for an answer of 300 or more, of the registry or the API server; reads what is needed of its body."""
    code, reason = _words(response.read(_ERROR_BODY))
    return HttpFailure(where, response.status, code=code, reason=reason, retry_after=retry_after(response))


def store_failure(where: str, response: http.client.HTTPResponse) -> HttpFailure:
    """The error for an answer of 300 or more to a signed request: the store's code, and no sentence of anybody.

    Whatever answers, be it the store or a gateway before it, may repeat in its words what was signed.
    """
    code = _store_code(response.read(_ERROR_BODY))
    return HttpFailure(where, response.status, code=code, retry_after=retry_after(response))


def retry_after(response: http.client.HTTPResponse) -> float | None:
    """The `Retry-After` of an answer in seconds; None without one (its form with a date is not used by our servers)."""
    text = response.headers.get("Retry-After", "")
    return float(text) if re.fullmatch(r"[0-9]{1,6}", text) else None


def _store_code(body: bytes) -> str:
    code = _XML_CODE.search(body.decode(errors="replace"))
    return code[1] if code else ""


def _words(body: bytes) -> tuple[str, str]:
    """Code and sentence out of the registry's errors or a Kubernetes Status; of a store's XML the code."""
    code = _store_code(body)
    if code:
        return code, ""
    try:
        answer = json.loads(body.decode(errors="replace"))
    except ValueError:
        return "", ""
    if not isinstance(answer, dict):
        return "", ""
    error = answer.get("error")
    if isinstance(error, dict):
        return str(error.get("code") or ""), str(error.get("message") or "")
    return str(answer.get("reason") or ""), str(answer.get("message") or answer.get("detail") or "")


class Http:
    """Connections to a few servers, kept alive and shared by threads; each is used by one thread at a time.

    Args:
        tls: trust for https URLs; None takes the system's.
        timeout: seconds that one read or write of a socket may take.
        proxy_for: the URL of the HTTP proxy to go through to a URL, or None to go there directly.
    """

    def __init__(
        self,
        *,
        tls: ssl.SSLContext | None = None,
        timeout: float = 60.0,
        proxy_for: Callable[[str], str | None] = lambda _: None,
    ) -> None:
        self._tls = tls
        self._timeout = timeout
        self._proxy_for = proxy_for
        self._idle: dict[tuple[str, str], list[http.client.HTTPConnection]] = {}
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close all idle connections."""
        with self._lock:
            connections = [connection for idle in self._idle.values() for connection in idle]
            self._idle.clear()
        for connection in connections:
            connection.close()

    @contextmanager
    def send(
        self, method: str, url: str, *, headers: Headers | None = None, body: bytes | Body | None = None
    ) -> Iterator[http.client.HTTPResponse]:
        """One attempt at a request; the answer is open for reading inside of the `with`.

        Raises:
            Unreachable: no answer, or the connection broke while it was read inside of the `with`.
        """
        parts = urlsplit(url)
        server = (parts.scheme, parts.netloc)
        connection = self._take(server, describe(url))
        reusable = False
        try:
            target = parts.path + (f"?{parts.query}" if parts.query else "")
            connection.request(method, target or "/", body=body, headers=_fields(headers))  # type: ignore[arg-type]
            with connection.getresponse() as response:
                yield response
                reusable = response.isclosed() and not response.will_close
        except (OSError, http.client.HTTPException) as error:
            raise Unreachable(describe(url), _explain(error)) from None
        finally:
            if reusable:
                self._give_back(server, connection)
            else:
                connection.close()

    def call(
        self,
        method: str,
        url: str,
        *,
        headers: Headers | None = None,
        body: bytes | None = None,
        limit: int = 64 * 1024 * 1024,
    ) -> bytes:
        """One attempt at a request with a short answer.

        Returns:
            The body of an answer below 300.

        Raises:
            HttpFailure: an answer of 300 or more; a redirect leads away from the server that was asked.
            Unreachable: no complete answer.
        """
        with self.send(method, url, headers=headers, body=body) as response:
            if response.status >= 300:
                raise failure(describe(url), response)
            answer = response.read(limit + 1)
            if len(answer) > limit:
                raise Unreachable(describe(url), f"the answer has more than {limit} bytes")
            if response.length:
                raise Unreachable(describe(url), "the connection broke within the answer")
            return answer

    def _take(self, server: tuple[str, str], where: str) -> http.client.HTTPConnection:
        while True:
            with self._lock:
                idle = self._idle.get(server)
                connection = idle.pop() if idle else None
            if connection is None:
                return self._connect(server, where)
            if not _has_ended(connection.sock):
                return connection
            connection.close()

    def _give_back(self, server: tuple[str, str], connection: http.client.HTTPConnection) -> None:
        with self._lock:
            self._idle.setdefault(server, []).append(connection)

    def _connect(self, server: tuple[str, str], where: str) -> http.client.HTTPConnection:
        scheme, netloc = server
        if scheme not in ("http", "https"):
            raise TransferError(f"{where}: not an http or https URL")
        proxy = urlsplit(self._proxy_for(where) or "")
        first = proxy.netloc.rpartition("@")[2] or netloc
        if scheme == "https":
            if self._tls is None:
                self._tls = ssl.create_default_context()
            connection: http.client.HTTPConnection = http.client.HTTPSConnection(
                first, timeout=self._timeout, context=self._tls, blocksize=BLOCK
            )
        else:
            connection = http.client.HTTPConnection(first, timeout=self._timeout, blocksize=BLOCK)
        if proxy.netloc:
            connection.set_tunnel(netloc, headers=_proxy_authorization(proxy))
        return connection


def _proxy_authorization(proxy: SplitResult) -> dict[str, str]:
    if proxy.username is None:
        return {}
    pair = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}"
    return {"Proxy-Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}


def _fields(headers: Headers | None) -> http.client.HTTPMessage:
    fields = http.client.HTTPMessage()
    for name, value in headers.items() if isinstance(headers, Mapping) else headers or ():
        fields[name] = value
    return fields


def _has_ended(sock: Any) -> bool:
    """Whether an idle connection has something to read: the other side's end, or bytes that nobody asked for."""
    if sock is None:
        return True
    if hasattr(select, "poll"):
        poll = select.poll()
        poll.register(sock, select.POLLIN)
        return bool(poll.poll(0))
    return bool(select.select([sock], [], [], 0)[0])


def _explain(error: OSError | http.client.HTTPException) -> str:
    """Why there was no answer, in words that hold nothing of the request."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted ({error.verify_message}); is the CA right?"
    if isinstance(error, TimeoutError):
        return "timed out"
    if isinstance(error, socket.gaierror):
        return "its name does not resolve here"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return f"the connection broke ({type(error).__name__})"
