"""How objects stand right now, read with the user's own rights: what `why` has to say besides the records."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple

from modelberth.cli.cluster import Cluster
from modelberth.cli.following import has_ended, is_held_up
from modelberth.content.versions import split_object_name
from modelberth.domain.objects import condition, dig
from modelberth.runtime.resources import (
    DATASET_VERSIONS,
    DATASETS,
    MODEL_ARTIFACTS,
    MODEL_DEPLOYMENTS,
    MODEL_VERSIONS,
    REGISTERED_MODELS,
    TRAINING_PIPELINES,
    TRAINING_RUNS,
    Object,
    Resource,
)
from modelberth.transfer.errors import HttpFailure

Stage = Literal["training", "loading", "serving"]

_LOAD_REASONS = frozenset({"LoadFailed"})
"""Reasons of a ModelDeployment that are about bringing the model into the pods."""


class Standing(NamedTuple):
    """How something stands.

    Attributes:
        stage: where in a model's life it is.
        subject: kind and name.
        state: one word.
        reason: why, in one CamelCase word.
        message: why, as a sentence.
        is_well: whether nothing is wrong with it.
        details: further lines.
        uid: of the object, where records are known by it.
        is_settled: False while it goes on, so that what it says may change.
        note: what is worth knowing although nothing is wrong.
    """

    stage: Stage
    subject: str
    state: str
    reason: str
    message: str
    is_well: bool
    details: Sequence[str] = ()
    uid: str = ""
    is_settled: bool = True
    note: str = ""


class Standings:
    """What the API server says of a name.

    Args:
        cluster: the API server, as the user.
        namespace: whose objects.
    """

    def __init__(self, cluster: Cluster, namespace: str) -> None:
        self._cluster = cluster
        self._namespace = namespace

    def of_name(self, name: str) -> Iterator[Standing]:
        """Everything of this name, what a deployment stands on, who asks for a version; some of it may come twice."""
        run = self._get(TRAINING_RUNS, name)
        if run is not None:
            yield _of_run(run)
        yield from self._of_pipeline(name)
        yield from self._summaries("loading", (MODEL_ARTIFACTS, DATASETS, MODEL_VERSIONS, DATASET_VERSIONS), name)
        yield from self._of_version(name)
        yield from self._of_model(name)
        deployment = self._get(MODEL_DEPLOYMENTS, name)
        if deployment is not None:
            yield from self._of_deployment(deployment)
            yield from self.of_alias(dig(deployment, "spec", "model"), dig(deployment, "spec", "alias"))

    def of_alias(self, model: str, alias: str) -> Iterator[Standing]:
        """An alias, the version that it asks for, and the deployments that follow it."""
        found = self._get(REGISTERED_MODELS, model)
        if found is None:
            return
        status = dig(found, "status", "aliases", alias) or {}
        desired = str(dig(found, "spec", "aliases", alias, "version") or status.get("desired") or "")
        if not desired and not status:
            return
        state = str(status.get("state") or "Unknown")
        yield Standing(
            "serving",
            f"alias {model}:{alias} → {desired}",
            state,
            str(status.get("reason") or ""),
            str(status.get("message") or "the operator has not seen it yet"),
            is_well=status.get("current") == desired and state in ("Served", "Resolved"),
            details=_still(status.get("current"), desired),
        )
        for deployment in self._list(MODEL_DEPLOYMENTS):
            if (dig(deployment, "spec", "model"), dig(deployment, "spec", "alias")) == (model, alias):
                yield from self._of_deployment(deployment)
        if desired:
            yield from self._summaries("loading", (MODEL_VERSIONS,), desired)

    def wished_version(self, model: str, alias: str) -> str:
        """The version that an alias asks for; empty where it asks for none or may not be read."""
        return str(dig(self._get(REGISTERED_MODELS, model), "spec", "aliases", alias, "version") or "")

    def alias_of(self, deployment: str) -> tuple[str, str] | None:
        """Model and alias that a ModelDeployment follows."""
        found = self._get(MODEL_DEPLOYMENTS, deployment)
        return None if found is None else (str(dig(found, "spec", "model")), str(dig(found, "spec", "alias")))

    def _of_pipeline(self, name: str) -> Iterator[Standing]:
        """A pipeline, and its runs that have not ended: no record tells of those."""
        pipeline = list(self._summaries("training", (TRAINING_PIPELINES,), name))
        yield from pipeline
        for run in self._list(TRAINING_RUNS) if pipeline else ():
            if dig(run, "spec", "pipeline") == name and not has_ended(run):
                yield _of_run(run)

    def _of_version(self, name: str) -> Iterator[Standing]:
        """The aliases that ask for a version, and their deployments: what refused to load it says so."""
        for model in self._list(REGISTERED_MODELS) if self._get(MODEL_VERSIONS, name) is not None else ():
            for alias, wish in (dig(model, "spec", "aliases") or {}).items():
                if dig(wish, "version") == name:
                    yield from self.of_alias(str(dig(model, "metadata", "name")), alias)

    def _of_model(self, name: str) -> Iterator[Standing]:
        """All aliases of a registered model."""
        for alias in dig(self._get(REGISTERED_MODELS, name), "spec", "aliases") or ():
            yield from self.of_alias(name, alias)

    def _of_deployment(self, deployment: Object) -> Iterator[Standing]:
        ready = _ready(deployment)
        reason = str(ready.get("reason") or "")
        yield Standing(
            "loading" if reason in _LOAD_REASONS else "serving",
            f"ModelDeployment {dig(deployment, 'metadata', 'name')}",
            str(dig(deployment, "status", "state") or "Unknown"),
            reason,
            str(ready.get("message") or "the operator has not seen it yet"),
            is_well=ready.get("status") == "True",
            details=_still(dig(deployment, "status", "serving"), dig(deployment, "status", "desired", "version")),
        )

    def _summaries(self, stage: Stage, resources: Sequence[Resource], name: str) -> Iterator[Standing]:
        for resource in resources:
            found = self._get(resource, name)
            if found is not None:
                ready = _ready(found)
                is_well = ready.get("status") == "True"
                yield Standing(
                    stage,
                    f"{resource.kind} {name}",
                    "Ready" if is_well else "NotReady",
                    str(ready.get("reason") or ""),
                    str(ready.get("message") or "the operator has not seen it yet"),
                    is_well,
                    note=_proof(resource, name) if is_well else "",
                )

    def _get(self, resource: Resource, name: str) -> Object | None:
        try:
            return self._cluster.get(resource, self._namespace, name)
        except HttpFailure as error:
            _pass_over(resource, error)
            return None

    def _list(self, resource: Resource) -> list[Object]:
        try:
            return self._cluster.list(resource, self._namespace)
        except HttpFailure as error:
            _pass_over(resource, error)
            return []


def _of_run(run: Object) -> Standing:
    phase = str(dig(run, "status", "phase") or "Waiting")
    ended = condition(run, "Complete") or _ready(run)
    attempts = dig(run, "status", "attempts") or []
    return Standing(
        "training",
        f"TrainingRun {dig(run, 'metadata', 'name')}",
        phase,
        str(ended.get("reason") or ""),
        str(ended.get("message") or "the operator has not seen it yet"),
        is_well=phase != "Failed" and not is_held_up(run),
        details=[
            f"attempt {attempt.get('number')} ({attempt.get('pod')}): {attempt['reason']} {attempt.get('message', '')}"
            for attempt in attempts
            if attempt.get("reason")
        ],
        uid=str(dig(run, "metadata", "uid") or ""),
        is_settled=has_ended(run),
    )


def _proof(resource: Resource, name: str) -> str:
    """What Ready says of a version: it is no claim about what the store holds now."""
    if resource not in (MODEL_VERSIONS, DATASET_VERSIONS):
        return ""
    which = " --dataset" if resource == DATASET_VERSIONS else ""
    address = ":".join(split_object_name(name))
    return f"proven when it was stored; modelberth verify {address}{which} reads every byte again"


def _ready(found: Object) -> Mapping[str, Any]:
    return condition(found, "Ready") or {}


def _still(current: object, desired: object) -> list[str]:
    """What goes on to answer while the wish is not met."""
    return [f"what answers meanwhile: {current}"] if current and current != desired else []


def _pass_over(resource: Resource, error: HttpFailure) -> None:
    """Say what may not be read, and go on with what may.

    Raises:
        HttpFailure: any other refusal.
    """
    if error.status != 403:
        raise error
    print(f"not looked at, for lack of rights: {error.reason or resource}", file=sys.stderr)
