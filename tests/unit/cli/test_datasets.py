"""Data by the command line and in a notebook: pushed, named, shown and loaded as models are."""

import pytest
import yaml

import modelberth
from tests.unit.cli.fake_cluster import sessions_left
from tests.unit.transfer.conftest import content, fill

FILES = {"train/rows.csv": b"1,2", "test/rows.csv": b"3,4", "README": b"houses"}


@pytest.fixture
def data(tmp_path):
    return fill(tmp_path / "data", FILES)


def push(run, data, *words):
    code, out, err = run("push", data, "--dataset", "housing", *words)
    assert code == 0, err
    return out, err


class TestPush:
    def test_makes_dataset_and_version(self, run, cluster, data):
        """With where it came from; the session is for this dataset and nothing else."""
        origin = ["--derived-from", "raw-v1", "--label", "region=north", "--label", "by=jane"]
        out, err = push(run, data, *origin, "--format", "csv", "--alias", "reviewed")
        digest = out.split()[1]
        assert out.startswith("housing-v0 ")
        assert "dataset/housing created" in err
        assert "datasetversion/housing-v0 created" in err
        assert cluster.get("datasets", "housing")["spec"] == {"aliases": {"reviewed": {"version": "housing-v0"}}}
        assert cluster.get("datasetversions", "housing-v0")["spec"] == {
            "dataset": "housing",
            "version": "v0",
            "digest": digest,
            "source": {"pushed": {}},
            "format": "csv",
            "derivedFrom": ["raw-v1"],
            "labels": {"region": "north", "by": "jane"},
        }
        (session,) = cluster.sessions_seen
        assert (session["spec"]["family"], session["spec"]["dataset"]) == ("datasets", "housing")
        assert "artifact" not in session["spec"]

    def test_manifests_for_git(self, run, cluster, data):
        """Both objects, with `-o yaml`."""
        out, _ = push(run, data, "-o", "yaml")
        dataset, version = yaml.safe_load_all(out)
        assert (dataset["kind"], dataset["spec"], version["kind"]) == ("Dataset", {}, "DatasetVersion")

    @pytest.mark.parametrize(
        ("words", "why"),
        [
            (["--dataset", "Housing"], "--dataset Housing: a name is"),
            (["--dataset", "housing", "--version", "1.0"], "datasets count v0, v1, v2"),
            (["--dataset", "housing", "--metric", "a=1"], "--metric is said of an artifact's versions"),
            (["--dataset", "housing", "--trained-on", "x-v1"], "--trained-on is said of an artifact's versions"),
            (["--dataset", "housing", "--versioning", "Semantic"], "--versioning is said of an artifact's versions"),
            (["--artifact", "mnist", "--label", "a=b"], "--label is said of a dataset's versions"),
            (["--artifact", "mnist", "--derived-from", "x-v1"], "--derived-from is said of a dataset's versions"),
            (["--artifact", "mnist", "--dataset", "housing"], "not allowed with"),
            ([], "one of the arguments --artifact --dataset is required"),
        ],
    )
    def test_wrong_usage(self, run, data, words, why):
        """Is refused before anything is sent, naming the argument."""
        code, _, err = run("push", data, *words)
        assert (code, why in err) == (2, True), err

    def test_a_model_says_what_it_was_trained_on(self, run, cluster, data):
        """By a DatasetVersion's name or by an address elsewhere, with the folder and the role."""
        words = ["--trained-on", "housing-v3,role=train,folder=train", "--trained-on", "s3://elsewhere/x"]
        run("push", data, "--artifact", "mnist", *words)
        assert cluster.get("modelversions", "mnist-v0")["spec"]["lineage"]["datasets"] == [
            {"version": "housing-v3", "role": "train", "folder": "train"},
            {"uri": "s3://elsewhere/x"},
        ]


