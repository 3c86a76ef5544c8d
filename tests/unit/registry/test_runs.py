"""What a run's pod may do, and nobody else: only the pod that the run's status names, only for its own attempt."""

import pytest

from modelberth.content.layout import Layout
from modelberth.content.tree import Entry, Tree
from modelberth.runtime.resources import TRAINING_RUNS
from modelberth.store.run_types import PhaseTime, RunId, RunRecord
from tests.unit.registry.test_access import add_session

RUN = "/v1/namespaces/team/runs/r1"
GOOD = {"status": "Succeeded", "metrics": {"rmse": 0.5}, "python": "3.12.4", "packages": {"numpy": "2.0"}}


def add_run(world, *, pod="r1-0", attempt=0, uid=None, **status):
    """A TrainingRun whose status names a pod."""
    named = {"pod": {"name": pod, "uid": uid or f"uid-of-{pod}"}} if pod else {}
    world.kube.put(TRAINING_RUNS, "team", "r1", status={"attempt": attempt, **named, **status})


def of_run(world, pod="r1-0", run="r1", **user):
    return {**world.pod(pod=pod, **user), "Modelberth-Run": run}


def empty_file(path):
    """A tree of one empty file and its layout: content whose bytes are there by themselves."""
    tree = Tree.build([Entry("f", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", 0, path)])
    return tree, Layout.build({}, {}, {})


async def commit(client, path="model.txt"):
    tree, layout = empty_file(path)
    put = await client.put(f"/v1/namespaces/team/trees/{tree.digest}", content=tree.to_bytes())
    assert put.status_code == 204, put.text
    done = await client.post(f"/v1/namespaces/team/commits/{tree.digest}", content=b"".join(layout.lines()))
    assert done.status_code == 200, done.text
    return tree.digest


class TestWhoSpeaksForARun:
    async def test_its_pod(self, world):
        """The pod whose uid stands in the run's status may push and report, and is told what holds."""
        add_run(world)
        async with world.client(**of_run(world)) as client:
            digest = await commit(client)
            answer = await client.post(f"{RUN}/attempts/0", json={**GOOD, "output": digest})
        assert answer.status_code == 200, answer.text
        assert answer.json() == {
            "status": "Succeeded",
            "reason": "",
            "output": digest,
            "files": None,
            "isYours": True,
        }
        space = await world.services.backend.namespaces.space("team")
        record = await world.store.attempt(space, RunId("r1", "uid-of-r1"), 0)
        assert record.pod_uid == "uid-of-r1-0"
        assert record.metrics == {"rmse": 0.5}
        assert await world.store.has_family(space, "runs", digest)
        assert not await world.store.has_family(space, "models", digest)

    @pytest.mark.parametrize(
        "pod",
        [
            {"pod": "r1-0", "namespace": "other"},  # the same name elsewhere
            {"pod": "stranger"},  # a pod of the namespace with the run's label
            {"pod": None},  # a token without a pod
            {"pod": "r1-x"},
        ],
        ids=str,
    )
    async def test_no_other_pod(self, world, pod):
        """Another namespace's, another one of the namespace, a token that is bound to none."""
        add_run(world)
        world.kube.add_namespace("other")
        async with world.client(**of_run(world, **pod)) as client:
            assert (await client.post(f"{RUN}/attempts/0", json=GOOD)).status_code == 403
            tree, _ = empty_file("a")
            assert (await client.put(f"/v1/namespaces/team/trees/{tree.digest}", content=b"")).status_code == 403

    async def test_a_double_of_its_pod(self, world):
        """A pod of the same name with another uid, such as one that somebody made in its place."""
        add_run(world, uid="uid-of-the-first")
        async with world.client(**of_run(world)) as client:
            assert (await client.post(f"{RUN}/attempts/0", json=GOOD)).status_code == 403

    async def test_an_earlier_attempt(self, world):
        """A pod that the operator has given up speaks no more."""
        add_run(world, pod="r1-1", attempt=1)
        async with world.client(**of_run(world)) as client:
            assert (await client.post(f"{RUN}/attempts/0", json=GOOD)).status_code == 403

    @pytest.mark.parametrize("named", [{"pod": None}, {"pod": "r1-0"}])
    async def test_a_pod_that_is_early(self, world, named):
        """It started before the status that names it was written: it is asked to come again."""
        add_run(world, **named)
        async with world.client(**of_run(world, pod="r1-1")) as client:
            answer = await client.post(f"{RUN}/attempts/1", json=GOOD)
            assert (answer.status_code, answer.json()["error"]["code"]) == (503, "RunNotReady")
            assert answer.headers["Retry-After"]
            add_run(world, pod="r1-1", attempt=1)
            assert (await client.post(f"{RUN}/attempts/1", json=GOOD)).status_code == 200

    async def test_not_without_the_run(self, world):
        """A run that is not there, or gone, has no pods."""
        async with world.client(**of_run(world)) as client:
            assert (await client.post(f"{RUN}/attempts/0", json=GOOD)).status_code == 403

    async def test_not_without_saying_so(self, world):
        """Without the header it is a pod like any other, which may not push."""
        add_run(world)
        async with world.client(**world.pod(pod="r1-0")) as client:
            assert (await client.post(f"{RUN}/attempts/0", json=GOOD)).status_code == 403

    async def test_not_a_user(self, world):
        """A session that pushes is no run's pod."""
        add_run(world)
        async with world.client(**add_session(world, "Push"), **{"Modelberth-Run": "r1"}) as client:
            assert (await client.post(f"{RUN}/attempts/0", json=GOOD)).status_code == 403

    async def test_not_for_another_run(self, world):
        """The header and the path name one run."""
        add_run(world)
        async with world.client(**of_run(world)) as client:
            other = "/v1/namespaces/team/runs/r2/attempts/0"
            assert (await client.post(other, json=GOOD)).status_code == 403

    async def test_not_for_another_attempt(self, world):
        """A pod tells of its own attempt."""
        add_run(world)
        async with world.client(**of_run(world)) as client:
            assert (await client.post(f"{RUN}/attempts/1", json=GOOD)).status_code == 403

    async def test_strangers_cost_the_api_server_little(self, world):
        """Pods that try again and again are refused without asking."""
        async with world.client(**of_run(world, pod="stranger")) as client:
            answers = [(await client.post(f"{RUN}/attempts/0", json=GOOD)).status_code for _ in range(130)]
        assert answers == [403] * 100 + [429] * 30
        assert world.kube.count(TRAINING_RUNS) == 100


class TestReports:
    async def test_the_first_one_holds(self, world):
        """Whoever comes later, also from the same pod, is told what the attempt is."""
        add_run(world)
        async with world.client(**of_run(world)) as client:
            await client.post(f"{RUN}/attempts/0", json=GOOD)
            answer = await client.post(f"{RUN}/attempts/0", json={"status": "Failed", "reason": "UserException"})
        assert answer.status_code == 200
        assert answer.json()["status"] == "Succeeded"

    @pytest.mark.parametrize("field", ["output", "files"])
    async def test_only_of_what_the_run_has_sent(self, world, field):
        """A digest that somebody else pushed is not made the run's own by knowing it."""
        add_run(world)
        async with world.client(**add_session(world, "Push")) as client:
            digest = await commit(client)
        async with world.client(**of_run(world)) as client:
            answer = await client.post(f"{RUN}/attempts/0", json={**GOOD, field: digest})
            assert (answer.status_code, answer.json()["error"]["code"]) == (409, "NotCommitted")
            await commit(client)
            assert (await client.post(f"{RUN}/attempts/0", json={**GOOD, field: digest})).status_code == 200

    @pytest.mark.parametrize(
        "wrong",
        [
            {"status": "Skipped"},
            {"reason": "no word"},
            {"metrics": {"a": "b"}},
            {"output": "sha256:x"},
            {"traceback": ["x"] * 300},
            {"unknown": 1},
            {"phases": [{"name": "../x", "startedAt": "2026-01-31T12:00:00Z", "seconds": 1}]},
            {"phases": [{"name": "Training", "startedAt": "", "seconds": 1}]},
            {"phases": [{"name": "Training", "startedAt": "yesterday", "seconds": 1}]},
        ],
        ids=str,
    )
    async def test_nothing_doubtful(self, world, wrong):
        """What is not in the form is refused with the field's name."""
        add_run(world)
        async with world.client(**of_run(world)) as client:
            answer = await client.post(f"{RUN}/attempts/0", json={**GOOD, **wrong})
        assert answer.status_code == 422
        assert next(iter(wrong)) in answer.json()["error"]["message"]

    async def test_no_tokens(self, world):
        """What people will read is without them."""
        add_run(world)
        token = "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJwb2QifQ.c2lnbmF0dXJl"
        async with world.client(**of_run(world)) as client:
            said = {"status": "Failed", "reason": "UserException", "message": token, "logTail": [token]}
            await client.post(f"{RUN}/attempts/0", json=said)
        space = await world.services.backend.namespaces.space("team")
        record = await world.store.attempt(space, RunId("r1", "uid-of-r1"), 0)
        assert token not in repr(record)


class TestFinishedRuns:
    async def finish(self, world, uid="u1", ended="2026-01-31T12:00:00Z", **fields):
        space = await world.services.backend.namespaces.space("team")
        record = RunRecord(RunId("r1", uid), "housing", "Succeeded", "", "", finished_at=ended, **fields)
        return await world.store.finish_run(space, record)

    async def test_what_it_was(self, world):
        """Everything that the record has; of several that had the name, the last."""
        await self.finish(world, metrics={"rmse": 0.5}, results={"run_summary": {"execution_time": 3}})
        await self.finish(world, "u2", "2026-02-01T12:00:00Z", version="housing-price-1.2")
        async with world.client(**world.pod()) as client:
            last = (await client.get(RUN)).json()
            first = (await client.get(RUN, params={"uid": "u1"})).json()
        assert (last["uid"], last["version"]) == ("u2", "housing-price-1.2")
        assert (first["metrics"], first["results"]) == ({"rmse": 0.5}, {"run_summary": {"execution_time": 3}})

    async def test_a_record_with_a_phase_of_no_moment(self, world):
        """It is shown without that phase."""
        good = PhaseTime("Saving", "2026-01-31T12:00:00Z", 1.0)
        await self.finish(world, phases=(PhaseTime("Training", "x", 1.0), good))
        async with world.client(**world.pod()) as client:
            phases = (await client.get(RUN)).json()["phases"]
        assert [phase["name"] for phase in phases] == ["Saving"]

    async def test_a_step_of_the_name_hides_no_run(self, world):
        """Anybody who may push tells of steps, under any name; a step is found by it where no run has it."""
        await self.finish(world, "step-" + "a" * 32, "2026-03-01T12:00:00Z", trigger="Step")
        async with world.client(**world.pod()) as client:
            assert (await client.get(RUN)).json()["trigger"] == "Step"
            await self.finish(world, "u1", trigger="Manual")
            assert (await client.get(RUN)).json()["uid"] == "u1"

    async def test_one_that_has_not_ended(self, world):
        """There is nothing to tell yet."""
        async with world.client(**world.pod()) as client:
            answer = await client.get(RUN)
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "RunNotFound")

    async def test_by_the_right_of_runs(self, world):
        """A user needs a session for what runs left; one for models or datasets does not do, whatever it is for."""
        await self.finish(world)
        for family, expected in (("models", 403), ("datasets", 403), ("runs", 200)):
            async with world.client(**add_session(world, "Pull", name=family, family=family)) as client:
                assert (await client.get(RUN)).status_code == expected

    async def test_a_pod_by_the_same_right(self, world):
        """One that may not read what runs left is not told."""
        await self.finish(world)
        world.kube.allowed = lambda spec: spec["resourceAttributes"]["resource"] != "trainingruns"
        async with world.client(**world.pod()) as client:
            assert (await client.get(RUN)).status_code == 403


class TestProgress:
    async def test_phases(self, world):
        """A run's pod tells its phase with the bytes, and the operator sees both; another phase is getting on."""
        phases = [{"name": "Loading", "startedAt": "2026-01-31T12:00:00Z", "seconds": 1.5, "bytes": 9}]
        said = {"digest": f"sha256:{0:064x}", "bytes": 0, "total": 0, "phase": "Training", "phases": phases}
        async with world.client(**world.pod(pod="r1-0")) as client:
            assert (await client.post("/v1/namespaces/team/progress", json=said)).status_code == 204
            [entry] = (await client.get("/v1/progress")).json()
        assert (entry["phase"], entry["phases"]) == ("Training", phases)

    async def test_reports_do_not_use_up_what_loads_need(self, world):
        """However many pods tell how far they are, content is still handed out."""
        said = {"digest": f"sha256:{0:064x}", "bytes": 0, "total": 0}
        async with world.client(**world.pod()) as client:
            for _ in range(50):
                world.services.progress_rate.take("team")
            before = world.services.rate._available("team")
            await client.post("/v1/namespaces/team/progress", json=said)
        assert world.services.rate._available("team") == before
