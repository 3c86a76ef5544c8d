"""A namespace full of ModelVersions: made fast, many at once, and Ready as the operator would have left them."""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, datetime

from modelberth.api import names
from modelberth.domain import content_version
from modelberth.domain.content_version import Stored
from modelberth.domain.verdicts import Standing, Verdict
from modelberth.runtime.kube_client import KubeClient
from modelberth.runtime.resources import (
    MODEL_ARTIFACTS,
    MODEL_DEPLOYMENTS,
    MODEL_VERSIONS,
    NAMESPACES,
    REGISTERED_MODELS,
    Object,
)

MANAGER = "bench"
NAMESPACE = "ml"
ARTIFACT = "mnist"
MODEL = "digits"
ALIAS = "production"
DEPLOYMENT = "web"
WORKLOAD = f"{DEPLOYMENT}-a"
_AT_ONCE = 32


def version_name(number: int) -> str:
    """The object's name of the artifact's version with this number."""
    return f"{ARTIFACT}-v{number}"


def digest_of(number: int) -> str:
    """The content's digest of that version; of no content that exists."""
    return f"sha256:{hashlib.sha256(str(number).encode()).hexdigest()}"


async def make_namespace(kube: KubeClient, namespace: str) -> None:
    """A namespace with the artifact in it."""
    await kube.create(NAMESPACES, None, {"metadata": {"name": namespace}})
    await kube.create(MODEL_ARTIFACTS, namespace, {"metadata": {"name": ARTIFACT}, "spec": {}})


async def make_ready_versions(kube: KubeClient, namespace: str, numbers: Iterable[int]) -> None:
    """Pushed versions that are Ready: their status is word for word what the reconciler writes."""

    async def make(number: int) -> None:
        body = {"metadata": {"name": version_name(number)}, "spec": _spec(number, {"pushed": {}}, digest_of(number))}
        made = await kube.create(MODEL_VERSIONS, namespace, body)
        await kube.apply(
            MODEL_VERSIONS,
            namespace,
            version_name(number),
            {"status": _ready_status(made, number)},
            manager=names.field_manager(MODEL_VERSIONS.plural),
            subresource="status",
        )

    await all_at_once(make, numbers)


async def make_new_versions(kube: KubeClient, namespace: str, numbers: Iterable[int]) -> None:
    """Versions whose content stands in them and has not been stored yet: all the work is still to be done."""

    async def make(number: int) -> None:
        source = {"inline": {"files": {"weights.txt": {"text": f"weights of {number}\n"}}}}
        body = {"metadata": {"name": version_name(number)}, "spec": _spec(number, source, None)}
        await kube.create(MODEL_VERSIONS, namespace, body)

    await all_at_once(make, numbers)


async def make_model(kube: KubeClient, namespace: str, number: int) -> None:
    """A model whose alias asks for a version, and the deployment that follows it (no pods: nothing can run here)."""
    await move_alias(kube, namespace, number)
    server = {"name": "server", "image": "localhost/pause:1", "ports": [{"containerPort": 8080}]}
    spec = {"model": MODEL, "alias": ALIAS, "replicas": 0, "template": {"spec": {"containers": [server]}}}
    await kube.create(MODEL_DEPLOYMENTS, namespace, {"metadata": {"name": DEPLOYMENT}, "spec": spec})


async def move_alias(kube: KubeClient, namespace: str, number: int) -> None:
    """What `kubectl apply --server-side` of the model sends; returns when the API server has accepted it."""
    spec = {"aliases": {ALIAS: {"version": version_name(number)}}}
    await kube.apply(REGISTERED_MODELS, namespace, MODEL, {"spec": spec}, manager=MANAGER)


def is_settled(model: Object | None, number: int) -> bool:
    """Whether the model's status says that the alias stands for this version."""
    alias = ((model or {}).get("status", {}).get("aliases") or {}).get(ALIAS) or {}
    return bool(alias.get("current") == version_name(number))


def _spec(number: int, source: Object, digest: str | None) -> Object:
    """As much as `modelberth push` writes of an ordinary training run."""
    spec: Object = {
        "artifact": ARTIFACT,
        "version": f"v{number}",
        "source": source,
        "format": "safetensors",
        "description": f"Nightly training, run {number}.",
        "parameters": {"learning_rate": "0.001", "batch_size": "128", "epochs": "20", "optimizer": "adamw"},
        "metrics": {"accuracy": 0.98 + number % 100 / 10_000, "loss": 0.07, "f1": 0.975},
        "signature": {
            "inputs": [{"name": "image", "type": "float32", "shape": [-1, 28, 28]}],
            "outputs": [{"name": "scores", "type": "float32", "shape": [-1, 10]}],
        },
        "lineage": {
            "run": {"uri": f"https://tracking.example.com/experiments/7/runs/{number:032x}"},
            "datasets": [{"uri": "s3://datasets/mnist", "digest": digest_of(-1), "role": "train"}],
            "code": {
                "repository": "https://git.example.com/ml/mnist",
                "revision": f"{number:040x}",
                "path": "train.py",
            },
        },
    }
    return spec if digest is None else {**spec, "digest": digest}


def _ready_status(version: Object, number: int) -> Object:
    stored = Stored(
        record_digest=digest_of(number),
        record_by="system:serviceaccount:training:nightly",
        digest=digest_of(number),
        file_count=7,
        size_bytes=45_000_000,
        stored_bytes=45_000_000,
    )
    verdict = Verdict("Ready", Standing.READY, "Ready", f"{ARTIFACT}:v{number} is stored and proven")
    return content_version.status_of(version, verdict, stored, [], now=datetime.now(UTC))


async def all_at_once(make: Callable[[int], Awaitable[None]], numbers: Iterable[int]) -> None:
    """Call `make` for all numbers, so many of them at a time."""
    waiting = iter(numbers)

    async def worker() -> None:
        for number in waiting:
            await make(number)

    async with asyncio.TaskGroup() as group:
        for _ in range(_AT_ONCE):
            group.create_task(worker())
