"""Why pods do not get ready, in their own words.

The words must stay the same while the situation does: the kubelet's back-off times and alternating reasons
(`ErrImagePull`, `ImagePullBackOff`) are normalised, and of several failing pods the first by name speaks.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from modelberth.api import names
from modelberth.domain.objects import Object, condition, dig, is_deleting, name_of, timestamps
from modelberth.domain.redaction import redacted

_IMAGE_REASONS = frozenset(
    {"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "ImageInspectError"}
)
_CONFIG_REASONS = frozenset({"CreateContainerConfigError", "CreateContainerError", "RunContainerError"})
_LAST_LINES = 5
_LONGEST_TEXT = 1024


@dataclass(frozen=True, slots=True)
class Trouble:
    """What keeps a pod from getting ready; ``reason`` is CamelCase."""

    reason: str
    message: str


def first_trouble(pods: Iterable[Object]) -> Trouble | None:
    """The trouble of the first pod (by name) that has one."""
    for pod in sorted(pods, key=name_of):
        if not is_deleting(pod):
            for trouble in _troubles(pod):
                return trouble
    return None


def last_progress(pods: Iterable[Object]) -> datetime | None:
    """The latest moment at which any of the pods got further, by the kubelet's own account.

    A container that crashed and was started again got no further, so restarts do not count.
    """
    return max((moment for pod in pods for moment in _progress(pod)), default=None)


def steps(pods: Iterable[Object]) -> int:
    """How many steps on their way to being ready the pods that are still in play have behind them, all together.

    Steps are what the kubelet tells of: a pod that is there, conditions that hold, containers that run or ended well.
    """
    return sum(1 for pod in pods if not is_deleting(pod) and not _has_failed(pod) for _ in _steps(pod))


def is_ready(pod: Object) -> bool:
    """Whether the pod's Ready condition is True and it is not on its way out."""
    ready = condition(pod, "Ready")
    return bool(ready and ready.get("status") == "True" and not is_deleting(pod))


def container_words(ended: Object) -> str:
    """The last lines that a container said before it ended, from its `terminated` state."""
    return _last_lines(str(ended.get("message") or ""))


def _troubles(pod: Object) -> Iterator[Trouble]:
    scheduled = condition(pod, "PodScheduled")
    if scheduled and scheduled.get("status") == "False":
        yield Trouble("Unschedulable", str(scheduled.get("message") or "no node fits the pod"))
    if _has_failed(pod) and dig(pod, "status", "reason"):
        yield Trouble(str(dig(pod, "status", "reason")), str(dig(pod, "status", "message") or "the pod failed"))
    for status in _container_statuses(pod):
        trouble = _container_trouble(status)
        if trouble is not None:
            yield trouble


def _container_statuses(pod: Object) -> list[Object]:
    status = pod.get("status") or {}
    return [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]


def _container_trouble(status: Object) -> Trouble | None:
    name = str(status.get("name"))
    waiting = dig(status, "state", "waiting") or {}
    reason = str(waiting.get("reason") or "")
    if reason in _IMAGE_REASONS:
        return Trouble(
            "ImagePullFailed", f"container {name}: {_image_words(status, str(waiting.get('message') or ''))}"
        )
    if reason in _CONFIG_REASONS:
        return Trouble("ContainerNotCreated", f"container {name}: {_last_lines(str(waiting.get('message') or reason))}")
    ended = dig(status, "state", "terminated") or dig(status, "lastState", "terminated")
    if ended and ended.get("exitCode") != 0 and not status.get("ready"):
        return _crash(name, ended)
    return None


def _crash(name: str, ended: Object) -> Trouble:
    said = _last_lines(str(ended.get("message") or ""))
    if ended.get("reason") == "OOMKilled":
        return Trouble("OutOfMemory", f"container {name} was killed: it needed more memory than its limit")
    if name == names.LOADER_CONTAINER:
        return Trouble("LoadFailed", said or f"container {name} ended with exit code {ended.get('exitCode')}")
    ending = f"container {name} ended with exit code {ended.get('exitCode')}"
    return Trouble("ContainerCrashed", f"{ending}: {said}" if said else ending)


def _image_words(status: Object, message: str) -> str:
    words = re.sub(r'^Back-off pulling image "[^"]*"(: )?', "", message)
    words = re.sub(r"^(ErrImagePull|ImagePullBackOff)(: )?", "", words)
    return f"image {status.get('image')} cannot be pulled" + (f": {_last_lines(words)}" if words else "")


def _last_lines(text: str) -> str:
    lines = [line.strip() for line in text.strip().splitlines() if line.strip()]
    return redacted(" | ".join(lines[-_LAST_LINES:]))[-_LONGEST_TEXT:]


def _has_failed(pod: Object) -> bool:
    return bool(dig(pod, "status", "phase") == "Failed")


def _steps(pod: Object) -> Iterator[str]:
    yield "Created"
    for entry in dig(pod, "status", "conditions") or ():
        if entry.get("status") == "True" and entry.get("type") != "DisruptionTarget":
            yield str(entry.get("type"))
    for status in _container_statuses(pod):
        if dig(status, "state", "running") is not None or dig(status, "state", "terminated", "exitCode") == 0:
            yield str(status.get("name"))


def _progress(pod: Object) -> Iterator[datetime]:
    yield from timestamps(dig(pod, "metadata", "creationTimestamp"))
    for entry in dig(pod, "status", "conditions") or ():
        if entry.get("status") == "True":
            yield from timestamps(entry.get("lastTransitionTime"))
    for status in _container_statuses(pod):
        if not status.get("restartCount"):
            yield from timestamps(
                dig(status, "state", "running", "startedAt"),
                dig(status, "state", "terminated", "finishedAt")
                if dig(status, "state", "terminated", "exitCode") == 0
                else None,
            )
