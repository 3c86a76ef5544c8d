"""`modelberth.push` and `modelberth.load`: the command line's work as two functions."""

import hashlib
import os
import sys
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from modelberth.cli.errors import UsageError
from modelberth.cli.pushing import PushRequest, not_taken_words
from modelberth.cli.pushing import push as push_folder
from modelberth.cli.reading import reading
from modelberth.cli.session import Place
from modelberth.content import collections
from modelberth.content.addresses import Address
from modelberth.content.collections import Collection, CollectionFamily
from modelberth.transfer.load import load as load_folder
from modelberth.transfer.progress import Progress
from modelberth.transfer.workers import default_workers

_FIELDS_OF_OTHERS: Mapping[CollectionFamily, frozenset[str]] = {
    "models": frozenset({"derivedFrom", "labels"}),
    "datasets": frozenset({"metrics", "parameters", "signature"}),
}


@dataclass(frozen=True, slots=True)
class PushedVersion:
    """The version that a folder is now.

    Attributes:
        artifact: the ModelArtifact's name; None for data.
        dataset: the Dataset's name; None for a model.
        version: as `v4` or `1.1`.
        name: the version's object name, as `mnist-v4`.
        digest: `sha256:<hex>`.
        created: False when the same content had this version before.
    """

    artifact: str | None
    dataset: str | None
    version: str
    name: str
    digest: str
    created: bool


def push(
    folder: str | os.PathLike[str],
    artifact: str | None = None,
    *,
    dataset: str | None = None,
    alias: str | None = None,
    version: str | None = None,
    versioning: Literal["Sequence", "Semantic"] | None = None,
    format: str | None = None,  # noqa: A002 (named as the field of the spec)
    metrics: Mapping[str, float] | None = None,
    parameters: Mapping[str, object] | None = None,
    lineage: Mapping[str, Any] | None = None,
    signature: Mapping[str, Any] | None = None,
    derived_from: Sequence[str] = (),
    labels: Mapping[str, object] | None = None,
    description: str | None = None,
    draft: bool = False,
    namespace: str | None = None,
    kubeconfig: str | None = None,
    context: str | None = None,
    registry_url: str | None = None,
    registry_namespace: str | None = None,
    workers: int | None = None,
) -> PushedVersion:
    """Send a folder as a new version of an artifact or a dataset.

    Only what the store lacks is sent. The same content again gives the version that exists, and a warning where it is
    described otherwise, for a version never changes. The ModelArtifact or Dataset is made when there is none.

    Cluster and user are those of the kubeconfig, which is found by kubectl's rules.

    Args:
        folder: its path; links inside of it are followed, links that leave it are refused.
        artifact: the ModelArtifact's name.
        dataset: the Dataset's name; exactly one of the two.
        alias: an alias of the artifact or dataset to move to the version.
        version: such as `v4`; the next one by default.
        versioning: how a new artifact counts.
        format: what reads the content, such as `onnx`.
        metrics: numbers that were measured; of artifacts only.
        parameters: what the training was told; values are written with `str`; of artifacts only.
        lineage: `run`, `datasets`, `parents`, `code`, `environment`, as in a ModelVersion's spec; `run`, `code` and
            `environment`, as in a DatasetVersion's.
        signature: `inputs` and `outputs`, as in a ModelVersion's spec; of artifacts only.
        derived_from: the DatasetVersions that it was made from, as `housing-v1`; of datasets only.
        labels: whatever else is to be known, by name; values are written with `str`; of datasets only.
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
        "derivedFrom": list(derived_from),
        "labels": {name: str(value) for name, value in (labels or {}).items()},
        "description": description,
    }
    collection = _collection(artifact, dataset)
    description_of = {name: value for name, value in spec.items() if value}
    _refuse_foreign(collection, description_of)
    request = PushRequest(
        folder=os.fspath(folder),
        collection=collection,
        version=version,
        versioning=versioning,
        alias=alias,
        declare=not draft,
        description=description_of,
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
    if warning := not_taken_words(outcome):
        warnings.warn(warning, stacklevel=2)
    return PushedVersion(
        artifact=artifact,
        dataset=dataset,
        version=outcome.version,
        name=str(outcome.manifest["metadata"]["name"]),
        digest=outcome.digest,
        created=outcome.created,
    )


def _collection(artifact: str | None, dataset: str | None) -> Collection:
    if (artifact is None) == (dataset is None):
        raise ValueError("push takes exactly one of artifact and dataset")
    return collections.artifact(artifact) if artifact is not None else collections.dataset(str(dataset))


def _refuse_foreign(collection: Collection, described: Mapping[str, Any]) -> None:
    foreign = described.keys() & _FIELDS_OF_OTHERS[collection.family]
    if foreign:
        raise ValueError(f"{', '.join(sorted(foreign))}: no version of {collection} has that; leave it away")


def load(
    address: str,
    folder: str | os.PathLike[str] | None = None,
    *,
    desired: bool = False,
    replace: bool = False,
    dataset: bool = False,
    namespace: str | None = None,
    kubeconfig: str | None = None,
    context: str | None = None,
    registry_url: str | None = None,
    registry_namespace: str | None = None,
    workers: int | None = None,
) -> str:
    """Bring a version into a folder, every byte verified, and return the folder's path.

    Args:
        address: `[namespace/]name[:alias | :v4 | :1.1 | @sha256:…][#folder]`; with a folder only that is loaded.
        folder: where to; by default a folder in the user's cache that is named after the digest. What is intact there
            is proved by hashing and not fetched again.
        desired: take what an alias should stand for, served or not.
        replace: replace a `folder` that holds something else.
        dataset: the name is a Dataset's; needed only where an artifact has it, too.
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
    with (
        place.connect() as cluster,
        reading(cluster, place, parsed, desired=desired, family="datasets" if dataset else None) as (access, found),
    ):
        loaded = load_folder(
            access.client,
            access.http,
            found.digest,
            os.fspath(folder) if folder is not None else cache_folder(found.digest, parsed.folder),
            workers=workers or default_workers(),
            progress=Progress(),
            replace=replace or folder is None,
            folder=parsed.folder,
            family=found.family,
        )
    return loaded.path


def cache_folder(digest: str, part: str | None = None) -> str:
    """Where a version, or one folder of it, lies in the cache; each has a folder of its own around it, for locks."""
    if sys.platform == "win32":
        cache = os.environ.get("LOCALAPPDATA") or os.path.expanduser("~/AppData/Local")
    elif sys.platform == "darwin":
        cache = os.path.expanduser("~/Library/Caches")
    else:
        cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    name = digest.replace(":", "-")
    if part is not None:
        name += "-" + hashlib.sha256(part.encode()).hexdigest()[:16]
    return os.path.join(cache, "modelberth", name, "model")
