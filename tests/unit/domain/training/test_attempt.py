"""A run between its start and its end: what each state of its pod and its record leads to."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelberth.domain.rollouts import LoaderProgress, PhaseProgress
from modelberth.domain.training import attempt, reasons
from modelberth.domain.training.plan import Told
from tests.unit.domain.builders import NOW, at
from tests.unit.domain.training.builders import ended, later, observed, pod, started

DONE = ended(0, "Completed")
RUNNING = {"running": {"startedAt": at(-20)}}
OUTPUT = "sha256:" + "c" * 64


def told(status: str = "Failed", reason: str = "UserException", **more):
    return Told(status, reason, "so it was", **more)


def with_pod(**states):
    run = started(pod={"name": "one-0", "uid": "uid-one-0"})
    return run, pod(run, **states)


def decide(run, *, now=NOW, **more):
    return attempt.decide(observed(run, **more), now=now)


def test_the_first_pod_is_made_at_once():
    """A run whose inputs are found gets its pod, named by the attempt."""
    plan = decide(started())
    assert plan.create["metadata"]["name"] == "one-0"
    assert plan.ending is None


def test_a_pod_that_is_somebody_elses_is_not_trusted():
    """A pod of the attempt's name that is not ours costs an attempt, and is left alone."""
    run = started()
    plan = decide(run, pod=pod(run, ours=False))
    assert plan.changes["attempt"] == 1
    assert plan.changes["attempts"][-1]["reason"] == "PodRefused"
    assert plan.delete == ()
    assert plan.create is None


def test_a_pod_that_was_made_before_a_crash_is_adopted():
    """The pod of the attempt is ours by its owner, whether the status names it or not."""
    run = started()
    plan = decide(run, pod=pod(run, phase="Pending", prepare=RUNNING))
    assert plan.changes["pod"] == {"name": "one-0", "uid": "uid-one-0"}
    assert plan.changes["phase"] == "Loading"


@pytest.mark.parametrize(
    ("states", "phase"),
    [
        ({"phase": "Pending"}, "Waiting"),
        ({"phase": "Pending", "prepare": RUNNING}, "Loading"),
        ({"prepare": DONE, "train": RUNNING, "report": RUNNING}, "Training"),
        ({"prepare": DONE, "train": DONE, "report": RUNNING}, "Uploading"),
    ],
)
def test_the_phase_follows_the_pod(states, phase):
    """What runs in the pod says how far the run is."""
    run, its_pod = with_pod(**states)
    assert decide(run, pod=its_pod).changes["phase"] == phase


@pytest.mark.parametrize(
    ("told_id", "kept"),
    [
        ("docker.io/library/python@sha256:" + "e" * 64, "docker.io/library/python@sha256:" + "e" * 64),
        ("docker-pullable://python@sha256:" + "e" * 64, "python@sha256:" + "e" * 64),
        ("docker://sha256:" + "e" * 64, "sha256:" + "e" * 64),
        ("r/" + "x" * 1024 + "@sha256:" + "e" * 64, "sha256:" + "e" * 64),
        ("", None),
    ],
)
def test_the_image_that_runs_is_kept_while_the_pod_is_there(told_id, kept):
    """A tag may move, and pods go before their runs end; the next attempt may run in another image."""
    run, its_pod = with_pod(prepare=DONE, train=RUNNING, report=RUNNING)
    its_pod["status"]["containerStatuses"][0]["imageID"] = told_id
    assert decide(run, pod=its_pod).changes.get("imageID") == kept
    its_pod["status"]["phase"] = "Failed"
    assert decide(run, pod=its_pod, template={"backoffLimit": 1}).changes["imageID"] is None


