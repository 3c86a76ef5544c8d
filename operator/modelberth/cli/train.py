"""Run a TrainingPipeline now, with your own rights: makes a TrainingRun and prints its name, alone, on stdout.

With --follow the program's output is shown as it comes, and the exit code is the run's: 0 when a version was made or
one was there already, 1 when the run failed.
"""

import argparse
import re
import secrets
import sys
from collections.abc import Mapping
from typing import Any

from modelberth.api import names
from modelberth.cli.arguments import add_place, plain_name
from modelberth.cli.cluster import Cluster
from modelberth.cli.errors import CommandError, UsageError
from modelberth.cli.following import follow
from modelberth.cli.session import Place
from modelberth.domain.objects import dig
from modelberth.runtime.resources import TRAINING_PIPELINES, TRAINING_RUNS, Object

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("pipeline", metavar="PIPELINE", type=plain_name, help="the TrainingPipeline")
    parser.add_argument(
        "--env",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a parameter of this run, which counts before the pipeline's; repeatable",
    )
    parser.add_argument(
        "--no-cache",
        action="store_true",
        help="train also where an equal run has succeeded, which otherwise ends Skipped",
    )
    parser.add_argument("--notes", metavar="TEXT", help="what is special about this run")
    parser.add_argument("--name", type=plain_name, help="the run's name (default: the pipeline's with a random end)")
    parser.add_argument("--follow", action="store_true", help="show phases and output until the run has ended")
    add_place(parser)


def run(arguments: argparse.Namespace) -> int:
    """Make the run, and follow it if that is wished."""
    spec = {
        "pipeline": arguments.pipeline,
        "environment": variables(arguments.env),
        "cache": False if arguments.no_cache else None,
        "notes": arguments.notes,
    }
    place = Place.of(arguments)
    with place.connect() as cluster:
        namespace = place.namespace or cluster.namespace
        if cluster.get(TRAINING_PIPELINES, namespace, arguments.pipeline) is None:
            raise CommandError(f"there is no TrainingPipeline {arguments.pipeline} in namespace {namespace}")
        made = create_run(cluster, namespace, arguments.name or run_name(arguments.pipeline), spec)
        name = str(made["metadata"]["name"])
        if not arguments.follow:
            print(name)
            print(f"to see it run: {how_to_follow(cluster, namespace, name)}", file=sys.stderr)
            return 0
        print(f"trainingrun/{name} created", file=sys.stderr)
        return follow_to_code(cluster, namespace, made)


def run_name(base: str) -> str:
    """A name that no other run has."""
    return f"{base[:48]}-{secrets.token_hex(4)}"


def create_run(cluster: Cluster, namespace: str, name: str, spec: Mapping[str, Any]) -> Object:
    """Make a TrainingRun; fields of the spec that are None or empty are left away."""
    manifest = {
        "apiVersion": names.API_VERSION,
        "kind": TRAINING_RUNS.kind,
        "metadata": {"name": name, "namespace": namespace},
        "spec": {field: value for field, value in spec.items() if value not in (None, {})},
    }
    return cluster.create(TRAINING_RUNS, namespace, manifest)


def follow_to_code(cluster: Cluster, namespace: str, made: Object) -> int:
    """Follow a run to its end; the exit code says how that was."""
    return exit_code(dig(follow_or_tell(cluster, namespace, made), "status", "phase"))


def follow_or_tell(cluster: Cluster, namespace: str, made: Object, *, log: bool = True) -> Object:
    """Follow a run to its end, as `follow` does; who stops looking is told that the run goes on, and how to see it.

    Raises:
        CommandError: the run was deleted, or Ctrl-C was pressed.
    """
    name, uid = str(made["metadata"]["name"]), str(made["metadata"]["uid"])
    try:
        return follow(cluster, namespace, name, uid=uid, log=log)
    except KeyboardInterrupt:
        raise CommandError(f"the run goes on: {how_to_follow(cluster, namespace, name)}") from None


def how_to_follow(cluster: Cluster, namespace: str, name: str) -> str:
    """The command that shows a run, with its namespace where the kubeconfig's context has another one."""
    return f"modelberth run follow {name}" + (f" -n {namespace}" if namespace != cluster.namespace else "")


def exit_code(phase: object) -> int:
    """The exit code of a command that shows a run to its end."""
    return 1 if phase == "Failed" else 0


def variables(texts: list[str]) -> dict[str, str]:
    """NAME=VALUE, each name once.

    Raises:
        UsageError: names what is not in this form.
    """
    found: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not _VARIABLE.fullmatch(name):
            raise UsageError(f"--env {text}: write NAME=VALUE; a name is letters, digits and '_', no digit first")
        if name in found:
            raise UsageError(f"--env {name} is given twice")
        found[name] = value
    return found
