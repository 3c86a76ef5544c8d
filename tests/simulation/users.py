"""What people do: push versions, move aliases, edit deployments well and badly, and meddle with what is not theirs.

Every edit is one action; those that the API server refuses are refused here too and change nothing.
"""

import random
from collections.abc import Callable

from modelberth.content import collections
from modelberth.content.collections import Collection
from modelberth.runtime.errors import ApiError
from modelberth.runtime.resources import (
    DEPLOYMENTS,
    MODEL_ARTIFACTS,
    MODEL_DEPLOYMENTS,
    MODEL_VERSIONS,
    POD_TEMPLATES,
    REGISTERED_MODELS,
    SERVICES,
    TRANSFER_SESSIONS,
    Object,
    Resource,
)
from modelberth.store.errors import VersionTaken
from modelberth.store.types import NewVersion
from tests.simulation import data_users
from tests.simulation.apiserver import copied
from tests.simulation.bucket import digest_of
from tests.simulation.world import NAMESPACE, Action, World

ARTIFACTS = ("cats", "dogs")
MODELS = ("pets", "toys")
ALIASES = ("production", "staging")
DEPLOYMENT_NAMES = ("pets-live", "pets-test", "toys-live")
IMAGES = ("server:1", "server:1", "server:2", "server:2", "server:3", "missing:1", "")
TEMPLATES = ("small", "large")
_NUMBERS = 5


