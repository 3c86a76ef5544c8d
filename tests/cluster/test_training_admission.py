"""Who may decide what trains: each rule as a user who lacks the right, and as one who has it."""

import pytest

from tests.cluster.api_server import Api, RefusedError, refused, wait_until
from tests.cluster.installed import OPERATOR
from tests.cluster.manifests import inline, obj
from tests.cluster.test_admission_in_use import delete_once_released, refused_delete
from tests.cluster.training_manifests import BASE, TEMPLATE, pipeline, run

GROUP = "modelberth.io"
EVERYTHING = ("get", "list", "create", "update", "patch", "delete")
SECRET = "secretEnvironment: {TOKEN: {name: tracking, key: token}, OTHER: {name: store, key: key}}"


def pod(name: str = "run-0", **labels: str) -> dict:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": labels},
        "spec": {"containers": [{"name": "main", "image": "x"}]},
    }


@pytest.fixture
def alice(api: Api) -> Api:
    """Somebody who may write pipelines and runs, and make no pods."""
    for plural in ("trainingpipelines", "trainingruns"):
        api.allow("alice", GROUP, plural, *EVERYTHING)
    return api.as_user("alice")


@pytest.mark.parametrize("manifest", [pipeline(), run(base=TEMPLATE), run("environment: {PYTHONPATH: /x}")])
def test_what_runs_is_decided_by_who_may_make_pods(api: Api, alice: Api, manifest: dict):
    """Whoever may write pipelines and runs but make no pods cannot say what runs."""
    with refused("alice needs the verb create on pods in namespace"):
        alice.create(manifest)
    api.allow("alice", "", "pods", "create")
    alice.create(manifest)


def test_a_pipeline_is_started_as_it_stands_by_who_may_make_runs(api: Api, alice: Api):
    """A run that decides nothing needs no right on pods; nor does switching a pipeline off."""
    api.create(pipeline())
    alice.create(run())
    alice.merge("TrainingPipeline", "housing", {"spec": {"suspend": True, "notes": "later"}})
    with refused("spec of a TrainingPipeline decide what runs: alice needs the verb create on pods"):
        alice.merge("TrainingPipeline", "housing", {"spec": {"image": "mine"}})


@pytest.mark.parametrize("type", ["Schedule", "DatasetVersion"])
def test_what_triggers_started_is_told_by_the_operator(api: Api, alice: Api, type: str):  # noqa: A002 - the field's name
    """Nobody else has his run counted, or cleared away, as a trigger's."""
    claimed = run(f"trigger: {{type: {type}}}")
    with refused(f"spec.trigger.type {type} of a TrainingRun is set by the operator only"):
        alice.create(claimed)
    api.allow(OPERATOR, GROUP, "trainingruns", "create")
    api.as_user(OPERATOR).create(claimed)


def test_the_operators_label_is_the_operators(api: Api, alice: Api):
    """Runs that it marks as its own may be cleared away: neither a new run nor one that is there becomes such a one."""
    alice.create(run())
    label = {"metadata": {"labels": {"app.kubernetes.io/managed-by": "modelberth"}}}
    with refused("of a TrainingRun is set by the operator only"):
        alice.merge("TrainingRun", run()["metadata"]["name"], label)
    alice.merge("TrainingRun", run()["metadata"]["name"], {"metadata": {"labels": {"queue": "a"}}})
    api.allow("alice", GROUP, "trainingruns", "override")
    alice.merge("TrainingRun", run()["metadata"]["name"], label)


@pytest.mark.parametrize("manifest", [pipeline(SECRET), run(base=f"template: {{{BASE}, {SECRET}}}")])
def test_a_secret_is_given_by_who_may_read_it(api: Api, alice: Api, manifest: dict):
    """Each Secret that a program is given needs the right to read that Secret."""
    api.allow("alice", "", "pods", "create")
    with pytest.raises(RefusedError, match=r"secretEnvironment: alice needs the verb get on Secret (tracking|store)"):
        alice.create(manifest)
    api.allow("alice", "", "secrets", "get")
    alice.create(manifest)


def test_sixteen_secrets_are_within_the_budget(api: Api, alice: Api):
    """The policy can ask for as many Secrets as a pipeline may have."""
    api.allow("alice", "", "pods", "create")
    api.allow("alice", "", "secrets", "get")
    secrets = ", ".join(f"V{n}: {{name: s{n}, key: k}}" for n in range(16))
    alice.create(pipeline(f"secretEnvironment: {{{secrets}}}"))


def test_the_operator_needs_no_rights_of_others(api: Api):
    """The operator makes the runs of pipelines that others have written."""
    api.allow(OPERATOR, GROUP, "trainingruns", "create")
    api.as_user(OPERATOR).create(run())


def test_pods_of_runs_are_the_operators(api: Api):
    """Who may make pods makes none that the registry would take for a run's, and makes no other pod one."""
    for user in ("alice", OPERATOR):
        api.allow(user, "", "pods", *EVERYTHING)
    alice, labels = api.as_user("alice"), {"modelberth.io/component": "training", "modelberth.io/run": "run"}
    with refused("pods labelled modelberth.io/component=training are made by the operator only"):
        alice.create(pod(**labels))
    alice.create(pod("other"))
    with refused("pods labelled modelberth.io/component=training are made by the operator only"):
        alice.merge("Pod", "other", {"metadata": {"labels": labels}})
    api.as_user(OPERATOR).create(pod(**labels))
    with refused("and keep their labels"):
        alice.merge("Pod", "run-0", {"metadata": {"labels": {"modelberth.io/run": "another"}}})
    alice.merge("Pod", "run-0", {"metadata": {"labels": {"queue": "a"}}})
    alice.delete("Pod", "run-0")


def test_versions_that_a_pipeline_names_stay(api: Api):
    """A package or dataset version that a pipeline names is not deleted until it names another one."""
    api.create(inline(name="housing-price-1.0", base="artifact: housing-price, version: '1.0'"))
    for number in ("v1", "v2"):
        files = "source: {inline: {files: {a: {text: x}}}}"
        api.create(obj("DatasetVersion", f"housing-{number}", f"{{dataset: housing, version: {number}, {files}}}"))
    data = "dataset: {version: housing-v1}, evaluation: {version: housing-v2}"
    api.create(pipeline(base=f"package: {{version: housing-price-1.0}}, {data}, image: x"))
    held = (("ModelVersion", "housing-price-1.0"), ("DatasetVersion", "housing-v1"), ("DatasetVersion", "housing-v2"))
    for kind, name in held:
        words = refused_delete(api, kind, name)
        assert f"{kind} {name} is in use: TrainingPipeline housing names it in its spec" in words
    api.delete("TrainingPipeline", "housing")
    wait_until(lambda: api.names("TrainingPipeline") == [], "the pipeline is gone")
    for kind, name in held:
        delete_once_released(api, kind, name)
