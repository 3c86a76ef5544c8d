"""Why pods do not get ready, in words that do not flap."""

import pytest

from modelberth.domain.pods import Trouble, first_trouble, last_progress, steps
from tests.unit.domain.builders import NOW, at, pod


def _container(name="server", **state):
    return pod("r", containerStatuses=[{"name": name, "image": "x:1", **state}])


def _waiting(reason, message=""):
    return {"state": {"waiting": {"reason": reason, "message": message}}}


@pytest.mark.parametrize(
    "status",
    [
        _waiting("ErrImagePull", 'failed to pull "x:1": not found'),
        _waiting("ImagePullBackOff", 'Back-off pulling image "x:1": ErrImagePull: failed to pull "x:1": not found'),
    ],
)
def test_alternating_image_reasons_read_the_same(status):
    """The kubelet flips between the two; the condition must not."""
    assert first_trouble([_container(**status)]) == Trouble(
        "ImagePullFailed", 'container server: image x:1 cannot be pulled: failed to pull "x:1": not found'
    )


@pytest.mark.parametrize("back_off", ["back-off 10s restarting failed container", "back-off 5m0s restarting"])
def test_a_crash_is_told_by_its_last_lines_not_by_its_back_off(back_off):
    """The back-off grows with every restart."""
    ended = {"exitCode": 1, "message": "a\nb\nc\nd\ne\nlast line\n"}
    status = {**_waiting("CrashLoopBackOff", back_off), "lastState": {"terminated": ended}}
    assert first_trouble([_container(**status)]) == Trouble(
        "ContainerCrashed", "container server ended with exit code 1: b | c | d | e | last line"
    )


def test_the_loaders_refusal_is_told_in_its_own_words():
    """It names the object that is not what it should be."""
    ended = {"exitCode": 1, "message": "modelberth load: refused: object abc is tampered\n"}
    loader = {"name": "modelberth-loader", "state": {"terminated": ended}}
    assert first_trouble([pod("r", initContainerStatuses=[loader])]) == Trouble(
        "LoadFailed", "modelberth load: refused: object abc is tampered"
    )


@pytest.mark.parametrize(
    ("seen", "reason"),
    [
        (_container(state={"terminated": {"exitCode": 137, "reason": "OOMKilled"}}), "OutOfMemory"),
        (_container(**_waiting("CreateContainerConfigError", "secret missing")), "ContainerNotCreated"),
        (pod("r", conditions=[{"type": "PodScheduled", "status": "False", "message": "no node"}]), "Unschedulable"),
        (pod("r", phase="Failed", reason="Evicted", message="disk"), "Evicted"),
    ],
)
def test_each_kind_of_trouble_has_its_reason(seen, reason):
    """One CamelCase word for programs."""
    assert first_trouble([seen]).reason == reason


def test_a_container_that_ended_well_or_serves_again_is_no_trouble():
    """A restart that is over is history."""
    over = {"ready": True, "state": {"running": {}}, "lastState": {"terminated": {"exitCode": 1}}}
    assert first_trouble([_container(**over)]) is None
    assert first_trouble([_container(state={"terminated": {"exitCode": 0}})]) is None


def test_of_several_pods_the_first_by_name_speaks():
    """Whatever order the API server lists them in."""
    pods = [
        pod("r", name=name, conditions=[{"type": "PodScheduled", "status": "False", "message": name}])
        for name in ("web-b", "web-a")
    ]
    assert first_trouble(pods).message == first_trouble(pods[::-1]).message == "web-a"


def test_a_restart_is_no_progress():
    """A crash loop would otherwise look alive for ever."""
    crashed = _container(restartCount=3, state={"running": {"startedAt": at(50)}})
    fresh = _container(restartCount=0, state={"running": {"startedAt": at(50)}})
    assert (last_progress([crashed]) - NOW).total_seconds() == -10
    assert (last_progress([fresh]) - NOW).total_seconds() == 50


def test_steps_are_what_holds_now_of_the_pods_in_play():
    """A pod that failed or is on its way out has none; being disrupted is none."""
    conditions = [{"type": name, "status": "True"} for name in ("PodScheduled", "Initialized", "DisruptionTarget")]
    conditions.append({"type": "Ready", "status": "False"})
    loaded = {"name": "modelberth-loader", "state": {"terminated": {"exitCode": 0}}}
    server = {"name": "server", "state": {"running": {}}}
    here = pod("r", conditions=conditions, initContainerStatuses=[loaded], containerStatuses=[server])
    failed = {**here, "status": {**here["status"], "phase": "Failed"}}
    leaving = {**here, "metadata": {**here["metadata"], "deletionTimestamp": at(0)}}
    assert steps([pod("r")]) == 1
    assert steps([here, failed, leaving]) == 5


def test_what_a_container_said_is_told_without_its_secrets():
    """Last lines of users' programs reach the status, where more people may read than in the pod's log."""
    ended = {"exitCode": 1, "message": "GET https://s3/x?X-Amz-Signature=abcdef0123 Authorization: Bearer abcdef.0123"}
    trouble = first_trouble([_container(state={"terminated": ended})])
    assert "abcdef" not in trouble.message
    assert "[cut]" in trouble.message
