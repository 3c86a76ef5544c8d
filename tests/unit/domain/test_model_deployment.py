"""What is written for a ModelDeployment: never anything that takes down what serves."""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelberth.api import names
from modelberth.domain import revisions
from modelberth.domain.model_deployment import MANAGER, Applied, decide
from modelberth.domain.verdicts import Verdict, blocked
from modelberth.domain.workloads import fingerprint
from modelberth.domain.writes import Verb
from tests.unit.domain.builders import (
    AROUND,
    DIGEST_3,
    DIGEST_4,
    TEMPLATE,
    deployment,
    model,
    observed,
    stored,
    version,
)


def _kinds(plan):
    return [(write.verb, write.body["kind"]) for write in plan.writes]


def _rolled_out(mdep=None, **more):
    """The same ModelDeployment after its first plan was carried out."""
    first = observed(mdep, **more)
    written = {
        write.body["kind"]: stored(write.body) for write in decide(first, AROUND).writes if write.verb is not Verb.CHECK
    }
    workload = written["Deployment"]
    body = next(w.body for w in decide(first, AROUND).writes if w.verb is Verb.CLAIM and w.body["kind"] == "Deployment")
    return dataclasses.replace(
        first,
        workload=workload,
        service=written["Service"],
        revisions=(written["ControllerRevision"],),
        applied=Applied(workload["metadata"]["uid"], 1, fingerprint(body)),
    )


def test_the_first_roll_is_tried_before_anything_is_made():
    """Dry run, revision, the namespace's ConfigMap, Service, Deployment: what a pod needs is there before the pod."""
    assert _kinds(decide(observed(), AROUND)) == [
        (Verb.CHECK, "Deployment"),
        (Verb.CREATE, "ControllerRevision"),
        (Verb.APPLY, "ConfigMap"),
        (Verb.CLAIM, "Service"),
        (Verb.CLAIM, "Deployment"),
    ]


def test_what_is_as_wished_is_not_written_again():
    """A plan for the state that the plan made is empty."""
    assert decide(_rolled_out(), AROUND).writes == ()


def test_an_operator_with_another_loader_changes_no_template():
    """The inputs are the same, so the stored rendering is used: an upgrade restarts nobody's pods."""
    newer = dataclasses.replace(AROUND, loader_image="modelberth:2")
    assert decide(_rolled_out(), newer).writes == ()


def test_a_restarted_operator_applies_once_what_is_there():
    """It does not remember its last apply; the body is the same, so no new generation comes of it."""
    restarted = dataclasses.replace(_rolled_out(), applied=None)
    [write] = decide(restarted, AROUND).writes
    assert write.verb is Verb.APPLY
    assert write.body["spec"]["template"] == restarted.workload["spec"]["template"]


def test_an_apply_is_fenced_by_what_was_observed():
    """A stale second writer gets 409, and an object that is gone is not brought back."""
    [write] = decide(dataclasses.replace(_rolled_out(), applied=None), AROUND).writes
    assert write.body["metadata"]["uid"] == "Deployment-web-a"
    assert write.body["metadata"]["resourceVersion"] == "7"


def test_moving_the_alias_makes_a_revision_and_applies_it():
    """The Service stays as it is: its selector names no version."""
    moved = dataclasses.replace(
        _rolled_out(), version=version("mnist-v5", DIGEST_3), model=model({"production": "mnist-v5"})
    )
    plan = decide(moved, AROUND)
    assert _kinds(plan) == [(Verb.CHECK, "Deployment"), (Verb.CREATE, "ControllerRevision"), (Verb.APPLY, "Deployment")]
    assert plan.revision.number == 2
    assert plan.writes[-1].body["metadata"]["annotations"][names.ANNOTATION_DIGEST] == DIGEST_3


def test_moving_the_alias_back_finds_the_old_rendering():
    """The same inputs give the old template, and so the old ReplicaSet, whatever a newer operator would render."""
    first = _rolled_out()
    moved = dataclasses.replace(first, version=version("mnist-v5", DIGEST_3), model=model({"production": "mnist-v5"}))
    second = stored(decide(moved, AROUND).writes[1].body)
    back = dataclasses.replace(first, revisions=(*first.revisions, second), applied=None)
    plan = decide(back, dataclasses.replace(AROUND, loader_image="modelberth:9"))
    assert plan.revision == revisions.read(first.revisions[0])


