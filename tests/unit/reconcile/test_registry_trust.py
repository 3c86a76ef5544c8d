"""The ConfigMap by which a namespace's loaders find and trust the registry."""

from modelberth.reconcile import mapping
from modelberth.reconcile.base import DONE
from modelberth.reconcile.registry_trust import REPAIR_SECONDS, RegistryTrustReconciler
from modelberth.runtime.cache import Cache
from modelberth.runtime.resources import Key
from tests.unit.domain.builders import AROUND, deployment

HERE = Key("shop", "")


class Server:
    """Keeps what was applied."""

    def __init__(self):
        self.applied = []

    async def apply(self, resource, namespace, name, body, *, manager):
        self.applied.append((resource.plural, namespace, name, body["data"]["url"]))
        return body


def _reconciler(*objects):
    cache, server = Cache(), Server()
    mapping.add_indexes(cache)
    for obj in objects:
        cache.observe(obj)
    return RegistryTrustReconciler(kube=server, cache=cache, surroundings=lambda: AROUND), server


async def test_it_is_applied_again_from_time_to_time():
    """Somebody may have deleted it, nobody watches it, and without it no new pod starts."""
    reconciler, server = _reconciler(deployment())
    results = [await reconciler.reconcile(HERE) for _ in range(2)]
    assert [result.requeue_after for result in results] == [REPAIR_SECONDS] * 2
    assert server.applied == [("configmaps", "shop", "modelberth-registry", AROUND.registry_url)] * 2


async def test_a_namespace_without_deployments_needs_none():
    """It is not made there, and not looked at again."""
    reconciler, server = _reconciler()
    assert await reconciler.reconcile(HERE) == DONE
    assert server.applied == []
