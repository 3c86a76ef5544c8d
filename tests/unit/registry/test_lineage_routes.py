"""Questions about lineage, over HTTP."""

from dataclasses import replace

import pytest

from modelberth.content.collections import artifact, dataset
from modelberth.lineage.nodes import model_version
from modelberth.runtime.resources import REGISTERED_MODELS
from modelberth.store.run_types import RunId, RunRecord
from modelberth.store.types import NewVersion
from tests.unit.registry.lineage_records import PACKAGES, digest, fill, run_record
from tests.unit.registry.test_access import add_session

TEAM = "/v1/namespaces/team"


@pytest.fixture
async def space(world):
    """The space of the namespace, with records."""
    space = await world.services.backend.namespaces.space("team")
    await fill(world.store, space)
    return space


@pytest.fixture
async def ask(world, space):
    """Ask as a pod of the namespace: status and body."""
    async with world.client(**world.pod()) as http:

        async def call(path, **query):
            answer = await http.get(f"{TEAM}/{path}", params=query)
            return answer.status_code, answer.json()

        yield call


def edges(graph):
    return {
        (edge["target"].partition("/")[2], edge["relation"], edge["source"].partition("/")[2])
        for edge in graph["edges"]
    }


class TestLineage:
    async def test_up(self, ask):
        """From a model to its data, through its run."""
        status, graph = await ask("lineage", address="price-1.1", direction="up")
        assert (status, graph["root"], graph["truncated"]) == (200, "modelversion/price-1.1", False)
        assert edges(graph) == {
            ("price-1.1", "made by", "run-0@uid-0"),
            ("price-1.1", "code", "https://git.example/prices@abc"),
            ("run-0@uid-0", "trained on", "housing-v1"),
            ("run-0@uid-0", "evaluated on", "housing-v0"),
            ("run-0@uid-0", "package", "price-1.0"),
            ("run-0@uid-0", "environment", "python@sha256:1, Python 3.12.4, packages 739f69e8eef9"),
            ("housing-v1", "derived from", "housing-v0"),
        }
        recorded = {edge["relation"]: edge["recorded"] for edge in graph["edges"]}
        assert (recorded["made by"], recorded["trained on"], recorded["code"]) == (True, True, False)

    async def test_down(self, ask):
        """From data to every version and every alias that learned from it, and when that answered."""
        _, graph = await ask("lineage", address="housing-v0", direction="down")
        assert {node["name"] for node in graph["nodes"]} == {
            "housing-v0", "housing-v1", "run-0", "run-1", "price-1.1", "price-1.2", "prices:production", "prices",
        }  # fmt: skip
        spans = {edge["source"]: edge["intervals"] for edge in graph["edges"] if edge["relation"] == "answered"}
        assert spans == {
            "modelversion/price-1.1": [{"since": "2026-11-21T09:01:00Z", "until": "2026-11-21T09:03:00Z"}],
            "modelversion/price-1.2": [{"since": "2026-11-21T09:03:00Z", "until": None}],
        }

    async def test_of_a_run(self, ask):
        """By name, and one step only."""
        _, graph = await ask("lineage", run="run-1", depth=1)
        assert graph["root"] == "trainingrun/run-1@uid-1"
        assert {node["name"]: node["distance"] for node in graph["nodes"]}["price-1.2"] == 1
        assert graph["truncated"]
        status, refused = await ask("lineage", run="nobody")
        assert (status, refused["error"]["code"]) == (404, "RunNotFound")

    async def test_of_an_alias(self, world, ask):
        """It is about the version that the alias stands for now."""
        aliases = {"production": {"version": "price-1.2", "current": "price-1.2"}}
        world.kube.put(REGISTERED_MODELS, "team", "prices", spec={"aliases": aliases}, status={"aliases": aliases})
        _, graph = await ask("lineage", address="prices:production", direction="up")
        assert graph["root"] == "modelversion/price-1.2"

    @pytest.mark.parametrize(
        ("query", "status", "word"),
        [
            ({}, 422, "exactly one"),
            ({"address": "price-1.1", "run": "run-1"}, 422, "exactly one"),
            ({"address": "price-9.9"}, 404, "no version price-9.9"),
            ({"address": "Price:v1"}, 400, "DNS label"),
            ({"address": "housing:v1#train"}, 400, "leave #train away"),
            ({"address": "other/price-1.1"}, 400, "other"),
            ({"address": "price-1.1", "depth": 0}, 422, "depth"),
            ({"address": "price-1.1", "direction": "sideways"}, 422, "direction"),
            ({"address": "nobody:v1"}, 404, "nobody"),
        ],
        ids=str,
    )
    async def test_refusals(self, ask, query, status, word):
        """Each names what is wrong."""
        got, refused = await ask("lineage", **query)
        assert (got, word in refused["error"]["message"]) == (status, True)

    async def test_a_name_that_both_families_have(self, world, space, ask):
        """Is refused with both, and understood with the family."""
        for collection in (artifact("twin"), dataset("twin")):
            await world.store.reserve_version(space, NewVersion(collection, digest(50), "jane"))
        status, refused = await ask("lineage", address="twin-v0")
        assert status == 409
        assert "artifact twin" in refused["error"]["message"]
        _, graph = await ask("lineage", address="twin-v0", family="datasets")
        assert graph["root"] == "datasetversion/twin-v0"

    async def test_who_may_ask(self, world, space):
        """Who may read records; not a session for one artifact, because lineage leads to others."""
        async with world.client(**add_session(world, "Pull", artifact="price")) as http:
            answer = await http.get(f"{TEAM}/lineage", params={"address": "price-1.1"})
            assert (answer.status_code, "spec.artifact" in answer.text) == (403, True)
        async with world.client() as http:
            assert (await http.get(f"{TEAM}/lineage", params={"address": "price-1.1"})).status_code == 401
        world.kube.allowed = lambda spec: False
        async with world.client(**world.pod()) as http:
            assert (await http.get(f"{TEAM}/lineage", params={"address": "price-1.1"})).status_code == 403


