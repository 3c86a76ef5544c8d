"""Look at training runs.

describe NAME   everything about a run: inputs, outputs, files, metrics, phases, the end of its log
follow NAME     its phases and its output until it has ended, or the end of its output if it has; the exit code is the
                run's: 0 when a version was made or was there already, 1 when it failed
get NAME DIR    its files: log, list of libraries, artifacts, _results.json, and its data if it keeps that
list            the runs of the namespace, as long as their objects are there; modelberth runs knows all that ended
"""

import argparse
import json
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from modelberth.cli.arguments import add_place, add_workers, plain_name
from modelberth.cli.cluster import Cluster
from modelberth.cli.existence import check_namespace, check_pipeline
from modelberth.cli.following import ending_line, has_ended, state_line, why_of
from modelberth.cli.run_description import describe
from modelberth.cli.run_files import get_files
from modelberth.cli.run_records import Run, find_run
from modelberth.cli.session import Place
from modelberth.cli.tables import table
from modelberth.cli.times import time_text
from modelberth.cli.train import exit_code, follow_to_code
from modelberth.domain.objects import dig
from modelberth.lineage.svg import shortened
from modelberth.runtime.resources import TRAINING_RUNS, Object
from modelberth.transfer.errors import HttpFailure

_WHY = 80
"""Characters of a reason in the list."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    for name, (action, summary) in _ACTIONS.items():
        part = actions.add_parser(name, help=summary, description=summary)
        if name != "list":
            part.add_argument("name", metavar="NAME", type=plain_name, help="the TrainingRun")
        if name == "get":
            part.add_argument("folder", metavar="DIR", help="where to; made by this command")
            add_workers(part)
        if name in ("describe", "get"):
            part.add_argument(
                "--uid", help="the run with this metadata.uid, where several had the name (default: the last)"
            )
        if name in ("describe", "list"):
            part.add_argument("-o", "--output", choices=("json",), help="print JSON instead of text")
        if name == "list":
            part.add_argument("--pipeline", metavar="NAME", type=plain_name, help="only runs of this TrainingPipeline")
        add_place(part)
        part.set_defaults(action=action)


def run(arguments: argparse.Namespace) -> int:
    """Do what the action says."""
    place = Place.of(arguments)
    with place.connect() as cluster:
        action: Callable[[argparse.Namespace, Cluster, Place, str], int] = arguments.action
        return action(arguments, cluster, place, place.namespace or cluster.namespace)


def _describe(arguments: argparse.Namespace, cluster: Cluster, place: Place, namespace: str) -> int:
    found = find_run(cluster, place, namespace, arguments.name, uid=arguments.uid)
    if arguments.output == "json":
        print(json.dumps({"object": found.object, "record": found.record}, indent=2, ensure_ascii=False))
    else:
        print(describe(found))
    return 0


def _follow(arguments: argparse.Namespace, cluster: Cluster, place: Place, namespace: str) -> int:
    found = cluster.get(TRAINING_RUNS, namespace, arguments.name)
    if found is not None and not has_ended(found):
        return follow_to_code(cluster, namespace, found)
    try:
        record = find_run(cluster, place, namespace, arguments.name, uid=None).record
    except HttpFailure as error:
        if error.status != 403 or found is None:
            raise
        print(f"its log is not shown, for lack of rights: {error.reason}", file=sys.stderr)
        record = None
    if record is not None:
        return _show_end(arguments.name, record)
    print(state_line(found or {}), file=sys.stderr)
    return exit_code(dig(found, "status", "phase"))


def _show_end(name: str, record: Mapping[str, Any]) -> int:
    """What a run that has ended printed, and how it ended: its pod may be gone, its record is not."""
    for line in record["logTail"]:
        print(line)
    sys.stdout.flush()
    if record["logTail"]:
        print(f"this is the end of its log: modelberth run get {name} DIR brings all of it", file=sys.stderr)
    print(ending_line(record), file=sys.stderr)
    return exit_code(record["status"])


def _get(arguments: argparse.Namespace, cluster: Cluster, place: Place, namespace: str) -> int:
    found: Run = find_run(cluster, place, namespace, arguments.name, uid=arguments.uid)
    print(
        get_files(cluster, place, namespace, found, arguments.folder, workers=arguments.workers, quiet=arguments.quiet)
    )
    return 0


def _list(arguments: argparse.Namespace, cluster: Cluster, _: Place, namespace: str) -> int:
    wanted = arguments.pipeline
    found = [
        each
        for each in cluster.list(TRAINING_RUNS, namespace)
        if wanted is None or wanted in (dig(each, "spec", "pipeline"), dig(each, "status", "pipeline"))
    ]
    if not found:
        check_namespace(cluster, namespace)
        if wanted is not None:
            check_pipeline(cluster, namespace, wanted)
    rows = [_row(each) for each in sorted(found, key=lambda each: str(dig(each, "metadata", "creationTimestamp")))]
    if arguments.output == "json":
        print(json.dumps(rows, indent=2, ensure_ascii=False))
    elif rows:
        shown = [{**row, "why": shortened(row["why"], _WHY)} for row in rows]
        print(table([name.upper() for name in rows[0]], [list(map(str, row.values())) for row in shown]))
        if shown != rows:
            print("long reasons are shortened: modelberth run describe NAME has them whole", file=sys.stderr)
    else:
        print(f"no training runs{f' of pipeline {wanted}' if wanted else ''} in namespace {namespace}")
    return 0


def _row(each: Object) -> Mapping[str, str]:
    status = each.get("status") or {}
    fields: Iterable[tuple[str, Any]] = (
        ("run", dig(each, "metadata", "name")),
        ("pipeline", status.get("pipeline") or dig(each, "spec", "pipeline")),
        ("phase", status.get("phase") or "Waiting"),
        ("version", status.get("version")),
        ("started", time_text(status.get("startedAt"))),
        ("ended", time_text(status.get("finishedAt"))),
        ("why", "" if status.get("phase") == "Succeeded" else why_of(each)),
    )
    return {name: str(value or "") for name, value in fields}


_ACTIONS = {
    "describe": (_describe, "show everything about a run"),
    "follow": (_follow, "show a run's phases and output until it has ended; the exit code is the run's"),
    "get": (_get, "bring a run's files into a folder"),
    "list": (_list, "list the runs of the namespace, as long as their objects are there"),
}
