"""The simulator's API server answers as the real one: the same random script against both, compared step by step."""

import random
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from modelberth.runtime.clock import SystemClock
from modelberth.runtime.errors import ApiError, NotFound
from modelberth.runtime.kube_client import KubeClient
from modelberth.runtime.kubeconfig import load_connection
from modelberth.runtime.resources import (
    CONFIG_MAPS,
    DEPLOYMENTS,
    NAMESPACES,
    REGISTERED_MODELS,
    SERVICES,
    Object,
    Resource,
)
from tests.simulation.apiserver import ApiServer

STEPS = 120
SEEDS = range(6)
NAMES = ("one", "two")
MANAGERS = ("alpha", "beta")
FENCES = ("none", "none", "current", "current", "current", "stale", "foreign", "bare-version")
_ALIASES = ("best", "live", "test")


class InMemory:
    """The simulator's API server with the port's methods."""

    def __init__(self) -> None:
        self.server = ApiServer(SystemClock())

    async def get(self, resource: Resource, namespace: str, name: str) -> Object | None:
        return self.server.get(resource, namespace, name)

    async def create(self, resource: Resource, namespace: str, body: Object, *, dry_run: bool = False) -> Object:
        return self.server.create("user", resource, namespace, body, dry_run=dry_run)

    async def apply(self, resource: Resource, namespace: str, name: str, body: Object, **options: Any) -> Object:
        return self.server.apply("user", resource, namespace, name, body, **options)

    async def delete(self, resource: Resource, namespace: str, name: str, **fence: str | None) -> None:
        try:
            self.server.delete("user", resource, namespace, name, **fence)
        except NotFound:
            return


@dataclass
class Side:
    """One of the two servers, with what it has told so far: fences are made of a server's own uids and versions."""

    kube: Any
    namespace: str
    seen: dict[tuple[str, str], list[tuple[str, str]]] = field(default_factory=dict)
    refusal: str = ""

    async def take(self, step: "Step") -> dict[str, Any]:
        """The outcome of a step, in terms that both servers share."""
        try:
            answer = await self._send(step)
        except ApiError as error:
            self.refusal = error.message
            # A wrong uid is one fault among others to the real server: with a second one it is no Conflict any more.
            return {"refused": type(error).__name__ if step.fence != "foreign" else "somehow"}
        there = await self.kube.get(step.resource, self.namespace, step.name)
        told = self.seen.setdefault((step.resource.plural, step.name), [])
        known = told[-1] if told else None
        now = (there["metadata"]["uid"], there["metadata"]["resourceVersion"]) if there else None
        if now is not None and now != known:
            told.append(now)
        return {"there": shared(there), "moved": now != known, "answered": shared(answer)}

    async def _send(self, step: "Step") -> Object | None:
        fence = self._fence(step)
        if step.verb == "delete":
            version = fence.get("resourceVersion")
            await self.kube.delete(
                step.resource, self.namespace, step.name, uid=fence.get("uid"), resource_version=version
            )
            return None
        body = {**step.body, "metadata": {**step.body.get("metadata", {}), "name": step.name}}
        if step.verb == "create":
            return await self.kube.create(step.resource, self.namespace, body, dry_run=step.dry_run)
        body["metadata"] |= fence
        options = {"manager": step.manager, "force": step.force, "subresource": step.subresource}
        return await self.kube.apply(step.resource, self.namespace, step.name, body, dry_run=step.dry_run, **options)

    def _fence(self, step: "Step") -> dict[str, str]:
        told = self.seen.get((step.resource.plural, step.name), [])
        if step.fence == "none" or not told:
            return {}
        if step.fence == "foreign":
            return {"uid": "00000000-0000-4000-8000-00000000ffff"}
        uid, version = told[-1] if step.fence in ("current", "bare-version") else told[0]
        return (
            {"resourceVersion": version} if step.fence == "bare-version" else {"uid": uid, "resourceVersion": version}
        )


@dataclass(frozen=True)
class Step:
    """One request."""

    verb: str
    resource: Resource
    name: str
    body: Object
    manager: str
    fence: str
    force: bool
    dry_run: bool
    subresource: str | None


