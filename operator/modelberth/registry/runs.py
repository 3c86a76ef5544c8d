"""Routes of training runs: what a run's pod tells about its attempt, and what a finished run was."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Path, Query

from modelberth.api.conditions import timestamp
from modelberth.registry.access import Access, RunReader, RunReporter
from modelberth.registry.callers import RunCaller
from modelberth.registry.parameters import REFUSALS, Namespace, RunPath
from modelberth.registry.problems import Problem, forbidden
from modelberth.registry.run_models import AttemptAnswer, AttemptReport, RunAnswer
from modelberth.store.run_types import STEP, RunId, RunRecord

router = APIRouter(prefix="/v1/namespaces/{ns}/runs", tags=["runs"], responses=REFUSALS)


@router.post("/{run}/attempts/{number}")
async def report(
    ns: Namespace,  # noqa: ARG001 - in access
    run: RunPath,  # noqa: ARG001 - in access
    number: Annotated[int, Path(ge=0, le=1000)],
    said: AttemptReport,
    access: RunReporter,
) -> AttemptAnswer:
    """Say how an attempt ended, once: the first report of an attempt holds, and is answered to every later one."""
    caller = _caller(access, number)
    run_id = RunId(caller.run, caller.run_uid)
    for name, digest in (("output", said.output), ("files", said.files)):
        if digest is not None and not await access.store.has_run_content(access.space, run_id, digest):
            raise Problem(409, "NotCommitted", f"{name}: {digest} was not sent by this run: commit it first")
    record = said.as_record(run_id, number, pod_uid=caller.pod_uid, finished_at=timestamp(datetime.now(UTC)))
    held = await access.store.record_attempt(access.space, record)
    return AttemptAnswer(
        status=held.status,
        reason=held.reason,
        output=held.output,
        files=held.files,
        is_yours=held.pod_uid == caller.pod_uid,
    )


@router.get("/{run}")
async def run_of_name(
    ns: Namespace,  # noqa: ARG001 - in access
    run: RunPath,
    access: RunReader,
    uid: Annotated[str | None, Query(max_length=63, pattern=r"^[a-z0-9][a-z0-9-]*$")] = None,
) -> RunAnswer:
    """What a finished run was; of several that had the name, the one with this uid, or the last that ended.

    Steps of the name stand behind TrainingRuns.
    """
    found = [RunId(run, uid)] if uid is not None else await access.store.find_runs(access.space, run)
    records = [await access.store.run_record(access.space, run_id) for run_id in found]
    ended = [record for record in records if record is not None]
    if not ended:
        raise Problem(404, "RunNotFound", f"no run {run} has ended in this namespace; look at its TrainingRun")
    return RunAnswer.of(max(ended, key=_rank))


def _caller(access: Access, number: int) -> RunCaller:
    """The pod, of this attempt and no other."""
    caller = access.caller
    if not isinstance(caller, RunCaller) or caller.attempt != number:
        raise forbidden(f"attempt {number}: this pod is another attempt of the run")
    return caller


def _rank(record: RunRecord) -> tuple[bool, str, str]:
    """A TrainingRun stands before whatever somebody told of a step of its name; then the last that ended."""
    return record.trigger != STEP, record.finished_at, record.run.uid
