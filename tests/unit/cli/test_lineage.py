"""lineage, describe, runs, deployed, why: against the real routes over records in an S3 double."""

import asyncio
import json
import threading
import xml.etree.ElementTree as ET
from urllib.parse import parse_qsl, urlsplit

import pytest

from modelberth.cli.runs import status_of_run
from tests.unit.cli.fake_cluster import sessions_left
from tests.unit.registry.fakes import world_over
from tests.unit.registry.lineage_records import fill, run_record
from tests.unit.store.s3_double import running_double

FAILED = {
    "reason": "UserException",
    "message": "train.py raised ValueError: the data has no rows",
    "traceback": ('  File "train.py", line 7, in train', "ValueError: the data has no rows"),
    "attempts": 1,
}

NODE = {"known": True, "digest": "", "at": "", "by": "", "status": "", "reason": "", "metrics": {}}
EDGE = {"relation": "answered", "recorded": True, "intervals": []}


class Records:
    """The real registry in an event loop of its own, asked by whoever asks the fake one."""

    def __init__(self):
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)

    def __enter__(self):
        self._thread.start()
        self._s3 = running_double()
        self._world = world_over(self._s3.__enter__())
        self.world = self.run(self._world.__aenter__())
        self.space = self.run(self.world.services.backend.namespaces.space("team"))
        self.run(fill(self.world.store, self.space))
        self.run(self.world.store.finish_run(self.space, run_record(2, status="Failed", **FAILED)))
        return self

    def __exit__(self, *error):
        self.run(self._world.__aexit__(*error))
        self._s3.__exit__(*error)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def run(self, work):
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    def answer(self, path):
        """Status and body of a question to namespace ns, which is team here."""
        return self.run(self._ask(path.replace("/namespaces/ns/", "/namespaces/team/", 1)))

    async def _ask(self, path):
        parts = urlsplit(path)
        async with self.world.client(**self.world.pod()) as http:
            answer = await http.get(parts.path, params=parse_qsl(parts.query))
        return answer.status_code, answer.json()


@pytest.fixture(scope="module")
def records():
    with Records() as made:
        yield made


@pytest.fixture(autouse=True)
def asked(registry, records):
    """The fake registry's questions go to the real routes; they are kept in the list."""
    paths = []

    def answer(path):
        paths.append(path)
        return records.answer(path)

    registry.questions = answer
    return paths


