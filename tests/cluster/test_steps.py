"""modelberth.step over the real API server, registry and store: what workflow engines elsewhere would do."""

import json

import pytest

import modelberth
from tests.cluster.registry_process import new_namespace, registry

__all__ = ["registry"]


@pytest.fixture(scope="module")
def place(control_plane, registry):
    """A namespace, as the SDK is told it."""
    return {"namespace": new_namespace(control_plane), "kubeconfig": str(control_plane.kubeconfig)}


@pytest.fixture
def folder(tmp_path):
    """Makes a folder with one file."""

    def make(name, text):
        (tmp_path / name).mkdir(exist_ok=True)
        (tmp_path / name / "rows.csv").write_text(text)
        return tmp_path / name

    return make


def get(cluster, place, kind, name):
    found = cluster.kubectl("get", kind, name, f"--namespace={place['namespace']}", "-ojson")
    return json.loads(found.stdout)


def test_a_step_is_done_once(control_plane, place, folder):
    """Its output knows what it was derived from; the same again is skipped, until what came out is deleted."""
    modelberth.push(folder("raw", "1 2 3"), dataset="housing", **place)
    worked = []

    def clean(key):
        target = folder("clean", "")
        with modelberth.step(["housing:v0"], {"housing-clean": target}, key, name="clean", **place) as step:
            if not step.is_done:
                worked.append(key)
                folder("clean", f"cleaned by {key}")
                step.metrics["rows"] = 3
        return step.versions

    assert clean("a") == clean("a") == {"housing-clean": "housing-clean-v0"}
    assert worked == ["a"]
    version = get(control_plane, place, "datasetversion", "housing-clean-v0")
    assert version["spec"]["derivedFrom"] == ["housing-v0"]
    assert version["spec"]["lineage"]["run"]["trainingRun"] == "clean"
    assert clean("b") == {"housing-clean": "housing-clean-v1"}
    control_plane.kubectl("delete", "datasetversion", "housing-clean-v1", f"--namespace={place['namespace']}")
    assert clean("b") == {"housing-clean": "housing-clean-v1"}  # the same content has the number that it had
    assert worked == ["a", "b", "b"]
    assert clean("b") == {"housing-clean": "housing-clean-v1"}
    assert worked == ["a", "b", "b"]


def test_a_step_that_fails_makes_nothing(control_plane, place, folder):
    """The exception goes on; no version is there."""
    modelberth.push(folder("raw", "4 5 6"), dataset="prices", **place)
    target = folder("never", "x")
    with (
        pytest.raises(ZeroDivisionError),
        modelberth.step(["prices:v0"], {"never": target}, "a", name="fails", **place),
    ):
        raise ZeroDivisionError
    found = control_plane.kubectl("get", "datasets,datasetversions", f"--namespace={place['namespace']}", "-oname")
    assert "never" not in found.stdout
