"""Who we are to the API server: what goes into the `Authorization` header and, from some plugins, a client certificate.

Every source may hand out something new at any time (a rotated token file, an exec plugin whose answer expired), so
callers ask for each request; what is still good is remembered in here. Nothing in here is ever logged or printed.
"""

import base64
import json
import os
import subprocess
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

from modelberth.runtime.clock import Clock, SystemClock, parse_rfc3339

Headers = list[tuple[str, str]]
"""HTTP headers in order; a name may come several times (`Impersonate-Group`)."""

_TOKEN_FILE_LIFETIME = 10.0
_EXPIRY_MARGIN = timedelta(seconds=30)
_PLUGIN_SECONDS = 120


class CredentialsError(Exception):
    """No credentials could be had; the message says where they should have come from and what to do."""


@dataclass(frozen=True, slots=True)
class ClientCertificate:
    """A certificate chain and its private key, both PEM."""

    chain: bytes = field(repr=False)
    key: bytes = field(repr=False)


class Credentials(Protocol):
    """A source of credentials. Calls may read files or run a program, so they may block."""

    def headers(self) -> Headers:
        """The headers that identify us, good for a request now.

        Raises:
            CredentialsError: there are none to be had.
        """
        ...

    def certificate(self) -> ClientCertificate | None:
        """The client certificate to present, if this source has one."""
        ...

    def ready(self) -> bool:
        """Whether `headers` and `certificate` answer at once, without running a program."""
        ...

    def refresh(self) -> None:
        """The server refused what we sent: remember nothing of it."""
        ...


class StaticCredentials:
    """Headers and a certificate that never change."""

    def __init__(self, headers: Headers | None = None, certificate: ClientCertificate | None = None) -> None:
        self._headers = headers or []
        self._certificate = certificate

    def headers(self) -> Headers:
        """The headers given."""
        return [*self._headers]

    def certificate(self) -> ClientCertificate | None:
        """The certificate given."""
        return self._certificate

    def ready(self) -> bool:
        """Always."""
        return True

    def refresh(self) -> None:
        """There is nothing newer."""


class TokenFile:
    """A bearer token in a file that somebody rotates, such as the kubelet."""

    def __init__(self, path: Path, *, certificate: ClientCertificate | None = None, clock: Clock | None = None) -> None:
        self._path = path
        self._certificate = certificate
        self._clock = clock or SystemClock()
        self._token = ""
        self._read_at = float("-inf")

    def headers(self) -> Headers:
        """The token as it is in the file now, or was a few seconds ago."""
        if self._clock.monotonic() - self._read_at >= _TOKEN_FILE_LIFETIME:
            self._token = self._read()
            self._read_at = self._clock.monotonic()
        return [bearer(self._token)]

    def certificate(self) -> ClientCertificate | None:
        """The certificate that stands beside the token in the kubeconfig, if any."""
        return self._certificate

    def ready(self) -> bool:
        """Always: reading a small file does not block."""
        return True

    def refresh(self) -> None:
        """Read the file again for the next request."""
        self._read_at = float("-inf")

    def _read(self) -> str:
        try:
            token = self._path.read_text(encoding="utf-8").strip()
        except OSError as error:
            raise CredentialsError(f"token file {self._path}: {error.strerror}") from error
        if not token:
            raise CredentialsError(f"token file {self._path} is empty")
        return token


