"""Reconciles RegisteredModels: how each alias stands, and its moves into the bucket's history.

What happened is written into the status first, without a sequence, and only what the status says already goes to the
bucket. The other way round the bucket could have heard of something that the status never did: a move away and back,
or an alias that was made and removed, would then have no end there.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from modelberth.api import names
from modelberth.domain import alias_history, registered_model
from modelberth.domain.alias_history import Entry
from modelberth.domain.objects import Object, dig, is_deleting, name_of, namespace_of, uid_of
from modelberth.domain.registered_model import Observed
from modelberth.domain.verdicts import Standing, Verdict
from modelberth.reconcile.base import DONE, Recorder, Result, send, write_status
from modelberth.reconcile.homes import Homes
from modelberth.reconcile.store_words import RETRY_SECONDS, verdict_of
from modelberth.runtime.cache import Cache
from modelberth.runtime.clock import Clock
from modelberth.runtime.kube import KubeApi
from modelberth.runtime.resources import (
    MODEL_ARTIFACTS,
    MODEL_DEPLOYMENTS,
    MODEL_VERSIONS,
    REGISTERED_MODELS,
    Key,
)
from modelberth.store.errors import StoreError
from modelberth.store.port import StorePort
from modelberth.store.types import AliasEntry, NewAliasEntry

_NEXT = Verdict("Waiting", Standing.WORKING, "Recording", "the store is told of them next")
"""Why news waits that this status is the first to tell."""


@dataclass(frozen=True, slots=True)
class _Histories:
    """The aliases' status with their histories completed; why something waits outside the bucket, or None."""

    aliases: dict[str, dict[str, Any]]
    unrecorded: Verdict | None


class RegisteredModelReconciler:
    """One RegisteredModel at a time; keeps nothing between two calls."""

    def __init__(self, *, kube: KubeApi, cache: Cache, store: StorePort, recorder: Recorder, clock: Clock) -> None:
        self._kube = kube
        self._homes = Homes(kube)
        self._cache = cache
        self._store = store
        self._recorder = recorder
        self._clock = clock

    async def reconcile(self, key: Key) -> Result:
        """Say how each alias stands and record what happened to it."""
        model = self._cache.get(REGISTERED_MODELS, key.namespace, key.name)
        if model is None or is_deleting(model):
            return DONE
        observed = self._observe(model)
        now = self._clock.now()
        histories = await self._record(observed, now)
        status = registered_model.status_of(observed, histories.aliases, histories.unrecorded, now=now)
        written = await write_status(
            REGISTERED_MODELS,
            model,
            status,
            manager=names.field_manager("registeredmodels"),
            kube=self._kube,
            cache=self._cache,
        )
        if not written:
            return DONE  # gone: its deletion is yet to be told
        present = {alias: histories.aliases[alias] for alias in observed.aliases}
        send(self._recorder, model, registered_model.events_of(observed, present))
        return _look_again(histories.unrecorded)

    def _observe(self, model: Object) -> Observed:
        namespace = namespace_of(model)
        wanted = {str(entry.get("version")) for entry in (dig(model, "spec", "aliases") or {}).values()}
        wanted |= set(dig(model, "spec", "links") or {})
        versions = {name: self._cache.get(MODEL_VERSIONS, namespace, name) for name in wanted}
        found = {name: version for name, version in versions.items() if version is not None}
        used = {str(dig(version, "spec", "artifact")) for version in found.values()}
        artifacts = {name: self._cache.get(MODEL_ARTIFACTS, namespace, name) for name in used}
        return Observed(
            model=model,
            versions=found,
            artifacts={name: artifact for name, artifact in artifacts.items() if artifact is not None},
            followers=tuple(self._cache.by_index(MODEL_DEPLOYMENTS, "model", namespace, name_of(model))),
        )

    async def _record(self, observed: Observed, now: datetime) -> _Histories:
        aliases: dict[str, dict[str, Any]] = {}
        unrecorded: Verdict | None = None
        for alias in sorted(observed.aliases):
            status = registered_model.report_alias(observed, alias, now=now)
            news = registered_model.news_of(observed, alias, status, now=now)
            aliases[alias], why = await self._complete(observed, alias, status, news)
            unrecorded = _sooner(unrecorded, why)
        for alias in registered_model.removed_aliases(observed):
            status = dict(dig(observed.model, "status", "aliases", alias))
            news = registered_model.removal_of(observed, alias, now=now)
            status, why = await self._complete(observed, alias, status, news)
            if why is not None:  # kept until its end is written down
                aliases[alias] = status
            unrecorded = _sooner(unrecorded, why)
        return _Histories(aliases, unrecorded)

    async def _complete(
        self, observed: Observed, alias: str, status: dict[str, Any], news: list[Entry]
    ) -> tuple[dict[str, Any], Verdict | None]:
        """The status with the history as the bucket and what still waits have it; why it waits, or None."""
        known = registered_model.known_history(observed.model, alias)
        recorded = [entry for entry in known if entry.sequence is not None]
        waiting = alias_history.pending([*known, *news])
        last = int(dig(observed.model, "status", "aliases", alias, "recorded") or 0)
        why = _NEXT if news else None
        if waiting and not news:
            try:
                recorded, last = await self._append(observed.model, alias, waiting, after=last)
                waiting = []
            except StoreError as error:
                why = verdict_of(error)  # they wait in the status: the history is never a reason to hold a roll
        shown = alias_history.shown(recorded, waiting)
        status = {**status, "history": [alias_history.to_status(entry) for entry in reversed(shown)]}
        if last:
            status["recorded"] = last
        return status, why

    async def _append(self, model: Object, alias: str, waiting: list[Entry], *, after: int) -> tuple[list[Entry], int]:
        name = name_of(model)
        space = await self._store.space(namespace_of(model), await self._homes.uid_of(model))
        for entry in waiting:
            written = await self._store.append_alias(space, _to_record(model, alias, entry), after=after)
            after = written.sequence
        history = await self._store.alias_history(space, name, alias, last=alias_history.SHOWN)
        return [_from_record(entry) for entry in history], after


def _sooner(one: Verdict | None, other: Verdict | None) -> Verdict | None:
    """The reason that is over first: what the store refused has time, news has not."""
    return _NEXT if _NEXT in (one, other) else one or other


def _look_again(unrecorded: Verdict | None) -> Result:
    if unrecorded is None:
        return DONE
    return Result(0.0 if unrecorded == _NEXT else RETRY_SECONDS)


def _to_record(model: Object, alias: str, entry: Entry) -> NewAliasEntry:
    return NewAliasEntry(
        model=name_of(model),
        alias=alias,
        event=entry.event,
        version=entry.version,
        digest=entry.digest,
        previous=entry.previous,
        generation=entry.generation,
        first_generation=entry.first_generation,
        moved_by=entry.moved_by,
        at=entry.at,
        uid=uid_of(model),
    )


def _from_record(record: AliasEntry) -> Entry:
    return Entry(
        event=record.event,
        version=record.version,
        digest=record.digest,
        previous=record.previous,
        generation=record.generation,
        first_generation=record.first_generation,
        moved_by=record.moved_by,
        at=record.at,
        sequence=record.sequence,
    )
