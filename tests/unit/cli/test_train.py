"""train, run and reproduce: what is made with the user's rights, what is shown while it runs, how it ends."""

import json

import pytest

from modelberth.cli.following import state_line
from modelberth.cli.reproduce import comparison
from tests.unit.cli.fake_cluster import sessions_left
from tests.unit.transfer.conftest import content, fill

DIGEST = f"sha256:{7:064x}"
RECORD = {
    "run": "housing-1",
    "uid": "u1",
    "pipeline": "housing",
    "status": "Succeeded",
    "reason": "",
    "message": "",
    "version": "price-1.1",
    "inputs": {
        "package": "price-1.0",
        "packageDigest": f"sha256:{1:064x}",
        "dataset": "housing-v1",
        "datasetDigest": f"sha256:{2:064x}",
        "datasetFolder": "train",
    },
    "parameters": {"EPOCHS": "10"},
    "image": "python:3.12-slim",
    "imageDigest": "",
    "attempts": 1,
    "output": DIGEST,
    "files": None,
    "filePaths": ["artifacts/curve.csv"],
    "metrics": {"rmse": 0.5},
    "phases": [
        {"name": "Loading", "startedAt": "2026-01-31T11:59:58Z", "seconds": 2, "bytes": 1536},
        {"name": "Training", "startedAt": "2026-01-31T12:00:00Z", "seconds": 12.5, "bytes": 0},
    ],
    "python": "3.12.4",
    "packages": {"numpy": "2.0"},
    "traceback": [],
    "logTail": ["epoch 10"],
    "key": "ab" * 32,
    "trigger": "Manual",
    "createdBy": "jane",
    "notes": "half the data,\ntwice the rate",
    "startedAt": "2026-01-31T12:00:00Z",
    "finishedAt": "2026-01-31T12:00:20Z",
    "results": {"run_summary": {"execution_time": 20}},
    "template": {
        "package": {"artifact": "price", "major": 1},
        "dataset": {"name": "housing", "alias": "latest", "folder": "train"},
        "image": "python:3.12-slim",
    },
}


@pytest.fixture(autouse=True)
def at_once(monkeypatch):
    """Looking again takes no time."""
    monkeypatch.setattr("modelberth.cli.following.POLL_SECONDS", 0.01)


@pytest.fixture
def pipeline(cluster):
    cluster.put("trainingpipelines", "housing", {"image": "python:3.12-slim"})


