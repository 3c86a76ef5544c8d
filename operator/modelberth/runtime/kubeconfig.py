"""kubeconfig files: the same files, found and merged by the same rules, as kubectl's.

Rules: https://kubernetes.io/docs/concepts/configuration/organize-cluster-access-kubeconfig/ — an explicit file counts
alone; else every file of $KUBECONFIG, else ~/.kube/config; the first file that names a thing wins; paths in a file are
relative to it. Without any file, a pod's service account.
"""

import base64
import binascii
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from modelberth.runtime.connection import (
    ConfigurationError,
    Connection,
    in_cluster_connection,
    proxy_from_environment,
)
from modelberth.runtime.credentials import (
    ClientCertificate,
    Credentials,
    ExecPlugin,
    StaticCredentials,
    TokenFile,
    basic,
    bearer,
)

_PROXY_SCHEMES = ("http", "https")


def load_connection(
    kubeconfig: str | os.PathLike[str] | None = None,
    context: str | None = None,
    *,
    environment: Mapping[str, str] | None = None,
) -> Connection:
    """The connection that kubectl would use.

    Args:
        kubeconfig: a file that counts alone; None for $KUBECONFIG, ~/.kube/config, or the pod's service account.
        context: which of the contexts in there; None for the current one.
        environment: instead of the process's own.

    Raises:
        ConfigurationError: no cluster is described, or the description is wrong; the message names file and field.
        CredentialsError: the user's credentials cannot be read.
    """
    environment = os.environ if environment is None else environment
    config = _Config()
    for path in _paths(kubeconfig, environment):
        config.merge(path)
    if kubeconfig is None and context is None and not config.contexts and not config.clusters:
        connection = in_cluster_connection(environment)
        if connection is not None:
            return connection
    if not config.files:
        raise ConfigurationError(_nothing_there(environment.get("KUBECONFIG")))
    return config.connection(context)


def _nothing_there(listed: str | None) -> str:
    looked = f"KUBECONFIG is {listed}, where no file is" if listed else "there is no ~/.kube/config"
    return f"no kubeconfig: {looked}; set KUBECONFIG to the file that leads to your cluster, as for kubectl"


def _paths(kubeconfig: str | os.PathLike[str] | None, environment: Mapping[str, str]) -> list[Path]:
    if kubeconfig is not None:
        path = Path(kubeconfig).expanduser()
        if not path.is_file():
            raise ConfigurationError(f"kubeconfig {path}: no such file")
        return [path]
    if listed := environment.get("KUBECONFIG"):
        paths = [Path(text) for text in listed.split(os.pathsep) if text]
    else:
        paths = [Path(environment.get("HOME") or Path.home()) / ".kube" / "config"]
    return [path for path in paths if path.is_file()]


@dataclass(frozen=True, slots=True)
class _Entry:
    """One named thing and the file it came from."""

    name: str
    section: str
    body: Mapping[str, Any]
    file: Path

    def where(self, name: str) -> str:
        """Names a field in an error."""
        return f"{self.file}: {self.section}[{self.name}].{name}"

    def data(self, name: str) -> bytes | None:
        """What `<name>-data` holds in base64, else the content of the file that `<name>` names."""
        encoded, path = self.body.get(f"{name}-data"), self.body.get(name)
        if encoded:
            try:
                return base64.b64decode(encoded, validate=True)
            except (binascii.Error, ValueError) as error:
                raise ConfigurationError(f"{self.where(name + '-data')} is no base64") from error
        return self.read(name) if path else None

    def read(self, name: str) -> bytes:
        """The content of the file that a field names."""
        path = self.path(name)
        try:
            return path.read_bytes()
        except OSError as error:
            raise ConfigurationError(f"{self.where(name)}: {path}: {error.strerror}") from error

    def path(self, name: str) -> Path:
        """A field's path, relative to the file it stands in."""
        return self.file.parent / Path(str(self.body[name])).expanduser()


