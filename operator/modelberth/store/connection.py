"""Where the store is and who we are to it. The key pair lies in files, because a Secret may be rotated under us."""

import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import urllib3

from modelberth.store.errors import StoreUnavailable

THREADS = 16
CONNECT_SECONDS = 2.0
READ_SECONDS = 8.0
RETRIES = 1
_REREAD_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class KeyPair:
    """An access key and its secret."""

    access_key: str
    secret_key: str = field(repr=False)


class KeyFiles:
    """A key pair out of two files, read again every few seconds.

    Args:
        access_key: the file with the access key; white space around it is dropped.
        secret_key: the file with its secret.
        monotonic: seconds since some point; decides when to read again.
    """

    def __init__(self, access_key: Path, secret_key: Path, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._access_key = access_key
        self._secret_key = secret_key
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._known: KeyPair | None = None
        self._read_at = 0.0

    def __call__(self) -> KeyPair:
        """The key pair that holds now.

        Raises:
            StoreUnavailable: the files are not there (yet).
        """
        with self._lock:
            now = self._monotonic()
            if self._known is None or now - self._read_at >= _REREAD_SECONDS:
                self._known, self._read_at = self._read(), now
            return self._known

    def _read(self) -> KeyPair:
        try:
            pair = KeyPair(self._access_key.read_text().strip(), self._secret_key.read_text().strip())
        except OSError as error:
            raise StoreUnavailable(
                f"the store's credentials cannot be read from {error.filename}: {error.strerror}; check its Secret"
            ) from None
        if not pair.access_key or not pair.secret_key:
            empty = self._secret_key if pair.access_key else self._access_key
            raise StoreUnavailable(f"the store's credentials: {empty} is empty; check its Secret")
        return pair


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One address of the store. The host is part of every signature, so each caller gets URLs for the one it reaches.

    Attributes:
        url: `http(s)://host[:port]`, nothing behind it.
    """

    url: str

    def __post_init__(self) -> None:
        """Refuse what cannot be signed.

        Raises:
            ValueError: the URL has another scheme, no host, or a path, query or user.
        """
        parts = urlsplit(self.url)
        plain = parts.path in ("", "/") and not parts.query and not parts.fragment and "@" not in parts.netloc
        if parts.scheme not in ("http", "https") or not parts.hostname or not plain:
            raise ValueError(f"store endpoint {self.url!r}: write it as http(s)://host[:port] with nothing behind it")

    @property
    def is_tls(self) -> bool:
        """Whether bytes go encrypted."""
        return self.url.startswith("https://")

    @property
    def host(self) -> str:
        """What clients send as `Host`: without the port where it is the scheme's own."""
        parts = urlsplit(self.url)
        default = 443 if self.is_tls else 80
        name = f"[{parts.hostname}]" if parts.hostname and ":" in parts.hostname else str(parts.hostname)
        return name if parts.port in (None, default) else f"{name}:{parts.port}"

    @property
    def base(self) -> str:
        """Scheme and host, without a slash at the end."""
        return f"{'https' if self.is_tls else 'http'}://{self.host}"


def connection_pool(ca_file: Path | None) -> urllib3.PoolManager:
    """Connections that give up within seconds, trusting the file's certificates (the system's without one).

    Every request of ours may be sent twice: see `bucket.Bucket.put_if_absent`; AssumeRole only makes one more session.
    """
    return urllib3.PoolManager(
        maxsize=THREADS,
        retries=urllib3.Retry(
            total=RETRIES, backoff_factor=0.2, status_forcelist=(500, 502, 503, 504), allowed_methods=None
        ),
        timeout=urllib3.Timeout(connect=CONNECT_SECONDS, read=READ_SECONDS),
        ssl_context=ssl.create_default_context(cafile=None if ca_file is None else str(ca_file)),
    )
