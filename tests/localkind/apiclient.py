"""The few requests that building a cluster needs, as its administrator, with the standard library only."""

import http.client
import json
import ssl
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

from .cluster import Cluster
from .host import LocalkindError


class ApiError(LocalkindError):
    """An answer of the API server other than 2xx.

    Attributes:
        status: the HTTP status.
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"API server answered {status}: {message}")
        self.status = status


class ApiClient:
    """A client of one API server, one connection per request: no state to break when the server restarts."""

    def __init__(self, host: str, pki: Path, *, client: str = "admin") -> None:
        self._host = host
        self._tls = ssl.create_default_context(cafile=str(pki / "ca.crt"))
        self._tls.load_cert_chain(pki / f"{client}.crt", pki / f"{client}.key")

    @classmethod
    def of(cls, cluster: Cluster) -> Self:
        """The administrator's client of a cluster, from the host."""
        return cls(cluster.node_ip, cluster.folder / "pki")

    def request(self, method: str, path: str, body: object = None, content_type: str = "application/json") -> Any:
        """Send one request and return the parsed answer (or text where the server speaks text).

        Raises:
            ApiError: for an answer other than 2xx.
            OSError: when the server cannot be reached.
        """
        with self.open(method, path, body, content_type) as response:
            text = response.read().decode()
        return json.loads(text) if (response.headers.get_content_type() == "application/json") else text

    def open(
        self, method: str, path: str, body: object = None, content_type: str = "application/json", timeout: float = 10
    ) -> http.client.HTTPResponse:
        """Send one request and return its answer unread, for watches; closing it closes the connection."""
        connection = http.client.HTTPSConnection(self._host, 6443, context=self._tls, timeout=timeout)
        headers = {"Content-Type": content_type, "Connection": "close"}
        connection.request(method, path, None if body is None else json.dumps(body), headers)
        response = connection.getresponse()
        if response.status >= 300:
            with response:
                raise ApiError(response.status, response.read().decode(errors="replace")[:400].strip())
        return response

    def apply(self, path: str, manifest: object) -> None:
        """Create or update one object by server-side apply; `path` ends with its name."""
        self.request("PATCH", f"{path}?fieldManager=localkind&force=true", manifest, "application/apply-patch+yaml")


def wait_for(what: str, condition: Callable[[], bool], seconds: float = 120) -> None:
    """Ask again and again until the condition holds; refused connections and error answers mean not yet.

    Raises:
        LocalkindError: when it does not hold in time, with the last refusal.
    """
    deadline = time.monotonic() + seconds
    last: Exception | None = None
    while time.monotonic() < deadline:
        try:
            if condition():
                return
        except (OSError, http.client.HTTPException, ApiError) as error:
            last = error
        time.sleep(0.05)
    raise LocalkindError(f"{what} did not come within {seconds:.0f} s{f' ({last})' if last else ''}")
