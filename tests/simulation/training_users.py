"""What people do about training: push packages and data, write pipelines, start runs, and take everything away again."""

import random
from collections.abc import Callable

from modelberth.content import collections
from modelberth.content.collections import Collection
from modelberth.content.versions import first_version
from modelberth.runtime.errors import ApiError
from modelberth.runtime.resources import (
    DATASET_VERSIONS,
    DATASETS,
    MODEL_ARTIFACTS,
    MODEL_VERSIONS,
    PODS,
    TRAINING_PIPELINES,
    TRAINING_RUNS,
    Object,
    Resource,
)
from modelberth.store.types import NewVersion
from tests.simulation.apiserver import copied
from tests.simulation.bucket import digest_of
from tests.simulation.world import NAMESPACE, Action, World

ARTIFACT, DATASET = "price", "housing"
BY_DATA, BY_CLOCK = "fed", "timed"
PIPELINES = (BY_DATA, BY_CLOCK)
RUNS = ("one", "two", "three", "four", "five", "six")
CONCURRENCIES = ("Allow", "Forbid", "Replace")
RATES = ("0.1", "0.2")


class Trainers:
    """Everybody who trains in the namespace."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._server = world.server
        self._pushed = 0

    def perform(self, action: Action) -> bool:
        """Carry out ``("user", what, …)``; False if it was refused or there was nothing to do it to."""
        _, what, *words = action
        try:
            done = EDITS[what](self, *words)
        except ApiError:
            return False
        if done:
            self._world.loop.run_ready()
        return done

    def package(self) -> bool:
        """An artifact with its first version, or the next major of it."""
        if self._server.peek(MODEL_ARTIFACTS, NAMESPACE, ARTIFACT) is None:
            self._create(MODEL_ARTIFACTS, ARTIFACT, {"versioning": "Semantic", "type": "model"})
        return self._version(collections.artifact(ARTIFACT), str(first_version("Semantic")), MODEL_VERSIONS)

    def data(self) -> bool:
        """Another version of the data."""
        if self._server.peek(DATASETS, NAMESPACE, DATASET) is None:
            self._create(DATASETS, DATASET, {})
        self._pushed += 1
        return self._version(collections.dataset(DATASET), f"v{self._pushed}", DATASET_VERSIONS)

    def pipeline(self, name: str, concurrency: str) -> bool:
        """A pipeline of a name: one is fed by data, the other by the clock."""
        triggers: Object = (
            {"onDatasetVersion": {}} if name == BY_DATA else {"schedule": {"cron": "*/10 * * * *", "timeZone": "UTC"}}
        )
        spec = {
            "package": {"version": f"{ARTIFACT}-1.0"} if name == BY_DATA else {"artifact": ARTIFACT, "major": 1},
            "dataset": {"name": DATASET},
            "image": "python:3",
            "environment": {"RATE": RATES[0]},
            "backoffLimit": 1,
            "startDeadlineSeconds": 300,
            "concurrency": concurrency,
            "triggers": triggers,
        }
        return self._create(TRAINING_PIPELINES, name, spec)

    def change(self, name: str, concurrency: str, rate: str) -> bool:
        """A pipeline gets another parameter and another way with runs side by side."""

        def edit(spec: Object) -> None:
            spec["concurrency"] = concurrency
            spec["environment"] = {"RATE": rate}

        return self._edit(TRAINING_PIPELINES, name, edit)

    def suspend(self, name: str, suspended: str) -> bool:
        """A pipeline's triggers are switched off and on."""
        return self._edit(TRAINING_PIPELINES, name, lambda spec: spec.update(suspend=suspended == "yes"))

    def stop(self, name: str) -> bool:
        """A pipeline is started by nothing any more but by hand."""
        return self._edit(TRAINING_PIPELINES, name, lambda spec: spec.update(triggers={}))

    def run(self, name: str, pipeline: str, rate: str, cached: str) -> bool:
        """Somebody starts a run by hand."""
        return self._create(
            TRAINING_RUNS, name, {"pipeline": pipeline, "environment": {"RATE": rate}, "cache": cached == "cached"}
        )

    def impostor(self, run: str) -> bool:
        """Somebody's own pod has the name that a run's first pod is to have."""
        body: Object = {
            "metadata": {"name": f"{run}-0", "ownerReferences": []},
            "spec": {"containers": [{"name": "main", "image": "x"}]},
        }
        self._server.create("user", PODS, NAMESPACE, body)
        return True

    def drop(self, plural: str, name: str) -> bool:
        """Something is deleted, runs and pods included."""
        self._server.delete("user", _DROPPED[plural], NAMESPACE, name)
        return True

    def _version(self, collection: Collection, number: str, resource: Resource) -> bool:
        name = f"{collection.name}-{number}"
        digest = digest_of(f"pushed {name}")
        self._world.bucket.push(self._world.space, collection.family, digest)
        versioning = "Semantic" if resource == MODEL_VERSIONS else "Sequence"
        new = NewVersion(collection, digest=digest, created_by="user", versioning=versioning, version=number)
        self._world.bucket.reserve(self._world.space, new)
        spec = {collection.field: collection.name, "version": number, "digest": digest, "source": {"pushed": {}}}
        return self._create(resource, name, spec)

    def _create(self, resource: Resource, name: str, spec: Object) -> bool:
        self._server.create("user", resource, NAMESPACE, {"metadata": {"name": name}, "spec": spec})
        return True

    def _edit(self, resource: Resource, name: str, change: Callable[[Object], object]) -> bool:
        there = self._server.peek(resource, NAMESPACE, name)
        if there is None:
            return False
        wanted = copied(there)
        change(wanted["spec"])
        self._server.update("user", resource, wanted)
        return wanted["spec"] != there["spec"]