@pytest.mark.usefixtures("cluster")
class TestLineage:
    def test_the_table_reads_as_sentences(self, cluster, run):
        """What, relation, of what; recorded or declared; when an alias answered."""
        code, out, err = run("lineage", "price-1.1")
        assert (code, err) == (0, "")
        assert out.startswith("version price-1.1   sha256:00000")
        lines = [" ".join(line.split()) for line in out.splitlines()]
        assert "-2 run run-0 trained on data housing-v1 recorded -" in lines
        assert "-1 version price-1.1 code code https://git.example/prices@abc declared -" in lines
        assert (
            "+1 alias prices:production answered version price-1.1 recorded 2026-11-21T09:01:00Z – 2026-11-21T09:03:00Z"
            in lines
        )
        assert sessions_left(cluster) == []

    def test_one_direction_and_so_many_steps(self, run, asked):
        """What is cut off is said."""
        code, out, err = run("lineage", "housing-v0", "--down", "--depth", 1)
        assert (code, "there is more: --depth 1 cuts here; leave it out for all" in err) == (0, True)
        assert {line.split()[0] for line in out.splitlines()[3:]} == {"+1"}
        assert "direction=down" in asked[0]

    def test_of_a_run(self, run):
        """By its name; a failed one says so."""
        assert "run run-2 (UserException) trained on" in " ".join(run("lineage", "run-2", "--run")[1].split())

    def test_pictures(self, run):
        """SVG and Graphviz, on stdout and nothing else there."""
        _, out, _ = run("lineage", "housing-v0", "-o", "svg")
        assert "prices:production" in {text.text for text in ET.fromstring(out).iter()}  # noqa: S314 - our own drawing
        _, out, _ = run("lineage", "housing-v0", "-o", "dot")
        assert '"modelversion/price-1.1" -> "alias/prices:production" [label="answered"];' in out

    def test_json(self, run):
        """The registry's answer as it is."""
        assert json.loads(run("lineage", "price-1.1", "-o", "json")[1])["root"] == "modelversion/price-1.1"

    def test_nothing_around_it(self, run, records):
        """Is said, and why that may be."""
        out = run("lineage", "price-1.0", "--up")[1]
        assert "nothing is known that it was made of: no run made it, and nobody declared data" in out

    def test_long_names_are_shortened(self, registry, run):
        """An image's digest would make every row as long as itself; a word says where it is whole."""
        image = f"registry.example.org/team/trainer@sha256:{7:064x}, Python 3.12.4, packages 0123456789ab"
        nodes = [
            {**NODE, "id": "modelversion/price-1.1", "kind": "modelversion", "name": "price-1.1", "distance": 0},
            {**NODE, "id": "environment/x", "kind": "environment", "name": image, "distance": -1},
            {**NODE, "id": "alias/a:b", "kind": "alias", "name": "a:b", "distance": 1},
        ]
        times = [{"since": f"2026-11-2{day}T09:00:00Z", "until": None} for day in (1, 2, 3)]
        edges = [
            {**EDGE, "source": "environment/x", "target": "modelversion/price-1.1", "relation": "environment"},
            {**EDGE, "source": "modelversion/price-1.1", "target": "alias/a:b", "intervals": times},
        ]
        graph = {"root": nodes[0]["id"], "nodes": nodes, "edges": edges, "truncated": False, "problems": []}
        registry.questions = lambda _: (200, graph)
        _, out, err = run("lineage", "price-1.1")
        assert max(map(len, out.splitlines())) < 160
        assert "environment   registry.exa…00000000000, Python 3.12.4, packages 0123456789ab" in out
        assert "2026-11-23T09:00:00Z – now, and 2 earlier" in out
        assert "-o json has them whole" in err
        assert f"{image}\\nenvironment" in run("lineage", "price-1.1", "-o", "dot")[1]
        assert image in json.loads(run("lineage", "price-1.1", "-o", "json")[1])["nodes"][1]["name"]

    @pytest.mark.parametrize(
        "words",
        [["Nonsense"], ["price-1.1", "--up", "--down"], ["price-1.1", "--depth", "0"], ["run-2", "--run", "--dataset"]],
    )
    def test_wrong_usage(self, run, words):
        """Is told before anybody is asked."""
        assert run("lineage", *words)[0] == 2

    def test_unknown(self, run):
        """In the registry's words."""
        code, _, err = run("lineage", "nobody:v1")
        assert (code, "there is no version v1 of nobody" in err) == (1, True)


@pytest.mark.usefixtures("cluster")
class TestDescribe:
    def test_one_screen(self, run):
        """Data, parameters, metrics, run, image, libraries, aliases."""
        code, out, _ = run("describe", "price-1.1")
        assert code == 0
        lines = [" ".join(line.split()) for line in out.splitlines()]
        assert lines[0].endswith("(its content is not in the store)")
        for line in (
            "made: ",
            "data: housing-v1#train sha256:" + "0" * 63 + "2",
            "package: price-1.0",
            "parameters: EPOCHS = 10",
            "metrics: r2 = 0.5",
            "run: run-0 of pipeline prices (Manual, by jane)",
            "code: https://git.example/prices@abc",
            "image: python:3.12",
            "python: 3.12.4",
            "libraries: scikit-learn 1.5.2",
            "answered: prices:production 2026-11-21T09:01:00Z – 2026-11-21T09:03:00Z",
        ):
            assert any(shown.startswith(line) for shown in lines), line

    def test_one_library(self, run):
        """Which version of TensorFlow."""
        _, out, _ = run("describe", "price-1.1", "--libraries", "tensorflow")
        assert "tensorflow 2.16.1" in out
        assert "scikit" not in out

    def test_no_such_library(self, run):
        """Said, as silence might mean that no library is known."""
        _, out, _ = run("describe", "price-1.1", "--libraries", "nosuch")
        assert "none of" in out
        assert "contains 'nosuch'" in out

    def test_data(self, run):
        """Labels, and what it was derived from."""
        _, out, _ = run("describe", "housing-v1")
        assert "source = census" in out
        assert "parents:      housing-v0" in out

    def test_json(self, run):
        """The registry's answer."""
        assert json.loads(run("describe", "price-1.1", "-o", "json")[1])["environment"]["python"] == "3.12.4"


