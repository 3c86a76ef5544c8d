"""The one module that wraps minio: a bucket of an S3-compatible store, as few operations as the formats need.

Calls run in a few threads of their own; a store that is lost shows as `StoreUnavailable` within seconds instead of
the client's five minutes. A conditional PUT goes through the client's `_put_object`, because its public method turns
`If-None-Match` into metadata and silently overwrites.
"""

import asyncio
import json
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar
from xml.etree.ElementTree import ParseError

from minio import Minio
from minio.credentials.credentials import Credentials
from minio.credentials.providers import AssumeRoleProvider, Provider
from minio.error import InvalidResponseError, MinioException, S3Error, ServerError
from urllib3.exceptions import HTTPError

from modelberth.store.connection import THREADS, Endpoint, KeyPair, connection_pool
from modelberth.store.errors import NotFound, StoreDenied, StoreError, StoreUnavailable, Tampered
from modelberth.store.lifecycle import ExpiryRule, expiry_rules
from modelberth.store.objects import CHECKSUM_HEADER, ObjectInfo, SessionKeys, checksum_of, hex_of

T = TypeVar("T")

_META = "x-amz-meta-"
_CONFLICT_ATTEMPTS = 5
_BUSY = frozenset({408, 429})
_ABSENT = frozenset({"NoSuchKey", "NoSuchBucket", "ResourceNotFound"})
_NO_RULES = frozenset({"NoSuchLifecycleConfiguration", "ObjectLockConfigurationNotFoundError"})
_NOT_IMPLEMENTED = frozenset({"NotImplemented", "MethodNotAllowed"})


