"""The operator's and the registry's settings, from `MODELBERTH_*` environment variables.

Everything wrong is reported at once, each with the variable's name. Secrets are never in the environment: variables
name files, and the files are read when they are needed, so that a rotated Secret takes effect.
"""

import os
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, TypeVar
from urllib.parse import urlsplit

PREFIX = "MODELBERTH_"
LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")

T = TypeVar("T")


class SettingsError(Exception):
    """Some variables are missing or wrong; one line for each."""


class EnvironmentReader:
    """Reads typed variables and collects what is wrong with them; `check` raises it all at once."""

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        self._environment = os.environ if environment is None else environment
        self._problems: list[str] = []

    def check(self) -> None:
        """Raise what was found wrong.

        Raises:
            SettingsError: one line for each variable.
        """
        if self._problems:
            raise SettingsError("\n".join(self._problems))

    def text(self, name: str, default: str | None = None) -> str:
        """Any text; required without a default. A variable that is set to nothing counts as not set."""
        return self._read(name, default, str, "some text")

    def choice(self, name: str, allowed: tuple[str, ...], default: str) -> str:
        """One of several words, in any case."""

        def convert(text: str) -> str:
            if text.upper() not in allowed:
                raise ValueError
            return text.upper()

        return self._read(name, default, convert, f"one of {', '.join(allowed)}")

    def integer(self, name: str, default: int, *, at_least: int, at_most: int) -> int:
        """A whole number within bounds."""

        def convert(text: str) -> int:
            number = int(text)
            if not at_least <= number <= at_most:
                raise ValueError
            return number

        return self._read(name, default, convert, f"a whole number from {at_least} to {at_most}")

    def url(self, name: str, default: str | None = None) -> str:
        """An http or https address, without a slash at the end and without a password in it."""
        return self._read(name, default, _url, "an address such as https://minio.storage.svc:9000")

    def optional_url(self, name: str) -> str | None:
        """As `url`, or None if not set."""
        return self.url(name) if self._given(name) else None

    def path(self, name: str, default: str | None = None) -> Path:
        """The path of a file; it is read later."""
        return Path(self.text(name, default))

    def optional_path(self, name: str) -> Path | None:
        """As `path`, or None if not set."""
        return self.path(name) if self._given(name) else None

    def words(self, name: str) -> tuple[str, ...]:
        """Words between commas; none if not set."""
        return tuple(word.strip() for word in self._given(name).split(",") if word.strip())

    def _given(self, name: str) -> str:
        return self._environment.get(PREFIX + name, "").strip()

    def _read(self, name: str, default: T | None, convert: Callable[[str], T], wanted: str) -> T:
        text = self._given(name)
        if text:
            try:
                return convert(text)
            except ValueError:
                shown = "the value (not shown, there is an @ in it)" if "@" in text else repr(text)
                self._problems.append(f"{PREFIX}{name}: {shown} is not {wanted}")
        elif default is None:
            self._problems.append(f"{PREFIX}{name} is not set: give it {wanted}")
        unseen: Any = default if default is not None else ""  # unless there is a default, check() raises
        return unseen  # type: ignore[no-any-return]


def _url(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username or parts.query:
        raise ValueError
    return text.rstrip("/")


@dataclass(frozen=True, slots=True)
class StoreSettings:
    """The S3-compatible store and the bucket.

    Attributes:
        endpoint: where operator and registry reach the store.
        bucket: the one bucket.
        region: what signatures are made for.
        access_key_file: a file with the access key's id.
        secret_key_file: a file with the secret key.
        ca_file: certificates (PEM) to trust for `https`; None for the system's.
        internal_endpoint: where pods reach the store; signed URLs for them name it.
        external_endpoint: where clients outside the cluster reach the store; None if they cannot.
    """

    endpoint: str
    bucket: str
    region: str
    access_key_file: Path
    secret_key_file: Path
    ca_file: Path | None
    internal_endpoint: str
    external_endpoint: str | None

    @classmethod
    def read(cls, variables: EnvironmentReader) -> Self:
        """The store's part of the environment. The caller calls `check`."""
        endpoint = variables.url("STORE_ENDPOINT")
        return cls(
            endpoint=endpoint,
            bucket=variables.text("STORE_BUCKET", "modelberth"),
            region=variables.text("STORE_REGION", "us-east-1"),
            access_key_file=variables.path("STORE_ACCESS_KEY_FILE"),
            secret_key_file=variables.path("STORE_SECRET_KEY_FILE"),
            ca_file=variables.optional_path("STORE_CA_FILE"),
            internal_endpoint=variables.optional_url("STORE_INTERNAL_ENDPOINT") or endpoint,
            external_endpoint=variables.optional_url("STORE_EXTERNAL_ENDPOINT"),
        )


@dataclass(frozen=True, slots=True)
class Settings:
    """What the operator is told from outside.

    Attributes:
        namespace: where the operator runs: its Lease, the registry and the store's credentials are there.
        identity: who this process is among its replicas: the pod's name.
        store: where bytes lie.
        registry_url: where loaders and the operator reach the registry.
        registry_service: the registry's Service, which its certificate names.
        registry_token_file: a file with the operator's own token for the registry's audience.
        loader_image: the image of the init container that loads models.
        watch_namespaces: serve only these; none for the whole cluster.
        workers: how many keys are reconciled at once.
        lease_name: the Lease by which one replica acts.
        metrics_port: where metrics and health are served over http; 0 for any free port.
        log_level: of our own records.
    """

    namespace: str
    identity: str
    store: StoreSettings
    registry_url: str
    registry_service: str
    registry_token_file: Path
    loader_image: str
    watch_namespaces: tuple[str, ...]
    workers: int
    lease_name: str
    metrics_port: int
    log_level: str

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> Self:
        """The operator's settings.

        Raises:
            SettingsError: variables are missing or wrong; all of them are named.
        """
        variables = EnvironmentReader(environment)
        namespace = variables.text("NAMESPACE")
        service = variables.text("REGISTRY_SERVICE", "modelberth-registry")
        settings = cls(
            namespace=namespace,
            identity=variables.text("POD_NAME", socket.gethostname()),
            store=StoreSettings.read(variables),
            registry_url=variables.url("REGISTRY_URL", f"https://{service}.{namespace}.svc"),
            registry_service=service,
            registry_token_file=variables.path("REGISTRY_TOKEN_FILE", "/var/run/secrets/modelberth/token"),
            loader_image=variables.text("LOADER_IMAGE"),
            watch_namespaces=variables.words("WATCH_NAMESPACES"),
            workers=variables.integer("WORKERS", 8, at_least=1, at_most=64),
            lease_name=variables.text("LEASE_NAME", "modelberth-operator"),
            metrics_port=variables.integer("METRICS_PORT", 8080, at_least=0, at_most=65535),
            log_level=variables.choice("LOG_LEVEL", LOG_LEVELS, "INFO"),
        )
        variables.check()
        return settings
