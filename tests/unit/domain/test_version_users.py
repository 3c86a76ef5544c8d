"""Who uses a version, as its status shows it."""

import pytest

from modelberth.domain.version_users import USED_BY_SHOWN, named_by, used_by
from tests.unit.domain.builders import artifact, dataset, model
from tests.unit.domain.training.builders import pipeline, run

HOUSING = {"version": "housing-v1"}
TEMPLATE = {"package": {"version": "price-1.0"}, "dataset": HOUSING, "image": "python:3"}


def test_users_are_links_and_aliases_wished_or_current():
    """For people to see why a version cannot be deleted."""
    wanting = model(
        {"staging": "mnist-v4"},
        spec={"links": {"mnist-v4": {}}},
        status={"aliases": {"production": {"current": "mnist-v4"}}},
    )
    owner = artifact(aliases={"best": {"version": "mnist-v4"}})
    reviewed = dataset(aliases={"reviewed": {"version": "housing-v1"}})
    assert used_by("housing-v1", [reviewed], "datasets") == ["dataset/housing:reviewed"]
    assert used_by("mnist-v4", [wanting, owner], "models") == [
        "modelartifact/mnist:best",
        "registeredmodel/digits",
        "registeredmodel/digits:production",
        "registeredmodel/digits:staging",
    ]


def test_a_pipeline_uses_the_versions_that_it_names():
    """Package, data and evaluation, each in its family; what it has by an alias it does not name."""
    naming = pipeline(dataset=HOUSING, evaluation={"version": "housing-v2"})
    assert named_by(naming, "models") == {"price-1.0"}
    assert named_by(naming, "datasets") == {"housing-v1", "housing-v2"}
    assert used_by("housing-v2", [naming], "datasets") == ["trainingpipeline/fed"]
    assert named_by(pipeline(package={"artifact": "price", "major": 1}), "models") == set()
    assert named_by(pipeline(), "datasets") == set()


def test_a_version_of_the_same_name_in_the_other_family_is_another_one():
    """An artifact and a dataset may have one name, and their versions, too."""
    assert used_by("housing-v1", [pipeline(dataset=HOUSING)], "models") == []


@pytest.mark.parametrize(
    "using",
    [
        run(template=TEMPLATE),
        run(status={"phase": "Training", "inputs": {"package": "price-1.0", "dataset": "housing-v1"}}),
    ],
)
def test_a_run_uses_what_it_names_and_what_was_found_for_it_until_it_ends(using):
    """Whether its template names the version or an alias stood for it."""
    assert used_by("price-1.0", [using], "models") == ["trainingrun/one"]
    assert used_by("housing-v1", [using], "datasets") == ["trainingrun/one"]
    for phase in ("Succeeded", "Failed", "Skipped"):
        over = using | {"status": using["status"] | {"phase": phase}}
        assert named_by(over, "models") | named_by(over, "datasets") == set()


def test_of_many_users_some_are_shown():
    """A status has its bounds."""
    many = [run(f"run-{number:03}", template=TEMPLATE) for number in range(100)]
    assert used_by("price-1.0", many, "models") == [f"trainingrun/run-{number:03}" for number in range(USED_BY_SHOWN)]
