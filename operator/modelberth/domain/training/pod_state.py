"""How an attempt's pod stands, in the kubelet's and the scheduler's own words."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from modelberth.api import names
from modelberth.api.training_run import IMAGE_ID_LIMIT
from modelberth.domain.objects import Object, condition, dig, is_deleting, timestamps
from modelberth.domain.pods import Trouble, container_words, first_trouble
from modelberth.domain.training import reasons
from modelberth.training import HARNESS_EXITS

_LOST_AFTER: Final = timedelta(seconds=60)
_DISRUPTED_BY: Final = {
    "EvictionByEvictionAPI": reasons.EVICTED,
    "TerminationByKubelet": reasons.EVICTED,
    "PreemptionByScheduler": reasons.PREEMPTED,
    "DeletionByTaintManager": reasons.NODE_LOST,
    "DeletionByPodGC": reasons.NODE_LOST,
}
_SAID: Final = {
    "Evicted": reasons.EVICTED,
    "Preempting": reasons.PREEMPTED,
    "NodeLost": reasons.NODE_LOST,
    "NodeShutdown": reasons.NODE_LOST,
    "Terminated": reasons.NODE_LOST,
    "Shutdown": reasons.NODE_LOST,
    "OutOf": reasons.POD_REFUSED,
    "UnexpectedAdmissionError": reasons.POD_REFUSED,
    "NodeAffinity": reasons.POD_REFUSED,
    "TaintToleration": reasons.POD_REFUSED,
}
"""How `status.reason` of a pod that the kubelet ended or refused begins."""
_STORAGE_EXCEEDED: Final = (
    "exceeds the limit",
    "exceeds the total limit of containers",
    "exceeded its local ephemeral storage limit",
)
"""What the kubelet says where it evicts a pod for its own limits: of an emptyDir, of the pod, of a container."""
_BY_SIGNAL: Final = 128
"""From this exit code on the container was killed, at whatever moment."""
_ENDED_WITHOUT_START: Final = frozenset({"StartError", "ContainerCannotRun"})


class Stage(StrEnum):
    """How far the pod is."""

    STARTING = "Starting"  # nothing of it runs
    LOADING = "Loading"  # our first container runs
    RUNNING = "Running"  # the program runs
    UPLOADING = "Uploading"  # the program has ended, our second container runs
    ENDED = "Ended"  # nothing runs any more, or nothing will ever be heard of it
    BROKEN = "Broken"  # the program cannot start, and ours waits for it: nothing comes of it


@dataclass(frozen=True, slots=True)
class PodState:
    """A pod as it stands; ``trouble`` is what keeps it from starting."""

    stage: Stage
    trouble: Trouble | None = None


def read(pod: Object, *, now: datetime) -> PodState:
    """How far a pod is."""
    if dig(pod, "status", "phase") in {"Succeeded", "Failed"} or _is_lost(pod, now) or _is_unheard(pod):
        return PodState(Stage.ENDED)
    if _cannot_start(pod) is not None:
        return PodState(Stage.BROKEN)
    program, ours = _state(pod, names.TRAIN_CONTAINER), _state(pod, names.PREPARE_CONTAINER)
    if dig(program, "terminated") is not None:
        return PodState(Stage.UPLOADING, _unwatched(pod))
    if dig(program, "running") is not None:
        return PodState(Stage.RUNNING, _unwatched(pod))
    if dig(ours, "running") is not None:
        return PodState(Stage.LOADING)
    return PodState(Stage.STARTING, None if dig(pod, "spec", "schedulingGates") else first_trouble([pod]))


def program_started(pod: Object) -> datetime | None:
    """When the program's container began to run, if it still runs."""
    return next(timestamps(dig(_state(pod, names.TRAIN_CONTAINER), "running", "startedAt")), None)


def program_ended(pod: Object) -> datetime | None:
    """When the program's container ended, if it has."""
    return next(timestamps(dig(_state(pod, names.TRAIN_CONTAINER), "terminated", "finishedAt")), None)


