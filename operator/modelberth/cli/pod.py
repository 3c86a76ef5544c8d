"""The registry as a loader in a pod finds it: what the operator mounted, on the standard library alone."""

import os
import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from modelberth.cli.access import Access
from modelberth.cli.display import Notices
from modelberth.cli.errors import CommandError
from modelberth.content.mounts import REGISTRY_FOLDER, TOKEN_FILE
from modelberth.transfer.http import Http, Patience
from modelberth.transfer.registry_client import RegistryClient


def is_loader() -> bool:
    """Whether this process is a loader that the operator put into a pod."""
    return os.path.exists(TOKEN_FILE)


@contextmanager
def pod_access(namespace: str | None) -> Iterator[Access]:
    """Access with the pod's projected token.

    Args:
        namespace: whose content; the pod's own by default.

    Raises:
        CommandError: something that the operator should have mounted is missing.
    """
    namespace = namespace or os.environ.get("MODELBERTH_NAMESPACE")
    if not namespace:
        raise CommandError("MODELBERTH_NAMESPACE is not set: the address needs a namespace (namespace/name…)")
    url = os.environ.get("MODELBERTH_REGISTRY_URL") or _text(os.path.join(REGISTRY_FOLDER, "url"))
    with Http(tls=_trust()) as http:
        yield Access(
            client=RegistryClient(http, url, namespace, credentials=_credentials, patience=Patience(notice=Notices())),
            http=http,
            reports_progress=True,
        )


def _credentials() -> Sequence[tuple[str, str]]:
    """Read anew each time: the kubelet rotates the token."""
    return [("Authorization", f"Bearer {_text(TOKEN_FILE)}")]


def _trust() -> ssl.SSLContext:
    trust = ssl.create_default_context()
    path = os.path.join(REGISTRY_FOLDER, "ca.crt")
    if os.path.exists(path) and os.path.getsize(path):
        trust.load_verify_locations(cafile=path)
    return trust


def _text(path: str) -> str:
    try:
        with open(path, encoding="utf-8") as file:
            return file.read().strip()
    except OSError as error:
        raise CommandError(f"{path}: {error.strerror}; the operator mounts it into its loaders") from None
