"""`modelberth.step`: work in somebody's workflow engine, recorded and skipped like the training runs of the cluster.

    with modelberth.step(["housing:latest"], {"housing-clean": "clean/"}, key="clean.py@4f2c1e") as step:
        if not step.is_done:
            clean("raw/", "clean/")
            step.metrics["rows"] = 20640

What the addresses stand for is fixed when the block is entered. When it is left, the folders become versions that know
what they were made from. Who comes again with the same inputs, parameters and key finds it done.
"""

import hashlib
import json
import os
import secrets
import sys
import time
import traceback
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from modelberth.cli.cluster import Cluster
from modelberth.cli.pushing import PushRequest, push
from modelberth.cli.session import Place, session_access
from modelberth.cli.step_metrics import all_finite, finite
from modelberth.content.addresses import Address
from modelberth.content.collections import Collection, CollectionFamily, artifact, dataset
from modelberth.content.versions import object_name
from modelberth.runtime.families import FAMILY_OF
from modelberth.training.harness import installed_packages
from modelberth.transfer.errors import HttpFailure, TransferError
from modelberth.transfer.progress import Progress
from modelberth.transfer.workers import default_workers

_FORMAT = 1
_TRACEBACK_LINES = 60


@dataclass(frozen=True, slots=True)
class StepInput:
    """What an address stood for when the step began.

    Attributes:
        address: as it was given.
        family: models or datasets.
        name: the version's object name, as `housing-v3`.
        digest: `sha256:<hex>` of the whole version.
        folder: which part of it is meant; empty for all.
    """

    address: str
    family: CollectionFamily
    name: str
    digest: str
    folder: str


@dataclass(slots=True)
class Step:
    """A step, inside of its block.

    Attributes:
        name: what it is called in records.
        inputs: what the addresses stand for, in their order.
        is_done: whether the same has been done already: then there is nothing to do, and `versions` is filled.
        versions: the object names of what came out, by the name of dataset or artifact; filled when the block is left.
        metrics: numbers to record; yours to fill.
    """

    name: str
    inputs: tuple[StepInput, ...]
    is_done: bool = False
    versions: dict[str, str] = field(default_factory=dict)
    metrics: dict[str, float] = field(default_factory=dict)


@contextmanager
def step(
    inputs: Sequence[str],
    outputs: Mapping[str, str | os.PathLike[str]],
    key: str,
    *,
    name: str = "step",
    models: Mapping[str, str | os.PathLike[str]] | None = None,
    parameters: Mapping[str, object] | None = None,
    namespace: str | None = None,
    kubeconfig: str | None = None,
    context: str | None = None,
    registry_url: str | None = None,
    registry_namespace: str | None = None,
) -> Iterator[Step]:
    """Do something once for the same inputs, parameters and key, and record it.

    Args:
        inputs: addresses of datasets and models, `name[:alias | :v4][#folder]`.
        outputs: folders that become versions of these Datasets when the block is left.
        key: what else decides the outcome, such as the program's commit; another key is another step.
        name: what the step is called in records.
        models: folders that become versions of these ModelArtifacts.
        parameters: what the step was told; part of the key.
        namespace: by default the kubeconfig context's.
        kubeconfig: as kubectl's.
        context: the kubeconfig's context.
        registry_url: the registry's own address; by default it is reached through the API server.
        registry_namespace: where Modelberth is installed.

    Raises:
        ValueError: an address is not in its form, a metric is no finite number, or a folder holds a path that no
            version may hold.
        TransferError: something was refused, or could not be reached. What the block raises is recorded and raised.
    """
    place = Place(
        kubeconfig=kubeconfig,
        context=context,
        namespace=namespace,
        registry_url=registry_url,
        registry_namespace=registry_namespace,
    )
    told = {each: str(value) for each, value in (parameters or {}).items()}
    folders = {dataset(each): os.fspath(folder) for each, folder in outputs.items()}
    folders |= {artifact(each): os.fspath(folder) for each, folder in (models or {}).items()}
    with place.connect() as cluster:
        keeper = _Keeper(cluster, place, namespace or cluster.namespace, name, _family(folders))
        made = Step(name, tuple(keeper.resolve(inputs)))
        digest = key_of(made, key, told, folders)
        known = keeper.known(digest)
        if known is not None and keeper.are_there(known):
            made.is_done, made.versions = True, _versions_of(known)
            yield made
            return
        report = _Report(made, digest, told, instead_of=None if known is None else str(known["uid"]))
        try:
            yield made
        except BaseException as error:
            keeper.tell_failure(report, error)
            raise
        try:
            keeper.finish(report, folders)
        except ValueError as error:
            keeper.tell_failure(report, error)
            raise


def key_of(made: Step, key: str, parameters: Mapping[str, str], folders: Mapping[Collection, str]) -> str:
    """What makes two steps the same, in hex: name, key, parameters, content of the inputs, names of the outputs."""
    document = {
        "format": _FORMAT,
        "name": made.name,
        "key": key,
        "parameters": dict(parameters),
        "inputs": [[each.family, each.digest, each.folder] for each in made.inputs],
        "outputs": sorted([collection.family, collection.name] for collection in folders),
    }
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