def stop_at_once(monkeypatch):
    """Ctrl-C as soon as a run is looked at."""

    def stop(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("modelberth.cli.train.follow", stop)


def only_run(cluster):
    """The run that was made."""
    [found] = [value for path, value in cluster.objects.items() if "/trainingruns/" in path]
    return found


class TestTrain:
    def test_a_run_of_the_pipeline_is_made(self, cluster, run, pipeline):
        """Only what was said stands in its spec; its name goes to stdout."""
        code, out, err = run("train", "housing", "--env", "EPOCHS=3", "--env", "NAME=a=b", "--no-cache")
        assert code == 0, err
        made = only_run(cluster)
        assert made["spec"] == {"pipeline": "housing", "environment": {"EPOCHS": "3", "NAME": "a=b"}, "cache": False}
        assert out.strip() == made["metadata"]["name"]
        assert out.startswith("housing-")
        assert err == f"to see it run: modelberth run follow {out}"

    def test_nothing_said_nothing_set(self, cluster, run, pipeline):
        """The pipeline decides about the rest."""
        assert run("train", "housing")[0] == 0
        assert only_run(cluster)["spec"] == {"pipeline": "housing"}

    @pytest.mark.parametrize("env", ["EPOCHS", "=3", "2X=3", "A-B=3", "X Y=1"])
    def test_a_parameter_in_another_form(self, run, pipeline, env):
        """It is wrong usage, said with the form."""
        code, _, err = run("train", "housing", "--env", env)
        assert code == 2
        assert "NAME=VALUE" in err

    def test_a_parameter_twice(self, run, pipeline):
        """Which one should count?"""
        assert run("train", "housing", "--env", "A=1", "--env", "A=2")[0] == 2

    @pytest.mark.parametrize(
        "words", [["train", ""], ["train", "A b"], ["run", "describe", "x/y"], ["train", "housing", "-n", ""]]
    )
    def test_what_is_no_name(self, run, cluster, words):
        """Is told before anybody is asked; an empty namespace is no default one."""
        code, _, err = run(*words)
        assert (code, "is no name: lower-case letters" in err) == (2, True)
        assert cluster.requests == []

    def test_no_such_pipeline(self, run, cluster):
        """Said before a run is made that nobody could start."""
        code, _, err = run("train", "housing")
        assert code == 1
        assert "no TrainingPipeline housing" in err

    @pytest.mark.parametrize(("phase", "code"), [("Succeeded", 0), ("Skipped", 0), ("Failed", 1)])
    def test_followed_to_its_end(self, cluster, run, pipeline, phase, code):
        """Phases on stderr as they come, the program's output on stdout, and the run's end as exit code."""
        pod = {"pod": {"name": "p-0", "uid": "x"}}
        cluster.statuses["trainingruns"] = [
            {},
            {"phase": "Loading", "progress": {"bytes": 1024, "total": 2048}, **pod},
            {"phase": "Training", **pod},
            *[{"phase": "Training", **pod}] * 5,
            {"phase": phase, "version": "price-1.1", "reason": "R", "message": "why it ended", **pod},
        ]
        cluster.logs["p-0"] = (
            b"2026-01-31T12:00:00.1Z epoch 1\n2026-01-31T12:00:00.2Z \xc3\xa9\n2026-01-31T12:00:00.3Z 2026 is a year\n"
        )
        found, out, err = run("train", "housing", "--follow")
        assert found == code
        assert out == "epoch 1\né\n2026 is a year\n"  # once, although it is read again and again
        assert "Loading 1.0 KiB of 2.0 KiB\nTraining" in err
        assert f"{phase} price-1.1" in err
        assert "why it ended" in err

    @pytest.mark.parametrize(
        ("phase", "reason", "line"),
        [
            ("Loading", "ImagePullFailed", "Loading: ImagePullFailed: the words"),
            ("Waiting", "QuotaExceeded", "Waiting: QuotaExceeded: the words"),
            ("Waiting", "Waiting", "Waiting"),
            ("Training", "Training", "Training"),
            ("Skipped", "Skipped", "Skipped: the words"),
        ],
    )
    def test_why_it_does_not_go_on(self, phase, reason, line):
        """Said in whichever phase it hangs, unless the reason is just the phase."""
        ready = {"type": "Ready", "reason": reason, "message": "the words"}
        assert state_line({"status": {"phase": phase, "conditions": [ready]}}) == line

    @pytest.mark.parametrize(
        ("words", "where"), [(["train", "housing", "--follow"], ""), (["train", "housing", "--follow", "-n", "b"], "b")]
    )
    def test_ctrl_c(self, cluster, run, pipeline, monkeypatch, words, where):
        """Ends the looking, not the run: its name and, where the context has another, its namespace are said."""
        cluster.put("trainingpipelines", "housing", {"image": "python:3.12-slim"}, namespace="b")
        stop_at_once(monkeypatch)
        code, _, err = run(*words)
        made = only_run(cluster)["metadata"]["name"]
        assert code == 1
        assert err.endswith(f"the run goes on: modelberth run follow {made}{where and f' -n {where}'}\n")

    def test_deleted_while_it_is_followed(self, cluster, run, pipeline):
        """Not waited for until the end of time, nor taken for its namesake."""
        path = "/apis/modelberth.io/v1alpha1/namespaces/ns/trainingruns/r"
        cluster.refusals = {("GET", path): (404, "NotFound", "gone")}
        code, _, err = run("train", "housing", "--name", "r", "--follow")
        assert code == 1
        assert "was deleted" in err


class TestRuns:
    def test_a_finished_run_from_its_record(self, cluster, registry, run):
        """Everything about it, although its object is gone; by the right to what runs left."""
        registry.answers["runs/housing-1"] = {**RECORD, "files": DIGEST}
        code, out, err = run("run", "describe", "housing-1")
        assert code == 0, err
        for part in (
            "its object was deleted",
            "Succeeded",
            "price-1.1",
            "housing-v1#train",
            "EPOCHS:",
            "rmse:",
            "loading:       2.0 s   1.5 KiB",
            "training:     12.5 s",
            "artifacts/curve.csv",
            "epoch 10",
            "took:         20.0 s",
            "notes:        half the data, twice the rate",
        ):
            assert part in out
        assert cluster.sessions_seen[-1]["spec"]["family"] == "runs"
        assert sessions_left(cluster) == []

    def test_a_run_that_goes_on_from_its_object(self, cluster, run):
        """What its status says so far."""
        status = {"phase": "Waiting", "conditions": [{"type": "Ready", "reason": "NoData", "message": "no housing"}]}
        status["imageID"] = f"docker.io/library/python@{DIGEST}"
        cluster.put("trainingruns", "housing-2", {"pipeline": "housing", "notes": "slowly"}, status)
        path = "/apis/modelberth.io/v1alpha1/namespaces/ns/trainingruns/housing-2"
        cluster.objects[path]["metadata"]["annotations"] = {"modelberth.io/created-by": "jane"}
        out = run("run", "describe", "housing-2")[1]
        assert "by:           jane" in out
        assert "notes:        slowly" in out
        assert "Waiting" in out
        assert "NoData: no housing" in out
        assert f"docker.io/library/python@{DIGEST}" in out

    def test_nobody_knows_it(self, run, cluster):
        """An error with the name."""
        code, _, err = run("run", "describe", "nobody")
        assert code == 1
        assert "no run nobody" in err

    def test_json(self, cluster, registry, run):
        """Object and record, for programs."""
        registry.answers["runs/housing-1"] = RECORD
        assert json.loads(run("run", "describe", "housing-1", "-o", "json")[1]) == {"object": None, "record": RECORD}

    def test_listed(self, cluster, run):
        """All of the namespace, or of one pipeline."""
        cluster.put("trainingruns", "a-1", {"pipeline": "a"}, {"phase": "Succeeded", "version": "price-1.1"})
        cluster.put("trainingruns", "b-1", {"pipeline": "b"}, {"phase": "Failed", "reason": "R", "message": "m"})
        assert [row["run"] for row in json.loads(run("run", "list", "-o", "json")[1])] == ["a-1", "b-1"]
        out = run("run", "list", "--pipeline", "b")[1]
        assert "b-1" in out
        assert "R: m" in out
        assert "a-1" not in out

    def test_none_in_the_list(self, cluster, run, pipeline):
        """Of a pipeline that there is; one that does not exist is an error."""
        cluster.put("trainingruns", "b-1", {"pipeline": "b"})
        assert (
            run("run", "list", "--pipeline", "housing")[1] == "no training runs of pipeline housing in namespace ns\n"
        )
        code, out, err = run("run", "list", "--pipeline", "nope")
        assert (code, out, "there is no TrainingPipeline nope" in err) == (1, "", True)

    def test_a_long_reason_in_the_list(self, cluster, run):
        """Is shortened with a word that says where it is whole; as JSON it is whole."""
        cluster.put("trainingruns", "b-1", {"pipeline": "b"}, {"phase": "Failed", "reason": "R", "message": "m" * 200})
        _, out, err = run("run", "list")
        assert ("m" * 100 in out, "modelberth run describe NAME" in err) == (False, True)
        assert "m" * 200 in run("run", "list", "-o", "json")[1]

    def test_files(self, cluster, registry, run, tmp_path):
        """Log, packages and artifacts, the results, and the data where the run keeps it; a full folder is kept."""
        files = {"log.txt": b"epoch 10\n", "artifacts/a.txt": b"1"}
        digest = run("push", fill(tmp_path / "files", files), "--artifact", "x", "-q")[1].split()[1]
        data = run("push", fill(tmp_path / "data", {"train/rows.csv": b"1"}), "--dataset", "y", "-q")[1].split()[1]
        record = {**RECORD, "files": digest, "template": {"saveTrainingData": True}}
        record["inputs"] = {**RECORD["inputs"], "datasetDigest": data}
        registry.answers["runs/housing-1"] = record
        code, out, err = run("run", "get", "housing-1", tmp_path / "out", "-q")
        assert code == 0, err
        assert out.strip() == str(tmp_path / "out")
        assert sorted(content(tmp_path / "out")) == [
            "_results.json",
            "artifacts/a.txt",
            "data_directory/rows.csv",
            "log.txt",
        ]
        assert json.loads((tmp_path / "out" / "_results.json").read_text()) == RECORD["results"]
        families = [session["spec"].get("family") for session in cluster.sessions_seen]
        assert families[-2:] == ["runs", "datasets"]
        assert run("run", "get", "housing-1", tmp_path / "out")[0] == 1
        assert sorted(path.name for path in tmp_path.iterdir() if "partial" in path.name) == []

    def test_files_of_a_run_that_goes_on(self, cluster, run, tmp_path):
        """There are none yet."""
        cluster.put("trainingruns", "housing-2", {"pipeline": "housing"}, {"phase": "Training"})
        code, _, err = run("run", "get", "housing-2", tmp_path / "out")
        assert code == 1
        assert "has not ended" in err


class TestFollow:
    @pytest.mark.parametrize(("status", "code"), [("Succeeded", 0), ("Skipped", 0), ("Failed", 1)])
    @pytest.mark.parametrize("is_there", [True, False])
    def test_of_a_run_that_has_ended(self, cluster, registry, run, status, code, is_there):
        """The end of its log, how it ended, and its exit code, although its pod and perhaps its object are gone."""
        registry.answers["runs/housing-1"] = {**RECORD, "status": status, "reason": "R", "message": "why it ended"}
        if is_there:
            cluster.put("trainingruns", "housing-1", {}, {"phase": status})
        found, out, err = run("run", "follow", "housing-1")
        assert (found, out) == (code, "epoch 10\n")
        assert "modelberth run get housing-1 DIR brings all of it" in err
        assert err.endswith(f"{status} price-1.1: R: why it ended\n")

    @pytest.mark.parametrize("status", ["Succeeded", "Skipped"])
    def test_how_it_ended_is_said_once(self, registry, run, cluster, status):
        """A reason that is the status says nothing more."""
        registry.answers["runs/housing-1"] = {**RECORD, "status": status, "reason": status, "message": "the words"}
        assert run("run", "follow", "housing-1")[2].endswith(f"\n{status} price-1.1: the words\n")

    def test_without_the_right_to_its_log(self, cluster, run):
        """Its end is in the object."""
        cluster.put("trainingruns", "housing-1", {}, {"phase": "Failed", "reason": "R", "message": "why it ended"})
        cluster.session_families_refused.add("runs")
        code, out, err = run("run", "follow", "housing-1")
        assert (code, out) == (1, "")
        assert "its log is not shown, for lack of rights: no runs for you" in err
        assert "Failed: R: why it ended" in err

    def test_of_nobody(self, cluster, run):
        """An error with the name."""
        code, _, err = run("run", "follow", "nobody")
        assert (code, "there is no run nobody" in err) == (1, True)


class TestReproduce:
    @pytest.fixture
    def known(self, registry):
        made_by = {"name": "housing-1", "uid": "u1", "recorded": True}
        registry.questions = lambda path: (200, {"name": "price-1.1", "run": made_by})
        registry.answers["runs/housing-1"] = RECORD

    def test_the_same_run_again(self, cluster, run, known):
        """Pinned inputs, no skipping, and a comparison of content and metrics."""
        compared = {"version": "price-1.1", "digest": DIGEST, "output": DIGEST, "sameDigest": True}
        cluster.statuses["trainingruns"] = [
            {"phase": "Training"},
            {"phase": "Succeeded", "reproduction": {**compared, "metrics": {"rmse": 0.5}}, "metrics": {"rmse": 0.6}},
        ]
        code, out, err = run("reproduce", "price-1.1")
        assert code == 0, err
        spec = only_run(cluster)["spec"]
        assert spec == {
            "template": {
                "package": {"version": "price-1.0"},
                "dataset": {"version": "housing-v1", "folder": "train"},
                "image": "python:3.12-slim",
            },
            "cache": False,
            "trigger": {"type": "Reproduction"},
            "reproduces": "price-1.1",
        }
        assert "price-1.1: the same content, byte by byte; 1 of 1 metrics differ: rmse" in out
        assert [line.split() for line in out.splitlines()[-1:]] == [["rmse", "0.5", "0.6", "differs"]]

    @pytest.mark.parametrize(
        ("image", "told", "runs"),
        [
            ("python:3.12-slim", f"docker.io/library/python@{DIGEST}", f"docker.io/library/python@{DIGEST}"),
            ("r.example:5000/a/b", f"r.example:5000/a/b@{DIGEST}", f"r.example:5000/a/b@{DIGEST}"),
            ("python:3.12-slim", f"docker.io/library/import-2026-01-31@{DIGEST}", None),
            ("python:3.12-slim", DIGEST, None),
            ("python:3.12-slim", "", None),
        ],
    )
    def test_the_same_image(self, cluster, registry, run, known, image, told, runs):
        """By the digest that it ran in, where it can be pulled by that; else it is said that its name may mean more."""
        template = {**RECORD["template"], "image": image}
        inputs = {**RECORD["inputs"], "imageID": told}
        registry.answers["runs/housing-1"] = {**RECORD, "image": image, "template": template, "inputs": inputs}
        cluster.statuses["trainingruns"] = [{"phase": "Succeeded", "reproduction": {"version": "price-1.1"}}]
        code, _, err = run("reproduce", "price-1.1")
        assert code == 0, err
        assert only_run(cluster)["spec"]["template"]["image"] == (runs or image)
        assert ("it runs as it is named" in err) == (runs is None)

    @pytest.mark.parametrize(
        ("compared", "metrics", "words"),
        [
            ({"sameDigest": True}, {}, "the same content, byte by byte; there are no metrics"),
            ({"metrics": {"a": 1.0}}, {"a": 1.0}, "other content: the files differ; all metrics are the same"),
            ({"metrics": {"b": 1.0}}, {"a": 1.0}, "other content: the files differ; 2 of 2 metrics differ: a, b"),
        ],
    )
    def test_what_it_came_to(self, compared, metrics, words):
        """Content and metrics are told apart, in one line; what only one of the two has differs."""
        said = comparison({"status": {"reproduction": {"version": "price-1.1", **compared}, "metrics": metrics}})
        assert said.splitlines()[0] == f"price-1.1: {words}"
        assert ("b" in metrics or "not reproduced" in said) == ("b" in compared.get("metrics", {}))

    def test_ctrl_c(self, cluster, run, known, monkeypatch):
        """The run goes on: the same command again would make a second one."""
        stop_at_once(monkeypatch)
        code, _, err = run("reproduce", "price-1.1")
        made = only_run(cluster)["metadata"]["name"]
        assert (code, err.splitlines()[-1].endswith(f"the run goes on: modelberth run follow {made}")) == (1, True)

    def test_a_failure(self, cluster, run, known):
        """There is nothing to compare."""
        cluster.statuses["trainingruns"] = [{"phase": "Failed"}]
        assert run("reproduce", "price-1.1")[0] == 1

    @pytest.mark.parametrize("made_by", [None, {"name": "x", "recorded": False}])
    def test_a_version_that_no_run_made(self, registry, run, cluster, made_by):
        """Nobody knows how to repeat a push."""
        registry.questions = lambda path: (200, {"name": "price-1.0", "run": made_by})
        code, _, err = run("reproduce", "price-1.0")
        assert code == 1
        assert "was not made by a training run" in err

    @pytest.mark.parametrize(("then", "now", "is_told"), [("1", "1", False), ("1", "2", True), ("", "2", False)])
    def test_an_image_that_has_moved_is_told(self, cluster, registry, run, monkeypatch, then, now, is_told):
        """A tag may mean another image than it did; what no node has told is not claimed."""
        monkeypatch.setattr("modelberth.cli.reproduce.run_name", lambda base: f"{base}-x")
        made_by = {"name": "housing-1", "uid": "u1", "recorded": True}
        registry.questions = lambda path: (200, {"name": "price-1.1", "run": made_by})
        registry.answers["runs/housing-1"] = {**RECORD, "imageDigest": then and f"sha256:{then}"}
        registry.answers["runs/housing-1-again-x"] = {**RECORD, "imageDigest": f"sha256:{now}"}
        cluster.statuses["trainingruns"] = [{"phase": "Succeeded", "reproduction": {"version": "price-1.1"}}]
        code, _, err = run("reproduce", "price-1.1")
        assert code == 0, err
        assert ("is another image now" in err) == is_told
