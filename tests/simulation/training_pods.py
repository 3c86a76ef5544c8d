"""The kubelet and the registry, as far as pods of training runs go: how such a pod begins, works, reports and dies."""

from enum import StrEnum
from typing import Any

from modelberth.api import names
from modelberth.api.conditions import timestamp
from modelberth.runtime.resources import PODS, TRAINING_RUNS, Object
from modelberth.store.run_types import AttemptRecord, RunId
from tests.simulation.apiserver import copied
from tests.simulation.bucket import digest_of
from tests.simulation.controllers import KUBELET
from tests.simulation.world import NAMESPACE, World

METRICS = {"score": 0.5}


class Fate(StrEnum):
    """What happens to a pod next."""

    LOAD = "load"
    TRAIN = "train"
    SUCCEED = "succeed"  # reports, and ends
    RAISE = "raise"  # reports an exception of the program, and ends
    BAD_PACKAGE = "bad-package"  # reports what no repetition mends, and ends
    REPORT = "report"  # reports a success, and has not ended yet
    OUT_OF_MEMORY = "out-of-memory"  # is killed, and nothing is reported
    EVICTED = "evicted"
    LOST = "lost"  # is gone with its node
    DRAINED = "drained"  # is told to end, reports that it was killed, and is gone
    NO_IMAGE = "no-image"
    NO_PYTHON = "no-python"
    LOAD_FAILED = "load-failed"
    MUTE = "mute"  # ends well, and its report never got through
    STUB = "stub"  # an image whose python3 is none ends well, and our reporter waits for the program's beginning


def training_pods(world: World) -> list[Object]:
    """The pods of runs that have not ended."""
    return [
        pod
        for pod in world.server.peek_all(PODS, NAMESPACE)
        if pod["metadata"].get("labels", {}).get(names.LABEL_COMPONENT) == names.COMPONENT_TRAINING
        and not has_ended(pod)
    ]


def has_ended(pod: Object) -> bool:
    """Whether nothing in the pod runs any more."""
    return (pod.get("status") or {}).get("phase") in {"Succeeded", "Failed"}


def step(world: World, name: str, fate: Fate) -> bool:
    """One step in a pod's life; False if it is not possible now."""
    pod = world.server.peek(PODS, NAMESPACE, name)
    if pod is None or has_ended(pod):
        return False
    if fate is Fate.LOST:
        world.server.delete(KUBELET, PODS, NAMESPACE, name)
        return True
    if fate in _REPORTS:
        status, reason = _REPORTS[fate]
        if not _report(world, pod, status, reason):
            return False
        if fate is Fate.REPORT:
            return True
        if fate is Fate.DRAINED:
            world.server.delete(KUBELET, PODS, NAMESPACE, name)
            return True
    before = world.server.version
    world.server.update(KUBELET, PODS, {**copied(pod), "status": _status(world, fate)}, subresource="status")
    return world.server.version != before


_REPORTS = {
    Fate.SUCCEED: ("Succeeded", ""),
    Fate.REPORT: ("Succeeded", ""),
    Fate.RAISE: ("Failed", "UserException"),
    Fate.BAD_PACKAGE: ("Failed", "BadPackage"),
    Fate.DRAINED: ("Failed", "Killed"),
}


def silent_attempts(world: World) -> list[tuple[str, int]]:
    """(run, attempt) of those that were given up, and have left no report."""
    return [
        (run["metadata"]["name"], entry["number"])
        for run in world.server.peek_all(TRAINING_RUNS, NAMESPACE)
        for entry in (run.get("status") or {}).get("attempts") or ()
        if entry.get("podUID")
        and (world.space, RunId(run["metadata"]["name"], run["metadata"]["uid"]), entry["number"])
        not in world.bucket.attempts
    ]


def late(world: World, name: str, number: int) -> bool:
    """A pod that was given up is there after all, and succeeds: the registry looks at pods and runs that it remembers."""
    if (name, number) not in silent_attempts(world):
        return False
    run = world.server.peek(TRAINING_RUNS, NAMESPACE, name)
    assert run is not None
    uid = next(entry["podUID"] for entry in run["status"]["attempts"] if entry["number"] == number)
    _record(world, run, number, uid, "Succeeded", "")
    return True


def _report(world: World, pod: Object, status: Any, reason: str) -> bool:
    """What the registry does with a report: it believes the pod that the run's status names, and the first one."""
    name = pod["metadata"]["labels"][names.LABEL_RUN]
    run = world.server.peek(TRAINING_RUNS, NAMESPACE, name)
    uid = pod["metadata"]["uid"]
    if run is None or ((run.get("status") or {}).get("pod") or {}).get("uid") != uid:
        return False
    _record(world, run, int(pod["metadata"]["annotations"][names.ANNOTATION_ATTEMPT]), uid, status, reason)
    return True


def _record(world: World, run: Object, number: int, uid: str, status: Any, reason: str) -> None:
    output = digest_of(f"output of {uid}") if status == "Succeeded" else None
    if output is not None:
        world.bucket.push(world.space, "runs", output)
    run_id = RunId(run["metadata"]["name"], run["metadata"]["uid"])
    record = AttemptRecord(run_id, number, uid, status, reason, f"it {status.lower()}", output=output, metrics=METRICS)
    world.bucket.attempts.setdefault((world.space, run_id, number), record)


def _status(world: World, fate: Fate) -> Object:
    now = timestamp(world.clock.now())
    running: Object = {"running": {"startedAt": now}}
    waiting: Object = {"waiting": {"reason": "PodInitializing"}}
    ours, program, report = done(0), waiting, waiting
    phase, more = "Running", {}
    if fate is Fate.LOAD:
        ours, phase = running, "Pending"
    elif fate is Fate.TRAIN:
        program = report = running
    elif fate in {Fate.SUCCEED, Fate.RAISE, Fate.BAD_PACKAGE, Fate.MUTE}:
        program, report, phase = done(0), done(0), "Succeeded"
    elif fate is Fate.OUT_OF_MEMORY:
        program, report, phase = done(137, "OOMKilled"), done(1, "Error"), "Failed"
    elif fate is Fate.EVICTED:
        program, report, phase, more = done(137, "Error"), done(137, "Error"), "Failed", {"reason": "Evicted"}
    elif fate is Fate.NO_IMAGE:
        ours, phase, program = done(0), "Pending", {"waiting": {"reason": "ImagePullBackOff", "message": "not found"}}
    elif fate is Fate.NO_PYTHON:
        program, report = done(128, "StartError", 'exec: "python3": executable file not found'), running
    elif fate is Fate.STUB:
        program, report = done(0), running
        program["terminated"]["finishedAt"] = now
    elif fate is Fate.LOAD_FAILED:
        ours, phase = done(1, "Error", "refused: no such folder"), "Failed"
    return {
        "phase": phase,
        **more,
        "initContainerStatuses": [_container(names.PREPARE_CONTAINER, ours)],
        "containerStatuses": [_container(names.TRAIN_CONTAINER, program), _container(names.REPORT_CONTAINER, report)],
    }


def done(code: int, reason: str = "Completed", message: str = "") -> Object:
    """The state of a container that has ended."""
    return {"terminated": {"exitCode": code, "reason": reason, "message": message}}


def _container(name: str, state: Object) -> Object:
    return {"name": name, "image": "x", "state": state, "lastState": {}, "ready": False, "restartCount": 0}
