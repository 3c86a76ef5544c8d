"""Steps that ran elsewhere: recorded once, known by their key, and never taken for a training run."""

import pytest

from modelberth.content.collections import artifact, dataset
from modelberth.runtime.errors import ApiUnavailable
from modelberth.runtime.resources import DATASET_VERSIONS, MODEL_VERSIONS
from modelberth.store.run_types import KeyRecord, RunId
from modelberth.store.types import NewVersion
from tests.unit.registry.test_access import add_session
from tests.unit.registry.test_runs import add_run, of_run

STEPS = "/v1/namespaces/team/steps"
KEY = "ab" * 32
DIGEST = f"sha256:{1:064x}"
OUTPUT = {"family": "datasets", "name": "clean-v0", "digest": DIGEST}


def said(number=1, **changes):
    return {
        "name": "clean",
        "uid": f"step-{number:032x}",
        "key": KEY,
        "status": "Succeeded",
        "inputs": [{"family": "datasets", "name": "housing-v3", "digest": f"sha256:{2:064x}", "folder": "raw"}],
        "outputs": [OUTPUT],
        "metrics": {"rows": 3},
        "startedAt": "2026-01-31T12:00:00Z",
        "seconds": 1.5,
        **changes,
    }


@pytest.fixture
async def space(world):
    """A space in which the output is a version."""
    found = await world.services.backend.namespaces.space("team")
    await world.store.reserve_version(found, NewVersion(dataset("clean"), DIGEST, "alice"))
    return found


@pytest.fixture
def pusher(world):
    return world.client(**add_session(world, "Push", family="datasets"))


async def test_a_step_is_recorded_and_known_by_its_key(world, space, pusher):
    """What went in and came out, by whom; whoever asks for the key is told."""
    async with pusher:
        assert (await pusher.get(f"{STEPS}/{KEY}")).status_code == 404
        answer = await pusher.post(STEPS, json=said())
        assert answer.status_code == 200, answer.text
        known = (await pusher.get(f"{STEPS}/{KEY}")).json()
    assert known == answer.json() == {"run": "clean", "uid": said()["uid"], "outputs": ["datasets/clean-v0"]}
    record = await world.store.run_record(space, RunId("clean", said()["uid"]))
    assert (record.trigger, record.created_by, record.status) == ("Step", "alice", "Succeeded")
    assert record.inputs["dataset"] == "housing-v3"
    assert record.inputs["datasetFolder"] == "raw"
    assert record.metrics == {"rows": 3.0}


async def test_the_first_success_with_a_key_counts(space, pusher):
    """Until one of its versions is gone and somebody says so, of exactly this step."""
    async with pusher:
        await pusher.post(STEPS, json=said(1))
        assert (await pusher.post(STEPS, json=said(2))).json()["uid"] == said(1)["uid"]
        again = await pusher.post(STEPS, json=said(3, insteadOf=said(1)["uid"]))
        assert again.json()["uid"] == said(3)["uid"]
        late = await pusher.post(STEPS, json=said(4, insteadOf=said(1)["uid"]))
        assert late.json()["uid"] == said(3)["uid"]


async def test_a_step_whose_versions_are_there_is_not_replaced(world, space, pusher):
    """Whoever says that they are gone is not believed: the objects are looked for, each of them."""
    await world.store.reserve_version(space, NewVersion(artifact("fit"), DIGEST, "alice"))
    outputs = [OUTPUT, {"family": "models", "name": "fit-v0", "digest": DIGEST}]
    world.kube.put(DATASET_VERSIONS, "team", "clean-v0")
    world.kube.put(MODEL_VERSIONS, "team", "fit-v0")
    async with pusher:
        await pusher.post(STEPS, json=said(1, outputs=outputs))
        taken = await pusher.post(STEPS, json=said(2, outputs=outputs, insteadOf=said(1)["uid"]))
        assert taken.json()["uid"] == said(1)["uid"]
        world.kube.objects.pop((MODEL_VERSIONS.plural, "team", "fit-v0"))
        again = await pusher.post(STEPS, json=said(3, outputs=outputs, insteadOf=said(1)["uid"]))
    assert again.json()["uid"] == said(3)["uid"]


