"""Why pods of attempts end: what the kubelet, the reporter and the cluster say of it, and who is to blame."""

import pytest

from modelberth.domain.training import attempt
from tests.unit.domain.builders import NOW, at
from tests.unit.domain.training.builders import ended
from tests.unit.domain.training.test_attempt import DONE, RUNNING, decide, told, with_pod


@pytest.mark.parametrize(
    ("states", "reason"),
    [
        ({"train": ended(137, "OOMKilled"), "report": ended()}, "OutOfMemory"),
        ({"prepare": ended(1, "Error", "no such folder")}, "LoadFailed"),
        ({"train": DONE, "report": ended(1)}, "UploadFailed"),
        ({"train": ended(139)}, "Killed"),
    ],
)
def test_why_a_pod_without_record_ended(states, reason):
    """Where nothing was recorded, the kubelet's words say why."""
    run, its_pod = with_pod(phase="Failed", **states)
    plan = decide(run, pod=its_pod)
    assert (plan.ending.reason if plan.ending else plan.changes["attempts"][-1]["reason"]) == reason


def test_an_eviction_counts_more_than_what_it_made_of_the_program():
    """A program that fails because its pod is taken away is not to blame."""
    run, its_pod = with_pod(phase="Failed")
    its_pod["status"]["conditions"] = [
        {"type": "DisruptionTarget", "status": "True", "reason": "PreemptionByScheduler"}
    ]
    plan = decide(run, pod=its_pod, record=told())
    assert plan.ending is None
    assert plan.changes["attempts"][-1]["reason"] == "Preempted"


@pytest.mark.parametrize(
    "words",
    [
        'Usage of EmptyDir volume "content" exceeds the limit "10Gi". ',
        "Pod ephemeral local storage usage exceeds the total limit of containers 1Gi. ",
        'Container train exceeded its local ephemeral storage limit "1Gi". ',
    ],
)
@pytest.mark.parametrize("record", [None, told(reason="Killed")])
def test_who_writes_more_than_the_limit_is_not_tried_again(words, record):
    """The kubelet's eviction for the pod's own limits is no doing of the cluster, and names the field to raise."""
    run, its_pod = with_pod(phase="Failed", train=ended(137), report=ended(137))
    its_pod["status"] |= {"reason": "Evicted", "message": words}
    plan = decide(run, pod=its_pod, record=record)
    assert plan.ending.reason == "StorageExceeded"
    assert words.strip() in plan.ending.message
    assert "storage.sizeLimit" in plan.ending.message


def test_a_node_that_is_low_on_storage_is_the_clusters_doing():
    """Another node may have the room."""
    run, its_pod = with_pod(phase="Failed", train=ended(137), report=ended(137))
    words = "The node was low on resource: ephemeral-storage. Threshold quantity: 1, available: 0."
    its_pod["status"] |= {"reason": "Evicted", "message": words}
    plan = decide(run, pod=its_pod)
    assert (plan.ending, plan.changes["attempts"][-1]["reason"]) == (None, "Evicted")


def test_a_killed_program_was_out_of_memory_if_the_kubelet_says_so():
    """The reporter sees a program that was killed; the kubelet knows why."""
    run, its_pod = with_pod(phase="Failed", train=ended(137, "OOMKilled"), report=DONE)
    assert decide(run, pod=its_pod, record=told(reason="Killed")).ending.reason == "OutOfMemory"


@pytest.mark.parametrize("gone", [True, False])
def test_a_program_that_is_killed_with_its_pod_is_not_to_blame(gone):
    """Who deletes a pod, as a drain does, ends the attempt and not the run."""
    run, its_pod = with_pod(phase="Failed", train=ended(143), report=DONE)
    its_pod["metadata"]["deletionTimestamp"] = at(0)
    plan = decide(run, pod=None if gone else its_pod, record=told(reason="Killed"))
    assert plan.ending is None
    assert plan.changes["attempts"][-1]["reason"] == "Evicted"


def test_a_node_that_does_not_answer_is_given_up():
    """A pod that should have been gone for a minute is over; another one takes its place."""
    run, its_pod = with_pod(train=RUNNING)
    its_pod["metadata"]["deletionTimestamp"] = at(-61)
    plan = decide(run, pod=its_pod)
    assert plan.changes["attempts"][-1]["reason"] == "NodeLost"


def test_no_python_is_told_at_once():
    """An image without python3 is not waited for, though our reporter would."""
    run, its_pod = with_pod(train=ended(128, "StartError", 'exec: "python3": not found in $PATH'), report=RUNNING)
    plan = decide(run, pod=its_pod)
    assert plan.ending.reason == "NoPython"
    assert plan.delete == (its_pod,)


@pytest.mark.parametrize("program", [RUNNING, {"waiting": {"reason": "ImagePullBackOff"}}])
def test_a_program_that_nobody_listens_to_is_given_up(program):
    """Without our reporter nothing will be heard of it: the pod goes at once, and another one takes its place."""
    run, its_pod = with_pod(prepare=DONE, train=program, report=ended(137, "OOMKilled"))
    assert attempt.is_over(run, its_pod, now=NOW)
    plan = decide(run, pod=its_pod)
    assert plan.ending is None
    assert plan.changes["attempts"][-1]["reason"] == "UploadFailed"
    assert plan.delete == (its_pod,)


def test_what_the_reporter_told_before_it_ended_counts():
    """Its record is the attempt's, though the program still runs."""
    run, its_pod = with_pod(prepare=DONE, train=RUNNING, report=DONE)
    assert decide(run, pod=its_pod, record=told(reason="BadPackage")).ending.reason == "BadPackage"