EDITS: dict[str, Callable[..., bool]] = {
    "package": Trainers.package,
    "data": Trainers.data,
    "pipeline": Trainers.pipeline,
    "change": Trainers.change,
    "suspend": Trainers.suspend,
    "stop": Trainers.stop,
    "run": Trainers.run,
    "impostor": Trainers.impostor,
    "drop": Trainers.drop,
}
_DROPPED = {
    resource.plural: resource
    for resource in (TRAINING_RUNS, TRAINING_PIPELINES, DATASET_VERSIONS, MODEL_VERSIONS, PODS)
}


def opening(rng: random.Random) -> list[Action]:
    """The usual objects."""
    return [
        ("user", "package"),
        ("user", "data"),
        *(("user", "pipeline", name, rng.choice(CONCURRENCIES)) for name in PIPELINES),
        ("user", "run", RUNS[0], BY_DATA, RATES[0], "cached"),
    ]


def propose(world: World, rng: random.Random) -> Action:
    """Something that somebody does next."""
    what = rng.choices(list(_PROPOSALS), [weight for weight, _ in _PROPOSALS.values()])[0]
    return "user", what, *_PROPOSALS[what][1](world, rng)


def _something_there(world: World, rng: random.Random) -> tuple[str, ...]:
    resource = rng.choices(list(_DROPPED.values()), (6, 2, 1, 0.3, 4))[0]
    there = sorted(obj["metadata"]["name"] for obj in world.server.peek_all(resource, NAMESPACE))
    return resource.plural, rng.choice(there or ["nothing"])


_PROPOSALS: dict[str, tuple[float, Callable[[World, random.Random], tuple[str, ...]]]] = {
    "run": (
        8,
        lambda _, rng: (
            rng.choice(RUNS),
            rng.choice(PIPELINES),
            rng.choice(RATES),
            rng.choice(("cached", "anew")),
        ),
    ),
    "data": (0.7, lambda _, __: ()),
    "change": (2, lambda _, rng: (rng.choice(PIPELINES), rng.choice(CONCURRENCIES), rng.choice(RATES))),
    "suspend": (1, lambda _, rng: (rng.choice(PIPELINES), rng.choice(("yes", "no", "no")))),
    "impostor": (0.3, lambda _, rng: (rng.choice(RUNS),)),
    "drop": (1.5, _something_there),
    "pipeline": (1.5, lambda _, rng: (rng.choice(PIPELINES), rng.choice(CONCURRENCIES))),
    "package": (0.3, lambda _, __: ()),
}
