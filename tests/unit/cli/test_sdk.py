"""`modelberth.push` and `modelberth.load` in a notebook."""

import os

import pytest

import modelberth
from tests.unit.cli.fake_cluster import sessions_left
from tests.unit.transfer.conftest import content, fill


@pytest.fixture
def model(tmp_path):
    return fill(tmp_path / "model", {"model.bin": b"weights"})


def test_push_gives_the_version(cluster, model):
    """Name, version and digest; the alias is moved and what is known is written down."""
    pushed = modelberth.push(model, "mnist", alias="best", metrics={"accuracy": 1}, parameters={"lr": 0.1})
    assert (pushed.artifact, pushed.version, pushed.name, pushed.created) == ("mnist", "v0", "mnist-v0", True)
    spec = cluster.get("modelversions", "mnist-v0")["spec"]
    assert (spec["digest"], spec["metrics"], spec["parameters"]) == (pushed.digest, {"accuracy": 1.0}, {"lr": "0.1"})
    assert cluster.get("modelartifacts", "mnist")["spec"]["aliases"] == {"best": {"version": "mnist-v0"}}
    assert modelberth.push(model, "mnist").created is False


def test_what_a_version_that_exists_does_not_take_is_a_warning(cluster, model):
    """As nobody reads a line on stderr of a notebook's kernel."""
    modelberth.push(model, "mnist")
    with pytest.warns(UserWarning, match="mnist-v0 has this content already.* metrics of this push was not taken"):
        assert modelberth.push(model, "mnist", metrics={"accuracy": 1}).name == "mnist-v0"


def test_load_goes_to_the_cache_and_is_proved_there(cluster, registry, model, tmp_path, monkeypatch):
    """A second load of the same content fetches nothing; a damaged cache is mended."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    pushed = modelberth.push(model, "mnist")
    folder = modelberth.load("mnist:v0")
    assert content(folder) == content(model)
    assert pushed.digest.replace(":", "-") in folder
    before = registry.requests["GET object"]
    assert modelberth.load(f"mnist@{pushed.digest}") == folder
    assert registry.requests["GET object"] == before
    with open(os.path.join(folder, "model.bin"), "wb") as file:
        file.write(b"damaged")
    modelberth.load("mnist:v0")
    assert content(folder) == content(model)
    assert sessions_left(cluster) == []


def test_load_into_a_folder_of_ones_own(cluster, model, tmp_path):
    """The path comes back."""
    modelberth.push(model, "mnist")
    assert modelberth.load("mnist:v0", tmp_path / "here") == str(tmp_path / "here")
    assert content(tmp_path / "here") == content(model)


def test_errors_are_of_two_kinds(cluster, model):
    """ValueError for arguments, TransferError for what the other side or the folder refuses."""
    with pytest.raises(ValueError, match="latest"):
        modelberth.push(model, "mnist", alias="latest")
    with pytest.raises(ValueError, match="address"):
        modelberth.load("Mnist")
    with pytest.raises(modelberth.TransferError, match="not known"):
        modelberth.load("mnist:v9")
