"""Whether data comes from the very pipeline that it would start."""

import re
from collections.abc import Callable, Iterable
from typing import Final

from modelberth.api import names
from modelberth.domain.objects import Object, dig, label
from modelberth.domain.training.inputs import Lookup

_FARTHEST: Final = 1000
"""Versions that are looked at; a chain this long is not followed to its end."""


def comes_from(version: str, pipeline: str, lookup: Lookup, pipeline_of: Callable[[str], str | None]) -> bool:
    """Whether a run of the pipeline made a DatasetVersion, or anything that it was made of.

    Args:
        version: the DatasetVersion's name.
        pipeline: the TrainingPipeline's name.
        lookup: the objects of the namespace.
        pipeline_of: the pipeline of a TrainingRun, by the run's name; None if nobody knows the run any more.
    """
    open_, seen = [version], {version}
    while open_ and len(seen) < _FARTHEST:
        name = open_.pop()
        found = lookup.dataset_version(name) or lookup.model_version(name)
        if found is None:
            continue
        if _is_made_by(found, pipeline, pipeline_of):
            return True
        new = [each for each in _made_of(found) if each not in seen]
        seen.update(new)
        open_.extend(new)
    return False


def _is_made_by(version: Object, pipeline: str, pipeline_of: Callable[[str], str | None]) -> bool:
    run = dig(version, "spec", "lineage", "run", "trainingRun")
    if not run:
        return False
    known = pipeline_of(str(run)) or label(version, names.LABEL_PIPELINE)
    if known is not None:
        return known == pipeline
    return re.fullmatch(rf"{re.escape(pipeline)}-([0-9]{{8}}|[0-9a-f]{{10}})", str(run)) is not None


def _made_of(version: Object) -> Iterable[str]:
    lineage = dig(version, "spec", "lineage") or {}
    yield from map(str, dig(version, "spec", "derivedFrom") or ())
    yield from map(str, lineage.get("parents") or ())
    yield from (str(entry["version"]) for entry in lineage.get("datasets") or () if entry.get("version"))
    if lineage.get("package"):
        yield str(lineage["package"])
