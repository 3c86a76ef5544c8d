"""Empty answers: whether there is nothing yet, or the name that was asked about is no name of anything."""

from modelberth.cli.cluster import Cluster
from modelberth.cli.errors import CommandError
from modelberth.content.addresses import Address
from modelberth.domain.objects import dig
from modelberth.runtime.resources import NAMESPACES, REGISTERED_MODELS, TRAINING_PIPELINES, Object, Resource
from modelberth.transfer.errors import HttpFailure


def check_namespace(cluster: Cluster, namespace: str) -> None:
    """Refuse a namespace that does not exist.

    Raises:
        CommandError: there is none.
    """
    if _seen(cluster, NAMESPACES, "", namespace) is None:
        raise CommandError(f"namespace {namespace} does not exist")


def check_pipeline(cluster: Cluster, namespace: str, name: str) -> None:
    """Refuse a TrainingPipeline that does not exist.

    Raises:
        CommandError: there is none.
    """
    if _seen(cluster, TRAINING_PIPELINES, namespace, name) is None:
        raise CommandError(f"there is no TrainingPipeline {name} in namespace {namespace}, and no run of it")


def check_alias(cluster: Cluster, namespace: str, address: Address) -> None:
    """Refuse a RegisteredModel that does not exist, and an alias that it does not have.

    Raises:
        CommandError: there is none; the message has the aliases that there are.
    """
    name, alias = address.name, str(address.alias)
    model = _seen(cluster, REGISTERED_MODELS, namespace, name)
    if model is None:
        raise CommandError(
            f"there is no RegisteredModel {name} in namespace {namespace}, and nothing is recorded for {name}:{alias}"
        )
    known = sorted({**(dig(model, "spec", "aliases") or {}), **(dig(model, "status", "aliases") or {})})
    if model and alias not in known:
        there_are = f"it has {', '.join(known)}" if known else "it has none"
        raise CommandError(f"RegisteredModel {name} has no alias {alias}, and nothing is recorded for it; {there_are}")


def _seen(cluster: Cluster, resource: Resource, namespace: str, name: str) -> Object | None:
    """The object; None where there is none, and an empty one where the user may not see it."""
    try:
        return cluster.get(resource, namespace, name)
    except HttpFailure as error:
        if error.status != 403:
            raise
        return {}
