"""What the status says: only what was observed, in words that stay the same while the situation does."""

import dataclasses
from datetime import timedelta

import pytest

from modelberth.api.model_deployment import ModelDeploymentStatus
from modelberth.domain.deployment_report import SERVED_SHOWN, report
from modelberth.domain.model_deployment import decide
from modelberth.domain.rollouts import LoaderProgress
from modelberth.domain.writes import Verb
from tests.unit.domain.builders import (
    AROUND,
    DIGEST_3,
    DIGEST_4,
    NOW,
    at,
    complete,
    deployment,
    model,
    observed,
    pod,
    replica_set,
    stored,
    version,
)


def _rolling(status=None, **more):
    """A roll to mnist-v4 that was applied; nothing of it is ready."""
    first = observed(deployment(status))
    plan = decide(first, AROUND)
    written = {w.body["kind"]: stored(w.body) for w in plan.writes if w.verb is not Verb.CHECK}
    workload = {**written["Deployment"], "status": {"observedGeneration": 1, "replicas": 1, "updatedReplicas": 1}}
    facts = {"workload": workload, "service": written["Service"], "revisions": (written["ControllerRevision"],)}
    return dataclasses.replace(first, **{**facts, **more}), plan.revision.name


def _report(seen, now=NOW):
    return report(seen, decide(seen, AROUND), now=now)


def _ready(status):
    return next(c for c in status["conditions"] if c["type"] == "Ready")


def _types(status):
    return {c["type"] for c in status["conditions"]}


def test_more_serving_revisions_than_a_status_may_show_are_cut():
    """The API server would refuse the whole status, and it would speak of the past for as long."""
    many = tuple(replica_set(f"mnist-v{number}", DIGEST_3, f"old-{number}", 1) for number in range(40))
    seen, _ = _rolling(replica_sets=many)
    status = ModelDeploymentStatus.model_validate(_report(seen).status)
    assert status.served is not None
    assert len(status.served) == SERVED_SHOWN


def test_served_needs_every_pod_of_the_newest_template():
    """Complete, seen by the controller, no pod of another template left."""
    seen, revision = _rolling()
    done = dataclasses.replace(
        seen, workload=complete(seen.workload), replica_sets=(replica_set("mnist-v4", DIGEST_4, revision, 1),)
    )
    status = _report(done).status
    assert (status["state"], status["serving"]) == ("Served", "mnist-v4")
    assert status["lastPassed"] == {"version": "mnist-v4", "digest": DIGEST_4, "revision": revision}
    assert _types(status) == {"Ready"}


@pytest.mark.parametrize(
    "counts",
    [
        {"observedGeneration": 0},
        {"replicas": 2},
        {"updatedReplicas": 0},
        {"availableReplicas": 0},
    ],
)
def test_anything_less_is_still_progressing(counts):
    """An old pod, an unseen generation or an unavailable pod keep it from being Served."""
    seen, _ = _rolling()
    workload = complete(seen.workload)
    workload["status"] |= counts
    status = _report(dataclasses.replace(seen, workload=workload)).status
    assert status["state"] == "Progressing"
    assert _ready(status)["status"] == "False"
    assert "lastPassed" not in status


def test_the_pods_own_words_reach_the_condition():
    """And what goes on serving meanwhile is said beside them."""
    seen, revision = _rolling()
    waiting = {
        "name": "server",
        "image": "nope:1",
        "state": {"waiting": {"reason": "ErrImagePull", "message": "not found"}},
    }
    stuck = dataclasses.replace(
        seen,
        pods=(pod(revision, containerStatuses=[waiting]),),
        replica_sets=(replica_set("mnist-v3", DIGEST_3, "old", 2),),
    )
    ready = _ready(_report(stuck).status)
    assert ready["reason"] == "ImagePullFailed"
    assert ready["message"] == ("container server: image nope:1 cannot be pulled: not found; mnist-v3 goes on serving")


def test_no_progress_for_too_long_stalls_and_says_why():
    """Counted from the last thing that got further."""
    seen, revision = _rolling({"revision": "x", "rollStartedAt": at(0)})
    seen.deployment["status"]["revision"] = revision
    stuck = dataclasses.replace(seen, pods=(pod(revision, created=0),))
    before = _report(stuck, NOW + timedelta(seconds=599)).status
    after = _report(stuck, NOW + timedelta(seconds=600)).status
    assert "Stalled" not in _types(before)
    assert "Stalled" in _types(after)
    assert _ready(after)["reason"] == "NoProgress"


@pytest.mark.parametrize(
    ("progress", "stalled"),
    [
        ({"pod-web-a-x": LoaderProgress(5, 10, idle_seconds=3)}, False),
        ({"pod-web-a-x": LoaderProgress(5, 10, idle_seconds=700)}, True),
        ({}, True),
        (None, False),
    ],
)
def test_a_loader_that_gets_on_is_progress_and_silence_of_the_registry_is_not_a_lack_of_it(progress, stalled):
    """A large model may take longer than noProgressSeconds; a lost registry must fail nobody's roll."""
    seen, revision = _rolling({"rollStartedAt": at(0)})
    seen.deployment["status"]["revision"] = revision
    loading = dataclasses.replace(seen, pods=(pod(revision, created=0),), progress=progress)
    status = _report(loading, NOW + timedelta(seconds=900)).status
    assert ("Stalled" in _types(status)) is stalled


def _told(seen, status):
    """The same ModelDeployment, with this status in hand."""
    return dataclasses.replace(seen, deployment={**seen.deployment, "status": status})


