"""Routes of steps: work that runs elsewhere, in somebody's workflow engine, and is recorded and skipped like runs here.

A step is a run without a pod of ours: whoever did it tells what went in and what came out. Its uid has a form that no
object of the API server has, and its keys a prefix that no run's has, so that what is told can never be taken for, or
stand in the way of, what a TrainingRun was.
"""

from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Path
from pydantic import Field

from modelberth.api.common import Digest, TrainingRunName, VersionName
from modelberth.api.conditions import timestamp
from modelberth.content.collections import Collection, CollectionFamily
from modelberth.content.versions import split_object_name
from modelberth.domain.redaction import redacted
from modelberth.registry.access import Access, Pusher, RecordReader
from modelberth.registry.callers import SessionCaller
from modelberth.registry.models import Hex, Moment, Wire
from modelberth.registry.parameters import REFUSALS, Namespace
from modelberth.registry.problems import Problem, forbidden
from modelberth.registry.run_models import Line, Name, Word
from modelberth.store.run_types import STEP, KeyRecord, PhaseTime, RunId, RunRecord

_KEY_PREFIX: Final = "step-"
_PHASE: Final = "Step"
StepUid = Annotated[str, Field(pattern=r"^step-[0-9a-f]{32}$")]

router = APIRouter(prefix="/v1/namespaces/{ns}/steps", tags=["steps"], responses=REFUSALS)


class StepVersion(Wire):
    """A version that went into a step, or came out of it."""

    family: Literal["models", "datasets"]
    name: VersionName
    """The object's name, such as housing-v3."""
    digest: Digest
    folder: Annotated[str, Field(max_length=1024)] = ""
    """Which part of it; empty for all."""


class StepReport(Wire):
    """What a step did."""

    name: TrainingRunName
    uid: StepUid
    """Made by whoever reports, for this one execution."""
    key: Hex
    """Equal for steps that would do the same."""
    status: Literal["Succeeded", "Failed"]
    reason: Word = ""
    message: Annotated[str, Field(max_length=4096)] = ""
    traceback: Annotated[tuple[Line, ...], Field(max_length=200)] = ()
    inputs: Annotated[tuple[StepVersion, ...], Field(max_length=32)] = ()
    outputs: Annotated[tuple[StepVersion, ...], Field(max_length=32)] = ()
    parameters: Annotated[dict[Name, Line], Field(max_length=256)] = Field(default_factory=dict)
    metrics: Annotated[dict[Name, float], Field(max_length=256)] = Field(default_factory=dict)
    python: Annotated[str, Field(max_length=64)] = ""
    packages: Annotated[dict[Name, Annotated[str, Field(max_length=256)]], Field(max_length=5000)] = Field(
        default_factory=dict
    )
    started_at: Moment
    """RFC 3339."""
    seconds: Annotated[float, Field(ge=0, lt=2**31)]
    instead_of: StepUid | None = None
    """The step that counted for this key, one of whose versions is gone: believed only where that is so."""


class StepAnswer(Wire):
    """The step that counts for a key."""

    run: str
    uid: str
    outputs: list[str]
    """Names of versions' objects, each with its family before a slash, such as datasets/housing-v3."""


@router.post("", status_code=200)
async def record(ns: Namespace, said: StepReport, access: Pusher) -> StepAnswer:  # noqa: ARG001 - in access
    """Write down what a step did; the first report of a uid is right, and so is the first success with a key."""
    if not isinstance(access.caller, SessionCaller):
        raise forbidden("steps are told by people and their workflows, with a TransferSession for Push")
    access.check_all()
    for output in said.outputs:
        await _check_output(access, output)
    run = RunId(said.name, said.uid)
    held = await access.store.finish_run(access.space, _record(said, run, access.caller.user))
    if held.key != said.key:
        raise Problem(409, "StepTaken", f"uid: {said.uid} was told with another key: make a uid for each execution")
    outputs = held.results["run_summary"]["outputs"]  # what the first report of the uid said, not this one
    mine = KeyRecord(_KEY_PREFIX + held.key, run, ",".join(outputs))
    if held.status != "Succeeded":
        return _answer(mine)
    known = await access.store.run_of_key(access.space, mine.key)
    is_replaced = known is not None and said.instead_of == known.run.uid and await _is_gone(access, known)
    return _answer(await access.store.remember_key(access.space, mine, instead_of=known if is_replaced else None))


