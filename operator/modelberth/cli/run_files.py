"""Brings what a training run left into a folder, which is there as a whole or not at all."""

import json
import os
import shutil
import sys
from collections.abc import Mapping
from typing import Any

from modelberth.cli.cluster import Cluster
from modelberth.cli.display import showing
from modelberth.cli.errors import CommandError
from modelberth.cli.run_records import Run
from modelberth.cli.session import Place, session_access
from modelberth.content.collections import Family
from modelberth.transfer.load import load
from modelberth.transfer.progress import Progress

RESULTS_FILE = "_results.json"
DATA_FOLDER = "data_directory"


def get_files(
    cluster: Cluster, place: Place, namespace: str, run: Run, folder: str, *, workers: int, quiet: bool
) -> str:
    """Make the folder; returns its path.

    Args:
        cluster: as the user.
        place: where the registry is.
        namespace: the run's.
        run: the run, which has ended.
        folder: where to; must not be there, or be empty.
        workers: threads that fetch and verify.
        quiet: show no progress.

    Raises:
        CommandError: the run has no files, or the folder holds something.
        TransferError: something was refused, damaged or could not be reached; nothing became visible.
    """
    record = _ended(run)
    target = os.path.abspath(folder)
    if os.path.lexists(target) and (not os.path.isdir(target) or os.listdir(target)):
        raise CommandError(f"{folder} is there and not empty: choose another folder")
    staging = os.path.join(os.path.dirname(target), f".{os.path.basename(target)}.run.partial")
    shutil.rmtree(staging, ignore_errors=True)
    progress = Progress()

    def bring(digest: str, into: str, family: Family, part: str | None = None) -> None:
        with session_access(cluster, place, namespace, "Pull", family=family) as access:
            load(
                access.client,
                access.http,
                digest,
                into,
                workers=workers,
                progress=progress,
                folder=part,
                family=family,
            )

    with showing(progress, quiet=quiet):
        if record["files"]:
            bring(record["files"], staging, "runs")
        os.makedirs(staging, exist_ok=True)
        data = record["inputs"].get("datasetDigest")
        if record["template"].get("saveTrainingData") and data:
            part = record["inputs"].get("datasetFolder") or None
            bring(data, os.path.join(staging, DATA_FOLDER), "datasets", part)
    _write(os.path.join(staging, RESULTS_FILE), record["results"])
    if os.path.isdir(target):
        os.rmdir(target)
    os.rename(staging, target)
    if not record["files"]:
        print(f"{run.name} left no files besides its results", file=sys.stderr)
    return target


def _ended(run: Run) -> Mapping[str, Any]:
    if run.record is None:
        raise CommandError(f"TrainingRun {run.name} has not ended: modelberth run follow {run.name}")
    return run.record


def _write(path: str, results: Mapping[str, Any]) -> None:
    with open(path, "w", encoding="utf-8") as file:
        json.dump(results, file, indent=2, ensure_ascii=False)
        file.write("\n")