def never_heard_of(pod: Object) -> Trouble:
    """Why a program's container ended of whose beginning nobody ever heard."""
    ended = dig(_state(pod, names.TRAIN_CONTAINER), "terminated") or {}
    code = int(ended.get("exitCode") or 0)
    if code >= _BY_SIGNAL:
        return failure(pod)
    words = container_words(ended) or "it said nothing"
    return Trouble(
        reasons.CONTAINER_NOT_CREATED,
        f"image: its python3 ended with status {code}, and nothing was heard of the program's beginning: {words}",
    )


def could_start(pod: Object) -> datetime | None:
    """Since when the next container could have been started: before, a queue, a node or the data was missing."""
    scheduled = condition(pod, "PodScheduled")
    return max(
        timestamps(
            dig(pod, "metadata", "creationTimestamp"),
            dig(scheduled, "lastTransitionTime") if dig(scheduled, "status") == "True" else None,
            dig(_state(pod, names.PREPARE_CONTAINER), "terminated", "finishedAt"),
        ),
        default=None,
    )


def image_id(pod: Object | None) -> str:
    """The program's image as the kubelet has it; empty while it is not known.

    `<repository>@sha256:<hex>` where it can be pulled by that, else `sha256:<hex>`.
    """
    for status in dig(pod, "status", "containerStatuses") or ():
        if status.get("name") == names.TRAIN_CONTAINER:
            told = str(status.get("imageID") or "").rpartition("://")[2]
            return told if image_digest(told) and len(told) <= IMAGE_ID_LIMIT else image_digest(told)
    return ""


def image_digest(image_id: str) -> str:
    """The `sha256:<hex>` in a kubelet's name of an image; empty for none."""
    digest = image_id.rpartition("sha256:")[2]
    return f"sha256:{digest}" if len(digest) == 64 else ""


def failure(pod: Object | None) -> Trouble:
    """Why a pod that has ended, or is gone, did not succeed."""
    if pod is None:
        return Trouble(reasons.NODE_LOST, "the pod is gone: it was deleted, or its node was")
    return next(_failures(pod))


def cause(pod: Object | None, told: Trouble) -> Trouble:
    """Why an attempt failed, where its pod may know better than what was ``told`` from within it.

    A program that was killed does not know by whom: with a pod that was deleted, or is gone, it was the cluster.
    """
    befell = disruption(pod)
    if befell is not None or told.reason != reasons.KILLED:
        return befell or told
    if pod is None or is_deleting(pod):
        return Trouble(reasons.EVICTED, "the pod was deleted while the program ran")
    return out_of_memory(pod) or told


def disruption(pod: Object | None) -> Trouble | None:
    """What befell the pod from outside, if anything did."""
    if pod is None:
        return None
    exceeded = storage_exceeded(pod)
    if exceeded is not None:
        return exceeded
    target = condition(pod, "DisruptionTarget")
    if target and target.get("status") == "True":
        reason = _DISRUPTED_BY.get(str(target.get("reason")), reasons.EVICTED)
        return Trouble(reason, str(target.get("message") or "the pod was taken away"))
    said, words = str(dig(pod, "status", "reason") or ""), str(dig(pod, "status", "message") or "")
    for prefix, reason in _SAID.items():
        if said.startswith(prefix):
            return Trouble(reason, words or f"the kubelet ended the pod: {said}")
    return None


def storage_exceeded(pod: Object) -> Trouble | None:
    """Whether the pod was evicted for what it wrote itself, which another one would write again."""
    words = str(dig(pod, "status", "message") or "")
    if dig(pod, "status", "reason") != "Evicted" or not any(said in words for said in _STORAGE_EXCEEDED):
        return None
    return Trouble(
        reasons.STORAGE_EXCEEDED,
        f"{words.strip()} Raise storage.sizeLimit (or resources.limits of ephemeral-storage), or write less",
    )


