"""The operator's own faults, told in the status of the object that they happened with."""

from datetime import UTC, datetime

import pytest

from modelberth.reconcile.base import DONE
from modelberth.reconcile.guard import Guarded
from modelberth.runtime.cache import Cache
from modelberth.runtime.errors import Conflict
from modelberth.runtime.resources import MODEL_DEPLOYMENTS, Key
from tests.unit.domain.builders import deployment

KEY = Key("shop", "web")


class _Clock:
    def now(self):
        return datetime(2026, 3, 3, tzinfo=UTC)


class _Server:
    """Keeps the statuses that are applied."""

    def __init__(self):
        self.statuses = []

    async def apply(self, resource, namespace, name, body, **options):
        self.statuses.append(body["status"])
        return {**deployment(body["status"]), "metadata": {**deployment()["metadata"], "resourceVersion": "2"}}


class _Inner:
    def __init__(self, error=None):
        self.error = error

    async def reconcile(self, key):
        if self.error is not None:
            raise self.error
        return DONE


def _guarded(error, server):
    cache = Cache()
    cache.observe(deployment({"state": "Served", "serving": "mnist-v4", "conditions": []}))
    return Guarded(_Inner(error), resource=MODEL_DEPLOYMENTS, kube=server, cache=cache, clock=_Clock())


async def test_a_bug_becomes_a_condition_and_is_raised_all_the_same():
    """What was observed stays in the status; the error's words, which may hold anything, do not get there."""
    server = _Server()
    with pytest.raises(KeyError):
        await _guarded(KeyError("secret"), server).reconcile(KEY)
    [status] = server.statuses
    assert status["serving"] == "mnist-v4"
    ready = next(c for c in status["conditions"] if c["type"] == "Ready")
    assert (ready["status"], ready["reason"]) == ("Unknown", "InternalError")
    assert "KeyError" in ready["message"]
    assert "secret" not in ready["message"]


async def test_what_the_api_server_said_is_no_fault_of_the_operator():
    """Those errors only mean: again."""
    server = _Server()
    with pytest.raises(Conflict):
        await _guarded(Conflict(409, "Conflict", "moved on"), server).reconcile(KEY)
    assert server.statuses == []


async def test_nothing_is_said_while_all_is_well():
    """The inner result passes through."""
    server = _Server()
    assert await _guarded(None, server).reconcile(KEY) == DONE
    assert server.statuses == []
