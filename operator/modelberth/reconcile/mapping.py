"""Which reconcilers have to look again when an object changes. Level-triggered: once too often is fine, too seldom not.

Every rule is a pure function of the change and the cache. A deleted object comes as ``new=None``.
"""

from collections.abc import Callable, Iterator
from functools import partial

from modelberth.api import names
from modelberth.domain import version_users
from modelberth.domain.content_version import collection_of
from modelberth.domain.objects import Object, condition, dig, is_deleting, is_ready, label, name_of, namespace_of
from modelberth.reconcile import training_mapping
from modelberth.runtime.cache import Cache
from modelberth.runtime.families import FAMILIES, MODEL_FAMILY, ContentFamily
from modelberth.runtime.resources import (
    CONTROLLER_REVISIONS,
    DEPLOYMENTS,
    MODEL_DEPLOYMENTS,
    POD_TEMPLATES,
    REGISTERED_MODELS,
    REPLICA_SETS,
    SERVICES,
    TRAINING_PIPELINES,
    TRAINING_RUNS,
    TRANSFER_SESSIONS,
    Key,
    Resource,
)

Work = tuple[str, Key]
"""(reconciler name, key)"""

TRUST = "registry-trust"
_WITH_LOADERS = frozenset({MODEL_DEPLOYMENTS, TRAINING_RUNS})
"""Their pods ask the registry."""


def add_indexes(cache: Cache) -> None:
    """Register every index that the rules and the reconcilers look things up by."""
    for family in FAMILIES:
        cache.add_index(family.versions, "collection", lambda version: [collection_of(version).name])
        for users in family.users:
            cache.add_index(users, family.versions.plural, partial(version_users.named_by, family=family.name))
    cache.add_index(MODEL_DEPLOYMENTS, "model", lambda deployment: [str(dig(deployment, "spec", "model"))])
    cache.add_index(MODEL_DEPLOYMENTS, "template", _template_named_by)
    for owned in (REPLICA_SETS, CONTROLLER_REVISIONS):
        cache.add_index(owned, "deployment", lambda obj: [label(obj, names.LABEL_DEPLOYMENT) or ""])
    training_mapping.add_indexes(cache)


def work_for(resource: Resource, old: Object | None, new: Object | None, cache: Cache) -> set[Work]:
    """Everything that has to be looked at again after a change."""
    obj = new if new is not None else old
    if obj is None:
        return set()
    rule = _RULES.get(resource)
    work = set(training_mapping.work_for(resource, old, new, obj, cache))
    if resource in _WITH_LOADERS and (old is None or new is None):
        work.add((TRUST, Key(namespace_of(obj), "")))
    return work | set(rule(old, new, obj, cache)) if rule else work


def moved_aliases(old: Object | None, new: Object | None) -> Iterator[tuple[str, str]]:
    """(alias, version) for each alias of a RegisteredModel that asks for another version than before."""
    before, after = (dig(state, "spec", "aliases") or {} for state in (old, new))
    for alias, entry in after.items():
        if dig(before, alias, "version") != entry.get("version"):
            yield alias, str(entry.get("version"))


def _of_version(
    family: ContentFamily, old: Object | None, new: Object | None, obj: Object, cache: Cache
) -> Iterator[Work]:
    yield family.versions.plural, Key(namespace_of(obj), name_of(obj))
    if old is None or new is None or _as_aliases_see(old) != _as_aliases_see(new):
        # A collection adds up all its versions: that is not done for a change that it does not count.
        yield family.collections.plural, Key(namespace_of(obj), collection_of(obj).name)
        yield from _aliasing(family, obj, cache)


def _aliasing(family: ContentFamily, version: Object, cache: Cache) -> Iterator[Work]:
    """Models whose aliases look at a version, and what follows these."""
    if REGISTERED_MODELS not in family.users:
        return
    namespace = namespace_of(version)
    for model in cache.by_index(REGISTERED_MODELS, family.versions.plural, namespace, name_of(version)):
        yield REGISTERED_MODELS.plural, Key(namespace, name_of(model))
        yield from _followers(model, cache)


def _as_aliases_see(version: Object) -> tuple[object, ...]:
    """What aliases and the collection read of a version, the words that they quote included."""
    said = dig(condition(version, "Ready"), "message")
    return is_ready(version), is_deleting(version), dig(version, "status", "digest"), said