def shared(obj: Object | None) -> Object | None:
    """What both servers have to agree on: not uids, times and the defaults that nothing here looks at."""
    if obj is None:
        return None
    metadata = obj["metadata"]
    annotations = {k: v for k, v in (metadata.get("annotations") or {}).items() if "modelberth.io" not in k}
    common: Object = {
        "labels": metadata.get("labels") or {},
        "annotations": annotations,
        "deleting": "deletionTimestamp" in metadata,
        "data": obj.get("data") or {},
    }
    if obj["kind"] == "RegisteredModel":
        common |= {"spec": obj.get("spec"), "status": obj.get("status"), "generation": metadata["generation"]}
    if obj["kind"] == "Service":
        ports = [{key: port.get(key) for key in ("port", "protocol", "targetPort")} for port in obj["spec"]["ports"]]
        common |= {"selector": obj["spec"].get("selector"), "ports": sorted(ports, key=str)}
    return common


def propose(rng: random.Random) -> Step:
    """A request that some writer might send."""
    resource = rng.choice((CONFIG_MAPS, CONFIG_MAPS, REGISTERED_MODELS, REGISTERED_MODELS, SERVICES))
    verb = rng.choices(("apply", "create", "delete"), weights=(12, 2, 1))[0]
    is_status = verb == "apply" and resource == REGISTERED_MODELS and rng.random() < 0.5
    return Step(
        verb=verb,
        resource=resource,
        name=rng.choice(NAMES),
        body=_status(rng) if is_status else _BODIES[resource](rng),
        manager=rng.choice(MANAGERS),
        fence="none" if verb == "create" else rng.choice(FENCES),
        force=rng.random() < 0.7,
        dry_run=verb != "delete" and rng.random() < 0.1,
        subresource="status" if is_status else None,
    )


def _config_map(rng: random.Random) -> Object:
    data = {key: rng.choice("12") for key in rng.sample("abcd", rng.randrange(4))}
    body: Object = {"data": data} if data else {}
    if rng.random() < 0.3:
        body["metadata"] = {"labels": {rng.choice("xy"): rng.choice("12")}, "annotations": {"note": rng.choice("12")}}
    return body


def _model(rng: random.Random) -> Object:
    aliases = {alias: {"version": f"mnist-v{rng.randrange(3)}"} for alias in rng.sample(_ALIASES, rng.randrange(3))}
    if rng.random() < 0.1:
        aliases["best"] = {"version": "x" * 64}
    if rng.random() < 0.1:
        return {"spec": {"alias": {}}}
    return {"spec": {"aliases": aliases} if aliases else {"description": "none"}}


def _status(rng: random.Random) -> Object:
    condition = {
        "type": rng.choice(("Ready", "Stalled")),
        "status": rng.choice(("True", "False")),
        "reason": "Because",
        "message": "so",
        "lastTransitionTime": "2026-01-31T12:00:00Z",
    }
    return {"status": {"observedGeneration": rng.randrange(3), "conditions": [condition]}}


def _service(rng: random.Random) -> Object:
    ports = [{"name": f"p{port}", "port": port} for port in rng.sample((80, 81, 82), rng.randrange(1, 3))]
    return {"spec": {"selector": {rng.choice("ab"): rng.choice("12")}, "ports": ports}}


_BODIES: dict[Resource, Callable[[random.Random], Object]] = {
    CONFIG_MAPS: _config_map,
    REGISTERED_MODELS: _model,
    SERVICES: _service,
}


@pytest.fixture
async def sides(control_plane, api):
    """The real server with a namespace of the test's own, and the simulated one."""
    namespace = f"faithful-{secrets.token_hex(3)}"
    async with KubeClient(load_connection(control_plane.kubeconfig)) as client:
        await client.create(NAMESPACES, None, {"metadata": {"name": namespace}})
        yield Side(client, namespace), Side(InMemory(), namespace)
        await client.delete(NAMESPACES, None, namespace)


@pytest.mark.parametrize("seed", SEEDS)
async def test_both_servers_answer_alike(sides, seed) -> None:
    """Every step of a random script is answered and carried out alike: fences, owners, conflicts, defaults, refusals."""
    real, simulated = sides
    rng = random.Random(seed)
    for number in range(STEPS):
        step = propose(rng)
        expected, got = await real.take(step), await simulated.take(step)
        assert got == expected, f"step {number} of seed {seed}: {step}; last refusal: {real.refusal}"