@pytest.mark.usefixtures("cluster")
class TestRuns:
    def test_which_used_this_data_and_was_one_better(self, run):
        """Sorted by the metric, which is the first of the columns."""
        code, out, _ = run("runs", "--data", "housing-v0", "--sort", "rmse", "--ascending")
        assert code == 0
        header, *rows = (line.split() for line in out.splitlines())
        assert header == ["RUN", "STATUS", "VERSION", "DATA", "PACKAGE", "ENDED", "RMSE", "R2"]
        assert [row[0] for row in rows] == ["run-2", "run-1", "run-0"]
        assert rows[0][1:3] == ["Failed", "(UserException)"]

    def test_none(self, run):
        """Is a sentence."""
        assert run("runs", "--pipeline", "nobody")[1] == "no run on record fits\n"

    def test_sorted_by_what_no_run_has(self, run):
        """An error with the metrics that there are: any order would look like an answer."""
        code, out, err = run("runs", "--sort", "nosuch")
        assert (code, out) == (1, "")
        assert "--sort nosuch: none of these runs has that metric; they have: r2, rmse" in err
        assert run("runs", "--pipeline", "nobody", "--sort", "nosuch")[0] == 0

    def test_ascending_by_nothing(self, run):
        """Is wrong usage."""
        assert run("runs", "--ascending")[0] == 2

    def test_json(self, run):
        """With a limit, and a word that there is more."""
        _, out, err = run("runs", "--limit", 1, "-o", "json")
        assert len(json.loads(out)["runs"]) == 1
        assert "there is more: a greater --limit shows it" in err


def test_a_status_is_said_once():
    """A reason is shown where it says more than the status."""
    run = {"trigger": "Manual", "status": "Skipped", "reason": "Skipped"}
    assert status_of_run(run) == "Skipped"
    assert status_of_run({**run, "status": "Failed", "reason": "Evicted"}) == "Failed (Evicted)"


@pytest.mark.usefixtures("cluster")
class TestDeployed:
    def test_last(self, run):
        """The version that answers, and all before it."""
        code, out, _ = run("deployed", "prices:production")
        assert code == 0
        assert out.startswith("prices:production answers with price-1.2 sha256:")
        assert "2026-11-21T09:01:00Z – 2026-11-21T09:03:00Z" in out

    def test_at_a_time(self, run):
        """What was asked for and did not answer yet is said; exit code 1 where none answered."""
        _, out, _ = run("deployed", "prices:production", "--at", "2026-11-21T09:02:30Z")
        assert "answered at 2026-11-21T09:02:30Z with price-1.1" in out
        assert "price-1.2 was asked for" in out
        code, out, _ = run("deployed", "prices:production", "--at", "2020-01-01")
        assert (code, "with no version" in out) == (1, True)

    def test_what_is_no_time(self, run):
        """In the registry's words."""
        code, _, err = run("deployed", "prices:production", "--at", "2999-01-01")
        assert (code, "has not come yet" in err) == (1, True)
        code, _, err = run("deployed", "prices:production", "--at", "yesterday")
        assert (code, "write it as" in err) == (1, True)

    def test_of_nobody(self, cluster, run):
        """A model or an alias that there is not, and never was, is an error."""
        code, out, err = run("deployed", "nobody:production")
        assert (code, out, "there is no RegisteredModel nobody" in err) == (1, "", True)
        cluster.put("registeredmodels", "prices", {"aliases": {"canary": {"version": "price-1.2"}}})
        assert "answered with no version" in run("deployed", "prices:canary")[1]
        assert "RegisteredModel prices has no alias prod" in run("deployed", "prices:prod")[2]

    def test_json(self, run):
        """The registry's answer."""
        assert json.loads(run("deployed", "prices:production", "-o", "json")[1])["answered"]["version"] == "price-1.2"


def condition(status, reason, message, name="Ready"):
    return {"conditions": [{"type": name, "status": status, "reason": reason, "message": message}]}


