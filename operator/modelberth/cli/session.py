"""A user's way to the registry: a TransferSession made with the user's own kubeconfig and rights.

The session object holds the hash of a secret that is made here and shown to the registry alone. From outside of the
cluster the registry is reached by its URL where one is given, else through the API server's service proxy, so that a
laptop needs nothing but its kubeconfig.
"""

import argparse
import hashlib
import os
import secrets
import ssl
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

from modelberth.api import names
from modelberth.cli.access import Access
from modelberth.cli.cluster import Cluster, proxy_for
from modelberth.cli.display import Notices
from modelberth.cli.errors import CommandError
from modelberth.content.collections import Collection, Family
from modelberth.domain.objects import dig
from modelberth.runtime.resources import CONFIG_MAPS, TRANSFER_SESSIONS
from modelberth.transfer.errors import HttpFailure, TransferError
from modelberth.transfer.http import Http
from modelberth.transfer.patience import Patience
from modelberth.transfer.registry_client import RegistryClient

SESSION_SECONDS = 6 * 3600
DEFAULT_REGISTRY_NAMESPACE = "modelberth"
SERVICE = "https:modelberth-registry:443"

Operation = Literal["Push", "Pull"]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a command works: which kubeconfig, which namespace, which registry."""

    kubeconfig: str | None = None
    context: str | None = None
    namespace: str | None = None
    registry_url: str | None = None
    registry_namespace: str | None = None
    ca_file: str | None = None

    @classmethod
    def of(cls, arguments: argparse.Namespace) -> "Place":
        """The place that a command's arguments name."""
        return cls(
            kubeconfig=arguments.kubeconfig,
            context=arguments.context,
            namespace=arguments.namespace,
            registry_url=arguments.registry_url,
            registry_namespace=arguments.registry_namespace,
            ca_file=arguments.ca_file,
        )

    def connect(self) -> Cluster:
        """The cluster."""
        return Cluster.connect(self.kubeconfig, self.context)


@contextmanager
def session_access(
    cluster: Cluster,
    place: Place,
    namespace: str,
    operation: Operation,
    *,
    collection: Collection | None = None,
    family: Family = "models",
) -> Iterator[Access]:
    """Access by a new session, which is deleted at the end.

    Args:
        cluster: as the user.
        place: where the registry is.
        namespace: whose content.
        operation: Push or Pull.
        collection: the only one that the session is for, if it is for one.
        family: whose content the session is for; the collection's, if one is given.

    Raises:
        TransferError: the API server or the registry refused; the message has their words.
    """
    name, secret = _create(cluster, namespace, operation, collection, collection.family if collection else family)
    try:
        with _registry(cluster, place, namespace, f"{name}.{secret}") as access:
            yield access
    finally:
        try:
            cluster.delete(TRANSFER_SESSIONS, namespace, name)
        except TransferError as error:
            print(f"warning: TransferSession {name} could not be deleted and ends by itself: {error}", file=sys.stderr)


def _create(
    cluster: Cluster, namespace: str, operation: Operation, collection: Collection | None, family: Family
) -> tuple[str, str]:
    """(name, secret) of a new session."""
    secret = secrets.token_hex(32)
    name = f"{operation.lower()}-{secrets.token_hex(8)}"
    spec = {
        "operation": operation,
        "secretHash": hashlib.sha256(secret.encode()).hexdigest(),
        "ttlSeconds": SESSION_SECONDS,
        "user": cluster.user(),
        **({collection.field: collection.name} if collection else {}),
        **({"family": family} if family != "models" else {}),
    }
    body = {
        "apiVersion": names.API_VERSION,
        "kind": TRANSFER_SESSIONS.kind,
        "metadata": {"name": name},
        "spec": spec,
    }
    try:
        cluster.create(TRANSFER_SESSIONS, namespace, body)
    except HttpFailure as error:
        if error.status == 404:
            raise CommandError(
                f"namespace {namespace} does not exist, or Modelberth is not installed in this cluster"
            ) from None
        if error.code != "AlreadyExists":
            raise
        # Nobody else makes this name of 64 random bits: our own creation, whose answer was lost and which was repeated.
    return name, secret


@contextmanager
def _registry(cluster: Cluster, place: Place, namespace: str, session: str) -> Iterator[Access]:
    """The registry by its own URL, or through the API server."""
    patience = Patience(notice=Notices())
    url = place.registry_url or os.environ.get("MODELBERTH_REGISTRY_URL")
    with Http(tls=_trust(cluster, place, namespace), proxy_for=proxy_for) as http:
        own = [("Modelberth-Session", session)]
        if url:
            yield Access(RegistryClient(http, url, namespace, credentials=lambda: own, patience=patience), http)
            return

        def credentials() -> Sequence[tuple[str, str]]:
            return [*cluster.headers(), *own]

        home = place.registry_namespace or os.environ.get("MODELBERTH_REGISTRY_NAMESPACE") or DEFAULT_REGISTRY_NAMESPACE
        proxied = f"{cluster.connection.server}/api/v1/namespaces/{home}/services/{SERVICE}/proxy"
        client = RegistryClient(cluster.http, proxied, namespace, credentials=credentials, patience=patience)
        try:
            yield Access(client, http)
        except HttpFailure as error:
            if error.status == 404 and error.code == "NotFound" and error.reason.startswith("services "):
                raise CommandError(
                    f"there is no registry in namespace {home} ({error.reason}): "
                    "say with --registry-namespace where Modelberth is installed"
                ) from None
            raise


def _trust(cluster: Cluster, place: Place, namespace: str) -> ssl.SSLContext:
    """The system's certificates, the given file's, and those that the operator gives to the namespace's loaders."""
    trust = ssl.create_default_context()
    path = place.ca_file or os.environ.get("MODELBERTH_CA_FILE")
    try:
        if path:
            trust.load_verify_locations(cafile=path)
        elif authorities := _authorities(cluster, namespace):
            trust.load_verify_locations(cadata=authorities)
    except (OSError, ssl.SSLError) as error:
        raise CommandError(f"CA certificates of {path or 'the namespace'}: {error.strerror or error}") from None
    return trust


def _authorities(cluster: Cluster, namespace: str) -> str:
    """The CA in the namespace's ConfigMap; nothing when there is none or the user may not read it."""
    try:
        return str(dig(cluster.get(CONFIG_MAPS, namespace, names.REGISTRY_CONFIG_MAP), "data", "ca.crt") or "")
    except HttpFailure as error:
        if error.status == 403:
            return ""
        raise
