"""What is said of an attempt whose pod is on its way, and when it is looked at again."""

from typing import Any, Final

from modelberth.api.training_run import RunPhase
from modelberth.domain.objects import Object, dig, is_deleting, name_of, uid_of
from modelberth.domain.rollouts import LoaderProgress
from modelberth.domain.training import pod_state
from modelberth.domain.training.plan import MISSING_SINCE, Plan, phases_shown
from modelberth.domain.training.pod_state import PodState, Stage
from modelberth.domain.verdicts import Standing, Verdict, waiting

POLL: Final = 5.0
"""Seconds until the progress of a pod that runs is asked for again; its state comes by itself."""
UNSTARTED_POLL: Final = 30.0
"""The same for a pod of which nothing runs: a thousand of them may wait for a node for days."""
STARTING: Final = waiting("Starting", "its pod is to start")
"""Said when the pod is made, and still so when it is seen: the status is written once."""
_PHASE_OF: Final = {
    Stage.STARTING: RunPhase.WAITING,
    Stage.LOADING: RunPhase.LOADING,
    Stage.RUNNING: RunPhase.TRAINING,
    Stage.UPLOADING: RunPhase.UPLOADING,
}
_ORDER: Final = [*RunPhase]
_SAYS: Final = {
    RunPhase.WAITING: STARTING.message,
    RunPhase.LOADING: "package and data are being loaded",
    RunPhase.TRAINING: "the program trains",
    RunPhase.EVALUATING: "the program evaluates",
    RunPhase.SAVING: "the program saves",
    RunPhase.UPLOADING: "what the program left is being uploaded",
}


def decide(
    run: Object,
    pod: Object,
    state: PodState,
    *,
    progress: LoaderProgress | None,
    strays: tuple[Object, ...],
    patience: float,
) -> Plan:
    """The plan of a run whose pod is neither over nor given up.

    Args:
        run: the TrainingRun.
        pod: the attempt's.
        state: how the pod stands.
        progress: what it told the registry last.
        strays: pods of the run that are to go.
        patience: seconds that the pod has left to start in.
    """
    phase = _phase(run, pod, state, progress)
    changes: dict[str, Any] = {
        "phase": phase.value,
        "pod": {"name": name_of(pod), "uid": uid_of(pod)},
        MISSING_SINCE: None,
        **({"imageID": image} if (image := pod_state.image_id(pod)) else {}),
        **_progress(progress),
    }
    return Plan(_verdict(pod, state, phase), changes, strays, requeue_after=_until_next_look(pod, state, patience))


def _verdict(pod: Object, state: PodState, phase: RunPhase) -> Verdict:
    if state.trouble is not None:
        return waiting(state.trouble.reason, state.trouble.message)
    if is_deleting(pod):
        return waiting("Ending", "its pod was told to end")
    if phase is RunPhase.WAITING:
        return STARTING
    return Verdict(phase.value, Standing.WORKING, phase.value, _SAYS[phase])


def _until_next_look(pod: Object, state: PodState, patience: float) -> float:
    """Seconds. A pod that ends may never be heard of again; the patience with one that cannot start ends in time."""
    if state.stage is not Stage.STARTING or is_deleting(pod):
        return POLL
    return min(max(patience, 1.0), UNSTARTED_POLL) if state.trouble is not None and patience > 0 else UNSTARTED_POLL


def _phase(run: Object, pod: Object, state: PodState, progress: LoaderProgress | None) -> RunPhase:
    """How far the pod says that it is. It never goes back: the registry may know nothing for a while."""
    found = _PHASE_OF[state.stage]
    told = progress.phase if progress is not None else ""
    if told in _SAYS:
        found = max(found, RunPhase(told), key=_ORDER.index)
    before = dig(run, "status", "phase")
    if before in _SAYS and dig(run, "status", "pod", "uid") == uid_of(pod):
        found = max(found, RunPhase(str(before)), key=_ORDER.index)
    return found


def _progress(progress: LoaderProgress | None) -> dict[str, Any]:
    if progress is None:
        return {}
    shown = phases_shown(progress.phases)
    return {
        "progress": {"bytes": progress.bytes, "total": progress.total} if progress.total else None,
        **({"phases": shown} if shown else {}),
    }