class TestLoad:
    def test_wherever_the_name_is(self, run, cluster, data, tmp_path):
        """Nobody has to say that it is data; one session asks, one of the right family reads, and none is left."""
        push(run, data)
        assert run("load", "housing:v0", tmp_path / "there", "-q")[0] == 0
        assert content(tmp_path / "there") == FILES
        assert [session["spec"].get("family", "models") for session in cluster.sessions_seen[1:]] == [
            "models",
            "datasets",
        ]
        assert sessions_left(cluster) == []

    def test_a_folder_of_it(self, run, cluster, data, tmp_path):
        """Only that, with paths from there on; verified likewise."""
        push(run, data)
        assert run("load", "housing:v0#train", tmp_path / "there", "-q")[0] == 0
        assert content(tmp_path / "there") == {"rows.csv": b"1,2"}
        assert "#train: 1 file of" in run("verify", "housing:v0#train", tmp_path / "there", "-q")[2]
        assert "#train is intact: 1 file of 3 B, in 1 object" in run("verify", "housing:v0#train", "-q")[2]

    def test_a_folder_that_is_not_there(self, run, cluster, data, tmp_path):
        """The error names those that there are."""
        push(run, data)
        code, _, err = run("load", "housing:v0#validation", tmp_path / "there", "-q")
        assert (code, "the folders are 'test', 'train'" in err) == (1, True)

    def test_a_name_that_an_artifact_has_too(self, run, cluster, data, tmp_path):
        """Is an error until --dataset decides; then only a session for data is made."""
        push(run, data)
        run("push", fill(tmp_path / "model", {"model.bin": b"weights"}), "--artifact", "housing")
        code, _, err = run("load", "housing:v0", tmp_path / "there", "-q")
        assert (code, "--dataset" in err) == (1, True)
        before = len(cluster.sessions_seen)
        assert run("load", "housing:v0", tmp_path / "there", "--dataset", "-q")[0] == 0
        assert content(tmp_path / "there") == FILES
        assert [session["spec"]["family"] for session in cluster.sessions_seen[before:]] == ["datasets"]

    def test_who_may_read_data_only(self, run, cluster, data, tmp_path):
        """Is not stopped by having no right on models."""
        push(run, data)
        cluster.session_families_refused.add("models")
        assert run("load", "housing:v0", tmp_path / "there", "-q")[0] == 0

    def test_who_may_read_neither(self, run, cluster, data, tmp_path):
        """Is told of the first right that is missing."""
        push(run, data)
        cluster.session_families_refused |= {"models", "datasets"}
        code, _, err = run("load", "housing:v0", tmp_path / "there", "-q")
        assert (code, "no models for you" in err) == (1, True)


def test_get_shows_data_beside_models(run, cluster, data):
    """All collections, and the versions of one by its name, drafts included."""
    push(run, data)
    push(run, fill(data, {"more": b"x"}), "--draft")
    cluster.put("modelartifacts", "mnist", {})
    _, out, _ = run("get")
    assert "ARTIFACT" in out
    assert "DATASET" in out
    _, out, _ = run("get", "housing")
    assert [line.split()[:2] for line in out.splitlines()[1:3]] == [["housing-v0", "Unknown"], ["housing-v1", "Draft"]]
    _, out, _ = run("get", "--dataset")
    assert "ARTIFACT" not in out


def test_who_may_not_see_data_is_shown_the_rest(run, cluster):
    """With a word about what is not shown."""
    cluster.put("modelartifacts", "mnist", {})
    cluster.refusals["GET", "/datasets"] = (403, "Forbidden", "datasets is forbidden")
    code, out, err = run("get")
    assert (code, "mnist" in out, "datasets are not shown" in err) == (0, True, True)


class TestNotebook:
    def test_push_and_load(self, cluster, data, tmp_path, monkeypatch):
        """As for models; a folder of a version has a place of its own in the cache."""
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
        pushed = modelberth.push(data, dataset="housing", derived_from=["raw-v1"], labels={"rows": 2})
        assert (pushed.dataset, pushed.artifact, pushed.name) == ("housing", None, "housing-v0")
        assert cluster.get("datasetversions", "housing-v0")["spec"]["labels"] == {"rows": "2"}
        whole, part = modelberth.load("housing:v0"), modelberth.load("housing:v0#train", dataset=True)
        assert content(whole) == FILES
        assert content(part) == {"rows.csv": b"1,2"}

    @pytest.mark.parametrize(
        ("said", "why"),
        [
            ({}, "exactly one"),
            ({"artifact": "a", "dataset": "b"}, "exactly one"),
            ({"dataset": "b", "metrics": {"a": 1}}, "metrics: no version of dataset b"),
            ({"artifact": "a", "labels": {"a": 1}}, "labels: no version of artifact a"),
        ],
    )
    def test_wrong_usage(self, cluster, data, said, why):
        """Is a ValueError."""
        with pytest.raises(ValueError, match=why):
            modelberth.push(data, **said)
