"""List training runs that ended: those that used some data (or data derived from it), and which of them was best."""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from modelberth.cli.arguments import positive
from modelberth.cli.errors import CommandError, UsageError
from modelberth.cli.questions import (
    Subject,
    add_question,
    asking,
    number,
    subject,
    warnings_of,
)
from modelberth.cli.tables import table
from modelberth.cli.times import time_text

_METRICS = 4


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--data", metavar="ADDRESS", type=subject, help="only runs that used this, such as housing:v3")
    parser.add_argument("--pipeline", metavar="NAME", help="only runs of this TrainingPipeline")
    parser.add_argument("--sort", metavar="METRIC", help="by this metric, greatest first (default: newest first)")
    parser.add_argument("--ascending", action="store_true", help="with --sort: least first, as errors and losses want")
    parser.add_argument(
        "--limit", type=positive, default=100, metavar="N", help="at most so many (default: %(default)s)"
    )
    add_question(parser)


def run(arguments: argparse.Namespace) -> int:
    """Print the table."""
    data: Subject | None = arguments.data
    if arguments.ascending and not arguments.sort:
        raise UsageError("--ascending needs --sort METRIC: without it the newest run comes first")
    query = {
        "data": data.text if data else None,
        "pipeline": arguments.pipeline,
        "sort": arguments.sort,
        "ascending": "true" if arguments.ascending else None,
        "limit": str(arguments.limit),
        "fresh": "true",
    }
    with asking(arguments, data.namespace if data else None) as questions:
        given = {name: value for name, value in query.items() if value}
        found = questions.ask("lineage/runs", **given)
    if arguments.sort:
        _check_metric(found["runs"], arguments.sort)
    if arguments.output == "json":
        print(json.dumps(found, indent=2, ensure_ascii=False))
    elif found["runs"]:
        print(_as_table(found["runs"], arguments.sort))
    else:
        print("no run on record fits")
    for warning in warnings_of(found, "a greater --limit shows it"):
        print(warning, file=sys.stderr)
    return 0


def _check_metric(runs: Sequence[Mapping[str, Any]], metric: str) -> None:
    """Runs without the metric come last: where the first one has it not, none has.

    Raises:
        CommandError: none has it; the message names those that there are.
    """
    if runs and metric not in runs[0]["metrics"]:
        known = ", ".join(sorted({name for run in runs for name in run["metrics"]}))
        raise CommandError(f"--sort {metric}: none of these runs has that metric; they have: {known or 'none at all'}")


def _as_table(runs: Sequence[Mapping[str, Any]], first: str | None) -> str:
    names = sorted({name for run in runs for name in run["metrics"]}, key=lambda name: (name != first, name))
    shown = names[:_METRICS]
    rows = [
        [
            run["name"],
            status_of_run(run),
            run["version"],
            run["dataset"],
            run["package"],
            time_text(run["finishedAt"]),
            *(number(run["metrics"][name]) if name in run["metrics"] else "" for name in shown),
        ]
        for run in runs
    ]
    return table(["RUN", "STATUS", "VERSION", "DATA", "PACKAGE", "ENDED", *(name.upper() for name in shown)], rows)


def status_of_run(run: Mapping[str, Any]) -> str:
    """The status of a run, with what it does not say itself."""
    notes = [
        run["reason"] if run["reason"] != run["status"] != "Succeeded" else "",
        "a step elsewhere" if run["trigger"] == "Step" else "",
    ]
    said = ", ".join(filter(None, notes))
    return f"{run['status']} ({said})" if said else str(run["status"])