@router.get("/{key}")
async def known_step(
    ns: Namespace,  # noqa: ARG001 - in access
    key: Annotated[str, Path(pattern=r"^[0-9a-f]{64}$")],
    access: RecordReader,
) -> StepAnswer:
    """The step that has succeeded with this key, and the versions that came out of it."""
    access.check_all()
    known = await access.store.run_of_key(access.space, _KEY_PREFIX + key)
    if known is None:
        raise Problem(404, "StepNotFound", "no step has succeeded with this key")
    return _answer(known)


async def _check_output(access: Access, output: StepVersion) -> None:
    """What came out must be a version, of that content, and such that the user may push it.

    That shows in the session, or, where a step has outputs of two families, in that he has reserved it himself.
    """
    collection_name, number = split_object_name(output.name)
    family: CollectionFamily = output.family
    found = await access.store.version_record(access.space, Collection(family, collection_name), number)
    if found is None or found.digest != output.digest:
        raise Problem(
            409, "NotReserved", f"outputs: {output.name} is not a version with {output.digest}: push it first"
        )
    if family != access.family and found.created_by != access.caller.user:
        raise forbidden(
            f"outputs: {output.name}: the session is for {access.family}, and {access.caller.user} has not reserved "
            f"this version: create a session for {family}"
        )


async def _is_gone(access: Access, known: KeyRecord) -> bool:
    """Whether a step counts no longer, for one of the versions that came out of it has been deleted."""
    for output in _answer(known).outputs:
        spelt, _, name = output.partition("/")
        family: CollectionFamily = "datasets" if spelt == "datasets" else "models"
        if not await access.backend.resolver.has_version(access.space, family, name):
            return True
    return False


def _record(said: StepReport, run: RunId, user: str) -> RunRecord:
    models = [output.name for output in said.outputs if output.family == "models"]
    return RunRecord(
        run=run,
        pipeline="",
        status=said.status,
        reason=said.reason,
        message=redacted(said.message),
        version=models[0] if models else "",
        inputs=_inputs(said),
        parameters=said.parameters,
        metrics=said.metrics,
        phases=(PhaseTime(_PHASE, said.started_at, said.seconds),),
        python=said.python,
        packages=said.packages,
        traceback=tuple(map(redacted, said.traceback)),
        key=said.key,
        trigger=STEP,
        created_by=user,
        started_at=said.started_at,
        finished_at=timestamp(datetime.now(UTC)),
        results=_results(said),
    )


def _inputs(said: StepReport) -> dict[str, str]:
    """The first dataset and the first model, as runs have them; all of them stand in the results."""
    found: dict[str, str] = {}
    for version in reversed(said.inputs):
        name = "dataset" if version.family == "datasets" else "package"
        found |= {name: version.name, f"{name}Digest": version.digest}
        if version.folder:
            found[f"{name}Folder"] = version.folder
    return found


def _results(said: StepReport) -> dict[str, Any]:
    return {
        "parameters": {"inputs": [_spelt(version) for version in said.inputs], "env": said.parameters},
        "run_summary": {
            "execution_time": said.seconds,
            "start_at": said.started_at,
            "outputs": [_spelt(version) for version in said.outputs],
        },
    }


def _spelt(version: StepVersion) -> str:
    return f"{version.family}/{version.name}"


def _answer(known: KeyRecord) -> StepAnswer:
    outputs = [output for output in known.version.split(",") if output]
    return StepAnswer(run=known.run.name, uid=known.run.uid, outputs=outputs)