class TestWhy:
    @pytest.fixture
    def serving(self, cluster):
        """An alias that asks for price-1.2, which cannot be loaded."""
        cluster.put("modelversions", "price-1.2", {}, condition("True", "Available", "all bytes are there"))
        alias = {
            "desired": "price-1.2",
            "current": "price-1.1",
            "state": "Blocked",
            "reason": "LoadFailed",
            "message": "pods",
        }
        cluster.put(
            "registeredmodels",
            "prices",
            {"aliases": {"production": {"version": "price-1.2"}}},
            {"aliases": {"production": alias}},
        )
        status = {
            **condition("False", "LoadFailed", "refused: object x of spaces/y"),
            "state": "Blocked", "serving": "price-1.1", "desired": {"version": "price-1.2"},
        }  # fmt: skip
        cluster.put("modeldeployments", "prices", {"model": "prices", "alias": "production"}, status)
        cluster.put("modeldeployments", "other", {"model": "other", "alias": "production"}, status)

    def test_a_run_on_record(self, cluster, run):
        """With the lines of the traceback, and what it took."""
        code, out, _ = run("why", "run-2")
        assert code == 0
        assert "!! training  run run-2: Failed (UserException)" in out
        assert "ValueError: the data has no rows" in out
        assert "package price-1.0, dataset housing-v1" in out
        assert "after 1 attempt;" in out

    def test_a_run_that_is_not_on_record(self, cluster, run):
        """From the object: its phase, its attempts."""
        status = {
            **condition("False", "ImagePullFailed", "no such image", "Complete"),
            "phase": "Waiting",
            "attempts": [{"number": 0, "pod": "new-0", "reason": "Evicted", "message": "disk"}],
        }
        cluster.put("trainingruns", "new", {}, {**status, "phase": "Failed"})
        _, out, _ = run("why", "new")
        assert "!! training  TrainingRun new: Failed (ImagePullFailed)" in out
        assert "attempt 0 (new-0): Evicted disk" in out

    @pytest.mark.parametrize(
        ("phase", "reason", "mark"),
        [
            ("Waiting", "InputNotFound", "!!"),
            ("Loading", "ImagePullFailed", "!!"),
            ("Waiting", "Retrying", "!!"),
            ("Waiting", "Starting", "ok"),
            ("Training", "Training", "ok"),
        ],
    )
    def test_a_run_that_has_not_ended(self, cluster, run, phase, reason, mark):
        """Not well where its condition names a fault; what it says is shown in any case, of a pipeline's also."""
        cluster.put("trainingpipelines", "nightly", {}, condition("True", "Ready", "runs can be made"))
        status = {**condition("Unknown", reason, "what it says"), "phase": phase}
        cluster.put("trainingruns", "new", {"pipeline": "nightly"}, status)
        cluster.put("trainingruns", "old", {"pipeline": "nightly"}, {"phase": "Succeeded"})
        cluster.put("trainingruns", "foreign", {"pipeline": "weekly"}, status)
        for name in ("new", "nightly"):
            _, out, err = run("why", name)
            assert f"{mark} training  TrainingRun new: {phase}" in out, err
            assert "what it says" in out
            assert "old" not in out
            assert "foreign" not in out

    def test_the_record_says_more_than_the_object(self, cluster, run):
        """One run is said once."""
        cluster.put("trainingruns", "run-2", {}, {"phase": "Failed"})
        path = "/apis/modelberth.io/v1alpha1/namespaces/ns/trainingruns/run-2"
        cluster.objects[path]["metadata"]["uid"] = "uid-2"
        _, out, _ = run("why", "run-2")
        assert "TrainingRun" not in out

    @pytest.mark.usefixtures("serving")
    def test_an_alias(self, run):
        """Training, loading and serving in one answer: the run of the version, the version, alias and deployments."""
        code, out, _ = run("why", "prices:production")
        assert code == 0
        lines = [line for line in out.splitlines() if line[:3] in ("ok ", "!! ")]
        assert lines == [
            "ok training  run run-1: Succeeded",
            "!! loading   ModelDeployment prices: Blocked (LoadFailed)",
            "ok loading   ModelVersion price-1.2: Ready (Available)",
            "!! serving   alias prices:production → price-1.2: Blocked (LoadFailed)",
        ]
        assert "refused: object x of spaces/y" in out
        assert "what answers meanwhile: price-1.1" in out

    @pytest.mark.usefixtures("serving")
    def test_a_deployment(self, run):
        """And everything that it stands on, each once."""
        _, out, _ = run("why", "prices")
        assert out.count("ModelDeployment prices") == 1
        assert "alias prices:production" in out
        assert "run run-1" in out
        assert "ModelDeployment other" not in out

    @pytest.mark.usefixtures("serving")
    def test_without_a_right(self, cluster, run):
        """What may not be read is said, and the rest is told."""
        cluster.refusals["GET", "/modeldeployments"] = (403, "Forbidden", "jane cannot get modeldeployments")
        code, out, err = run("why", "prices:production")
        assert (code, "alias prices:production" in out) == (0, True)
        assert "jane cannot" in err

    def test_without_the_right_to_read_what_runs_left(self, cluster, run):
        """The objects are told, and that records are not looked at."""
        cluster.put("trainingruns", "run-2", {}, {"phase": "Failed"})
        cluster.refusals["POST", "/transfersessions"] = (403, "Forbidden", "jane cannot get trainingruns/content")
        code, out, err = run("why", "run-2")
        assert (code, "TrainingRun run-2: Failed" in out, "not looked at" in err) == (0, True, True)

    def test_with_a_store_that_was_tampered_with(self, registry, cluster, run):
        """The objects are told at once, and what the registry found."""
        cluster.put("trainingruns", "run-2", {}, {"phase": "Failed"})
        registry.questions = lambda _: (500, {"error": {"code": "Tampered", "message": "record x is not what it was"}})
        code, out, err = run("why", "run-2")
        assert (code, "TrainingRun run-2: Failed" in out) == (0, True)
        assert "records of runs are not looked at: record x is not what it was (HTTP 500 Tampered)" in err

    def test_nobody(self, cluster, run):
        """Is an error."""
        code, _, err = run("why", "nobody")
        assert (code, "nothing is known of nobody" in err) == (1, True)

    @pytest.mark.parametrize(
        "name", [f"prices@sha256:{7:064x}", "prices:production#train", ":production", "", "A b", "/x"]
    )
    def test_what_is_no_name(self, cluster, run, name):
        """Is told before anybody is asked."""
        assert run("why", name)[0] == 2

    @pytest.mark.usefixtures("serving")
    @pytest.mark.parametrize("name", ["price-1.2", "price:1.2"])
    def test_a_version(self, run, name):
        """Who asks for it, and could not load it, says so: the store's bytes are not those of the digest."""
        code, out, _ = run("why", name)
        assert code == 0
        assert "ok loading   ModelVersion price-1.2: Ready (Available)" in out
        assert "proven when it was stored; modelberth verify price:1.2 reads every byte again" in out
        assert "!! serving   alias prices:production → price-1.2: Blocked (LoadFailed)" in out
        assert "refused: object x of spaces/y" in out
        assert "ModelDeployment other" not in out

    @pytest.mark.parametrize(("plural", "kind"), [("datasets", "Dataset"), ("modelartifacts", "ModelArtifact")])
    def test_a_dataset_or_an_artifact(self, cluster, run, plural, kind):
        """What its condition says."""
        cluster.put(plural, "flats", {}, condition("False", "VersionNotReady", "alias best: flats-v9 is not there"))
        code, out, _ = run("why", "flats")
        assert (code, f"!! loading   {kind} flats: NotReady (VersionNotReady)" in out) == (0, True)
        assert "flats-v9 is not there" in out

    def test_a_dataset_version(self, cluster, run):
        """That it was proven is said with the command that proves it again."""
        cluster.put("datasetversions", "flats-v0", {}, condition("True", "Ready", "stored"))
        assert "modelberth verify flats:v0 --dataset reads every byte again" in run("why", "flats-v0")[1]

    def test_a_registered_model(self, cluster, run):
        """Is all of its aliases."""
        asked = {"production": {"version": "price-1.1"}, "canary": {"version": "price-1.2"}}
        cluster.put("registeredmodels", "houses", {"aliases": asked})
        _, out, _ = run("why", "houses")
        assert "alias houses:production → price-1.1" in out
        assert "alias houses:canary → price-1.2" in out

    @pytest.mark.usefixtures("serving")
    def test_json(self, run):
        """The standings, and the runs as recorded."""
        found = json.loads(run("why", "prices:production", "-o", "json")[1])
        assert [run["name"] for run in found["runs"]] == ["run-1"]
        assert {standing["stage"]: standing["isWell"] for standing in found["standings"]}["serving"] is False
