"""The end of a run, step by step: version record, run record, ModelVersion, key. Each may be done again.

The version's record knows the run's uid, so that a run that comes here twice finds the number that it has, and what it
means: also where two leaders each saw another attempt succeed. The run's record is written once, and what it says is
what the status says.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from modelberth.api import names
from modelberth.api.conditions import timestamp
from modelberth.content.collections import artifact
from modelberth.content.errors import FormatError
from modelberth.content.versions import object_name, split_object_name
from modelberth.domain.objects import Object, dig, name_of, namespace_of, uid_of
from modelberth.domain.rollouts import PhaseProgress
from modelberth.domain.training import outcome, pod_state, reasons
from modelberth.domain.training.inputs import Inputs
from modelberth.domain.training.plan import Ending, Told, failures_of
from modelberth.domain.training.template import Settled
from modelberth.reconcile.base import Recorder
from modelberth.runtime.cache import Cache
from modelberth.runtime.errors import AlreadyExists
from modelberth.runtime.kube import KubeApi
from modelberth.runtime.resources import MODEL_VERSIONS
from modelberth.store.errors import StoreUnavailable
from modelberth.store.port import StorePort
from modelberth.store.run_types import AttemptRecord, KeyRecord, RunId, RunRecord
from modelberth.store.types import NewVersion, Space, VersionRecord


@dataclass(frozen=True, slots=True)
class Final:
    """What is known of a run that ends.

    Attributes:
        run: the TrainingRun.
        ending: how it ends; a success has no version yet.
        inputs: what went in; None for a run that never started.
        settled: what was executed; None likewise.
        key: of the run, in hex; empty for a run that never started.
        attempt: the last attempt's record, if it left one.
        pod: the last attempt's pod, if it is there.
    """

    run: Object
    ending: Ending
    inputs: Inputs | None = None
    settled: Settled | None = None
    key: str = ""
    attempt: AttemptRecord | None = None
    pod: Object | None = None


class Finisher:
    """Writes down how runs ended, and makes their versions."""

    def __init__(self, *, kube: KubeApi, cache: Cache, store: StorePort, recorder: Recorder) -> None:
        self._kube = kube
        self._cache = cache
        self._store = store
        self._recorder = recorder

    async def finish(self, space: Space, final: Final, *, now: datetime) -> tuple[Told, dict[str, Any]]:
        """How the run ended, for ever, and what its status says besides.

        A run that has a record already ended as that says, whatever it would come to now.
        """
        held = await self._store.run_record(space, run_id(final.run))
        changes: dict[str, Any] = {}
        if dig(final.run, "spec", "reproduces") and final.attempt is not None:
            changes["reproduction"] = await self._comparison(space, final.run, final.attempt)
        if held is None:
            held = await self._ended(space, final, now)
        changes["imageID"] = held.inputs.get("imageID")
        said = told(held)
        if held.status == "Succeeded" and held.version:
            said = replace(said, message=await self._shown(space, final.run, held))
        return said, changes

    async def _ended(self, space: Space, final: Final, now: datetime) -> RunRecord:
        """The run's record, with the number that it makes.

        It comes before the object: of two leaders that see different ends the first to write it decides, and nothing
        that anybody can deploy says otherwise.
        """
        if final.ending.status != "Succeeded" or dig(final.run, "spec", "reproduces"):
            return await self._store.finish_run(space, _record(final, now))
        try:
            record = await self._reserve(space, final)
        except FormatError as error:
            none = Ending("Failed", reasons.BAD_OUTPUT, f"no version can be made: {error}")
            return await self._store.finish_run(space, _record(replace(final, ending=none), now))
        name = object_name(record.collection.name, record.version)
        made = replace(final.ending, version=name, message=final.ending.message or f"made {name}")
        final = replace(final, ending=made, attempt=await self._maker(space, final, record.digest))
        return await self._store.finish_run(space, _record(final, now))

    async def _maker(self, space: Space, final: Final, digest: str) -> AttemptRecord | None:
        """The attempt whose output the version is: the last one, unless another leader saw another one succeed."""
        if final.attempt is None or final.attempt.output == digest:
            return final.attempt
        for number in range(_ATTEMPTS):
            found = await self._store.attempt(space, run_id(final.run), number)
            if found is not None and found.output == digest:
                return found
        return final.attempt

    async def _shown(self, space: Space, run: Object, held: RunRecord) -> str:
        """The message of a success, once its version is there for all to see and its key is known."""
        holder, number = split_object_name(held.version)
        record = await self._store.version_record(space, artifact(holder), number)
        if record is None:
            raise StoreUnavailable(f"the record of version {held.version} is not there yet; it is asked for again")
        taken = await self._create(run, held.version, record)
        known = await self._store.run_of_key(space, held.key)
        gone = known if known is not None and self._is_gone(run, known.version) else None
        await self._store.remember_key(space, KeyRecord(held.key, held.run, held.version), instead_of=gone)
        return ". ".join(part for part in (held.message, taken) if part)

    async def _reserve(self, space: Space, final: Final) -> VersionRecord:
        inputs, settled, attempt = final.inputs, final.settled, final.attempt
        assert inputs and settled and attempt and attempt.output  # noqa: S101, PT018 - what a success is made of
        digest = pod_state.image_digest(_image_id(final))
        new = NewVersion(
            artifact(inputs.artifact),
            digest=attempt.output,
            created_by=_CREATED_BY,
            versioning="Semantic",
            spec=outcome.version_spec(final.run, inputs, settled, told(attempt), image_digest=digest),
        )
        uid = uid_of(final.run)
        reserved = await self._store.reserve_minor(space, new, major=inputs.major, base=inputs.base, run_uid=uid)
        return reserved.record

    async def _create(self, run: Object, name: str, record: VersionRecord) -> str:
        """Make the version's object. One that says the same is there because an answer was lost.

        Returns:
            What is wrong with the one that is there; empty for nothing.
        """
        pipeline = dig(run, "status", "pipeline")
        body: Object = {
            "apiVersion": names.API_VERSION,
            "kind": "ModelVersion",
            "metadata": {
                "name": name,
                "namespace": namespace_of(run),
                "labels": {names.LABEL_RUN: name_of(run)} | ({names.LABEL_PIPELINE: pipeline} if pipeline else {}),
            },
            "spec": {
                "artifact": record.collection.name,
                "version": record.version,
                "digest": record.digest,
                "source": {"pushed": {}},
                **record.spec,
            },
        }
        try:
            self._cache.observe(await self._kube.create(MODEL_VERSIONS, namespace_of(run), body))
        except AlreadyExists:
            there = await self._kube.get(MODEL_VERSIONS, namespace_of(run), name)
            if dig(there, "spec", "digest") != record.digest:
                message = (
                    f"ModelVersion {name} is somebody else's object; its number is this run's, which made "
                    f"{record.digest}: delete the object and make it again with that spec.digest"
                )
                self._recorder.event(run, "Warning", "NameTaken", message)
                return message
        return ""

    def _is_gone(self, run: Object, version: str) -> bool:
        return self._cache.get(MODEL_VERSIONS, namespace_of(run), version) is None

    async def _comparison(self, space: Space, run: Object, attempt: AttemptRecord) -> dict[str, Any] | None:
        name = str(dig(run, "spec", "reproduces"))
        holder, number = split_object_name(name)
        record = await self._store.version_record(space, artifact(holder), number)
        if record is None:
            return None
        return outcome.reproduction(name, record.digest, record.spec.get("metrics"), told(attempt))


_ATTEMPTS = 32
"""As many as a run can have, and some."""
_CREATED_BY = "system:modelberth"
"""The store knows a run's own record by its author; names in `system:` are the cluster's, not people's."""