def test_the_program_tells_how_far_it_is():
    """Phases, bytes and times of the pod's own report are shown; a registry that knows nothing takes none back."""
    run, its_pod = with_pod(prepare=DONE, train=RUNNING, report=RUNNING)
    phases = (PhaseProgress("Training", at(-20), 12.3456),)
    plan = decide(run, pod=its_pod, progress=LoaderProgress(5, 10, 0.0, "Saving", phases))
    assert plan.changes["phase"] == "Saving"
    assert plan.changes["progress"] == {"bytes": 5, "total": 10}
    assert plan.changes["phases"] == [{"name": "Training", "startedAt": at(-20), "seconds": 12.346}]
    run["status"]["phase"] = "Saving"
    assert decide(run, pod=its_pod).changes["phase"] == "Saving"


def test_a_success_ends_the_run():
    """A pod that is over and a record that says so: the version is made next."""
    run, its_pod = with_pod(phase="Succeeded", train=DONE, report=DONE)
    plan = decide(run, pod=its_pod, record=told("Succeeded", "", output=OUTPUT))
    assert plan.ending.status == "Succeeded"


def test_a_success_counts_though_its_pod_is_gone():
    """What was recorded holds, whatever became of the pod."""
    run, _ = with_pod()
    assert decide(run, record=told("Succeeded", "", output=OUTPUT)).ending.status == "Succeeded"


def test_a_success_without_output_is_none():
    """Nothing to make a version of makes no version."""
    run, its_pod = with_pod(phase="Succeeded")
    assert decide(run, pod=its_pod, record=told("Succeeded", "")).ending.reason == "BadOutput"


def test_an_image_is_waited_for_until_the_start_deadline():
    """An image that cannot be pulled is waited for, then ends the run and its pod."""
    run, its_pod = with_pod(phase="Pending", prepare=DONE)
    waits = {"waiting": {"reason": "ImagePullBackOff", "message": "not found"}}
    its_pod["status"]["containerStatuses"][0]["state"] = waits
    plan = decide(run, pod=its_pod)
    assert plan.verdict.reason == "ImagePullFailed"
    assert plan.ending is None
    late = decide(run, pod=its_pod, now=later(600))
    assert late.ending.reason == "ImagePullFailed"
    assert late.delete == (its_pod,)


def test_a_queue_is_waited_for_without_end():
    """A pod that a queueing system holds, or that no node has room for, has no deadline."""
    run, its_pod = with_pod(phase="Pending")
    its_pod["spec"]["schedulingGates"] = [{"name": "queue"}]
    assert decide(run, pod=its_pod, now=later(10**6)).ending is None
    del its_pod["spec"]["schedulingGates"]
    its_pod["status"]["conditions"] = [{"type": "PodScheduled", "status": "False", "message": "no GPU"}]
    plan = decide(run, pod=its_pod, now=later(10**6))
    assert (plan.verdict.reason, plan.ending) == ("Unschedulable", None)


@pytest.mark.parametrize("held_by", ["node", "data"])
def test_the_start_deadline_begins_once_the_pod_could_start(held_by):
    """What a queue, a node or the loading took is not the image's fault: its first trouble has its whole time."""
    run, its_pod = with_pod(phase="Pending", created=-9000)
    status = its_pod["status"]
    status["conditions"] = [{"type": "PodScheduled", "status": "True", "lastTransitionTime": at(-8000)}]
    waits = {"waiting": {"reason": "ErrImagePull", "message": "503"}}
    if held_by == "node":
        status["conditions"][0]["lastTransitionTime"] = at(-5)
        status["initContainerStatuses"][0]["state"] = waits
    else:
        status["initContainerStatuses"][0]["state"] = {"terminated": {"exitCode": 0, "finishedAt": at(-5)}}
        status["containerStatuses"][0]["state"] = waits
    plan = decide(run, pod=its_pod)
    assert (plan.verdict.reason, plan.ending, plan.requeue_after) == ("ImagePullFailed", None, 30.0)
    assert decide(run, pod=its_pod, now=later(595)).ending.reason == "ImagePullFailed"