class ExecPlugin:
    """A program that hands out credentials (client.authentication.k8s.io v1 and v1beta1, `ExecCredential`)."""

    API_VERSIONS = ("client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1")

    def __init__(
        self,
        spec: Mapping[str, Any],
        *,
        where: str,
        folder: Path,
        cluster: Mapping[str, Any],
        clock: Clock | None = None,
    ) -> None:
        """Check the plugin's description; nothing is run yet.

        Args:
            spec: the `exec` entry of a kubeconfig's user.
            where: names that entry in errors.
            folder: where the kubeconfig lies: a command with a slash in it is relative to it.
            cluster: the cluster as `KUBERNETES_EXEC_INFO` describes it; passed on if the spec asks for it.
            clock: decides what has expired.

        Raises:
            CredentialsError: the description lacks something or asks for an unknown API version.
        """
        self._api_version = str(spec.get("apiVersion"))
        if self._api_version not in self.API_VERSIONS:
            raise CredentialsError(f"{where}.apiVersion {self._api_version}: use one of {', '.join(self.API_VERSIONS)}")
        command = spec.get("command")
        if not command:
            raise CredentialsError(f"{where}.command: name the program to run")
        separators = [separator for separator in (os.sep, os.altsep) if separator]
        self._command = str(folder / command) if any(s in command for s in separators) else str(command)
        self._arguments = [str(argument) for argument in spec.get("args") or []]
        self._environment = {str(entry["name"]): str(entry["value"]) for entry in spec.get("env") or []}
        self._hint = str(spec.get("installHint") or "")
        self._mode = str(spec.get("interactiveMode") or "IfAvailable")
        self._cluster = dict(cluster) if spec.get("provideClusterInfo") else None
        self._where = where
        self._clock = clock or SystemClock()
        self._lock = threading.Lock()
        self._answer: _PluginAnswer | None = None

    def headers(self) -> Headers:
        """The plugin's token, if it gave one."""
        token = self._current().token
        return [bearer(token)] if token else []

    def certificate(self) -> ClientCertificate | None:
        """The plugin's certificate, if it gave one."""
        return self._current().certificate

    def ready(self) -> bool:
        """Whether the last answer is still good."""
        answer = self._answer
        return answer is not None and not answer.expired(self._clock.now())

    def refresh(self) -> None:
        """Run the plugin again for the next request."""
        self._answer = None

    def _current(self) -> "_PluginAnswer":
        with self._lock:
            if self._answer is None or self._answer.expired(self._clock.now()):
                self._answer = self._parse(self._run())
            return self._answer

    def _run(self) -> str:
        interactive = self._mode != "Never" and sys.stdin is not None and sys.stdin.isatty()
        if self._mode == "Always" and not interactive:
            raise CredentialsError(
                f"{self._where}: {self._command} needs a terminal to ask on (interactiveMode Always)"
            )
        spec: dict[str, Any] = {"interactive": interactive}
        if self._cluster is not None:
            spec["cluster"] = self._cluster
        info = {"apiVersion": self._api_version, "kind": "ExecCredential", "spec": spec}
        environment = {**os.environ, **self._environment, "KUBERNETES_EXEC_INFO": json.dumps(info)}
        try:
            done = subprocess.run(  # noqa: S603 (running the user's own plugin is the point)
                [self._command, *self._arguments],
                env=environment,
                stdin=None if interactive else subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=None if interactive else subprocess.PIPE,
                timeout=_PLUGIN_SECONDS,
                check=False,
                text=True,
            )
        except OSError as error:
            hint = f"; {self._hint}" if self._hint else ""
            raise CredentialsError(f"{self._where}: {self._command}: {error.strerror}{hint}") from error
        except subprocess.TimeoutExpired as error:
            raise CredentialsError(f"{self._where}: {self._command} gave no answer in {_PLUGIN_SECONDS} s") from error
        if done.returncode != 0:
            words = (done.stderr or "").strip()[-500:]
            raise CredentialsError(f"{self._where}: {self._command} ended with status {done.returncode}: {words}")
        return done.stdout

    def _parse(self, text: str) -> "_PluginAnswer":
        try:
            answer = json.loads(text)
            if answer.get("apiVersion") != self._api_version:
                raise CredentialsError(
                    f"{self._where}: {self._command} answered with apiVersion {answer.get('apiVersion')}, "
                    f"the kubeconfig says {self._api_version}"
                )
            status = answer.get("status") or {}
            expiry = status.get("expirationTimestamp")
            chain, key = status.get("clientCertificateData"), status.get("clientKeyData")
            token = str(status.get("token") or "")
            expires = parse_rfc3339(expiry) if expiry else None
        except (ValueError, AttributeError) as error:
            # The text may hold the token: it stays out of the message.
            raise CredentialsError(f"{self._where}: {self._command} printed no ExecCredential as JSON") from error
        if not token and not (chain and key):
            raise CredentialsError(
                f"{self._where}: {self._command} gave neither a token nor a certificate with its key"
            )
        certificate = ClientCertificate(chain.encode(), key.encode()) if chain and key else None
        return _PluginAnswer(token, certificate, expires)


@dataclass(frozen=True, slots=True)
class _PluginAnswer:
    token: str = field(repr=False)
    certificate: ClientCertificate | None
    expires: datetime | None

    def expired(self, now: datetime) -> bool:
        return self.expires is not None and now >= self.expires - _EXPIRY_MARGIN


def bearer(token: str) -> tuple[str, str]:
    """The header of RFC 6750 for a token."""
    return ("Authorization", f"Bearer {token}")


def basic(username: str, password: str) -> tuple[str, str]:
    """The header of RFC 7617 for a name and a password."""
    pair = base64.b64encode(f"{username}:{password}".encode()).decode()
    return ("Authorization", f"Basic {pair}")