class _Report:
    """What is told about one execution."""

    def __init__(self, made: Step, key: str, parameters: Mapping[str, str], *, instead_of: str | None) -> None:
        self.step = made
        self.uid = f"step-{secrets.token_hex(16)}"
        self._key = key
        self._parameters = parameters
        self._instead_of = instead_of
        self._began = time.monotonic()
        self._started_at = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    def body(self, **outcome: Any) -> dict[str, Any]:
        """As the registry takes it."""
        return {
            "name": self.step.name,
            "uid": self.uid,
            "key": self._key,
            "inputs": [_document(each.family, each.name, each.digest, each.folder) for each in self.step.inputs],
            "parameters": self._parameters,
            "python": ".".join(map(str, sys.version_info[:3])),
            "packages": installed_packages(""),
            "startedAt": self._started_at,
            "seconds": round(time.monotonic() - self._began, 3),
            **({"insteadOf": self._instead_of} if self._instead_of else {}),
            **outcome,
        }


class _Keeper:
    """Reads and writes what is kept of steps, by the user's rights."""

    def __init__(self, cluster: Cluster, place: Place, namespace: str, name: str, family: CollectionFamily) -> None:
        self._cluster = cluster
        self._place = place
        self._namespace = namespace
        self._name = name
        self._family = family

    def resolve(self, inputs: Sequence[str]) -> Iterator[StepInput]:
        """What the addresses stand for now."""
        with session_access(self._cluster, self._place, self._namespace, "Pull", family=self._family) as access:
            for text in inputs:
                address = Address.parse(text)
                found = access.client.resolve(address.whole)
                name = object_name(found.name, found.version)
                yield StepInput(text, found.family, name, found.digest, address.folder or "")

    def known(self, key: str) -> Mapping[str, Any] | None:
        """The step that counts for a key; None if none has succeeded."""
        with session_access(self._cluster, self._place, self._namespace, "Pull", family=self._family) as access:
            try:
                return access.client.ask(f"steps/{key}")
            except HttpFailure as error:
                if error.status == 404:
                    return None
                raise

    def are_there(self, known: Mapping[str, Any]) -> bool:
        """Whether everything that came out is still there as objects."""
        for family, name in map(_parted, known["outputs"]):
            if self._cluster.get(FAMILY_OF[family].versions, self._namespace, name) is None:
                return False
        return True

    def finish(self, report: _Report, folders: Mapping[Collection, str]) -> None:
        """Make the versions and tell of the step; not if its metrics could not be told.

        Raises:
            ValueError: a metric is no finite number.
        """
        metrics = all_finite(report.step.metrics)
        outputs = []
        for collection, folder in folders.items():
            outcome = push(
                PushRequest(folder, collection, description=_provenance(report, collection)),
                self._place,
                workers=default_workers(),
                progress=Progress(),
                tell=lambda _: None,
            )
            name = str(outcome.manifest["metadata"]["name"])
            report.step.versions[collection.name] = name
            outputs.append(_document(collection.family, name, outcome.digest))
        self._tell(report, metrics, status="Succeeded", outputs=outputs)

    def tell_failure(self, report: _Report, error: BaseException) -> None:
        """Tell why the step failed; that this cannot be told does not hide why."""
        lines = "".join(traceback.format_exception(error)).splitlines()[-_TRACEBACK_LINES:]
        message = f"{type(error).__qualname__}: {error}"[:2048]
        told = {"reason": "UserException", "message": message, "traceback": [line[:2000] for line in lines]}
        try:
            self._tell(report, finite(report.step.metrics), status="Failed", **told)
        except TransferError as refusal:
            print(f"warning: the failed step {self._name} is not recorded: {refusal}", file=sys.stderr)

    def _tell(self, report: _Report, metrics: Mapping[str, float], **outcome: Any) -> None:
        with session_access(self._cluster, self._place, self._namespace, "Push", family=self._family) as access:
            access.client.tell("steps", report.body(metrics=metrics, **outcome))


def _family(outputs: Iterable[Collection]) -> CollectionFamily:
    """Whose sessions a step opens: of what comes out, so that who works with models only needs no right on data."""
    return min((output.family for output in outputs), default="datasets")


def _provenance(report: _Report, collection: Collection) -> dict[str, Any]:
    """What a version that came out says about where it comes from."""
    run = {"trainingRun": report.step.name, "uid": report.uid}
    data = [each for each in report.step.inputs if each.family == "datasets"]
    others = [each.name for each in report.step.inputs if each.family == "models"]
    if collection.family == "datasets":
        derived = {"derivedFrom": list(dict.fromkeys(each.name for each in data))} if data else {}
        return {"lineage": {"run": run}, **derived}
    used = [{"version": e.name, "digest": e.digest, **({"folder": e.folder} if e.folder else {})} for e in data]
    lineage = {"run": run, "datasets": used, "parents": list(dict.fromkeys(others))}
    return {"lineage": {field: value for field, value in lineage.items() if value}}


def _document(family: str, name: str, digest: str, folder: str = "") -> dict[str, str]:
    return {"family": family, "name": name, "digest": digest, "folder": folder}


def _parted(output: str) -> tuple[CollectionFamily, str]:
    family, _, name = output.partition("/")
    return ("datasets" if family == "datasets" else "models"), name


def _versions_of(known: Mapping[str, Any]) -> dict[str, str]:
    """The versions' object names, by the name of their collection."""
    names = (_parted(output)[1] for output in known["outputs"])
    return {name.rpartition("-")[0]: name for name in names}
