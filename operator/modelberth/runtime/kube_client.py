"""The Kubernetes API over HTTP: `KubeApi` as aiohttp speaks it, and nothing beyond it."""

import json
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

import aiohttp
import yarl

from modelberth.runtime.connection import Connection
from modelberth.runtime.credentials import CredentialsError
from modelberth.runtime.errors import ApiUnavailable, Gone, NotFound, Unauthorized, error_from_answer
from modelberth.runtime.http_session import CONNECT_SECONDS, Observer, open_session
from modelberth.runtime.resources import Object, Resource

REQUEST_SECONDS = 30.0
"""How long one request may take altogether; the API server itself gives up on most after 60."""
_PAGE = 500
_JSON = "application/json"
_APPLY = "application/apply-patch+yaml"  # JSON is YAML


class KubeClient:
    """One API server. Opens its session with the first request; close it, or use it as a context manager."""

    def __init__(
        self, connection: Connection, *, observe: Observer | None = None, request_seconds: float = REQUEST_SECONDS
    ) -> None:
        """Nothing is sent yet.

        Args:
            connection: which server, and who we are.
            observe: hears of every answer.
            request_seconds: after which a request without an answer counts as `ApiUnavailable`.
        """
        self._connection = connection
        self._observe = observe
        self._timeout = aiohttp.ClientTimeout(total=request_seconds, sock_connect=CONNECT_SECONDS)
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close all connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def get(self, resource: Resource, namespace: str | None, name: str) -> Object | None:
        """See `KubeApi.get`."""
        try:
            return await self._send("GET", resource.path(namespace, name))
        except NotFound:
            return None

    async def create(self, resource: Resource, namespace: str | None, body: Object, *, dry_run: bool = False) -> Object:
        """See `KubeApi.create`."""
        complete = _identified(resource, namespace, None, body)
        return await self._send("POST", resource.path(namespace), _write_parameters(dry_run=dry_run), complete)

    async def apply(
        self,
        resource: Resource,
        namespace: str | None,
        name: str,
        body: Object,
        *,
        manager: str,
        subresource: str | None = None,
        force: bool = True,
        dry_run: bool = False,
    ) -> Object:
        """See `KubeApi.apply`."""
        parameters = {
            **_write_parameters(dry_run=dry_run),
            "fieldManager": manager,
            "force": "true" if force else "false",
        }
        complete = _identified(resource, namespace, name, body)
        return await self._send(
            "PATCH", resource.path(namespace, name, subresource), parameters, complete, content_type=_APPLY
        )

    async def delete(
        self,
        resource: Resource,
        namespace: str | None,
        name: str,
        *,
        uid: str | None = None,
        resource_version: str | None = None,
    ) -> None:
        """See `KubeApi.delete`."""
        expected = {"uid": uid, "resourceVersion": resource_version}
        preconditions = {field: value for field, value in expected.items() if value is not None}
        options: Object = {"apiVersion": "v1", "kind": "DeleteOptions"}
        if preconditions:
            options["preconditions"] = preconditions
        try:
            await self._send("DELETE", resource.path(namespace, name), {}, options)
        except NotFound:
            return

    async def _pages(self, resource: Resource, path: str, parameters: dict[str, str]) -> list[Object]:
        objects: list[Object] = []
        token = ""
        while True:
            page = await self._send("GET", path, {**parameters, "continue": token} if token else parameters)
            kind = {
                "apiVersion": resource.api_version,
                "kind": resource.kind,
            }  # the API server leaves them out of items
            objects.extend({**kind, **item} for item in page.get("items") or [])
            token = str(page.get("metadata", {}).get("continue") or "")
            if not token:
                return objects

    async def _send(
        self,
        method: str,
        path: str,
        parameters: Mapping[str, str] | None = None,
        body: Object | None = None,
        *,
        content_type: str = _JSON,
    ) -> Object:
        """One request; the decoded answer, or the error it stands for."""
        url = yarl.URL(self._connection.server + path, encoded=True).with_query(parameters or None)
        headers = {"Accept": _JSON}
        data: bytes | None = None
        if body is not None:
            headers["Content-Type"] = content_type
            data = json.dumps(body, separators=(",", ":")).encode()
        try:
            session = await self._opened()
            async with session.request(
                method, url, data=data, headers=headers, timeout=self._timeout, allow_redirects=False
            ) as response:
                return _decoded(response.status, await response.read(), response.headers.get("Retry-After"))
        except CredentialsError as error:
            raise Unauthorized(0, "NoCredentials", str(error)) from error
        except TimeoutError as error:
            raise ApiUnavailable(0, "Timeout", f"{method} {path}: no answer in time") from error
        except (aiohttp.ClientError, OSError) as error:
            words = str(error) or type(error).__name__
            raise ApiUnavailable(0, "NoAnswer", f"API server {self._connection.server}: {words}") from error

    async def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            session = await open_session(self._connection, observe=self._observe)
            if self._session is None:
                self._session = session
            else:  # two first requests at once
                await session.close()
        return self._session

    async def list(
        self,
        resource: Resource,
        namespace: str | None = None,
        *,
        labels: Mapping[str, str] | None = None,
        fields: str | None = None,
    ) -> list[Object]:
        """See `KubeApi.list`. Asks page by page; if the pages expire on the way, once more for all at once."""
        parameters: dict[str, str] = {}
        if labels:
            parameters["labelSelector"] = ",".join(f"{name}={value}" for name, value in sorted(labels.items()))
        if fields:
            parameters["fieldSelector"] = fields
        path = resource.path(namespace)
        try:
            return await self._pages(resource, path, {**parameters, "limit": str(_PAGE)})
        except Gone:
            return await self._pages(resource, path, parameters)


def _identified(resource: Resource, namespace: str | None, name: str | None, body: Object) -> Object:
    """The body with the identity that the URL gives it."""
    metadata = dict(body.get("metadata") or {})
    if name is not None:
        metadata["name"] = name
    if namespace and resource.namespaced:
        metadata["namespace"] = namespace
    complete = {**body, "apiVersion": resource.api_version, "kind": resource.kind}
    if metadata:
        complete["metadata"] = metadata
    return complete


def _write_parameters(*, dry_run: bool) -> dict[str, str]:
    parameters = {"fieldValidation": "Strict"}
    if dry_run:
        parameters["dryRun"] = "All"
    return parameters


def _decoded(status: int, content: bytes, retry_after: str | None) -> Object:
    try:
        body: Any = json.loads(content)
    except ValueError:
        body = content.decode(errors="replace")
    if status >= 400:
        raise error_from_answer(status, body, retry_after=retry_after)
    if not isinstance(body, dict):
        raise ApiUnavailable(status, "NoObject", "the answer is no JSON object: something else answers at this address")
    return body
