"""Why pods of attempts end: what the kubelet, the reporter and the cluster say of it, and who is to blame."""

import pytest

from modelberth.domain.rollouts import LoaderProgress
from modelberth.domain.training import attempt
from modelberth.training import HARNESS_EXITS, harness
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


@pytest.mark.parametrize(
    ("code", "words", "reason", "says"),
    [
        (1, "  File 'harness.py', line 50\nSyntaxError: Non-ASCII character", "PythonTooOld", "Python 3.9 or newer"),
        (1, "ModuleNotFoundError: No module named 'fcntl'", "ContainerNotCreated", "No module named 'fcntl'"),
        (127, "python3: error while loading shared libraries", "ContainerNotCreated", "status 127"),
        (2, "", "ContainerNotCreated", "it said nothing"),
    ],
)
def test_a_python_that_cannot_run_the_harness_is_told_at_once(code, words, reason, says):
    """Nobody has held the lock, so our reporter waits for ever: the container's own words say why."""
    run, its_pod = with_pod(prepare=DONE, train=ended(code, "Error", words), report=RUNNING)
    plan = decide(run, pod=its_pod)
    assert plan.ending.reason == reason
    assert says in plan.ending.message
    assert plan.delete == (its_pod,)


@pytest.mark.parametrize("code", sorted(HARNESS_EXITS | {128 + 9}))
def test_a_harness_that_has_begun_is_reported_by_ours(code):
    """What it leaves is still sent, and the record tells; also of one that was killed with its whole container."""
    run, its_pod = with_pod(prepare=DONE, train=ended(code), report=RUNNING)
    plan = decide(run, pod=its_pod)
    assert (plan.ending, plan.changes["phase"], plan.delete) == (None, "Uploading", ())


def test_the_statuses_are_the_harness_own():
    """The harness can import nothing of ours, so they are written twice."""
    assert {harness.SUCCEEDED, harness.FAILED, harness.DIED} == HARNESS_EXITS


@pytest.mark.parametrize(
    ("phase", "is_over"), [(None, True), ("Loading", True), ("Training", False), ("Uploading", False)]
)
@pytest.mark.parametrize(
    ("code", "reason"), [(137, "OOMKilled"), *((code, "Completed") for code in sorted(HARNESS_EXITS))]
)
def test_a_program_that_ended_before_it_began_is_waited_for_in_bounds(code, reason, phase, is_over):
    """Where the registry heard of its start, our reporter sends what it left; else nothing will ever come: it was
    killed, or the image's python3 ended by itself as the harness does.
    """
    run, its_pod = with_pod(prepare=DONE, train=ended(code, reason), report=RUNNING)
    its_pod["status"]["containerStatuses"][0]["state"]["terminated"]["finishedAt"] = at(-601)
    progress = None if phase is None else LoaderProgress(0, 0, 0.0, phase=phase)
    plan = decide(run, pod=its_pod, progress=progress)
    said = "OutOfMemory" if code == 137 else "ContainerNotCreated"
    assert (plan.ending.reason if plan.ending else None) == (said if is_over else None)


def test_a_program_whose_start_was_heard_of_is_sent_to_its_end():
    """A long upload over a registry that has forgotten its progress: the status has not."""
    run, its_pod = with_pod(prepare=DONE, train=ended(0), report=RUNNING)
    its_pod["status"]["containerStatuses"][0]["state"]["terminated"]["finishedAt"] = at(-9000)
    run["status"]["phases"] = [
        {"name": name, "startedAt": at(-9999), "seconds": 1.0} for name in ("Loading", "Training")
    ]
    assert decide(run, pod=its_pod).ending is None


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


@pytest.mark.parametrize("program", [RUNNING, ended(harness.FAILED)])
def test_a_reporter_that_cannot_start_is_told_and_given_up_in_time(program):
    """The program waits for it, and ends without it: whatever the kubelet says is shown, and in the end the reason."""
    refused = {"waiting": {"reason": "CreateContainerError", "message": "no room for it"}}
    run, its_pod = with_pod(prepare=DONE, train=program, report=refused)
    verdict = decide(run, pod=its_pod).verdict
    assert (verdict.reason, verdict.message) == ("ContainerNotCreated", "container modelberth-report: no room for it")
    its_pod["metadata"]["creationTimestamp"] = at(-601)
    plan = decide(run, pod=its_pod)
    assert plan.ending.reason == "ContainerNotCreated"
    assert plan.delete == (its_pod,)


def test_a_reporter_that_is_about_to_start_is_no_trouble():
    """However long the loading took before."""
    run, its_pod = with_pod(prepare=DONE, train=RUNNING, report={"waiting": {"reason": "PodInitializing"}})
    its_pod["metadata"]["creationTimestamp"] = at(-9000)
    assert decide(run, pod=its_pod).verdict.reason == "Training"
