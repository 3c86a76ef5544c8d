"""The end of a run: what is written, what is there already, and what the run then says."""

from dataclasses import replace

import pytest

from modelberth.api.names import ANNOTATION_CREATED_BY
from modelberth.content.collections import artifact
from modelberth.domain.training.plan import Ending
from modelberth.reconcile.training_finish import Final, Finisher, run_id
from modelberth.runtime.cache import Cache
from modelberth.runtime.errors import AlreadyExists
from modelberth.store import keys, minors
from modelberth.store.content_store import ContentStore
from modelberth.store.run_types import AttemptRecord, KeyRecord, RunId
from modelberth.store.types import NewVersion, Space
from tests.unit.domain.builders import NOW
from tests.unit.domain.training.builders import INPUTS, observed, pod, started
from tests.unit.store.s3_double import running_double

SPACE = Space("s" * 26, "shop", "s")
PRICE = artifact("price")
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


class Recording:
    """Keeps the reasons of events."""

    def __init__(self):
        self.reasons = []

    def event(self, regarding, type, reason, message):  # noqa: A002 - the API's word
        self.reasons.append(reason)


class World:
    """A finisher and what it writes to.

    Attributes:
        objects: what lies in the bucket, by key.
    """

    def __init__(self, store, objects):
        self.server, self.store, self.objects, self.recorder = Server(), store, objects, Recording()
        self.cache = Cache()

    async def finish(self, final):
        finisher = Finisher(kube=self.server, cache=self.cache, store=self.store, recorder=self.recorder)
        return await finisher.finish(SPACE, final, now=NOW)

    async def record(self, final):
        return await self.store.run_record(SPACE, run_id(final.run))

    def forget(self, final):
        """The run's record was never written."""
        del self.objects[keys.run_result(SPACE, run_id(final.run))]


@pytest.fixture
def world():
    with running_double() as double:
        bucket = double.bucket()
        yield World(ContentStore(bucket, "cluster"), double.objects)
        bucket.close()


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
    assert (await world.store.run_of_key(SPACE, KEY)).version == "price-1.1"
    assert await world.store.has_family(SPACE, "models", OUTPUT)
    world.forget(succeeded())
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
    await world.store.remember_key(SPACE, known)
    if is_there:
        version = {
            "apiVersion": "modelberth.io/v1alpha1",
            "kind": "ModelVersion",
            "metadata": {"name": "price-1.0", "namespace": "shop", "uid": "u", "resourceVersion": "1"},
            "spec": {"artifact": "price", "version": "1.0"},
        }
        world.cache.observe(version)
    await world.finish(succeeded())
    assert (await world.store.run_of_key(SPACE, KEY)).version == ("price-1.0" if is_there else "price-1.1")


@pytest.mark.parametrize(("digest", "same"), [(OUTPUT, True), (OTHER, False)])
async def test_a_reproduction_makes_nothing_and_compares(world, digest, same):
    """Neither version nor key; the status says how what came out compares."""
    pushed = NewVersion(PRICE, digest, "me", "Semantic", "1.0", spec={"metrics": {"score": 0.4}})
    await world.store.reserve_version(SPACE, pushed)
    told, changes = await world.finish(succeeded(reproduces="price-1.0"))
    assert (told.status, told.version, world.server.there) == ("Succeeded", "", {})
    assert await world.store.run_of_key(SPACE, KEY) is None
    assert await world.store.versions(SPACE, PRICE) == ["1.0"]
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
    record = await world.record(final)
    image = seen if is_there else IMAGE
    assert (changes["imageID"], record.inputs["imageID"]) == (image, image)
    assert record.image_digest == image.rpartition("@")[2]


async def test_who_made_the_run_is_on_record(world):
    """As the API server stamped it, and what he wrote about it."""
    final = succeeded()
    final.run["metadata"]["annotations"] = {ANNOTATION_CREATED_BY: "alice"}
    final.run["spec"]["notes"] = "half the data"
    await world.finish(final)
    record = await world.record(final)
    assert (record.created_by, record.trigger, record.notes) == ("alice", "Manual", "half the data")


def second(final):
    """The same run as another leader sees it: attempt 0 was lost, and attempt 1 succeeded."""
    attempt = replace(final.attempt, number=1, pod_uid="uid-one-1", output=OTHER, metrics={"score": 0.6})
    return replace(final, attempt=attempt)


async def test_two_leaders_with_two_attempts_make_one_version(world):
    """The number that is there says whose output the version is, and the run's record is that attempt's."""
    old = succeeded()
    new = second(old)
    for final in (old, new):
        await world.store.record_attempt(SPACE, final.attempt)
    first, _ = await world.finish(old)
    world.forget(old)
    again, _ = await world.finish(new)
    assert (again.version, again.output, again.metrics) == (first.version, OUTPUT, {"score": 0.5})
    assert await world.store.versions(SPACE, PRICE) == ["1.1"]
    assert {name: obj["spec"]["digest"] for name, obj in world.server.there.items()} == {"price-1.1": OUTPUT}
    assert world.recorder.reasons == []


async def test_a_leader_that_is_overtaken_says_what_the_other_one_wrote(world, monkeypatch):
    """It looked before the other one had ended the run, and comes to its number after that: nothing is made."""
    old = succeeded()
    asked = iter([True])
    proper = world.store.run_record

    async def run_record(space, run):
        if not next(asked, False):
            return await proper(space, run)
        await world.finish(replace(old, ending=Ending("Failed", "Cancelled", "by the other one")))
        return None

    monkeypatch.setattr(world.store, "run_record", run_record)
    told, _ = await world.finish(old)
    assert (told.status, told.reason, world.server.there) == ("Failed", "Cancelled", {})


async def test_no_number_that_is_near_ends_the_run(world, monkeypatch):
    """The words say what mends it; waiting would not."""
    monkeypatch.setattr(minors, "_STEPS", 2)
    for number in ("1.1", "1.2"):
        await world.store.reserve_version(SPACE, NewVersion(PRICE, OTHER, "me", "Semantic", number))
    told, _ = await world.finish(succeeded())
    assert (told.status, told.reason, world.server.there) == ("Failed", "BadOutput", {})
    assert "push a new major" in told.message