def test_a_deadline_that_the_supervisor_missed_is_held_here():
    """A program that runs long after its deadline is ended from outside."""
    run, its_pod = with_pod(prepare=DONE, train=RUNNING, report=RUNNING)
    template = {"activeDeadlineSeconds": 60}
    assert decide(run, pod=its_pod, template=template, now=later(100)).ending is None
    assert decide(run, pod=its_pod, template=template, now=later(161)).ending.reason == "DeadlineExceeded"


def test_a_full_quota_is_waited_for_until_the_start_deadline():
    """The API server's words are told; after the deadline they are the reason."""
    seen = observed(started(startedAt=at(-9000)))
    words = 'pods "one-0" is forbidden: exceeded quota: small'
    plan = attempt.refused(seen, words, is_forbidden=True, now=NOW)
    assert (plan.verdict.reason, plan.verdict.message, plan.ending) == ("QuotaExceeded", words, None)
    seen = observed(started(startedAt=at(-9000), **plan.changes))
    assert attempt.refused(seen, words, is_forbidden=True, now=later(600)).ending.reason == "QuotaExceeded"
    assert attempt.refused(seen, "spec is wrong", is_forbidden=False, now=NOW).verdict.reason == "PodRefused"


def test_the_next_attempt_rests():
    """After a failure the next pod is made only after the pause; a clock that was set back shortens it."""
    run = started(attempt=1, failures=("UserException",))
    template = {"backoffLimit": 2}
    plan = decide(run, template=template, now=later(4))
    assert plan.create is None
    assert plan.requeue_after == 6.0
    assert decide(run, template=template, now=later(10)).create is not None
    assert decide(run, template=template, now=later(-3600)).create is not None


def test_a_newer_run_takes_the_place():
    """With concurrency Replace the pod goes, and the run says whose place it is now."""
    run, its_pod = with_pod(train=RUNNING)
    plan = decide(run, pod=its_pod, replaced_by="two")
    assert (plan.ending.status, plan.ending.reason, plan.delete) == ("Failed", "Cancelled", (its_pod,))
    assert "two" in plan.ending.message


@pytest.mark.parametrize("state", ["gone", "ended", "ending"])
def test_a_recorded_success_is_replaced_by_nobody(state):
    """Its version may be made already, by an operator that was killed right after; its pod may need a moment to end."""
    run, its_pod = with_pod(phase="Succeeded", train=DONE, report=DONE)
    if state == "ending":
        its_pod = pod(run, prepare=DONE, train=DONE, report=RUNNING)
    record = told("Succeeded", "", output=OUTPUT)
    found = decide(run, pod=None if state == "gone" else its_pod, record=record, replaced_by="two")
    assert found.ending.status == "Succeeded"


def test_a_recorded_failure_gives_its_place_away():
    """What would be tried again is not, once there is a newer run."""
    run, its_pod = with_pod(phase="Failed", train=DONE, report=DONE)
    plan = decide(run, pod=its_pod, record=told(), replaced_by="two", template={"backoffLimit": 3})
    assert plan.ending.reason == "Cancelled"


FAILURES = st.lists(
    st.sampled_from([*sorted(reasons.DISRUPTIONS), "UserException", "OutOfMemory", "Killed"]), min_size=1, max_size=40
)


@given(FAILURES, st.integers(0, 20))
def test_attempts_are_bounded(found: list[str], backoff_limit: int):
    """Going on as long as a next attempt is granted takes at most all forgiven failures and disruptions, and one."""
    granted = 0
    while (
        granted < len(found)
        and reasons.pause_before_next(found[: granted + 1], backoff_limit=backoff_limit) is not None
    ):
        granted += 1
    assert granted <= backoff_limit + reasons.MAX_DISRUPTIONS


