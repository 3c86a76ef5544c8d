"""Which pipelines and runs look again when something changes."""

import pytest

from modelberth.reconcile import mapping
from modelberth.runtime.cache import Cache
from modelberth.runtime.resources import (
    DATASET_VERSIONS,
    DATASETS,
    MODEL_ARTIFACTS,
    MODEL_VERSIONS,
    PODS,
    TRAINING_PIPELINES,
    TRAINING_RUNS,
    Key,
)
from tests.unit.domain import builders as objects
from tests.unit.domain.training.builders import pipeline, pod, run

FED = ("trainingpipelines", Key("shop", "fed"))
ONE = ("trainingruns", Key("shop", "one"))
TWO = ("trainingruns", Key("shop", "two"))
PACKAGE = ("modelversions", Key("shop", "price-1.0"))
CATS = {"version": "cats-v0"}
TRUST = (mapping.TRUST, Key("shop", ""))


@pytest.fixture
def cache():
    cache = Cache()
    mapping.add_indexes(cache)
    cache.observe(pipeline(triggers={"onDatasetVersion": {}}, concurrency="Forbid"))
    cache.observe(run("one"))
    cache.observe(run("two", status={"phase": "Training", "inputs": {"package": "price-1.0"}}))
    return cache


def test_a_run_that_comes_concerns_its_pipeline_and_its_siblings(cache):
    """Where runs may not meet, the others look again; and the namespace needs the registry's address."""
    work = mapping.work_for(TRAINING_RUNS, None, run("one"), cache)
    assert work == {ONE, TWO, FED, TRUST}


def test_versions_hear_of_who_names_them_and_of_who_does_no_more(cache):
    """A run counts from when its inputs are found until it ends; a pipeline as long as its spec names them."""
    unstarted = run("one")
    going = run("one", status={"phase": "Training", "inputs": {"package": "price-1.0", "dataset": "housing-v1"}})
    over = run("one", status=going["status"] | {"phase": "Failed"})
    used = {PACKAGE, ("datasetversions", Key("shop", "housing-v1"))}
    assert used <= mapping.work_for(TRAINING_RUNS, unstarted, going, cache)
    assert used <= mapping.work_for(TRAINING_RUNS, going, over, cache)
    assert used <= mapping.work_for(TRAINING_RUNS, going, None, cache)
    assert used.isdisjoint(mapping.work_for(TRAINING_RUNS, over, None, cache))
    other = pipeline(package={"version": "price-1.1"})
    moved = mapping.work_for(TRAINING_PIPELINES, pipeline(), other, cache)
    assert {PACKAGE, ("modelversions", Key("shop", "price-1.1"))} <= moved


def test_a_runs_progress_concerns_nobody_else(cache):
    """Bytes and phases are no news to pipelines and siblings."""
    old, new = run("two", status={"phase": "Loading"}), run("two", status={"phase": "Training"})
    assert mapping.work_for(TRAINING_RUNS, old, new, cache) == {TWO}


def test_a_runs_end_concerns_its_pipeline(cache):
    """Whoever waited for it goes on."""
    old, new = run("two", status={"phase": "Saving"}), run("two", status={"phase": "Succeeded"})
    assert mapping.work_for(TRAINING_RUNS, old, new, cache) == {ONE, TWO, FED}


def test_a_pod_concerns_its_run(cache):
    """By its label; other pods concern nobody."""
    assert mapping.work_for(PODS, None, pod(run("two")), cache) == {TWO}
    assert mapping.work_for(PODS, None, pod(run("two"), ours=False), cache) == set()


def test_data_concerns_who_follows_it_and_who_waits_for_it(cache):
    """Pipelines of a dataset, and runs whose inputs are not found yet; a run that has started has what it needs."""
    assert {FED, ONE} <= mapping.work_for(DATASETS, None, objects.dataset(), cache)
    ready = mapping.work_for(DATASET_VERSIONS, objects.dataset_version(ready=False), objects.dataset_version(), cache)
    assert {FED, ONE} <= ready
    assert TWO not in ready


@pytest.mark.parametrize(
    ("resource", "obj"),
    [
        (MODEL_ARTIFACTS, objects.artifact("price", versioning="Semantic")),
        (MODEL_VERSIONS, objects.version("price-1.0")),
        (DATASETS, objects.dataset()),
        (DATASET_VERSIONS, objects.dataset_version()),
    ],
)
def test_a_pipeline_hears_of_whatever_it_may_lack(resource, obj):
    """It says what its runs would lack, and so looks again at each of its inputs that comes or goes; at no other."""
    ours, theirs = Cache(), Cache()
    for cache, inputs in ((ours, {}), (theirs, {"package": {"artifact": "cats", "major": 1}, "dataset": CATS})):
        mapping.add_indexes(cache)
        cache.observe(pipeline(**inputs))
    assert FED in mapping.work_for(resource, None, obj, ours)
    assert FED in mapping.work_for(resource, obj, None, ours)
    assert FED not in mapping.work_for(resource, None, obj, theirs)


def test_a_pipeline_hears_why_an_input_is_not_ready(cache):
    """Its own words quote the version's; a status that says the same again is no news."""
    silent, failing = objects.version("price-1.0", ready=False), objects.version("price-1.0", ready=False)
    failing["status"]["conditions"][0]["message"] = "the store cannot be reached"
    assert FED in mapping.work_for(MODEL_VERSIONS, silent, failing, cache)
    again = {**failing, "metadata": {**failing["metadata"], "resourceVersion": "2"}}
    assert FED not in mapping.work_for(MODEL_VERSIONS, failing, again, cache)


def test_a_pipeline_concerns_its_runs_when_its_spec_changes(cache):
    """A status of it does not."""
    assert mapping.work_for(TRAINING_PIPELINES, None, pipeline(), cache) == {FED, ONE, TWO, PACKAGE}
    assert mapping.work_for(TRAINING_PIPELINES, pipeline(), pipeline(status={"active": []}), cache) == {FED}
