"""Records of training runs: how each attempt ended, how the run ended, and which run was the first of its key.

Each is written once, with If-None-Match, and the first writer is right: a doubled pod, a second leader or a lost answer
never changes what a run was.
"""

from collections.abc import Mapping
from typing import Any, TypeVar, cast

from modelberth.store import keys
from modelberth.store.bucket import Bucket
from modelberth.store.documents import FORMAT, Document, from_json, to_json
from modelberth.store.errors import NotFound, StoreUnavailable, Tampered
from modelberth.store.run_types import (
    AttemptRecord,
    AttemptStatus,
    KeyRecord,
    PhaseTime,
    RunId,
    RunRecord,
    RunStatus,
)
from modelberth.store.types import Space

MAX_RUN_BYTES = 8 * 1024 * 1024
"""What readers take: an attempt's report of 1 MiB and an object of the API server's 1.5 MiB, escaped."""
_WRITERS = 16

T = TypeVar("T", AttemptRecord, RunRecord)


class RunRecords:
    """The run records of a bucket."""

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket

    async def record_attempt(self, space: Space, record: AttemptRecord) -> AttemptRecord:
        """See `StorePort.record_attempt`."""
        key = keys.run_attempt(space, record.run, record.number)
        if await self._bucket.put_if_absent(key, serialise_attempt(record)):
            return record
        return _must(key, await self.attempt(space, record.run, record.number))

    async def attempt(self, space: Space, run: RunId, number: int) -> AttemptRecord | None:
        """See `StorePort.attempt`."""
        key = keys.run_attempt(space, run, number)
        body = await self._read(key)
        return None if body is None else parse_attempt(key, run, number, body)

    async def enter_content(self, space: Space, run: RunId, digest: str) -> None:
        """See `ContentStore.enter_run_content`."""
        await self._bucket.put(keys.run_content(space, run, digest), b"")

    async def has_content(self, space: Space, run: RunId, digest: str) -> bool:
        """See `ContentStore.has_run_content`."""
        return await self._bucket.head(keys.run_content(space, run, digest)) is not None

    async def finish(self, space: Space, record: RunRecord) -> RunRecord:
        """See `StorePort.finish_run`."""
        key = keys.run_result(space, record.run)
        if await self._bucket.put_if_absent(key, serialise_run(record)):
            return record
        return _must(key, await self.result(space, record.run))

    async def result(self, space: Space, run: RunId) -> RunRecord | None:
        """See `StorePort.run_record`."""
        key = keys.run_result(space, run)
        body = await self._read(key)
        return None if body is None else parse_run(key, run, body)

    async def find(self, space: Space, name: str) -> list[RunId]:
        """See `StorePort.find_runs`."""
        return await self._listed(space, keys.runs_of_name(space, name))

    async def all(self, space: Space) -> list[RunId]:
        """See `StorePort.runs`."""
        return await self._listed(space, keys.runs(space))

    async def remember_key(self, space: Space, record: KeyRecord, *, instead_of: KeyRecord | None = None) -> KeyRecord:
        """See `StorePort.remember_key`."""
        for _ in range(_WRITERS):
            generations = await self._generations(space, record.key)
            known = None if not generations else await self._key_record(space, record.key, generations[-1])
            if known is not None and known != instead_of:
                return known
            key = keys.run_key_entry(space, record.key, generations[-1] + 1 if generations else keys.FIRST_ENTRY)
            if await self._bucket.put_if_absent(key, _serialise_key(record)):
                return record
        raise StoreUnavailable(f"run key {record.key}: too many writers at once; try again")

    async def of_key(self, space: Space, key: str) -> KeyRecord | None:
        """See `StorePort.run_of_key`."""
        generations = await self._generations(space, key)
        return await self._key_record(space, key, generations[-1]) if generations else None

    async def _generations(self, space: Space, key: str) -> list[int]:
        listed = await self._bucket.list_objects(keys.run_key(space, key))
        return [int(last) for info in listed if (last := keys.last_part(info.key)).isdecimal()]

    async def _key_record(self, space: Space, key: str, generation: int) -> KeyRecord:
        path = keys.run_key_entry(space, key, generation)
        fields = from_json(path, await self._bucket.get(path, limit=MAX_RUN_BYTES))
        fields.expect("key", key)
        return KeyRecord(key, RunId(fields.text("run"), fields.text("uid")), fields.text("version"))

    async def _listed(self, space: Space, folder: str) -> list[RunId]:
        """The finished runs below a folder, by name and uid."""
        whole = keys.runs(space)
        listed = await self._bucket.list_objects(folder)
        parts = (info.key.removeprefix(whole).split("/") for info in listed)
        return sorted(RunId(path[0], path[1]) for path in parts if len(path) == 3 and path[2] == "result")

    async def _read(self, key: str) -> bytes | None:
        try:
            return await self._bucket.get(key, limit=MAX_RUN_BYTES)
        except NotFound:
            return None