class TestDescription:
    async def test_of_a_version_that_a_run_made(self, ask):
        """Data with folder and digest, parameters, run, environment with every library, metrics, aliases."""
        _, known = await ask("lineage/description", address="price-1.1")
        assert (known["name"], known["digest"], known["committed"]) == ("price-1.1", digest(10), False)
        assert [(use["name"], use["role"], use["folder"], use["recorded"]) for use in known["data"]] == [
            ("housing-v1", "train", "train", True),
            ("housing-v0", "evaluation", "", True),
        ]
        assert known["data"][0]["digest"] == digest(2)
        assert (known["parameters"], known["metrics"]) == ({"EPOCHS": "10"}, {"rmse": 4.0, "r2": 0.5})
        assert (known["package"], known["run"]["name"], known["run"]["pipeline"]) == ("price-1.0", "run-0", "prices")
        assert known["environment"]["packages"] == PACKAGES
        assert (known["environment"]["imageDigest"], known["environment"]["python"]) == ("python@sha256:1", "3.12.4")
        assert known["code"] == {"repository": "https://git.example/prices", "revision": "abc"}
        assert [alias["alias"] for alias in known["aliases"]] == ["prices:production"]

    async def test_of_a_version_that_was_made_elsewhere(self, world, space, ask):
        """What it declares, marked as declared, and the data that its parents bring with them."""
        lineage = {
            "run": {"uri": "https://runs/1"},
            "datasets": [{"uri": "s3://x", "digest": digest(9), "role": "train"}, {"version": "housing-v0", "role": "test", "folder": "eval"}],
            "parents": ["price-1.1"],
            "environment": {"image": "img", "python": "3.11", "packages": digest(8)},
        }  # fmt: skip
        spec = {
            "lineage": lineage,
            "parameters": {"lr": "0.1"},
            "metrics": {"acc": 0.9},
            "format": "onnx",
            "description": "mine",
        }
        await world.store.reserve_version(space, NewVersion(artifact("tuned"), digest(60), "joe", spec=spec))
        _, known = await ask("lineage/description", address="tuned-v0")
        assert [(use["name"], use["role"], use["folder"], use["digest"], use["recorded"]) for use in known["data"]] == [
            ("s3://x", "train", "", digest(9), False),
            ("housing-v0", "evaluation", "eval", digest(1), False),
            ("housing-v1", "through", "", digest(2), False),
        ]
        assert (known["parameters"], known["metrics"], known["parents"]) == ({"lr": "0.1"}, {"acc": 0.9}, ["price-1.1"])
        assert (known["run"]["uri"], known["run"]["recorded"]) == ("https://runs/1", False)
        assert (known["environment"]["image"], known["environment"]["packagesDigest"]) == ("img", digest(8))
        assert (known["format"], known["description"], known["createdBy"]) == ("onnx", "mine", "joe")

    async def test_of_data(self, ask):
        """Where it came from."""
        _, known = await ask("lineage/description", address="housing-v1")
        assert (known["family"], known["parents"], known["labels"]) == (
            "datasets",
            ["housing-v0"],
            {"source": "census"},
        )
        assert [(use["name"], use["role"]) for use in known["data"]] == [("housing-v0", "through")]

    async def test_of_a_version_that_a_step_made(self, world, space, ask):
        """The step's libraries are told where both name each other, as declared; else nothing of it is."""
        uid = "step-" + "0" * 32
        results = {"parameters": {"inputs": ["datasets/housing-v0"]}, "run_summary": {"outputs": ["datasets/clean-v0"]}}
        record = run_record(8, trigger="Step", results=results, inputs={"dataset": "housing-v0"})
        await world.store.finish_run(space, replace(record, run=RunId("clean", uid)))
        lineage = {"run": {"trainingRun": "clean", "uid": uid}}
        for name in ("clean", "other"):
            new = NewVersion(dataset(name), digest(70), "joe", spec={"lineage": lineage})
            await world.store.reserve_version(space, new)
        _, known = await ask("lineage/description", address="clean-v0")
        assert (known["run"]["name"], known["run"]["recorded"], known["run"]["trigger"]) == ("clean", False, "Step")
        assert known["environment"]["packages"] == PACKAGES
        _, other = await ask("lineage/description", address="other-v0")
        assert (other["run"]["name"], other["environment"]["packages"]) == ("clean", {})
        _, found = await ask("lineage/runs", data="housing-v0")
        assert {run["name"]: run["trigger"] for run in found["runs"]}["clean"] == "Step"


