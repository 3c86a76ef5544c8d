"""`modelberth.push` and `modelberth.load`: the command line's work as two functions."""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from modelberth.cli.errors import UsageError
from modelberth.cli.pushing import PushRequest
from modelberth.cli.pushing import push as push_folder
from modelberth.cli.session import Place, session_access
from modelberth.content.addresses import Address
from modelberth.transfer.load import load as load_folder
from modelberth.transfer.progress import Progress
from modelberth.transfer.workers import default_workers


@dataclass(frozen=True, slots=True)
class PushedVersion:
    """The version that a folder is now.

    Attributes:
        artifact: the ModelArtifact's name.
        version: as `v4` or `1.1`.
        name: the ModelVersion's name, as `mnist-v4`.
        digest: `sha256:<hex>`.
        created: False when the same content had this version before.
    """

    artifact: str
    version: str
    name: str
    digest: str
    created: bool


def push(
    folder: str | os.PathLike[str],
    artifact: str,
    *,
    alias: str | None = None,
    version: str | None = None,
    versioning: Literal["Sequence", "Semantic"] | None = None,
    format: str | None = None,  # noqa: A002 (named as the field of the spec)
    metrics: Mapping[str, float] | None = None,
    parameters: Mapping[str, object] | None = None,
    lineage: Mapping[str, Any] | None = None,
    signature: Mapping[str, Any] | None = None,
    description: str | None = None,
    draft: bool = False,
    namespace: str | None = None,
    kubeconfig: str | None = None,
    context: str | None = None,
    registry_url: str | None = None,
    registry_namespace: str | None = None,
    workers: int | None = None,
) -> PushedVersion:
    """Send a folder as a new version of an artifact.

    Only what the store lacks is sent. The same content again gives the version that exists. The ModelArtifact is made
    when there is none.

    Args:
        folder: its path; links inside of it are followed, links that leave it are refused.
        artifact: the ModelArtifact's name.
        alias: an alias of the artifact to move to the version.
        version: such as `v4`; the next one by default.
        versioning: how a new artifact counts.
        format: what reads the content, such as `onnx`.
        metrics: numbers that were measured.
        parameters: what the training was told; values are written with `str`.
        lineage: `run`, `datasets`, `parents`, `code`, `environment`, as in a ModelVersion's spec.
        signature: `inputs` and `outputs`, as in a ModelVersion's spec.
        description: what is special about it.
        draft: keep content and number, make no object.
        namespace: by default the kubeconfig context's.
        kubeconfig: as kubectl's.
        context: the kubeconfig's context.
        registry_url: the registry's own address; by default it is reached through the API server.
        registry_namespace: where Modelberth is installed.
        workers: threads that hash and send.

    Raises:
        ValueError: arguments contradict each other, or the folder holds a path that no version may hold.
        TransferError: the folder, the registry, the store or the API server refused, or could not be reached.
    """
    spec = {
        "format": format,
        "signature": dict(signature or {}),
        "lineage": dict(lineage or {}),
        "parameters": {name: str(value) for name, value in (parameters or {}).items()},
        "metrics": {name: float(value) for name, value in (metrics or {}).items()},
        "description": description,
    }
    request = PushRequest(
        folder=os.fspath(folder),
        artifact=artifact,
        version=version,
        versioning=versioning,
        alias=alias,
        declare=not draft,
        description={name: value for name, value in spec.items() if value},
    )
    place = Place(
        kubeconfig=kubeconfig,
        context=context,
        namespace=namespace,
        registry_url=registry_url,
        registry_namespace=registry_namespace,
    )
    try:
        outcome = push_folder(
            request, place, workers=workers or default_workers(), progress=Progress(), tell=lambda _: None
        )
    except UsageError as error:
        raise ValueError(str(error)) from None
    return PushedVersion(
        artifact=artifact,
        version=outcome.version,
        name=str(outcome.manifest["metadata"]["name"]),
        digest=outcome.digest,
        created=outcome.created,
    )


def load(
    address: str,
    folder: str | os.PathLike[str] | None = None,
    *,
    desired: bool = False,
    replace: bool = False,
    namespace: str | None = None,
    kubeconfig: str | None = None,
    context: str | None = None,
    registry_url: str | None = None,
    registry_namespace: str | None = None,
    workers: int | None = None,
) -> str:
    """Bring a version into a folder, every byte verified, and return the folder's path.

    Args:
        address: `[namespace/]name[:alias | :v4 | :1.1 | @sha256:…]`.
        folder: where to; by default a folder in the user's cache that is named after the digest. What is intact there
            is proved by hashing and not fetched again.
        desired: take what an alias should stand for, served or not.
        replace: replace a `folder` that holds something else.
        namespace: by default the kubeconfig context's; the address's own counts first.
        kubeconfig: as kubectl's.
        context: the kubeconfig's context.
        registry_url: the registry's own address; by default it is reached through the API server.
        registry_namespace: where Modelberth is installed.
        workers: threads that fetch and verify.

    Raises:
        ValueError: the address is not in its form.
        TransferError: something was refused, damaged or could not be reached; nothing became visible.
        OSError: the disk is full or may not be written.
    """
    parsed = Address.parse(address)
    place = Place(
        kubeconfig=kubeconfig,
        context=context,
        namespace=namespace,
        registry_url=registry_url,
        registry_namespace=registry_namespace,
    )
    with place.connect() as cluster:
        home = parsed.namespace or namespace or cluster.namespace
        with session_access(cluster, place, home, "Pull") as access:
            digest = access.digest_of(parsed, desired=desired)
            target = os.fspath(folder) if folder is not None else cache_folder(digest)
            loaded = load_folder(
                access.client,
                access.http,
                digest,
                target,
                workers=workers or default_workers(),
                progress=Progress(),
                replace=replace or folder is None,
            )
    return loaded.path


def cache_folder(digest: str) -> str:
    """Where a version lies in the user's cache; each digest has a folder of its own around it, for locks."""
    if sys.platform == "win32":
        cache = os.environ.get("LOCALAPPDATA") or os.path.expanduser("~/AppData/Local")
    elif sys.platform == "darwin":
        cache = os.path.expanduser("~/Library/Caches")
    else:
        cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return os.path.join(cache, "modelberth", digest.replace(":", "-"), "model")
