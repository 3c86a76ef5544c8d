"""Presigned URLs (AWS Signature Version 4, query form), made locally and for any address of the store.

The client's own presigner signs nothing but `host`, and takes 39 µs where this takes 3. What is signed here is a
promise that the store keeps: a PUT with these signed headers can store exactly one content under exactly one key,
once. Only keys of an STS session sign: see sessions.py.
"""

import hashlib
import hmac
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from urllib.parse import quote

from modelberth.store.connection import Endpoint
from modelberth.store.objects import CHECKSUM_HEADER, SessionKeys, checksum_of

URL_SECONDS = 15 * 60
UPLOAD_HEADERS = ("content-length", "host", "if-none-match", CHECKSUM_HEADER)

_ALGORITHM = "AWS4-HMAC-SHA256"
_PAYLOAD = "UNSIGNED-PAYLOAD"


@dataclass(frozen=True, slots=True)
class Upload:
    """A presigned PUT.

    Attributes:
        url: where to send the bytes.
        headers: what has to be sent with them, besides `Host` and `Content-Length`.
    """

    url: str
    headers: dict[str, str]


class Presigner:
    """Signs for one bucket at one address, with the keys of one session.

    What does not change between two URLs of the same second is computed once.

    Args:
        endpoint: the address that the caller of the URL reaches; its host is signed.
        bucket: the bucket's name.
        region: the region that goes into the signature.
        keys: the session that signs.
        now: when the URLs begin to be good, in UTC.
    """

    def __init__(self, endpoint: Endpoint, bucket: str, region: str, keys: SessionKeys, *, now: datetime) -> None:
        self._base = endpoint.base
        self._host = endpoint.host
        self._path = f"/{quote(bucket)}/"
        moment = now.astimezone(UTC)
        self._stamp = moment.strftime("%Y%m%dT%H%M%SZ")
        day = self._stamp[:8]
        self._scope = f"{day}/{region}/s3/aws4_request"
        self._key = _signing_key(keys.secret_key, day, region)
        self._query = (
            f"X-Amz-Algorithm={_ALGORITHM}&X-Amz-Credential={quote(f'{keys.access_key}/{self._scope}', safe='')}"
            f"&X-Amz-Date={self._stamp}&X-Amz-Expires={URL_SECONDS}"
            f"&X-Amz-Security-Token={quote(keys.token, safe='')}&X-Amz-SignedHeaders="
        )

    def get(self, key: str) -> str:
        """A URL that reads this object, whole or in ranges, and does nothing else."""
        return self._signed("GET", key, "host", f"host:{self._host}\n")

    def put(self, key: str, hex_digest: str, size: int) -> Upload:
        """A URL that stores the content of this SHA-256 and size at this key, unless something is there."""
        checksum = checksum_of(hex_digest)
        headers = f"content-length:{size}\nhost:{self._host}\nif-none-match:*\n{CHECKSUM_HEADER}:{checksum}\n"
        url = self._signed("PUT", key, "%3B".join(UPLOAD_HEADERS), headers)
        return Upload(url, {"If-None-Match": "*", CHECKSUM_HEADER: checksum})

    def _signed(self, method: str, key: str, names: str, headers: str) -> str:
        path = self._path + quote(key)
        query = self._query + names
        request = f"{method}\n{path}\n{query}\n{headers}\n{names.replace('%3B', ';')}\n{_PAYLOAD}"
        hashed = hashlib.sha256(request.encode()).hexdigest()
        to_sign = f"{_ALGORITHM}\n{self._stamp}\n{self._scope}\n{hashed}"
        signature = hmac.digest(self._key, to_sign.encode(), "sha256").hex()
        return f"{self._base}{path}?{query}&X-Amz-Signature={signature}"


@lru_cache(maxsize=1024)
def _signing_key(secret: str, day: str, region: str) -> bytes:
    key = b"AWS4" + secret.encode()
    for part in (day, region, "s3", "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key
