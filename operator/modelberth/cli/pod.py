"""The registry as a loader in a pod finds it: what the operator mounted, on the standard library alone."""

import math
import os
import ssl
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager

from modelberth.cli.access import Access
from modelberth.cli.display import Notices
from modelberth.cli.errors import CommandError
from modelberth.content.mounts import REGISTRY_FOLDER, TOKEN_FILE
from modelberth.transfer.http import Http
from modelberth.transfer.patience import Patience
from modelberth.transfer.registry_client import RegistryClient

RUN_HEADER = "Modelberth-Run"
"""Says of which run a pod is; the registry compares it with the run's status."""


def is_loader() -> bool:
    """Whether this process is a loader that the operator put into a pod."""
    return os.path.exists(TOKEN_FILE)


def pod_access(namespace: str | None) -> AbstractContextManager[Access]:
    """Access with the pod's projected token.

    Args:
        namespace: whose content; the pod's own by default.

    Raises:
        CommandError: something that the operator should have mounted is missing.
    """
    return _access(namespace, {}, Patience(notice=Notices()))


def run_access(run: str) -> AbstractContextManager[Access]:
    """Access for the pod of a training run, which may send what comes of it.

    It waits for registry and store as long as the pod lives: hours of training are not lost for an outage.

    Args:
        run: the TrainingRun's name.

    Raises:
        CommandError: something that the operator should have mounted is missing.
    """
    return _access(None, {RUN_HEADER: run}, Patience(seconds=math.inf, notice=Notices()))


@contextmanager
def _access(namespace: str | None, headers: Mapping[str, str], patience: Patience) -> Iterator[Access]:
    namespace = namespace or os.environ.get("MODELBERTH_NAMESPACE")
    if not namespace:
        raise CommandError("MODELBERTH_NAMESPACE is not set: the address needs a namespace (namespace/name…)")
    url = os.environ.get("MODELBERTH_REGISTRY_URL") or _text(os.path.join(REGISTRY_FOLDER, "url"))

    def credentials() -> Sequence[tuple[str, str]]:
        """Read anew each time: the kubelet rotates the token."""
        return [("Authorization", f"Bearer {_text(TOKEN_FILE)}"), *headers.items()]

    with Http(tls=_trust()) as http:
        client = RegistryClient(http, url, namespace, credentials=credentials, patience=patience)
        yield Access(client=client, http=http, reports_progress=True)


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