def out_of_memory(pod: Object | None) -> Trouble | None:
    """Whether the program's container was killed for its memory, as the kubelet says."""
    ended = dig(_state(pod, names.TRAIN_CONTAINER), "terminated") if pod is not None else None
    if dig(ended, "reason") == "OOMKilled":
        return Trouble(
            reasons.OUT_OF_MEMORY,
            "the program needed more memory than its limit; raise resources.limits.memory or use less",
        )
    return None


def _failures(pod: Object) -> Iterator[Trouble]:
    for found in (disruption(pod), _cannot_start(pod), out_of_memory(pod)):
        if found is not None:
            yield found
    prepared = dig(_state(pod, names.PREPARE_CONTAINER), "terminated")
    if prepared is not None and prepared.get("exitCode") != 0:
        if prepared.get("reason") == "OOMKilled":
            yield Trouble(reasons.OUT_OF_MEMORY, f"container {names.PREPARE_CONTAINER} needed more than its memory")
        yield Trouble(reasons.LOAD_FAILED, container_words(prepared) or "package or data could not be loaded")
    reported = dig(_state(pod, names.REPORT_CONTAINER), "terminated")
    if reported is not None:
        yield Trouble(reasons.UPLOAD_FAILED, container_words(reported) or "how the program ended was never told")
    ended = dig(_state(pod, names.TRAIN_CONTAINER), "terminated")
    if ended is not None:
        yield Trouble(reasons.KILLED, container_words(ended) or f"the program ended with code {ended.get('exitCode')}")
    yield Trouble(reasons.NODE_LOST, "nothing was heard of the pod any more")


def _cannot_start(pod: Object) -> Trouble | None:
    ended = dig(_state(pod, names.TRAIN_CONTAINER), "terminated")
    if dig(ended, "reason") not in _ENDED_WITHOUT_START:
        return _never_began(ended)
    words = str(dig(ended, "message") or "")
    if "python3" in words:
        return Trouble(reasons.NO_PYTHON, "image: there is no python3 in it; use an image with Python 3.9 or newer")
    return Trouble(reasons.CONTAINER_NOT_CREATED, container_words(ended) or "the program's container cannot start")


def _never_began(ended: Object | None) -> Trouble | None:
    """Whether the image's Python could not run the harness: our reporter would wait for its start for ever."""
    code = int(dig(ended, "exitCode") or 0)
    if ended is None or code in HARNESS_EXITS or code >= _BY_SIGNAL:
        return None
    words = container_words(ended) or "it said nothing"
    if "SyntaxError" in words:
        return Trouble(
            reasons.PYTHON_TOO_OLD, f"image: its python3 is too old, use one with Python 3.9 or newer ({words})"
        )
    return Trouble(
        reasons.CONTAINER_NOT_CREATED, f"image: its python3 ended with status {code} before the program began: {words}"
    )


def _is_lost(pod: Object, now: datetime) -> bool:
    """A pod that should have been gone for a while: its kubelet does not answer."""
    gone_by = next(timestamps(dig(pod, "metadata", "deletionTimestamp")), None)
    return gone_by is not None and now > gone_by + _LOST_AFTER


def _unwatched(pod: Object) -> Trouble | None:
    """What keeps our reporter from starting: the program waits for it, and ends without it."""
    statuses = dig(pod, "status", "containerStatuses") or ()
    ours = [status for status in statuses if status.get("name") == names.REPORT_CONTAINER]
    is_waiting = dig(_state(pod, names.REPORT_CONTAINER), "waiting") is not None
    return first_trouble([{**pod, "status": {"containerStatuses": ours}}]) if is_waiting else None


def _is_unheard(pod: Object) -> bool:
    """The reporter has ended before the program, which may go on for days."""
    reported, ended = (dig(_state(pod, name), "terminated") for name in (names.REPORT_CONTAINER, names.TRAIN_CONTAINER))
    return reported is not None and ended is None


def _state(pod: Object, container: str) -> Object | None:
    status = pod.get("status") or {}
    for entry in [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]:
        if entry.get("name") == container:
            state: Object | None = entry.get("state")
            return state
    return None
