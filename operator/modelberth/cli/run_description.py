"""Everything about a training run, as text: from its record once it has ended, from its object until then."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from modelberth.cli.display import size
from modelberth.cli.following import why_of
from modelberth.cli.run_records import Run
from modelberth.cli.times import time_text
from modelberth.domain.objects import dig
from modelberth.domain.training.outcome import created_by

SAME = "the same content, byte by byte"
OTHER = "other content: the files differ"
"""What a reproduction came to."""
_LABEL = 13
_TAIL = 20


def describe(run: Run) -> str:
    """The description, in sections."""
    known = _known(run)
    sections = [
        [*_fields(_status(run, known))],
        ["inputs", *_indented(_fields(_inputs(known)))],
        ["parameters", *_indented(_fields(sorted(known["parameters"].items())))],
        ["outputs", *_indented(_fields(_outputs(run, known)))],
        ["metrics", *_indented(_fields((name, f"{value:g}") for name, value in sorted(known["metrics"].items())))],
        ["phases", *_indented(_fields(_phases(known)))],
        ["attempts", *_indented(_attempts(run))],
        ["files", *_indented(_files(run, known))],
        ["traceback", *_indented(known["traceback"])],
        ["end of the log", *_indented(known["logTail"][-_TAIL:])],
    ]
    return "\n\n".join("\n".join(lines) for number, lines in enumerate(sections) if len(lines) > 1 or not number)


def _known(run: Run) -> Mapping[str, Any]:
    """The record's fields; of a run that has not ended what its status says."""
    if run.record is not None:
        return run.record
    status: Mapping[str, Any] = (run.object or {}).get("status") or {}
    return {
        "status": status.get("phase") or "Waiting",
        "pipeline": status.get("pipeline") or dig(run.object, "spec", "pipeline") or "",
        "reason": status.get("reason") or "",
        "message": status.get("message") or "",
        "inputs": status.get("inputs") or {},
        "parameters": status.get("parameters") or dig(run.object, "spec", "environment") or {},
        "image": dig(status, "inputs", "image") or "",
        "imageDigest": status.get("imageID") or "",
        "version": status.get("version") or "",
        "files": status.get("files"),
        "filePaths": [],
        "metrics": status.get("metrics") or {},
        "phases": status.get("phases") or [],
        "python": "",
        "packages": {},
        "traceback": [],
        "logTail": [],
        "key": status.get("key") or "",
        "trigger": dig(run.object, "spec", "trigger", "type") or "",
        "createdBy": created_by(run.object) if run.object else "",
        "notes": dig(run.object, "spec", "notes") or "",
        "startedAt": status.get("startedAt") or "",
        "finishedAt": status.get("finishedAt") or "",
        "results": {},
        "template": status.get("template") or {},
    }


def _status(run: Run, known: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    why = ": ".join(part for part in (known["reason"], known["message"]) if part)
    yield "run", run.name if run.object is not None else f"{run.name} (its object was deleted)"
    yield "pipeline", known["pipeline"]
    yield "status", known["status"]
    yield "why", why or (why_of(run.object) if run.object and run.record is None else "")
    yield "trigger", known["trigger"]
    yield "by", known["createdBy"]
    yield "notes", " ".join(str(known.get("notes") or "").split())
    yield "started", time_text(known["startedAt"])
    yield "ended", time_text(known["finishedAt"])
    yield "took", _seconds(dig(known["results"], "run_summary", "execution_time"))
    yield "key", known["key"]


def _inputs(known: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    inputs = known["inputs"]
    for name in ("package", "dataset", "evaluation"):
        folder = inputs.get(f"{name}Folder")
        shown = f"{inputs.get(name)}#{folder}" if folder else inputs.get(name)
        yield name, " ".join(str(part) for part in (shown, inputs.get(f"{name}Digest")) if part)
    yield "image", " ".join(part for part in (known["image"], known["imageDigest"]) if part)
    gpu = dig(known["results"], "parameters", "inputs", "gpu")
    yield "gpu", gpu or ""
    yield "python", known["python"]
    yield "libraries", f"{len(known['packages'])}: see packages.txt" if known["packages"] else ""


def _outputs(run: Run, known: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    yield "version", known["version"]
    yield "digest", known.get("output")
    compared = dig(run.object, "status", "reproduction")
    if compared:
        yield "reproduces", f"{compared['version']}: {SAME if compared.get('sameDigest') else OTHER}"


def _phases(known: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Durations under each other, and beside them what was moved."""
    took = [_seconds(phase["seconds"]) for phase in known["phases"]]
    moved = [size(phase["bytes"]) if phase.get("bytes") else "" for phase in known["phases"]]
    widths = [max(map(len, column), default=0) for column in (took, moved)]
    for phase, seconds, moved_bytes in zip(known["phases"], took, moved, strict=True):
        yield phase["name"].lower(), f"{seconds:>{widths[0]}}   {moved_bytes:>{widths[1]}}".rstrip()


def _attempts(run: Run) -> Iterator[str]:
    for attempt in dig(run.object, "status", "attempts") or ():
        yield f"{attempt['number']}   {attempt['reason']}: {attempt['message']}"


def _files(run: Run, known: Mapping[str, Any]) -> Iterator[str]:
    if known["files"]:
        yield f"modelberth run get {run.name} DIR brings them, with log.txt and packages.txt"
        yield from known["filePaths"]
    if known["template"].get("saveTrainingData"):
        yield "data_directory"


def _fields(pairs: Iterable[tuple[str, Any]]) -> Iterator[str]:
    """A line for each field that has a value."""
    for name, value in pairs:
        if value not in (None, ""):
            yield f"{name + ':':<{_LABEL}} {value}"


def _indented(lines: Iterable[str]) -> Iterator[str]:
    return (f"  {line}" for line in lines)


def _seconds(value: Any) -> str:
    return f"{float(value):.1f} s" if isinstance(value, int | float) else ""