async def test_a_step_is_not_replaced_while_nobody_can_tell(world, space, pusher):
    """Without the API server's word the one that counts is kept, and the report can be sent again."""
    async with pusher:
        await pusher.post(STEPS, json=said(1))
        proper = world.kube.get

        async def away(resource, namespace, name):
            if resource == DATASET_VERSIONS:
                raise ApiUnavailable(0, "NoAnswer", "nobody listens")
            return await proper(resource, namespace, name)

        world.kube.get = away
        assert (await pusher.post(STEPS, json=said(2, insteadOf=said(1)["uid"]))).status_code == 503
        assert (await pusher.get(f"{STEPS}/{KEY}")).json()["uid"] == said(1)["uid"]
        world.kube.get = proper
        again = await pusher.post(STEPS, json=said(2, insteadOf=said(1)["uid"]))
    assert again.json()["uid"] == said(2)["uid"]


async def test_a_failure_is_recorded_and_no_reason_to_skip(world, space, pusher):
    """Why it failed is kept."""
    failed = said(status="Failed", reason="UserException", message="no rows", outputs=[])
    async with pusher:
        assert (await pusher.post(STEPS, json=failed)).status_code == 200
        assert (await pusher.get(f"{STEPS}/{KEY}")).status_code == 404
    record = await world.store.run_record(space, RunId("clean", said()["uid"]))
    assert (record.status, record.message) == ("Failed", "no rows")


async def test_a_step_is_no_run(world, space, pusher):
    """Neither a run's record nor its key can be written by telling of a step."""
    async with pusher:
        for uid in ("u1", "0b5b4a5e-8c7d-4d8e-9f00-000000000000", "step-1"):
            assert (await pusher.post(STEPS, json=said(uid=uid))).status_code == 422
        await pusher.post(STEPS, json=said())
    assert await world.store.run_of_key(space, KEY) is None
    run_of_its_own = KeyRecord(KEY, RunId("r", "u"), "price-1.1")
    assert await world.store.remember_key(space, run_of_its_own) == run_of_its_own


@pytest.mark.parametrize(
    "output",
    [
        {**OUTPUT, "name": "clean-v9"},
        {**OUTPUT, "family": "models"},
        {**OUTPUT, "digest": f"sha256:{9:064x}"},
    ],
)
async def test_what_came_out_is_a_version(space, pusher, output):
    """Of that family, number and content; else it is to be pushed first."""
    async with pusher:
        answer = await pusher.post(STEPS, json=said(outputs=[output]))
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "NotReserved")


async def test_one_uid_is_one_step(world, space, pusher):
    """Told twice, what was told first holds: another key is refused, other outputs are not taken."""
    await world.store.reserve_version(space, NewVersion(dataset("clean"), f"sha256:{5:064x}", "alice"))
    other = {**OUTPUT, "name": "clean-v1", "digest": f"sha256:{5:064x}"}
    async with pusher:
        first = (await pusher.post(STEPS, json=said(outputs=[OUTPUT]))).json()
        assert (await pusher.post(STEPS, json=said(outputs=[other]))).json() == first
        answer = await pusher.post(STEPS, json=said(key="cd" * 32, outputs=[other]))
        assert (answer.status_code, answer.json()["error"]["code"]) == (409, "StepTaken")
        assert (await pusher.get(f"{STEPS}/{'cd' * 32}")).status_code == 404
    failed = said(2, status="Failed", key="ef" * 32, outputs=[])
    async with world.client(**add_session(world, "Push", name="again", family="datasets")) as client:
        await client.post(STEPS, json=failed)
        await client.post(STEPS, json={**failed, "status": "Succeeded", "outputs": [OUTPUT]})
        assert (await client.get(f"{STEPS}/{'ef' * 32}")).status_code == 404


@pytest.mark.parametrize(("by", "status"), [("bob", 403), ("alice", 200)])
async def test_a_session_is_for_its_familys_outputs(world, space, pusher, by, status):
    """Those of another one count where the same user has reserved them, for which he needed the right."""
    await world.store.reserve_version(space, NewVersion(artifact("fit"), DIGEST, by))
    model = {"family": "models", "name": "fit-v0", "digest": DIGEST}
    async with pusher:
        assert (await pusher.post(STEPS, json=said(outputs=[OUTPUT, model]))).status_code == status
    async with world.client(**add_session(world, "Push", name="models")) as client:
        assert (await client.post(STEPS, json=said(2, outputs=[model]))).status_code == 200


async def test_who_may(world, space):
    """A session that pushes, and not for one collection only; no pod, not even a run's."""
    add_run(world)
    for headers in (
        of_run(world),
        add_session(world, "Pull", name="pull"),
        add_session(world, "Push", name="narrow", family="datasets", dataset="clean"),
        world.pod(),
    ):
        async with world.client(**headers) as client:
            assert (await client.post(STEPS, json=said())).status_code == 403