def run_id(run: Object) -> RunId:
    """The run, as the store knows it."""
    return RunId(name_of(run), uid_of(run))


def told(record: AttemptRecord | RunRecord) -> Told:
    """What a record says, for decisions."""
    return Told(
        status=record.status,
        reason=record.reason,
        message=record.message,
        version=record.version if isinstance(record, RunRecord) else "",
        output=record.output,
        files=record.files,
        metrics=record.metrics,
        phases=tuple(PhaseProgress(each.name, each.started_at, each.seconds, each.bytes) for each in record.phases),
        python=record.python,
        packages=record.packages,
        finished_at=record.finished_at,
    )


def _record(final: Final, now: datetime) -> RunRecord:
    """What the store keeps of the run. Of a run that failed the last attempt's log and files are kept."""
    run, ending, attempt = final.run, final.ending, final.attempt
    status = run.get("status") or {}
    had_pods = final.inputs is not None and ending.status != "Skipped"
    record = RunRecord(
        run=run_id(run),
        pipeline=str(dig(run, "spec", "pipeline") or ""),
        status=ending.status,
        reason=ending.reason,
        message=ending.message,
        version=ending.version,
        inputs=_went_in(final),
        parameters={str(name): str(value) for name, value in (status.get("parameters") or {}).items()},
        image=final.inputs.image if final.inputs else "",
        image_digest=pod_state.image_digest(_image_id(final)),
        attempts=len(failures_of(run)) + 1 if had_pods else 0,
        key=final.key,
        trigger=outcome.trigger(run),
        created_by=outcome.created_by(run),
        notes=str(dig(run, "spec", "notes") or ""),
        started_at=str(status.get("startedAt") or ""),
        finished_at=timestamp(now),
        results=outcome.results(
            run, final.inputs, final.settled, ending, files=attempt.files if attempt else None, now=now
        ),
        template=status.get("template") or {},
    )
    if attempt is None:
        return record
    return replace(
        record,
        output=attempt.output,
        files=attempt.files,
        file_paths=attempt.file_paths,
        metrics=attempt.metrics,
        phases=attempt.phases,
        python=attempt.python,
        packages=attempt.packages,
        traceback=attempt.traceback,
        log_tail=attempt.log_tail,
    )


def _image_id(final: Final) -> str:
    """What the last attempt ran in: the pod may be gone, and what was seen of it stands in the status."""
    return pod_state.image_id(final.pod) or str(dig(final.run, "status", "imageID") or "")


def _went_in(final: Final) -> dict[str, str]:
    if final.inputs is None:
        return {}
    image = _image_id(final)
    known = {name: str(value) for name, value in final.inputs.status().items()}
    return known | ({"imageID": image} if image else {})
