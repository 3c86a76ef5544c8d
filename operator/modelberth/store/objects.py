"""What the store tells of objects and sessions, and how S3 writes checksums."""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

CHECKSUM_HEADER = "x-amz-checksum-sha256"


@dataclass(frozen=True, slots=True)
class SessionKeys:
    """Credentials that STS made: good for what their policy allows, until they expire.

    Attributes:
        access_key: the session's own key id.
        secret_key: its secret.
        token: what goes into `X-Amz-Security-Token`.
        expires_at: when the store stops to accept them.
    """

    access_key: str
    secret_key: str = field(repr=False)
    token: str = field(repr=False)
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """An object.

    Attributes:
        key: where it lies.
        size: in bytes.
        metadata: what it was stored with; only from `head`.
        sha256: in hex, if the store itself computed it when the object came in; only from `head`.
    """

    key: str
    size: int
    metadata: Mapping[str, str] = field(default_factory=dict)
    sha256: str | None = None


def checksum_of(sha256: str) -> str:
    """A SHA-256 in hex as `x-amz-checksum-sha256` carries it."""
    return base64.b64encode(bytes.fromhex(sha256)).decode()


def hex_of(checksum: str) -> str | None:
    """The inverse; None for no checksum, or for one over the checksums of parts (`…-3`)."""
    try:
        raw = base64.b64decode(checksum, validate=True)
    except binascii.Error:
        return None
    return raw.hex() if len(raw) == 32 else None