def serialise_attempt(record: AttemptRecord) -> bytes:
    """The attempt's record as it lies in the bucket."""
    return to_json(
        {
            **_common(record),
            "number": record.number,
            "podUID": record.pod_uid,
        }
    )


def parse_attempt(key: str, run: RunId, number: int, body: bytes) -> AttemptRecord:
    """The attempt's record that lies at `key`.

    Raises:
        Tampered: it is none, or another one's.
    """
    fields = from_json(key, body)
    fields.expect("number", number)
    status = _one_of(key, fields, ("Succeeded", "Failed"))
    return AttemptRecord(
        number=number,
        pod_uid=fields.text("podUID"),
        status=cast("AttemptStatus", status),
        **_parse_common(fields, run),
    )


def serialise_run(record: RunRecord) -> bytes:
    """The run's record as it lies in the bucket."""
    return to_json(
        {
            **_common(record),
            "pipeline": record.pipeline,
            "version": record.version,
            "inputs": dict(record.inputs),
            "parameters": dict(record.parameters),
            "image": record.image,
            "imageDigest": record.image_digest,
            "attempts": record.attempts,
            "key": record.key,
            "trigger": record.trigger,
            "createdBy": record.created_by,
            "notes": record.notes,
            "startedAt": record.started_at,
            "results": dict(record.results),
            "template": dict(record.template),
        }
    )


def parse_run(key: str, run: RunId, body: bytes) -> RunRecord:
    """The run's record that lies at `key`.

    Raises:
        Tampered: it is none, or another one's.
    """
    fields = from_json(key, body)
    status = _one_of(key, fields, ("Succeeded", "Failed", "Skipped"))
    return RunRecord(
        status=cast("RunStatus", status),
        pipeline=fields.text("pipeline"),
        version=fields.text("version"),
        inputs=fields.text_map("inputs"),
        parameters=fields.text_map("parameters"),
        image=fields.text("image"),
        image_digest=fields.text("imageDigest"),
        attempts=fields.integer("attempts"),
        key=fields.text("key"),
        trigger=fields.text("trigger"),
        created_by=fields.text("createdBy"),
        notes=fields.added_text("notes"),
        started_at=fields.text("startedAt"),
        results=fields.mapping("results"),
        template=fields.mapping("template"),
        **_parse_common(fields, run),
    )


def _common(record: AttemptRecord | RunRecord) -> dict[str, Any]:
    """What the records of attempts and of runs have alike."""
    return {
        "format": FORMAT,
        "run": record.run.name,
        "uid": record.run.uid,
        "status": record.status,
        "reason": record.reason,
        "message": record.message,
        "traceback": list(record.traceback),
        "output": record.output,
        "files": record.files,
        "filePaths": list(record.file_paths),
        "metrics": dict(record.metrics),
        "phases": [_phase(phase) for phase in record.phases],
        "python": record.python,
        "packages": dict(record.packages),
        "logTail": list(record.log_tail),
        "finishedAt": record.finished_at,
    }


def _parse_common(fields: Document, run: RunId) -> dict[str, Any]:
    fields.expect("run", run.name)
    fields.expect("uid", run.uid)
    return {
        "run": run,
        "reason": fields.text("reason"),
        "message": fields.text("message"),
        "traceback": fields.texts("traceback"),
        "output": fields.optional_text("output"),
        "files": fields.optional_text("files"),
        "file_paths": fields.texts("filePaths"),
        "metrics": fields.number_map("metrics"),
        "phases": tuple(_parse_phase(phase) for phase in fields.documents("phases")),
        "python": fields.text("python"),
        "packages": fields.text_map("packages"),
        "log_tail": fields.texts("logTail"),
        "finished_at": fields.text("finishedAt"),
    }


def _phase(phase: PhaseTime) -> Mapping[str, Any]:
    return {"name": phase.name, "startedAt": phase.started_at, "seconds": phase.seconds, "bytes": phase.bytes}


def _parse_phase(fields: Document) -> PhaseTime:
    return PhaseTime(fields.text("name"), fields.text("startedAt"), fields.number("seconds"), fields.integer("bytes"))


def _serialise_key(record: KeyRecord) -> bytes:
    return to_json(
        {
            "format": FORMAT,
            "key": record.key,
            "run": record.run.name,
            "uid": record.run.uid,
            "version": record.version,
        }
    )


def _one_of(key: str, fields: Document, known: tuple[str, ...]) -> str:
    status = fields.text("status")
    if status not in known:
        raise Tampered(key, f"its field status is {status[:40]!a}; {', '.join(known)} are known")
    return status


def _must(key: str, record: T | None) -> T:
    if record is None:
        raise Tampered(key, "it was removed, and records stay for ever")
    return record
