"""modelberth.step: done once for the same inputs and key, recorded whatever comes of it."""

import pytest

import modelberth
from modelberth.transfer.errors import TransferError
from tests.unit.cli.fake_cluster import sessions_left
from tests.unit.transfer.conftest import fill


@pytest.fixture
def housing(cluster, run, tmp_path):
    """Two versions of a dataset."""
    for number in (0, 1):
        folder = fill(tmp_path / f"housing{number}", {"rows.csv": b"1 2 3 %d" % number})
        code, _, err = run("push", folder, "--dataset", "housing", "-q")
        assert code == 0, err


@pytest.fixture
def clean(tmp_path):
    """Runs the step; gives (whether it had to be done, the step)."""

    def run(key="clean.py@1", *, address="housing:v0", data=b"clean", fail=None, **options):
        done = []
        with modelberth.step([address], {"housing-clean": tmp_path / "clean"}, key, name="clean", **options) as step:
            if not step.is_done:
                done.append(True)
                fill(tmp_path / "clean", {"rows.csv": data})
                step.metrics["rows"] = 3
            if fail is not None:
                raise fail
        return bool(done), step

    return run


def test_what_comes_out_knows_what_it_was_made_from(cluster, registry, housing, clean):
    """A version, derived from the inputs, made by the step; inputs, outputs and metrics are told."""
    done, step = clean()
    assert done
    assert step.versions == {"housing-clean": "housing-clean-v0"}
    [told] = registry.steps
    version = cluster.get("datasetversions", "housing-clean-v0")
    assert version["spec"]["derivedFrom"] == ["housing-v0"]
    assert version["spec"]["lineage"] == {"run": {"trainingRun": "clean", "uid": told["uid"]}}
    assert (told["status"], told["metrics"]) == ("Succeeded", {"rows": 3.0})
    assert [each["name"] for each in told["inputs"]] == ["housing-v0"]
    assert [(each["family"], each["name"]) for each in told["outputs"]] == [("datasets", "housing-clean-v0")]
    assert sessions_left(cluster) == []


def test_the_same_again_is_done_already(registry, housing, clean):
    """Nothing is computed, nothing is pushed, and the versions are told."""
    clean()
    done, step = clean()
    assert not done
    assert step.is_done
    assert step.versions == {"housing-clean": "housing-clean-v0"}
    assert len(registry.steps) == 1


@pytest.mark.parametrize(
    "other", [{"key": "clean.py@2"}, {"address": "housing:v1"}, {"parameters": {"drop": 1}}], ids=str
)
def test_anything_else_is_another_step(registry, housing, clean, other):
    """Another key, other data, other parameters."""
    clean()
    done, _ = clean(**other)
    assert done
    assert len({step["key"] for step in registry.steps}) == 2


def test_versions_that_are_gone_are_made_again(cluster, registry, housing, clean):
    """A step whose outcome was deleted counts no longer; the new one takes its place."""
    clean()
    cluster.objects.pop("/apis/modelberth.io/v1alpha1/namespaces/ns/datasetversions/housing-clean-v0")
    done, _ = clean(data=b"clean again")
    assert done
    assert registry.steps[1]["insteadOf"] == registry.steps[0]["uid"]
    assert not clean()[0]


def test_a_failure_is_recorded_and_raised(registry, housing, clean):
    """With its traceback, and no version; the next time it is tried again."""
    with pytest.raises(ZeroDivisionError):
        clean(fail=ZeroDivisionError("by zero"))
    [told] = registry.steps
    assert (told["status"], told["message"]) == ("Failed", "ZeroDivisionError: by zero")
    assert told["traceback"][-1] == "ZeroDivisionError: by zero"
    assert "housing-clean" not in registry.data
    assert clean()[0]


def test_a_failure_that_cannot_be_recorded_is_raised_all_the_same(registry, housing, clean, capsys):
    """What went wrong first is what people need to see."""
    registry.faults = lambda method, kind, path: 403 if (method, kind) == ("POST", "steps") else None
    with pytest.raises(ZeroDivisionError):
        clean(fail=ZeroDivisionError("by zero"))
    assert "is not recorded" in capsys.readouterr().err


def test_a_model_that_comes_out(cluster, registry, housing, tmp_path):
    """It knows its data, with the part of it, and has its own kind."""
    with modelberth.step(["housing:v1#train"], {}, "fit@1", name="fit", models={"price": tmp_path / "m"}) as step:
        fill(tmp_path / "m", {"model.bin": b"m"})
    assert step.versions == {"price": "price-v0"}
    lineage = cluster.get("modelversions", "price-v0")["spec"]["lineage"]
    assert [(each["version"], each["folder"]) for each in lineage["datasets"]] == [("housing-v1", "train")]


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), "many", None])
def test_a_metric_that_cannot_be_told_is_named_before_anything_is_pushed(registry, housing, tmp_path, bad):
    """No version is made of a step that cannot be recorded; that it failed is, with its other metrics."""
    fill(tmp_path / "clean", {"rows.csv": b"1"})
    with (
        pytest.raises(ValueError, match=r"metrics: loss is .*, not a finite number"),
        modelberth.step(["housing:v0"], {"housing-clean": tmp_path / "clean"}, "clean@1") as step,
    ):
        step.metrics |= {"rows": 3, "loss": bad}
    assert "housing-clean" not in registry.data
    [told] = registry.steps
    assert (told["status"], told["metrics"]) == ("Failed", {"rows": 3.0})


def test_it_is_told_by_a_session_for_what_comes_out(cluster, registry, housing, tmp_path):
    """Whoever may read and push models only can ask and tell of a step that makes one."""
    before = len(cluster.sessions_seen)
    with modelberth.step(["housing:v1"], {}, "fit@1", models={"price": tmp_path / "m"}):
        fill(tmp_path / "m", {"model.bin": b"m"})
    specs = [session["spec"] for session in cluster.sessions_seen[before:]]
    assert [(spec["operation"], spec.get("family", "models")) for spec in specs] == [
        ("Pull", "models"), ("Pull", "models"), ("Push", "models"), ("Push", "models"),
    ]  # fmt: skip


def test_an_input_that_is_not_there(housing, clean):
    """Said before anything is done."""
    with pytest.raises(TransferError, match="housing:v7"):
        clean(address="housing:v7")