class TestEndings:
    @pytest.fixture
    async def failed(self, world, space):
        """run-2, which failed."""
        words = {
            "reason": "UserException",
            "message": "ValueError: no",
            "traceback": ("line 1", "line 2"),
            "log_tail": ("x",),
        }
        await world.store.finish_run(space, run_record(2, status="Failed", **words))

    @pytest.mark.usefixtures("failed")
    async def test_of_a_run(self, ask):
        """Why, with the traceback."""
        _, found = await ask("lineage/endings", name="run-2")
        run = found["runs"][0]
        assert (run["reason"], run["message"], run["traceback"], run["logTail"]) == (
            "UserException", "ValueError: no", ["line 1", "line 2"], ["x"],
        )  # fmt: skip
        assert (run["image"], run["python"], run["inputs"]["dataset"]) == ("python@sha256:1", "3.12.4", "housing-v1")

    @pytest.mark.usefixtures("failed")
    async def test_of_a_version_and_of_a_pipeline(self, ask):
        """The run that made the version; the last runs of the pipeline; nobody's runs are no error."""
        assert [run["name"] for run in (await ask("lineage/endings", name="price-1.2"))[1]["runs"]] == ["run-1"]
        assert [run["name"] for run in (await ask("lineage/endings", name="prices"))[1]["runs"]] == [
            "run-2",
            "run-1",
            "run-0",
        ]
        assert (await ask("lineage/endings", name="nobody"))[1]["runs"] == []

    async def test_who_may_ask(self, world, space):
        """Who may read what runs left: to read models is not enough for tracebacks and logs."""
        query = {"params": {"name": "run-0"}}
        async with world.client(**add_session(world, "Pull")) as http:
            assert (await http.get(f"{TEAM}/lineage/endings", **query)).status_code == 403
        world.kube.allowed = lambda spec: spec["resourceAttributes"]["resource"] != "trainingruns"
        async with world.client(**world.pod()) as http:
            assert (await http.get(f"{TEAM}/lineage/endings", **query)).status_code == 403
            assert (await http.get(f"{TEAM}/lineage/runs")).status_code == 200