@pytest.mark.parametrize("leaves_a_trace", [True, False])
def test_pods_that_are_evicted_again_and_again_end_in_no_progress(leaves_a_trace):
    """A replacement reaches what its predecessor reached: the kubelet leaves failed pods behind, a drain leaves none."""
    seen, revision = _rolling()
    scheduled = [{"type": "PodScheduled", "status": "True", "lastTransitionTime": at(0)}]
    status, failed = None, ()
    for round_, second in enumerate(range(0, 901, 60)):
        here = pod(revision, name=f"web-a-{round_}", created=second, conditions=scheduled)
        seen = dataclasses.replace(seen, pods=(*failed, here), progress={})
        status = _report(_told(seen, status) if status else seen, NOW + timedelta(seconds=second + 5)).status
        gone = {**here, "status": {"phase": "Failed", "reason": "Evicted", "message": "disk"}}
        failed = (*failed, gone) if leaves_a_trace else ()
        assert ("Stalled" in _types(status)) is (second >= 600)
    assert _ready(status)["reason"] == "NoProgress"
    assert status["rollProgress"]["at"] == at(5)


def test_a_pod_that_gets_further_than_any_before_ends_the_stall():
    """What stalled goes on by itself: one step more than ever, and time counts from there."""
    seen, revision = _rolling()
    first = dataclasses.replace(seen, pods=(pod(revision, created=0),))
    stalled = _report(_told(first, _report(first).status), NOW + timedelta(seconds=700)).status
    assert "Stalled" in _types(stalled)
    ready = [{"type": "PodScheduled", "status": "True", "lastTransitionTime": at(710)}]
    further = dataclasses.replace(first, pods=(pod(revision, created=0, conditions=ready),))
    status = _report(_told(further, stalled), NOW + timedelta(seconds=711)).status
    assert "Stalled" not in _types(status)
    assert status["rollProgress"]["at"] == at(710)


def test_fewer_replicas_are_measured_anew():
    """Scaled down, the pods that are left have fewer steps behind them than all had together."""
    seen, revision = _rolling()
    two = {**seen.workload, "spec": {**seen.workload["spec"], "replicas": 2}}
    pods = tuple(pod(revision, name=f"web-a-{number}", created=0) for number in range(2))
    first = _report(dataclasses.replace(seen, workload=two, pods=pods)).status
    assert first["rollProgress"]["steps"] == 2
    later = dataclasses.replace(seen, pods=pods[:1], progress={"pod-web-a-0": LoaderProgress(5, 10, idle_seconds=1)})
    status = _report(_told(later, first), NOW + timedelta(seconds=700)).status
    assert status["rollProgress"] == {"replicas": 1, "steps": 1, "bytes": 0, "at": at(699)}
    assert "Stalled" not in _types(status)


def test_a_roll_that_has_come_to_its_end_leaves_no_mark():
    """The next one begins at nothing."""
    seen, revision = _rolling()
    status = _report(dataclasses.replace(seen, pods=(pod(revision),))).status
    done = dataclasses.replace(
        seen, workload=complete(seen.workload), replica_sets=(replica_set("mnist-v4", DIGEST_4, revision, 1),)
    )
    assert "rollProgress" in status
    assert "rollProgress" not in _report(_told(done, status)).status


def test_loading_counts_the_loaders_that_run():
    """Bytes and total over all pods of the new revision."""
    seen, revision = _rolling()
    running = [{"name": "modelberth-loader", "state": {"running": {}}}]
    loading = dataclasses.replace(
        seen,
        pods=(pod(revision, initContainerStatuses=running),),
        progress={"pod-web-a-x": LoaderProgress(5, 10, 0), "pod-other": LoaderProgress(7, 7, 0)},
    )
    assert _report(loading).status["loading"] == {"bytes": 5, "total": 10}


def test_pods_that_fail_after_they_passed_are_degraded():
    """Not a roll any more: what passed has failed."""
    seen, revision = _rolling()
    seen.deployment["status"] = {"lastPassed": {"version": "mnist-v4", "digest": DIGEST_4, "revision": revision}}
    crashed = {
        "name": "server",
        "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 10s"}},
        "lastState": {"terminated": {"exitCode": 3, "message": "boom"}},
    }
    status = _report(dataclasses.replace(seen, pods=(pod(revision, containerStatuses=[crashed]),))).status
    assert status["state"] == "Degraded"
    assert _ready(status)["message"] == "container server ended with exit code 3: boom"


def test_scaled_to_zero_is_suspended_and_no_failure():
    """Nothing answers, as wished."""
    seen, _ = _rolling()
    status = _report(dataclasses.replace(seen, workload=complete(seen.workload, replicas=0))).status
    assert status["state"] == "Suspended"
    assert _ready(status)["status"] == "True"
    assert "lastPassed" not in status


def test_an_unchanged_situation_has_an_unchanged_status_and_no_events():
    """Later, with the old status in hand: the same words, the same times."""
    seen, revision = _rolling()
    done = dataclasses.replace(
        seen, workload=complete(seen.workload), replica_sets=(replica_set("mnist-v4", DIGEST_4, revision, 1),)
    )
    first = _report(done)
    again = dataclasses.replace(done, deployment={**done.deployment, "status": first.status})
    second = _report(again, NOW + timedelta(hours=5))
    assert second.status == first.status
    assert [event.reason for event in first.events] == ["Served"]
    assert second.events == ()


def test_the_digest_is_wished_only_once_the_version_may_be_followed():
    """A version that is not Ready is wished by its name alone; without an alias nothing is."""
    assert _report(observed(version=version(ready=False))).status["desired"] == {"version": "mnist-v4"}
    assert "desired" not in _report(observed(model=model({}))).status