@dataclass(slots=True)
class _Config:
    """Several files as one."""

    current: str = ""
    clusters: dict[str, _Entry] = field(default_factory=dict)
    users: dict[str, _Entry] = field(default_factory=dict)
    contexts: dict[str, _Entry] = field(default_factory=dict)
    files: list[Path] = field(default_factory=list)

    def merge(self, path: Path) -> None:
        """Take in another file; what is known already stays."""
        try:
            text = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            raise ConfigurationError(f"kubeconfig {path} cannot be read: {_first_line(error)}") from error
        if not isinstance(text, dict):
            raise ConfigurationError(f"kubeconfig {path} is no mapping")
        self.files.append(path)
        self.current = self.current or str(text.get("current-context") or "")
        sections = (("clusters", "cluster"), ("users", "user"), ("contexts", "context"))
        for (section, singular), known in zip(sections, (self.clusters, self.users, self.contexts), strict=True):
            for entry in text.get(section) or []:
                name = str(entry.get("name") or "")
                known.setdefault(name, _Entry(name, section, entry.get(singular) or {}, path))

    def connection(self, context: str | None) -> Connection:
        """The connection that a context describes."""
        chosen = self._context(context or self.current)
        cluster = self._named(self.clusters, chosen, "cluster")
        user = self._named(self.users, chosen, "user") if chosen.body.get("user") else None
        server = str(cluster.body.get("server") or "").rstrip("/")
        if urlsplit(server).scheme not in _PROXY_SCHEMES:
            raise ConfigurationError(f"{cluster.where('server')}: {server!r} is no http or https address")
        return Connection(
            server=server,
            namespace=str(chosen.body.get("namespace") or "default"),
            credentials=_credentials(user, cluster) if user else StaticCredentials(),
            ca=cluster.data("certificate-authority"),
            tls_server_name=cluster.body.get("tls-server-name"),
            insecure=bool(cluster.body.get("insecure-skip-tls-verify")),
            proxy=_proxy(cluster, server),
            impersonation=_impersonation(user) if user else (),
        )

    def _context(self, name: str) -> _Entry:
        files = ", ".join(str(path) for path in self.files)
        if not name:
            raise ConfigurationError(f"no current context in {files}: name one with `kubectl config use-context NAME`")
        if name not in self.contexts:
            known = ", ".join(sorted(self.contexts)) or "none"
            raise ConfigurationError(f"context {name} is not in {files}; there: {known}")
        return self.contexts[name]

    @staticmethod
    def _named(entries: Mapping[str, _Entry], context: _Entry, what: str) -> _Entry:
        name = str(context.body.get(what) or "")
        if name not in entries:
            raise ConfigurationError(f"{context.where(what)}: no {what} is called {name!r}")
        return entries[name]


def _credentials(user: _Entry, cluster: _Entry) -> Credentials:
    """What identifies the user: a plugin, a token, a password; a certificate goes with each of the latter two."""
    if user.body.get("auth-provider"):
        raise ConfigurationError(
            f"{user.where('auth-provider')} is gone from Kubernetes since 1.26: use an exec plugin"
        )
    if user.body.get("exec"):
        return ExecPlugin(
            user.body["exec"],
            where=user.where("exec"),
            folder=user.file.parent,
            cluster=_cluster_info(cluster),
        )
    chain, key = user.data("client-certificate"), user.data("client-key")
    if (chain is None) != (key is None):
        raise ConfigurationError(f"{user.where('client-certificate')} and client-key: give both or none")
    certificate = ClientCertificate(chain, key) if chain is not None and key is not None else None
    if user.body.get("tokenFile"):  # counts before `token`, as in client-go
        return TokenFile(user.path("tokenFile"), certificate=certificate)
    if user.body.get("token"):
        return StaticCredentials([bearer(str(user.body["token"]))], certificate)
    if user.body.get("username"):
        return StaticCredentials([basic(str(user.body["username"]), str(user.body.get("password") or ""))], certificate)
    return StaticCredentials([], certificate)


def _cluster_info(cluster: _Entry) -> dict[str, Any]:
    """The cluster as an exec plugin is told of it (`ExecCredential.spec.cluster`)."""
    names = ("server", "tls-server-name", "insecure-skip-tls-verify", "proxy-url")
    info: dict[str, Any] = {name: cluster.body[name] for name in names if cluster.body.get(name)}
    ca = cluster.data("certificate-authority")
    if ca is not None:
        info["certificate-authority-data"] = base64.b64encode(ca).decode()
    for extension in cluster.body.get("extensions") or []:
        if extension.get("name") == "client.authentication.k8s.io/exec":
            info["config"] = extension.get("extension")
    return info


def _proxy(cluster: _Entry, server: str) -> str | None:
    proxy = cluster.body.get("proxy-url") or proxy_from_environment(server)
    if proxy and urlsplit(str(proxy)).scheme not in _PROXY_SCHEMES:
        raise ConfigurationError(f"{cluster.where('proxy-url')}: only http and https proxies can be used")
    return str(proxy) if proxy else None


def _impersonation(user: _Entry) -> tuple[tuple[str, str], ...]:
    headers = [("Impersonate-User", user.body.get("as")), ("Impersonate-Uid", user.body.get("as-uid"))]
    headers += [("Impersonate-Group", group) for group in user.body.get("as-groups") or []]
    for name, values in (user.body.get("as-user-extra") or {}).items():
        headers += [(f"Impersonate-Extra-{name}", value) for value in values]
    return tuple((name, str(value)) for name, value in headers if value)


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