class TestRuns:
    async def test_which_used_this_data(self, world, space, ask):
        """Those that used it, or data that was derived from it."""
        await world.store.finish_run(space, run_record(5, dataset="other-v0", inputs={"dataset": "other-v0"}))
        _, found = await ask("lineage/runs", data="housing-v0")
        assert {run["name"] for run in found["runs"]} == {"run-0", "run-1"}
        assert (found["runs"][0]["dataset"], found["runs"][0]["evaluation"]) == ("housing-v1", "housing-v0")

    async def test_and_was_one_better(self, world, space, ask):
        """By a metric, greatest or least first; those that did not measure it come last."""
        await world.store.finish_run(space, RunRecord(RunId("other", "u"), "", "Failed", "Killed", ""))
        best = [run["name"] for run in (await ask("lineage/runs", sort="r2"))[1]["runs"]]
        assert best == ["run-1", "run-0", "other"]
        least = [run["name"] for run in (await ask("lineage/runs", sort="r2", ascending=True))[1]["runs"]]
        assert least == ["run-0", "run-1", "other"]

    async def test_of_a_pipeline_newest_first(self, ask):
        """As many as asked for, with a word where there are more."""
        _, found = await ask("lineage/runs", pipeline="prices", limit=1)
        assert ([run["name"] for run in found["runs"]], found["truncated"]) == (["run-1"], True)
        assert (await ask("lineage/runs", pipeline="nobody"))[1]["runs"] == []


class TestDeployed:
    path = "models/prices/aliases/production/deployed"

    async def test_last(self, ask):
        """The version that answers now, and all before it."""
        _, found = await ask(self.path)
        assert (found["answered"]["version"], found["answered"]["digest"]) == ("price-1.2", digest(11))
        assert (found["answered"]["until"], found["answered"]["movedBy"]) == (None, "jane")
        assert [span["version"] for span in found["spans"]] == ["price-1.2", "price-1.1"]

    async def test_at_a_time(self, ask):
        """Between a move and its success the old version answers; before the first one none does."""
        _, found = await ask(self.path, at="2026-11-21T09:02:30Z")
        assert (found["answered"]["version"], found["asked"]["version"]) == ("price-1.1", "price-1.2")
        assert (await ask(self.path, at="2026-11-20T00:00:00Z"))[1]["answered"] is None

    async def test_what_is_no_time(self, ask):
        """Is refused with the form."""
        status, refused = await ask(self.path, at="yesterday")
        assert (status, "write it as" in refused["error"]["message"]) == (422, True)

    async def test_a_time_to_come(self, ask):
        """Nobody knows what will answer."""
        status, refused = await ask(self.path, at="2999-01-01T00:00:00Z")
        assert (status, "has not come yet" in refused["error"]["message"]) == (422, True)

    async def test_of_nobody(self, ask):
        """An alias without a history answered with nothing."""
        _, found = await ask("models/nobody/aliases/production/deployed")
        assert (found["answered"], found["asked"], found["spans"]) == (None, None, [])


async def test_answers_say_how_old_they_are(world, ask):
    """And name records that cannot be read."""
    _, found = await ask("lineage/runs")
    assert found["asOf"].endswith("Z")
    assert found["problems"] == []
    kept = next(iter(world.services.backend.lineage._kept.values()))
    assert kept.index.node(model_version("price-1.1")).known