@given(st.integers(0, 20), st.integers(1, 30))
def test_failures_of_the_program_are_forgiven_as_often_as_it_says(limit: int, count: int):
    """The n-th failure is forgiven while n is at most the limit, with pauses from ten seconds to six minutes."""
    pause = reasons.pause_before_next(["UserException"] * count, backoff_limit=limit)
    assert (pause is not None) == (count <= limit)
    assert pause is None or 10.0 <= pause <= 360.0


@pytest.mark.parametrize("reason", sorted(reasons.FINAL))
def test_what_would_end_the_same_is_not_tried_again(reason: str):
    """A package that is none is none the next time, too."""
    assert reasons.pause_before_next([reason], backoff_limit=20) is None


STATES = st.sampled_from([None, RUNNING, DONE, ended(1), ended(137, "OOMKilled"), ended(128, "StartError", "python3")])


@given(
    st.sampled_from(["Pending", "Running", "Succeeded", "Failed"]),
    STATES,
    STATES,
    STATES,
    st.booleans(),
    st.sampled_from(
        [None, told(), told("Succeeded", "", output=OUTPUT), told(reason="BadPackage"), told(reason="Killed")]
    ),
    st.integers(0, 20),
    st.integers(-4000, 4000),
)
def test_any_pod_leads_somewhere(phase, prepare, train, report, ours, record, backoff_limit, seconds):
    """Whatever is found, the plan ends the run, makes or waits for a pod, or counts the attempt as failed, not two."""
    run = started()
    its_pod = pod(run, phase=phase, prepare=prepare, train=train, report=report, ours=ours)
    over = attempt.is_over(run, its_pod, now=later(seconds))
    plan = decide(
        run, pod=its_pod, record=record if over else None, template={"backoffLimit": backoff_limit}, now=later(seconds)
    )
    assert (plan.ending is not None) + ("attempt" in plan.changes) + (
        "pod" in plan.changes and bool(plan.changes["pod"])
    ) == 1
    assert ours or plan.delete == ()
    assert plan.ending is None or plan.ending.status != "Succeeded" or record.output == OUTPUT


def test_a_pod_that_is_made_is_spoken_of_as_one_that_waits():
    """The status that is written with the pod still holds when the pod is seen: it is not written again."""
    made = decide(started())
    run, its_pod = with_pod(phase="Pending")
    seen = decide(run, pod=its_pod)
    assert made.create is not None
    assert (made.verdict, made.changes["phase"]) == (seen.verdict, seen.changes["phase"])


@pytest.mark.parametrize(
    ("states", "seconds"),
    [
        ({"phase": "Pending"}, 30.0),
        ({"phase": "Pending", "prepare": RUNNING}, 5.0),
        ({"prepare": DONE, "train": RUNNING, "report": RUNNING}, 5.0),
    ],
)
def test_a_pod_of_which_nothing_runs_is_looked_at_seldom(states, seconds):
    """There is no progress to ask for; what changes about it is told by the watch."""
    run, its_pod = with_pod(**states)
    assert decide(run, pod=its_pod).requeue_after == seconds


def test_a_pod_that_ends_is_looked_at_often():
    """A kubelet that is gone does not tell: the pod is given up after a time."""
    run, its_pod = with_pod(phase="Pending")
    its_pod["metadata"]["deletionTimestamp"] = at(-10)
    assert decide(run, pod=its_pod).requeue_after == 5.0


def test_an_image_is_given_up_in_time():
    """A pod that cannot start is looked at when its time to start is over, not half a minute later."""
    run, its_pod = with_pod(phase="Pending", prepare=DONE)
    waits = {"waiting": {"reason": "ImagePullBackOff", "message": "not found"}}
    its_pod["status"]["containerStatuses"][0]["state"] = waits
    its_pod["metadata"]["creationTimestamp"] = at(0)
    assert decide(run, pod=its_pod).requeue_after == 30.0
    assert decide(run, pod=its_pod, now=later(593)).requeue_after == 7.0
    assert decide(run, pod=its_pod, now=later(600)).ending is not None