class Users:
    """Everybody who has rights in the namespace."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._server = world.server
        self._names = 0

    def perform(self, action: Action) -> bool:
        """Carry out ``("user", what, …)``; False if it was refused or there was nothing to do it to."""
        _, what, *words = action
        try:
            done = _EDITS[what](self, *words)
        except ApiError:
            return False
        if done:
            self._world.loop.run_ready()
        return done

    # Artifacts and versions

    def artifact(self, name: str) -> bool:
        return self.create(MODEL_ARTIFACTS, name, {})

    def push(self, artifact: str, number: str) -> bool:
        """What `modelberth push` does: content, record, object."""
        digest = digest_of(f"{artifact} {number}")
        self.store(collections.artifact(artifact), number, digest)
        return self._version(artifact, number, {"pushed": {}}, digest)

    def declare(self, artifact: str, number: str) -> bool:
        """A version from Git whose content may not be there (yet)."""
        return self._version(artifact, number, {"pushed": {}}, digest_of(f"{artifact} {number}"))

    def upload(self, artifact: str, number: str) -> bool:
        """The content of a declared version arrives."""
        self._world.bucket.push(self._world.space, "models", digest_of(f"{artifact} {number}"))
        return True

    def inline(self, artifact: str, number: str) -> bool:
        return self._version(artifact, number, {"inline": {"files": {"model.txt": {"text": number}}}}, None)

    def clash(self, artifact: str, number: str) -> bool:
        """Other content under a number that is taken, or is taken by this."""
        digest = digest_of(f"other {artifact} {number}")
        self.store(collections.artifact(artifact), number, digest)
        return self._version(artifact, number, {"pushed": {}}, digest)

    def unpublish(self, artifact: str, number: str) -> bool:
        return self.delete(MODEL_VERSIONS, f"{artifact}-{number}")

    def drop_artifact(self, name: str) -> bool:
        return self.delete(MODEL_ARTIFACTS, name)

    def tamper(self, artifact: str, number: str) -> bool:
        """Somebody spoils the stored bytes: no loader lets them through from now on."""
        self._world.tampered.add(digest_of(f"{artifact} {number}"))
        return True

    # Models and aliases

    def model(self, name: str) -> bool:
        return self.create(REGISTERED_MODELS, name, {"aliases": {}})

    def drop_model(self, name: str) -> bool:
        return self.delete(REGISTERED_MODELS, name)

    def alias(self, model: str, alias: str, version: str) -> bool:
        return self._edit(REGISTERED_MODELS, model, lambda spec: _put(spec, "aliases", alias, {"version": version}))

    def unalias(self, model: str, alias: str) -> bool:
        return self._edit(REGISTERED_MODELS, model, lambda spec: (spec.get("aliases") or {}).pop(alias, None))

    def best(self, artifact: str, version: str) -> bool:
        return self.alias_own(MODEL_ARTIFACTS, artifact, "best", version)

    # Deployments

    def deploy(self, name: str, alias: str, image: str) -> bool:
        spec = {
            "model": name.partition("-")[0],
            "alias": alias,
            "replicas": 1,
            "template": _pod(image),
            "noProgressSeconds": 60,
        }
        return self.create(MODEL_DEPLOYMENTS, name, spec)

    def undeploy(self, name: str) -> bool:
        return self.delete(MODEL_DEPLOYMENTS, name)

    def image(self, name: str, image: str) -> bool:
        def change(spec: Object) -> None:
            spec.pop("templateRef", None)
            spec["template"] = _pod(image)

        return self._edit(MODEL_DEPLOYMENTS, name, change)

    def follow(self, name: str, alias: str) -> bool:
        return self._edit(MODEL_DEPLOYMENTS, name, lambda spec: spec.update(alias=alias))

    def scale(self, name: str, replicas: str) -> bool:
        def change(spec: Object) -> None:
            spec.pop("replicas", None)
            if replicas != "auto":
                spec["replicas"] = int(replicas)

        return self._edit(MODEL_DEPLOYMENTS, name, change)

    def strategy(self, name: str, kind: str) -> bool:
        return self._edit(MODEL_DEPLOYMENTS, name, lambda spec: spec.update(strategy={"type": kind}))

    def template(self, name: str, image: str) -> bool:
        """A PodTemplate is made or changed."""
        old = self._server.get(POD_TEMPLATES, NAMESPACE, name)
        metadata = {"name": name, "namespace": NAMESPACE, "labels": {"modelberth.io/template": "true"}}
        if old is None:
            self._server.create("user", POD_TEMPLATES, NAMESPACE, {"metadata": metadata, "template": _pod(image)})
        else:
            self._server.update("user", POD_TEMPLATES, {**old, "template": _pod(image)})
        return True

    def drop_template(self, name: str) -> bool:
        return self.delete(POD_TEMPLATES, name)

    def use_template(self, name: str, template: str) -> bool:
        def change(spec: Object) -> None:
            spec.pop("template", None)
            spec["templateRef"] = {"name": template}

        return self._edit(MODEL_DEPLOYMENTS, name, change)

    def meddle(self, name: str, how: str) -> bool:
        """Somebody works on what the operator owns."""
        workload = f"{name}-a"
        if how == "delete-deployment":
            return self.delete(DEPLOYMENTS, workload)
        if how == "delete-service":
            return self.delete(SERVICES, name)
        return self._edit(DEPLOYMENTS, workload, lambda spec: spec.update(replicas=3))

    def session(self, ttl: str) -> bool:
        self._names += 1
        spec = {"operation": "Push", "secretHash": "0" * 64, "ttlSeconds": int(ttl), "user": "user"}
        return self.create(TRANSFER_SESSIONS, f"session-{self._names}", spec)

    # How

    def _version(self, artifact: str, number: str, source: Object, digest: str | None) -> bool:
        spec: Object = {"artifact": artifact, "version": number, "source": source}
        if digest is not None:
            spec["digest"] = digest
        return self.version_object(artifact, number, spec)

    def version_object(self, artifact: str, number: str, spec: Object) -> bool:
        """A ModelVersion, whatever it says."""
        return self.create(MODEL_VERSIONS, f"{artifact}-{number}", spec)

    def alias_own(self, resource: Resource, name: str, alias: str, version: str) -> bool:
        """Give a version of a collection a name."""
        return self._edit(resource, name, lambda spec: _put(spec, "aliases", alias, {"version": version}))

    def store(self, collection: Collection, number: str, digest: str) -> None:
        """Send content, and reserve its number unless that is taken."""
        self._world.bucket.push(self._world.space, collection.family, digest)
        try:
            self._world.bucket.reserve(
                self._world.space, NewVersion(collection, version=number, digest=digest, created_by="user")
            )
        except VersionTaken:
            return  # the object will say so

    def create(self, resource: Resource, name: str, spec: Object) -> bool:
        """Make an object."""
        body = {"metadata": {"name": name, "namespace": NAMESPACE}, "spec": spec}
        self._server.create("user", resource, NAMESPACE, body)
        return True

    def delete(self, resource: Resource, name: str) -> bool:
        """Delete an object."""
        self._server.delete("user", resource, NAMESPACE, name)
        return True

    def _edit(self, resource: Resource, name: str, change: Callable[[Object], object]) -> bool:
        """Read, change, write back at once: users retry their conflicts."""
        old = self._server.read(resource, NAMESPACE, name)
        new = copied(old)
        change(new["spec"])
        if new == old:
            return False
        self._server.update("user", resource, new)
        return True


def _pod(image: str) -> Object:
    container: Object = {"name": "server", "ports": [{"name": "http", "containerPort": 8080}]}
    if image:
        container["image"] = image
    return {"spec": {"containers": [container]}}


def _put(spec: Object, field: str, key: str, value: Object) -> None:
    spec[field] = {**(spec.get(field) or {}), key: value}


def opening() -> list[Action]:
    """What every schedule begins with: two artifacts with versions, two models, and a deployment that follows each."""
    return [
        *(("user", "artifact", artifact) for artifact in ARTIFACTS),
        *(("user", "push", artifact, number) for artifact in ARTIFACTS for number in ("v0", "v1")),
        ("user", "model", "pets"),
        ("user", "alias", "pets", "production", "cats-v0"),
        ("user", "deploy", "pets-live", "production", "server:1"),
        ("user", "model", "toys"),
        ("user", "alias", "toys", "production", "dogs-v0"),
        ("user", "deploy", "toys-live", "production", "server:1"),
    ]


def propose(world: World, rng: random.Random) -> Action:
    """Something that a user might do next."""
    what = rng.choices(list(_HABITS), weights=[weight for weight, _ in _HABITS.values()])[0]
    return ("user", what, *_HABITS[what][1](Choice(world, rng)))


class Choice:
    """What a user picks for an edit: mostly something that is there."""

    def __init__(self, world: World, rng: random.Random) -> None:
        self._world = world
        self._rng = rng

    def artifact(self) -> str:
        return self._rng.choice(ARTIFACTS)

    def number(self) -> str:
        return f"v{self._rng.randrange(_NUMBERS)}"

    def model(self) -> str:
        return self._rng.choice(MODELS)

    def alias(self) -> str:
        return self._rng.choice((ALIASES[0], *ALIASES))

    def deployment(self) -> str:
        return self._there(MODEL_DEPLOYMENTS) or self._rng.choice(DEPLOYMENT_NAMES)

    def version(self) -> str:
        return self._there(MODEL_VERSIONS) or f"{self.artifact()}-{self.number()}"

    def image(self) -> str:
        return self._rng.choice(IMAGES)

    def one_of(self, *values: str) -> str:
        return self._rng.choice(values)

    def _there(self, resource: Resource) -> str | None:
        found = self._world.server.peek_all(resource, NAMESPACE)
        return str(self._rng.choice(found)["metadata"]["name"]) if found and self._rng.random() < 0.9 else None


_HABITS: dict[str, tuple[int, Callable[[Choice], tuple[str, ...]]]] = {
    "artifact": (2, lambda some: (some.artifact(),)),
    "push": (12, lambda some: (some.artifact(), some.number())),
    "declare": (3, lambda some: (some.artifact(), some.number())),
    "upload": (3, lambda some: (some.artifact(), some.number())),
    "inline": (3, lambda some: (some.artifact(), some.number())),
    "clash": (2, lambda some: (some.artifact(), some.number())),
    "unpublish": (8, lambda some: tuple(some.version().rsplit("-", 1))),
    "drop-artifact": (1, lambda some: (some.artifact(),)),
    "tamper": (1, lambda some: (some.artifact(), some.number())),
    "model": (3, lambda some: (some.model(),)),
    "drop-model": (2, lambda some: (some.model(),)),
    "alias": (30, lambda some: (some.model(), some.alias(), some.version())),
    "unalias": (4, lambda some: (some.model(), some.alias())),
    "best": (2, lambda some: (some.artifact(), some.version())),
    "deploy": (4, lambda some: (some.one_of(*DEPLOYMENT_NAMES), some.alias(), some.image())),
    "undeploy": (2, lambda some: (some.deployment(),)),
    "image": (6, lambda some: (some.deployment(), some.image())),
    "follow": (2, lambda some: (some.deployment(), some.alias())),
    "scale": (4, lambda some: (some.deployment(), some.one_of("0", "1", "2", "2", "3", "auto"))),
    "strategy": (2, lambda some: (some.deployment(), some.one_of("Rolling", "Recreate"))),
    "template": (3, lambda some: (some.one_of(*TEMPLATES), some.image())),
    "drop-template": (1, lambda some: (some.one_of(*TEMPLATES),)),
    "use-template": (2, lambda some: (some.deployment(), some.one_of(*TEMPLATES))),
    "meddle": (2, lambda some: (some.deployment(), some.one_of("delete-deployment", "delete-service", "scale"))),
    "session": (1, lambda some: (some.one_of("60", "3600"),)),
}

_EDITS: dict[str, Callable[..., bool]] = {
    **{what: getattr(Users, what.replace("-", "_")) for what in _HABITS},
    **{what: edit for what, (_, _, edit) in data_users.HABITS.items()},
}
_HABITS |= {what: (weight, words) for what, (weight, words, _) in data_users.HABITS.items()}
