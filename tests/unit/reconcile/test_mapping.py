"""Whom a change concerns: once too often is fine, too seldom is a hang."""

import copy

import pytest

from modelberth.api import names
from modelberth.reconcile import mapping
from modelberth.reconcile.mapping import TRUST, moved_aliases, work_for
from modelberth.runtime.cache import Cache
from modelberth.runtime.resources import (
    DATASET_VERSIONS,
    DATASETS,
    DEPLOYMENTS,
    MODEL_ARTIFACTS,
    MODEL_DEPLOYMENTS,
    MODEL_VERSIONS,
    POD_TEMPLATES,
    REGISTERED_MODELS,
    Key,
)
from tests.unit.domain.builders import artifact, dataset, dataset_version, deployment, model, version


@pytest.fixture
def cache():
    """A version, its artifact, a model that aliases it and a ModelDeployment that follows."""
    cache = Cache()
    mapping.add_indexes(cache)
    for obj in (artifact(), version(), model(), deployment()):
        cache.observe(obj)
    return cache


def _names(work):
    return {(name, key.name) for name, key in work}


def test_a_version_that_gets_ready_wakes_model_and_followers(cache):
    """The roll may begin in the same moment."""
    work = work_for(MODEL_VERSIONS, version(ready=False), version(), cache)
    assert _names(work) == {
        ("modelversions", "mnist-v4"),
        ("modelartifacts", "mnist"),
        ("registeredmodels", "digits"),
        ("modeldeployments", "web"),
    }


def test_a_version_that_waits_for_something_else_wakes_whoever_quotes_its_words(cache):
    """An alias says why its version is not Ready; the old reason would stand there for good."""
    seen, judged = version(ready=False), version(ready=False)
    seen["status"] = {"observedGeneration": -1}
    wakened = {("registeredmodels", "digits"), ("modeldeployments", "web")}
    assert wakened <= _names(work_for(MODEL_VERSIONS, seen, judged, cache))
    leaving = version()
    leaving["metadata"]["deletionTimestamp"] = "2026-01-31T12:00:00Z"
    assert wakened <= _names(work_for(MODEL_VERSIONS, version(), leaving, cache))


def test_a_ready_version_whose_users_changed_wakes_nobody_else(cache):
    """UsedBy is for people."""
    assert _names(work_for(MODEL_VERSIONS, version(), version(), cache)) == {("modelversions", "mnist-v4")}


def test_a_moved_alias_wakes_followers_and_the_versions_that_gained_or_lost_it(cache):
    """Both versions' usedBy are out of date."""
    work = work_for(REGISTERED_MODELS, model({"production": "mnist-v3"}), model(), cache)
    assert _names(work) == {
        ("registeredmodels", "digits"),
        ("modeldeployments", "web"),
        ("modelversions", "mnist-v3"),
        ("modelversions", "mnist-v4"),
    }


def test_a_models_status_wakes_no_followers(cache):
    """They read the spec; otherwise model and deployment would wake each other for ever."""
    assert _names(work_for(REGISTERED_MODELS, model(), model(status={"summary": "x"}), cache)) == {
        ("registeredmodels", "digits")
    }


def test_a_deployment_wakes_the_model_it_follows_and_the_one_it_followed(cache):
    """Both have one follower more or less."""
    work = work_for(MODEL_DEPLOYMENTS, deployment(model="old"), deployment(), cache)
    assert _names(work) == {("modeldeployments", "web"), ("registeredmodels", "digits"), ("registeredmodels", "old")}


def test_the_first_deployment_of_a_namespace_brings_the_registrys_trust(cache):
    """And the last one that goes lets it be forgotten."""
    assert (TRUST, Key("shop", "")) in work_for(MODEL_DEPLOYMENTS, None, deployment(), cache)
    assert (TRUST, Key("shop", "")) in work_for(MODEL_DEPLOYMENTS, deployment(), None, cache)


def test_what_is_owned_wakes_its_owner(cache):
    """By label, since the owner may be gone."""
    owned = {"metadata": {"name": "web-a", "namespace": "shop", "labels": {names.LABEL_DEPLOYMENT: "web"}}}
    assert work_for(DEPLOYMENTS, owned, None, cache) == {("modeldeployments", Key("shop", "web"))}
    assert work_for(DEPLOYMENTS, None, {"metadata": {"name": "x", "namespace": "shop"}}, cache) == set()


def test_a_new_artifact_wakes_everything_that_waited_for_it(cache):
    """Versions that are not Ready, models that link them, deployments that follow."""
    cache.observe(_newer(version(ready=False)))
    assert _names(work_for(MODEL_ARTIFACTS, None, artifact(), cache)) == {
        ("modelartifacts", "mnist"),
        ("modelversions", "mnist-v4"),
        ("registeredmodels", "digits"),
        ("modeldeployments", "web"),
    }


def test_datasets_wake_each_other_and_nothing_of_models(cache):
    """A model's version of the same name hears nothing."""
    for obj in (artifact("housing"), version("housing-v1"), dataset(), dataset_version(ready=False)):
        cache.observe(obj)
    work = work_for(DATASET_VERSIONS, dataset_version(ready=False), dataset_version(), cache)
    assert _names(work) == {("datasetversions", "housing-v1"), ("datasets", "housing")}
    aliased = dataset(aliases={"reviewed": {"version": "housing-v2"}})
    work = work_for(DATASETS, dataset(), aliased, cache)
    assert _names(work) == {("datasets", "housing"), ("datasetversions", "housing-v2")}
    assert _names(work_for(DATASETS, None, dataset(), cache)) == {
        ("datasets", "housing"),
        ("datasetversions", "housing-v1"),
    }


def test_a_pod_template_wakes_those_that_refer_to_it(cache):
    """The platform team changes it for everybody."""
    cache.observe(_newer(deployment(template=None, templateRef={"name": "standard"})))
    template = {"metadata": {"name": "standard", "namespace": "shop"}}
    assert work_for(POD_TEMPLATES, template, template, cache) == {("modeldeployments", Key("shop", "web"))}


def test_only_aliases_that_ask_for_another_version_have_moved():
    """A changed reason is no move."""
    before, after = model({"a": "m-v1", "b": "m-v1"}), model({"a": "m-v1", "b": "m-v2", "c": "m-v3"})
    after["spec"]["aliases"]["a"]["change"] = {"reason": "x"}
    assert dict(moved_aliases(before, after)) == {"b": "m-v2", "c": "m-v3"}


def _newer(obj):
    obj = copy.deepcopy(obj)
    obj["metadata"]["resourceVersion"] = "2"
    return obj