def _of_collection(
    family: ContentFamily, old: Object | None, new: Object | None, obj: Object, cache: Cache
) -> Iterator[Work]:
    namespace = namespace_of(obj)
    yield family.collections.plural, Key(namespace, name_of(obj))
    yield from _used_versions(family, old, new)
    if old is not None and new is not None and dig(old, "spec", "type") == dig(new, "spec", "type"):
        return
    for version in cache.by_index(family.versions, "collection", namespace, name_of(obj)):
        if not is_ready(version):
            yield family.versions.plural, Key(namespace, name_of(version))
        yield from _aliasing(family, version, cache)


def _of_model(old: Object | None, new: Object | None, obj: Object, cache: Cache) -> Iterator[Work]:
    yield REGISTERED_MODELS.plural, Key(namespace_of(obj), name_of(obj))
    yield from _used_versions(MODEL_FAMILY, old, new)
    if old is None or new is None or old.get("spec") != new.get("spec"):
        yield from _followers(obj, cache)


def _of_deployment(old: Object | None, new: Object | None, obj: Object, cache: Cache) -> Iterator[Work]:
    del cache
    namespace = namespace_of(obj)
    yield MODEL_DEPLOYMENTS.plural, Key(namespace, name_of(obj))
    for state in (old, new):
        if state is not None:
            yield REGISTERED_MODELS.plural, Key(namespace, str(dig(state, "spec", "model")))


def _of_owned(old: Object | None, new: Object | None, obj: Object, cache: Cache) -> Iterator[Work]:
    del old, new, cache
    deployment = label(obj, names.LABEL_DEPLOYMENT)
    if deployment:
        yield MODEL_DEPLOYMENTS.plural, Key(namespace_of(obj), deployment)


def _of_template(old: Object | None, new: Object | None, obj: Object, cache: Cache) -> Iterator[Work]:
    del old, new
    for deployment in cache.by_index(MODEL_DEPLOYMENTS, "template", namespace_of(obj), name_of(obj)):
        yield MODEL_DEPLOYMENTS.plural, Key(namespace_of(obj), name_of(deployment))


def _of_session(old: Object | None, new: Object | None, obj: Object, cache: Cache) -> Iterator[Work]:
    del old, new, cache
    yield TRANSFER_SESSIONS.plural, Key(namespace_of(obj), name_of(obj))


def _followers(model: Object, cache: Cache) -> Iterator[Work]:
    for deployment in cache.by_index(MODEL_DEPLOYMENTS, "model", namespace_of(model), name_of(model)):
        yield MODEL_DEPLOYMENTS.plural, Key(namespace_of(model), name_of(deployment))


def _used_versions(family: ContentFamily, old: Object | None, new: Object | None) -> Iterator[Work]:
    """Versions that gained or lost a user: their ``usedBy`` is out of date."""
    before = version_users.named_by(old, family.name) if old is not None else set()
    after = version_users.named_by(new, family.name) if new is not None else set()
    namespace = namespace_of(new or old or {})
    for name in before ^ after:
        yield family.versions.plural, Key(namespace, name)
    for name in before & after:
        if old is not None and new is not None and _users_differ(old, new):
            yield family.versions.plural, Key(namespace, name)


def _of_training(old: Object | None, new: Object | None, obj: Object, cache: Cache) -> Iterator[Work]:
    del obj, cache
    for family in FAMILIES:
        yield from _used_versions(family, old, new)


def _users_differ(old: Object, new: Object) -> bool:
    """Whether the same versions are used under other aliases than before."""
    return any(
        {alias: entry.get(field) for alias, entry in (dig(old, part, "aliases") or {}).items()}
        != {alias: entry.get(field) for alias, entry in (dig(new, part, "aliases") or {}).items()}
        for part, field in (("spec", "version"), ("status", "current"))
    )


def _template_named_by(deployment: Object) -> list[str]:
    name = dig(deployment, "spec", "templateRef", "name")
    return [str(name)] if name else []


_Rule = Callable[[Object | None, Object | None, Object, Cache], Iterator[Work]]
_RULES: dict[Resource, _Rule] = {
    **{family.versions: partial(_of_version, family) for family in FAMILIES},
    **{family.collections: partial(_of_collection, family) for family in FAMILIES},
    REGISTERED_MODELS: _of_model,
    MODEL_DEPLOYMENTS: _of_deployment,
    TRANSFER_SESSIONS: _of_session,
    POD_TEMPLATES: _of_template,
    TRAINING_PIPELINES: _of_training,
    TRAINING_RUNS: _of_training,
    DEPLOYMENTS: _of_owned,
    REPLICA_SETS: _of_owned,
    SERVICES: _of_owned,
    CONTROLLER_REVISIONS: _of_owned,
}