class Bucket:
    """A bucket, under our own identity (which never signs a URL).

    Every method raises `StoreUnavailable` or `StoreDenied` where the store does not answer or refuses us.

    Args:
        endpoint: where we reach the store.
        name: the bucket's name.
        keys: gives the key pair that holds now; may read files.
        region: the region that goes into signatures.
        ca_file: certificates to trust, PEM; None for the system's.
        rest_seconds: for so long after a call that got no answer, further calls fail at once. Where few workers
            share all the work, a store that swallows packets would else hold every one of them for its time-out.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        name: str,
        keys: Callable[[], KeyPair],
        *,
        region: str = "us-east-1",
        ca_file: Path | None = None,
        rest_seconds: float = 0.0,
    ) -> None:
        self._rest_seconds = rest_seconds
        self._rests_until = float("-inf")
        self.endpoint = endpoint
        self.name = name
        self.region = region
        self._keys = keys
        self._http = connection_pool(ca_file)
        self._client = Minio(
            endpoint.host,
            credentials=_Rotating(keys),
            secure=endpoint.is_tls,
            region=region,
            http_client=self._http,
        )
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="store")

    def close(self) -> None:
        """Let go of the threads; calls under way end on their own."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._http.clear()

    async def put(
        self, key: str, body: bytes, *, metadata: Mapping[str, str] | None = None, sha256: str | None = None
    ) -> None:
        """Store an object, over what may be there; with `sha256` (hex) the store checks the bytes and remembers it."""
        checksum = {} if sha256 is None else {CHECKSUM_HEADER: checksum_of(sha256)}
        await self._run(lambda: self._put(key, body, {**_as_headers(metadata), **checksum}), key)

    async def put_if_absent(self, key: str, body: bytes, *, metadata: Mapping[str, str] | None = None) -> bool:
        """Store an object unless there is one.

        An answer can be lost and the request sent again, and then our own object is what is in the way. So on 412 it is
        read back: the same bytes are taken for ours. Bodies that two writers could make alike carry a nonce where it
        matters whose they are.

        Returns:
            Whether the object there is now the one given.
        """
        headers = {**_as_headers(metadata), "If-None-Match": "*"}
        for attempt in range(_CONFLICT_ATTEMPTS):
            try:
                await self._run(lambda: self._put(key, body, headers), key)
            except _Conflict:  # two conditional writes at the same moment (AWS): neither is decided, ask again
                await asyncio.sleep(0.05 * 2**attempt)
                continue
            except _Exists:
                return await self._run(lambda: self._read(key, len(body) + 1), key) == body
            return True
        raise StoreUnavailable(f"object {key}: the store does not decide between two writers; try again")

    async def get(self, key: str, *, limit: int) -> bytes:
        """The bytes of an object.

        Args:
            key: which.
            limit: how many bytes it may have; an object beyond the limit is never read to its end.

        Raises:
            NotFound: there is none.
            Tampered: it has more than `limit` bytes.
        """
        body = await self._run(lambda: self._read(key, limit + 1), key)
        if len(body) > limit:
            raise Tampered(key, f"it has more than {limit} bytes")
        return body

    async def head(self, key: str) -> ObjectInfo | None:
        """Size and metadata of an object; None if there is none."""
        return await self._run(lambda: self._head(key), key)

    async def exists(self) -> bool:
        """Whether the bucket is there and ours to use."""
        return await self._run(lambda: bool(self._client.bucket_exists(self.name)))

    async def list_objects(
        self, prefix: str, *, start_after: str | None = None, limit: int | None = None
    ) -> list[ObjectInfo]:
        """The objects whose keys begin with `prefix`, in the order of their keys.

        Args:
            prefix: what the keys begin with.
            start_after: a key; only those behind it.
            limit: how many at most.
        """
        return await self._run(lambda: self._list(prefix, start_after, limit))

    async def delete(self, key: str) -> None:
        """Remove an object; that it is gone already is fine."""
        await self._run(lambda: self._client.remove_object(self.name, key), key)

    async def assume_role(self, policy: Mapping[str, Any], *, seconds: int) -> SessionKeys:
        """Credentials of our own identity, cut down to a policy.

        Raises:
            StoreDenied: the identity may not do that (the root account of MinIO never may), or there is no STS.
        """
        return await self._run(lambda: self._assume_role(policy, seconds))

    async def send(self, method: str, url: str, headers: Mapping[str, str], body: bytes = b"") -> tuple[int, bytes]:
        """A request as anybody could send it who was given the URL: nothing of our identity goes along.

        Returns:
            Status and body of the answer.
        """
        return await self._run(lambda: self._send(method, url, headers, body))

    async def expiry_rules(self) -> list[ExpiryRule]:
        """The enabled lifecycle rules that remove or archive current objects; none where there is no lifecycle."""
        return await self._run(self._expiry_rules)

    async def versioning(self) -> str:
        """`Enabled`, `Suspended` or `Off`."""
        return await self._run(lambda: str(self._client.get_bucket_versioning(self.name).status or "Off"))

    async def _run(self, call: Callable[[], T], key: str = "") -> T:
        """Run in a thread; what goes wrong is said about the object `key`, or about the bucket."""
        if time.monotonic() < self._rests_until:
            raise StoreUnavailable(f"the store at {self.endpoint.base} did not answer a moment ago")
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, lambda: self._translated(call, key))
        except StoreUnavailable:
            self._rests_until = time.monotonic() + self._rest_seconds
            raise

    def _put(self, key: str, body: bytes, headers: dict[str, str]) -> None:
        self._client._put_object(self.name, key, body, dict(headers))  # noqa: SLF001 - see the module's docstring

    def _read(self, key: str, at_most: int) -> bytes:
        response = self._client.get_object(self.name, key)
        try:
            return response.read(at_most)
        finally:
            response.close()
            response.release_conn()

    def _head(self, key: str) -> ObjectInfo | None:
        try:
            found = self._client.stat_object(self.name, key, extra_headers={"x-amz-checksum-mode": "ENABLED"})
        except S3Error as error:
            if error.code == "NoSuchKey":
                return None
            raise
        headers = {name.lower(): value for name, value in (found.metadata or {}).items()}
        sha256 = hex_of(headers.get(CHECKSUM_HEADER, ""))
        return ObjectInfo(key, int(found.size or 0), _own_metadata(headers), sha256)

    def _list(self, prefix: str, start_after: str | None, limit: int | None) -> list[ObjectInfo]:
        found: list[ObjectInfo] = []
        for listed in self._client.list_objects(self.name, prefix=prefix, recursive=True, start_after=start_after):
            found.append(ObjectInfo(str(listed.object_name), int(listed.size or 0)))
            if limit is not None and len(found) >= limit:
                break
        return found

    def _send(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> tuple[int, bytes]:
        answer = self._http.urlopen(method, url, body=body, headers=dict(headers), redirect=False)
        return answer.status, answer.data

    def _assume_role(self, policy: Mapping[str, Any], seconds: int) -> SessionKeys:
        pair = self._keys()
        provider = AssumeRoleProvider(
            sts_endpoint=self.endpoint.base,
            access_key=pair.access_key,
            secret_key=pair.secret_key,
            duration_seconds=seconds,
            policy=json.dumps(policy, separators=(",", ":")),
            region=self.region,
            http_client=self._http,
        )
        try:
            made = provider.retrieve()
        except ValueError as error:  # the client's word for every answer of STS that is not 200
            raise _refused_by_sts(error) from None
        expires_at = made.expiration or datetime.now(UTC) + timedelta(seconds=seconds)
        if expires_at.tzinfo is None:
            expires_at = expires_at.replace(tzinfo=UTC)
        return SessionKeys(made.access_key, made.secret_key, made.session_token or "", expires_at)

    def _expiry_rules(self) -> list[ExpiryRule]:
        try:
            config = self._client.get_bucket_lifecycle(self.name)
        except S3Error as error:
            if error.code in _NO_RULES | _NOT_IMPLEMENTED:
                return []
            raise
        return expiry_rules(config.rules if config is not None else ())

    def _translated(self, call: Callable[[], T], key: str) -> T:
        try:
            return call()
        except StoreError:
            raise
        except S3Error as error:
            raise self._meaning(error.response.status, str(error.code), key) from None
        except (ServerError, InvalidResponseError) as error:
            raise self._meaning(_status_of(error), "", key) from None
        except (HTTPError, OSError, MinioException) as error:
            raise StoreUnavailable(f"the store at {self.endpoint.base} does not answer: {_reason(error)}") from None
        except (ValueError, ParseError):
            raise StoreUnavailable(f"what answers at {self.endpoint.base} is no S3-compatible store") from None

    def _meaning(self, status: int, code: str, key: str) -> StoreError:
        what = f"object {key}" if key else f"bucket {self.name}"
        if code == "PreconditionFailed" or status == 412:
            return _Exists(f"{what} exists")
        if code == "ConditionalRequestConflict":
            return _Conflict(f"{what}: another conditional write is under way")
        if code in _ABSENT:
            absent = f"bucket {self.name} does not exist: create it" if code == "NoSuchBucket" else f"{what} is missing"
            return NotFound(absent)
        if status >= 500 or status in _BUSY or not status:
            return StoreUnavailable(f"{what}: the store at {self.endpoint.base} answered {status} {code}".rstrip())
        return StoreDenied(
            f"{what}: the store at {self.endpoint.base} refuses our request ({code or status}); "
            "check the key pair, the policy of its user, and the region"
        )


class _Exists(StoreError):  # noqa: N818
    """412: there is an object."""


class _Conflict(StoreError):  # noqa: N818
    """409 ConditionalRequestConflict: not decided."""


class _Rotating(Provider):
    """The client's way to ask for credentials, before each request."""

    def __init__(self, keys: Callable[[], KeyPair]) -> None:
        self._keys = keys

    def retrieve(self) -> Credentials:
        pair = self._keys()
        return Credentials(pair.access_key, pair.secret_key)


def _as_headers(metadata: Mapping[str, str] | None) -> dict[str, str]:
    return {f"{_META}{name}": value for name, value in (metadata or {}).items()}


def _own_metadata(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.removeprefix(_META): value for name, value in headers.items() if name.startswith(_META)}


def _status_of(error: ServerError | InvalidResponseError) -> int:
    return int(getattr(error, "status_code", None) or getattr(error, "_code", 0) or 0)


def _reason(error: Exception) -> str:
    cause = getattr(error, "reason", None) or error
    return type(cause).__name__


def _refused_by_sts(error: ValueError) -> StoreError:
    status = "".join(filter(str.isdigit, str(error).rpartition("code ")[2]))[:3]
    if status.startswith("5"):
        return StoreUnavailable(f"STS AssumeRole: the store answered {status}")
    return StoreDenied(
        f"STS AssumeRole was refused ({status or 'no status'}): use a store with STS, and the key pair of an ordinary "
        "user (MinIO's root account cannot assume a role)"
    )
