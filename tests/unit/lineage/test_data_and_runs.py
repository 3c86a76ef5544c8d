"""Which data a version has to do with, and which runs used something, in which order."""

import pytest

from modelberth.lineage.data import data_of
from modelberth.lineage.facts import Named, RunFact, StepFact, VersionFact
from modelberth.lineage.index import Index
from modelberth.lineage.nodes import Node, dataset_version, model_version, training_run
from modelberth.lineage.runs import in_order, inputs_of, runs_with


def uses(index, name):
    return [(use.data.name, use.role, use.recorded) for use in data_of(index, model_version(name))]


def run(name, made="", **inputs):
    return RunFact(name, "u", status="Succeeded", version=made, inputs=inputs)


@pytest.fixture
def index():
    """Raw → housing; run a makes m-1.1 of package m-1.0 and housing; run b makes m-1.2 of package m-1.1 and other."""
    index = Index()
    index.add_version(VersionFact("datasets", "housing-v0", digest="sha256:h", spec={"derivedFrom": ["raw-v0"]}))
    index.add_run(run("a", "m-1.1", package="m-1.0", dataset="housing-v0"))
    index.add_run(run("b", "m-1.2", package="m-1.1", dataset="other-v0", evaluation="housing-v0"))
    return index


class TestData:
    def test_its_own_first(self, index):
        """Training and evaluation data of the run; then what came with the package or lies behind the data."""
        assert uses(index, "m-1.2") == [
            ("other-v0", "train", True),
            ("housing-v0", "evaluation", True),
            ("raw-v0", "through", False),
        ]

    def test_data_of_a_package_is_recorded_where_every_step_is(self, index):
        """A declared derivation on the way makes what lies behind it declared."""
        index.add_run(run("c", "m-1.3", package="m-1.1"))
        assert uses(index, "m-1.3") == [("housing-v0", "through", True), ("raw-v0", "through", False)]

    def test_a_uri_is_data_only_where_it_was_trained_on(self, index):
        """The page of a run elsewhere is none."""
        lineage = {"run": {"uri": "https://runs/1"}, "datasets": [{"uri": "s3://x"}]}
        index.add_version(VersionFact("models", "n-v0", spec={"lineage": lineage}))
        index.add_version(VersionFact("models", "n-v1", spec={"lineage": {"parents": ["n-v0"]}}))
        assert uses(index, "n-v0") == [("s3://x", "train", False)]
        assert uses(index, "n-v1") == [("s3://x", "through", False)]

    def test_the_same_data_in_two_roles(self, index):
        """Is told twice."""
        index.add_run(run("d", "m-1.4", dataset="housing-v0", evaluation="housing-v0"))
        assert uses(index, "m-1.4")[:2] == [("housing-v0", "train", True), ("housing-v0", "evaluation", True)]


class TestRuns:
    def test_with_data_or_data_derived_from_it(self, index):
        """However many steps away."""
        assert {node.id.name for node in runs_with(index, dataset_version("raw-v0"))} == {"a", "b"}
        assert {node.id.name for node in runs_with(index, dataset_version("other-v0"))} == {"b"}
        assert runs_with(index, dataset_version("nobody-v0")) == []

    def test_derivation_may_go_round(self):
        """It is declared, so anything may stand there."""
        index = Index()
        index.add_version(VersionFact("datasets", "a-v0", spec={"derivedFrom": ["b-v0"]}))
        index.add_version(VersionFact("datasets", "b-v0", spec={"derivedFrom": ["a-v0"]}))
        index.add_run(run("r", dataset="b-v0"))
        assert len(runs_with(index, dataset_version("a-v0"))) == 1

    def test_inputs(self, index):
        """By how they were used."""
        expected = {"trained on": "other-v0", "evaluated on": "housing-v0", "package": "m-1.1"}
        assert inputs_of(index, training_run("b", "u")) == expected

    def test_steps_count(self, index):
        """They are told, and somebody who looks for what used bad data wants to know of them."""
        took = (Named("datasets", "housing-v0"), Named("datasets", "x-v0"), Named("models", "m-1.0"))
        index.add_run(RunFact("clean", "step-1", trigger="Step", step=StepFact(took=took)))
        assert "clean" in {node.id.name for node in runs_with(index, dataset_version("raw-v0"))}
        assert inputs_of(index, training_run("clean", "step-1")) == {"trained on": "housing-v0", "package": "m-1.0"}

    def test_order(self):
        """Newest first; by a metric greatest or least first, and without it last, newest first among equals."""
        runs = [
            Node(training_run(name), at=at, metrics=metrics)
            for name, at, metrics in [
                ("a", "1", {"m": 1.0}),
                ("b", "2", {}),
                ("c", "3", {"m": 2.0}),
                ("d", "4", {"m": 1.0}),
            ]
        ]

        def names(*arguments, **options):
            return "".join(node.id.name for node in in_order(runs, *arguments, **options))

        assert names() == "dcba"
        assert names("m") == "cdab"
        assert names("m", ascending=True) == "dacb"
        assert names("other") == "dcba"
