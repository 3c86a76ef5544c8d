"""Whether data comes from the very pipeline that it would start."""

import re
from collections.abc import Callable, Iterable
from typing import Final

from modelberth.api import names
from modelberth.domain.objects import Object, dig, label, uid_of
from modelberth.domain.run_claims import STEP_UID_PREFIX
from modelberth.domain.training.inputs import Lookup

_FARTHEST: Final = 1000
"""Versions that are looked at; a chain this long is not followed to its end."""


def comes_from(version: str, pipeline: str, lookup: Lookup, run_named: Callable[[str], Object | None]) -> bool:
    """Whether a run of the pipeline made a DatasetVersion, or anything that it was made of.

    Args:
        version: the DatasetVersion's name.
        pipeline: the TrainingPipeline's name.
        lookup: the objects of the namespace.
        run_named: a TrainingRun by its name; None if it is there no more. What went into a run that is there counts
            for what came out of it, whether that says so or not.
    """
    open_, seen = [version], {version}
    while open_ and len(seen) < _FARTHEST:
        name = open_.pop()
        found = lookup.dataset_version(name) or lookup.model_version(name)
        if found is None:
            continue
        run = _run_of(found, run_named)
        if _is_made_by(found, run, pipeline):
            return True
        new = [each for each in (*_made_of(found), *_went_into(run)) if each not in seen]
        seen.update(new)
        open_.extend(new)
    return False


def _run_of(version: Object, run_named: Callable[[str], Object | None]) -> Object | None:
    """The run that a version says made it, if it is there: a uid that it gives is that run's and no namesake's."""
    said = dig(version, "spec", "lineage", "run") or {}
    run = run_named(str(said.get("trainingRun"))) if said.get("trainingRun") else None
    return run if run is not None and said.get("uid") in {None, uid_of(run)} else None


def _is_made_by(version: Object, run: Object | None, pipeline: str) -> bool:
    said = dig(version, "spec", "lineage", "run") or {}
    if not said.get("trainingRun") or str(said.get("uid")).startswith(STEP_UID_PREFIX):
        return False
    known = dig(run, "spec", "pipeline") or label(version, names.LABEL_PIPELINE)
    if known is not None:
        return bool(known == pipeline)
    return re.fullmatch(rf"{re.escape(pipeline)}-([0-9]{{8}}|[0-9a-f]{{10}})", str(said["trainingRun"])) is not None


def _went_into(run: Object | None) -> Iterable[str]:
    inputs = dig(run, "status", "inputs") or {}
    return (str(inputs[field]) for field in ("package", "dataset", "evaluation") if inputs.get(field))


def _made_of(version: Object) -> Iterable[str]:
    lineage = dig(version, "spec", "lineage") or {}
    yield from map(str, dig(version, "spec", "derivedFrom") or ())
    yield from map(str, lineage.get("parents") or ())
    yield from (str(entry["version"]) for entry in lineage.get("datasets") or () if entry.get("version"))
    if lineage.get("package"):
        yield str(lineage["package"])