def _request(body: Object, *, manager: str = "alpha", subresource: str | None = None) -> Step:
    return Step(
        "apply", REGISTERED_MODELS, "one", body, manager, "none", force=True, dry_run=False, subresource=subresource
    )


STATUS = {"desired": "mnist-v1", "state": "Served"}
EMPTIED = [
    _request({"spec": {"description": "x"}}),
    _request({"status": {"aliases": {"live": STATUS}}}, subresource="status"),
    _request({"status": {"aliases": {}}}, subresource="status"),
]
"""An owned map that loses its last entry becomes null, and a custom resource's schema refuses null."""
LEFT_OUT = [*EMPTIED[:2], _request({"status": {"observedGeneration": 1}}, subresource="status")]
"""Leaving the map out instead takes it away."""
TAKEN_OVER = [
    _request({"spec": {"aliases": {"live": {"version": "mnist-v1"}, "best": {"version": "mnist-v1"}}}}),
    _request({"spec": {"aliases": {"live": {"version": "mnist-v2"}}}}, manager="beta"),
    _request({"spec": {"aliases": {"test": {"version": "mnist-v2"}}}}, manager="beta"),
]
"""An entry that was taken over by force cannot be dropped by the one who took it: the first owner still has the entry."""


def _claim(description: str) -> Step:
    """An apply with a version that no object has."""
    body = {"metadata": {"resourceVersion": "1"}, "spec": {"description": description}}
    return Step("apply", REGISTERED_MODELS, "one", body, "alpha", "none", force=False, dry_run=False, subresource=None)


@pytest.mark.parametrize(
    ("script", "ending"),
    [(EMPTIED, "Invalid"), (LEFT_OUT, None), (TAKEN_OVER, "Invalid")],
    ids=["emptied", "left out", "taken over"],
)
async def test_both_servers_end_a_map_of_objects_alike(sides, script, ending) -> None:
    """What becomes of a map whose last entry, or whose entry's last field, is no longer applied."""
    for side in sides:
        outcomes = [await side.take(step) for step in script]
        assert [outcome.get("refused") for outcome in outcomes] == [None, None, ending], side.refusal


async def test_both_servers_create_but_never_change_by_an_impossible_version(sides) -> None:
    """The first claim creates the object; another one conflicts, though it says the same under the same manager."""
    for side in sides:
        outcomes = [await side.take(step) for step in (_claim("mine"), _claim("mine"), _claim("changed"))]
        assert [outcome.get("refused") for outcome in outcomes] == [None, "Conflict", "Conflict"], side.refusal


def _template(*containers: Object, **pod: Any) -> Object:
    labels = {"app": "web"}
    spec = {
        "selector": {"matchLabels": labels},
        "template": {"metadata": {"labels": labels}, "spec": {"containers": list(containers), **pod}},
    }
    return {"metadata": {"name": "web"}, "spec": spec}


GOOD = {"name": "main", "image": "server:1"}


@pytest.mark.parametrize(
    "body",
    [
        _template(GOOD),
        _template(),
        _template({"name": "main"}),
        _template({"image": "server:1"}),
        _template({**GOOD, "name": "Main"}),
        _template({**GOOD, "imagee": "x"}),
        _template(GOOD, GOOD),
        _template(GOOD, initContainers=[GOOD]),
        _template({**GOOD, "volumeMounts": [{"name": "nowhere", "mountPath": "/x"}]}),
        {**_template(GOOD), "spec": {**_template(GOOD)["spec"], "selector": {"matchLabels": {"app": "other"}}}},
        {**_template(GOOD), "spec": {**_template(GOOD)["spec"], "strategy": {"type": "Recreate", "rollingUpdate": {}}}},
        {
            **_template(GOOD),
            "spec": {
                **_template(GOOD)["spec"],
                "strategy": {"rollingUpdate": {"maxSurge": 0, "maxUnavailable": 0}},
            },
        },
    ],
    ids=lambda body: None,
)
async def test_both_servers_refuse_the_same_templates(sides, body) -> None:
    """A dry run of a Deployment has the same verdict on both."""
    verdicts = []
    for side in sides:
        try:
            await side.kube.apply(DEPLOYMENTS, side.namespace, "web", body, manager="alpha", dry_run=True)
        except ApiError as error:
            verdicts.append(type(error).__name__)
        else:
            verdicts.append("accepted")
    assert verdicts[0] == verdicts[1]
