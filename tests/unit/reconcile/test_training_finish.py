"""The end of a run: what is written, what is there already, and what the run then says."""

from dataclasses import replace

import pytest

from modelberth.api.names import ANNOTATION_CREATED_BY
from modelberth.content.collections import artifact
from modelberth.domain.training.plan import Ending
from modelberth.reconcile.training_finish import Final, Finisher, run_id
from modelberth.runtime.cache import Cache
from modelberth.runtime.errors import AlreadyExists
from modelberth.store.run_types import AttemptRecord, KeyRecord, RunId
from modelberth.store.types import Reservation, Space, VersionRecord
from tests.unit.domain.builders import NOW
from tests.unit.domain.training.builders import INPUTS, observed, pod, started

SPACE = Space("s", "shop", "s")
OUTPUT, OTHER = ("sha256:" + letter * 64 for letter in "cd")
KEY = "ab" * 32
IMAGE = "docker.io/library/python@sha256:" + "e" * 64


class Server:
    """Creates objects, unless one of the name is there."""

    def __init__(self):
        self.there = {}

    async def create(self, resource, namespace, body):
        name = body["metadata"]["name"]
        if name in self.there:
            raise AlreadyExists(409, "AlreadyExists", f"{name} exists")
        self.there[name] = {**body, "metadata": {**body["metadata"], "uid": f"uid-{name}", "resourceVersion": "1"}}
        return self.there[name]

    async def get(self, resource, namespace, name):
        return self.there.get(name)


class Store:
    """Records of runs, keys and versions; the next minor is 1.1."""

    def __init__(self):
        self.runs, self.keys, self.versions, self.replaced = {}, {}, {}, []

    async def run_record(self, space, run):
        return self.runs.get(run)

    async def finish_run(self, space, record):
        return self.runs.setdefault(record.run, record)

    async def run_of_key(self, space, key):
        return self.keys.get(key)

    async def remember_key(self, space, record, *, instead_of=None):
        self.replaced.append(instead_of)
        return self.keys.setdefault(record.key, record)

    async def version_record(self, space, collection, version):
        return self.versions.get((collection, version))

    async def reserve_minor(self, space, new, *, major, base, run_uid):
        record = VersionRecord(new.collection, "1.1", new.digest, "", new.created_by, spec=new.spec)
        return Reservation(self.versions.setdefault((new.collection, "1.1"), record), created=True)


class Recording:
    """Keeps the reasons of events."""

    def __init__(self):
        self.reasons = []

    def event(self, regarding, type, reason, message):  # noqa: A002 - the API's word
        self.reasons.append(reason)


class World:
    """A finisher and what it writes to."""

    def __init__(self):
        self.server, self.store, self.recorder = Server(), Store(), Recording()
        self.cache = Cache()

    async def finish(self, final):
        finisher = Finisher(kube=self.server, cache=self.cache, store=self.store, recorder=self.recorder)
        return await finisher.finish(SPACE, final, now=NOW)


@pytest.fixture
def world():
    return World()


def succeeded(**spec):
    run = started(imageID=IMAGE)
    run["spec"] |= spec
    attempt = AttemptRecord(run_id(run), 0, "uid-one-0", "Succeeded", "", "", output=OUTPUT, metrics={"score": 0.5})
    ending = Ending("Succeeded", "Succeeded", "")
    return Final(run, ending, INPUTS, observed(run).settled, KEY, attempt)


async def test_a_success_makes_its_version_once(world):
    """Record, object and key are written; whoever comes again, as after a crash, finds and says the same."""
    told, _ = await world.finish(succeeded())
    assert (told.status, told.version, told.message) == ("Succeeded", "price-1.1", "made price-1.1")
    assert world.server.there["price-1.1"]["spec"]["digest"] == OUTPUT
    assert world.store.keys[KEY].version == "price-1.1"
    world.store.runs.clear()
    again, _ = await world.finish(succeeded())
    assert again == told
    assert list(world.server.there) == ["price-1.1"]
    assert world.recorder.reasons == []


async def test_what_is_on_record_stays(world):
    """A run that has ended ends as it did, whatever it would come to now."""
    told, _ = await world.finish(succeeded())
    again, _ = await world.finish(replace(succeeded(), ending=Ending("Failed", "Cancelled", "too late")))
    assert again == told


async def test_an_object_of_somebody_else_is_told_in_the_runs_own_words(world):
    """The run has its number, and says that what has the name is not what it made."""
    world.server.there["price-1.1"] = {"metadata": {"name": "price-1.1"}, "spec": {"digest": OTHER}}
    told, _ = await world.finish(succeeded())
    assert (told.status, told.version) == ("Succeeded", "price-1.1")
    assert "ModelVersion price-1.1 is somebody else's object" in told.message
    assert OUTPUT in told.message
    assert world.recorder.reasons == ["NameTaken"]
    assert world.server.there["price-1.1"]["spec"]["digest"] == OTHER


@pytest.mark.parametrize("is_there", [True, False])
async def test_the_key_of_a_version_that_is_gone_is_taken_over(world, is_there):
    """A key whose version is there stays with it; one whose version was deleted gets the new one."""
    known = KeyRecord(KEY, RunId("zero", "uid-zero"), "price-1.0")
    world.store.keys[KEY] = known
    if is_there:
        version = {
            "apiVersion": "modelberth.io/v1alpha1",
            "kind": "ModelVersion",
            "metadata": {"name": "price-1.0", "namespace": "shop", "uid": "u", "resourceVersion": "1"},
            "spec": {"artifact": "price", "version": "1.0"},
        }
        world.cache.observe(version)
    await world.finish(succeeded())
    assert world.store.replaced == [None if is_there else known]


@pytest.mark.parametrize(("digest", "same"), [(OUTPUT, True), (OTHER, False)])
async def test_a_reproduction_makes_nothing_and_compares(world, digest, same):
    """Neither version nor key; the status says how what came out compares."""
    record = VersionRecord(artifact("price"), "1.0", digest, "", "", spec={"metrics": {"score": 0.4}})
    world.store.versions[artifact("price"), "1.0"] = record
    told, changes = await world.finish(succeeded(reproduces="price-1.0"))
    assert (told.status, told.version, world.server.there, world.store.keys) == ("Succeeded", "", {}, {})
    assert changes["reproduction"] == {
        "version": "price-1.0",
        "digest": digest,
        "output": OUTPUT,
        "sameDigest": same,
        "metrics": {"score": 0.4},
    }


@pytest.mark.parametrize("is_there", [True, False])
async def test_the_image_is_on_record_though_the_pod_is_gone(world, is_there):
    """What was seen of the pod stands in the status; a pod that is there knows better."""
    final = succeeded()
    seen = "r/python@sha256:" + "f" * 64
    its_pod = pod(final.run)
    its_pod["status"]["containerStatuses"][0]["imageID"] = seen
    _, changes = await world.finish(replace(final, pod=its_pod if is_there else None))
    record = world.store.runs[run_id(final.run)]
    image = seen if is_there else IMAGE
    assert (changes["imageID"], record.inputs["imageID"]) == (image, image)
    assert record.image_digest == image.rpartition("@")[2]


async def test_who_made_the_run_is_on_record(world):
    """As the API server stamped it, and what he wrote about it."""
    final = succeeded()
    final.run["metadata"]["annotations"] = {ANNOTATION_CREATED_BY: "alice"}
    final.run["spec"]["notes"] = "half the data"
    await world.finish(final)
    record = world.store.runs[run_id(final.run)]
    assert (record.created_by, record.trigger, record.notes) == ("alice", "Manual", "half the data")
