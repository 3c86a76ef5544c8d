"""Carrying out writes: in order, fenced, up to the first refusal."""

import pytest

from modelberth.domain import writes
from modelberth.reconcile.base import execute, write_status
from modelberth.runtime.cache import Cache
from modelberth.runtime.errors import AlreadyExists, Conflict, Forbidden, Invalid, NotFound
from modelberth.runtime.resources import MODEL_DEPLOYMENTS
from tests.unit.domain.builders import deployment


class Server:
    """Answers each call with what the test says; keeps what was asked."""

    def __init__(self, **answers):
        self.calls, self.answers = [], answers

    async def _answer(self, verb, body, options):
        self.calls.append((verb, body, options))
        answer = self.answers.get(verb)
        if isinstance(answer, Exception):
            raise answer
        version = str(100 + len(self.calls))
        return {**body, "metadata": {**body["metadata"], "uid": "u", "resourceVersion": version}}

    async def apply(self, resource, namespace, name, body, **options):
        return await self._answer("apply", body, options)

    async def create(self, resource, namespace, body, **options):
        return await self._answer("create", body, options)

    async def get(self, resource, namespace, name):
        return self.answers.get("get")

    async def delete(self, resource, namespace, name, **options):
        await self._answer("delete", {"metadata": {}}, options)


def _obj(name="web-a", version="1"):
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": "shop", "uid": "u", "resourceVersion": version},
    }


@pytest.mark.parametrize("refusal", [Invalid(422, "Invalid", "no"), Forbidden(403, "Forbidden", "no")])
async def test_nothing_is_written_after_a_refusal(refusal):
    """A dry run that fails must keep the revision from being made."""
    server = Server(apply=refusal)
    plan = [writes.check(_obj(), manager="m"), writes.create(_obj("r"), manager="m")]
    outcome = await execute(plan, kube=server, cache=Cache())
    assert outcome.refusal is refusal
    assert [verb for verb, *_ in server.calls] == ["apply"]


async def test_a_conflict_is_raised_so_that_everything_is_observed_again():
    """It is nobody's fault and nothing for a status."""
    server = Server(apply=Conflict(409, "Conflict", "moved on"))
    with pytest.raises(Conflict):
        await execute([writes.apply(_obj(), observed=_obj(), manager="m")], kube=server, cache=Cache())


async def test_a_claim_creates_or_conflicts():
    """Somebody else's object of that name is no prey; nor is what another leader of our own name claimed meanwhile."""
    server = Server()
    await execute([writes.claim(_obj(), manager="m")], kube=server, cache=Cache())
    [(_, body, options)] = server.calls
    assert options["force"] is False
    assert body["metadata"]["resourceVersion"] == "1"


async def test_a_second_write_to_an_object_is_fenced_by_the_first_ones_answer():
    """Otherwise it would conflict with ourselves."""
    server = Server()
    plan = [writes.apply(_obj(), observed=_obj(), manager=m) for m in ("one", "two")]
    await execute(plan, kube=server, cache=Cache())
    assert [body["metadata"]["resourceVersion"] for _, body, _ in server.calls] == ["1", "101"]


async def test_an_object_whose_creation_was_answered_by_nobody_is_recognised():
    """The same owner and the same data: it was us."""
    body = {**_obj("web-1"), "kind": "ControllerRevision", "data": {"x": 1}}
    taken = AlreadyExists(409, "AlreadyExists", "there")
    same = Server(create=taken, get=body)
    await execute([writes.create(body, manager="m")], kube=same, cache=Cache())
    other = Server(create=taken, get={**body, "data": {"x": 2}})
    with pytest.raises(Conflict):
        await execute([writes.create(body, manager="m")], kube=other, cache=Cache())


async def test_a_status_that_says_the_same_is_not_written():
    """No write, no event, no endless loop."""
    server = Server()
    observed = deployment({"state": "Served"})
    assert await write_status(MODEL_DEPLOYMENTS, observed, {"state": "Served"}, manager="m", kube=server, cache=Cache())
    assert server.calls == []


async def test_a_status_is_fenced_and_carries_no_spec():
    """Spec is the user's and is never written by us."""
    server = Server()
    await write_status(MODEL_DEPLOYMENTS, deployment(), {"state": "x"}, manager="m", kube=server, cache=Cache())
    [(_, body, options)] = server.calls
    assert options["subresource"] == "status"
    assert "spec" not in body
    assert (body["metadata"]["uid"], body["metadata"]["resourceVersion"]) == ("mdep-web", "1")


async def test_an_empty_map_is_left_out_of_a_status():
    """Applied empty, a map that had entries becomes null, and the API server refuses the whole status for ever."""
    server = Server()
    status = {"aliases": {}, "usedBy": []}
    await write_status(MODEL_DEPLOYMENTS, deployment(), status, manager="m", kube=server, cache=Cache())
    [(_, body, _)] = server.calls
    assert body["status"] == {"usedBy": []}


async def test_an_object_that_is_gone_needs_no_status():
    """It is forgotten at once: its children would be made again and collected again until its deletion is told."""
    server, cache = Server(apply=NotFound(404, "NotFound", "gone")), Cache()
    cache.observe(deployment())
    assert not await write_status(MODEL_DEPLOYMENTS, deployment(), {"a": 1}, manager="m", kube=server, cache=cache)
    assert cache.get(MODEL_DEPLOYMENTS, "shop", "web") is None