@pytest.mark.parametrize(
    "fault",
    [
        {"model": None},
        {"model": model({})},
        {"version": None},
        {"version": version(ready=False)},
        {"artifact": None},
    ],
)
def test_nothing_that_cannot_be_followed_touches_what_runs(fault):
    """The alias' fault is a verdict; the Deployment keeps its revision."""
    running = _rolled_out()
    plan = decide(dataclasses.replace(running, **fault), AROUND)
    assert isinstance(plan.target, Verdict)
    assert plan.revision == revisions.read(running.revisions[0])
    assert plan.writes == ()


def test_a_waiting_deployment_can_still_be_scaled():
    """Replicas belong to the spec, not to the version."""
    running = _rolled_out()
    scaled = observed(deployment(replicas=5)).spec
    plan = decide(dataclasses.replace(running, spec=scaled, version=None), AROUND)
    [write] = plan.writes
    assert (write.verb, write.body["spec"]["replicas"]) == (Verb.APPLY, 5)


def test_a_refused_template_keeps_the_running_revision():
    """What the API server refused is not tried on the Deployment in the same breath."""
    running = dataclasses.replace(
        _rolled_out(), version=version("mnist-v5", DIGEST_3), model=model({"production": "mnist-v5"})
    )
    plan = decide(running, AROUND, refusal=blocked("TemplateRefused", "no"))
    assert plan.revision == revisions.read(running.revisions[0])
    assert plan.writes == ()


def test_somebody_elses_deployment_is_never_written():
    """Server-side apply with force would take it over."""
    foreign = stored(
        {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web-a", "namespace": "shop"}, "spec": {}}
    )
    plan = decide(observed(workload=foreign), AROUND)
    assert plan.target.reason == "NameTaken"
    assert plan.writes == ()


def test_letting_go_of_replicas_hands_them_over_first():
    """Left out by its only owner the field would fall back to 1."""
    running = _rolled_out(deployment(replicas=5))
    free = dataclasses.replace(running, spec=observed().spec)
    handoff, apply = decide(free, AROUND).writes
    assert handoff.manager != MANAGER
    assert handoff.body["spec"] == {"replicas": 5}
    assert "replicas" not in apply.body["spec"]


def test_a_template_by_reference_has_to_be_offered():
    """The label is the platform team's word that the template may be used."""
    mdep = deployment(template=None, templateRef={"name": "standard"})
    mdep["spec"].pop("template")
    template = {"metadata": {"name": "standard", "namespace": "shop"}, "template": TEMPLATE}
    assert decide(observed(mdep), AROUND).target.reason == "TemplateNotFound"
    assert decide(observed(mdep, pod_template=template), AROUND).target.reason == "TemplateNotOffered"
    template["metadata"]["labels"] = {names.LABEL_TEMPLATE: "true"}
    assert decide(observed(mdep, pod_template=template), AROUND).target.digest == DIGEST_4


def test_a_drifted_deployment_is_applied_again():
    """Somebody edited it by hand: its generation is not the one our apply made."""
    running = _rolled_out()
    drifted = {**running.workload, "metadata": {**running.workload["metadata"], "generation": 2}}
    assert _kinds(decide(dataclasses.replace(running, workload=drifted), AROUND)) == [(Verb.APPLY, "Deployment")]


@given(
    numbers=st.lists(st.integers(1, 99), unique=True, max_size=30),
    used=st.sets(st.integers(1, 99), max_size=5),
)
def test_revisions_in_use_are_never_forgotten(numbers, used):
    """However long the history: what runs can always be applied again."""
    objects = [{"metadata": {"name": f"r{n}"}, "revision": n} for n in numbers]
    gone = {obj["metadata"]["name"] for obj in revisions.superfluous(objects, in_use={f"r{n}" for n in used})}
    assert not gone & {f"r{n}" for n in used}
    idle = sorted((n for n in numbers if n not in used), reverse=True)
    assert gone == {f"r{n}" for n in idle[revisions.HISTORY_LIMIT :]}
