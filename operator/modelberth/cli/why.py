"""Say why something failed: a run, a pipeline, a version, an artifact, a dataset, a ModelDeployment, or MODEL:ALIAS.

One answer for training (from the records, with traceback and the end of the log), loading and serving (from the objects
that you may read). Of a version it also says which aliases and deployments ask for it, and that they could not load it,
as when its bytes in the store are not those of its digest; modelberth verify reads every byte.

Exit code 0 when there is an answer, whatever it says; 1 when nothing of the name is known, or nobody could be asked.
"""

import argparse
import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from modelberth.cli.arguments import address, plain_name
from modelberth.cli.cluster import Cluster
from modelberth.cli.errors import CommandError
from modelberth.cli.questions import Answer, Subject, add_question, warnings_of
from modelberth.cli.session import Place, session_access
from modelberth.cli.standings import Standing, Standings
from modelberth.cli.times import time_text
from modelberth.content.versions import object_name
from modelberth.transfer.errors import HttpFailure, TransferError


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "name", metavar="NAME", type=_named, help="such as train-1, housing-price-1.2, digits:production"
    )
    add_question(parser)


def run(arguments: argparse.Namespace) -> int:
    """Print what is wrong. Exit code 1 where nothing of the name is known."""
    about: Subject = arguments.name
    place = Place.of(arguments)
    with place.connect() as cluster:
        namespace = about.namespace or place.namespace or cluster.namespace
        live, names = _live(Standings(cluster, namespace), about.text)
        endings = _endings(cluster, place, namespace, names)
    runs = list({run["uid"]: run for ending in endings for run in ending["runs"]}.values())
    if not live and not runs:
        raise CommandError(f"nothing is known of {about.text} in namespace {namespace}")
    found = [*_recorded(runs), *(standing for standing in live if standing.uid not in {run["uid"] for run in runs})]
    if arguments.output == "json":
        print(json.dumps({"standings": list(map(_as_json, found)), "runs": runs}, indent=2, ensure_ascii=False))
    else:
        print("\n".join(_lines(found)))
    for warning in dict.fromkeys(warning for ending in endings for warning in warnings_of(ending)):
        print(warning, file=sys.stderr)
    return 0


def _endings(cluster: Cluster, place: Place, namespace: str, names: Sequence[str]) -> list[Answer]:
    """How the runs of these names ended; none, with a word, where that cannot be read."""
    try:
        with session_access(cluster, place, namespace, "Pull", family="runs") as access:
            return [access.client.ask("lineage/endings", name=name, fresh="true") for name in names]
    except TransferError as error:
        # The objects have an answer of their own, and the store may be what is wrong.
        if isinstance(error, HttpFailure) and error.status == 403:
            print(f"records of runs are not looked at, for lack of rights: {error.reason}", file=sys.stderr)
        else:
            print(f"records of runs are not looked at: {error}", file=sys.stderr)
        return []


def _named(text: str) -> Subject:
    """A name of an object, a version as address, or MODEL:ALIAS; with a namespace before it or not."""
    namespace, slash, rest = text.rpartition("/")
    if ":" not in rest and "@" not in rest:
        return Subject(plain_name(namespace) if slash else None, plain_name(rest))
    about = address(text)
    if about.version is not None:
        rest = object_name(about.name, about.version)
    elif about.alias is None or about.folder is not None:
        raise argparse.ArgumentTypeError(f"{text}: write the name of an object, a version, or MODEL:ALIAS")
    return Subject(namespace if slash else None, rest)


def _live(standings: Standings, name: str) -> tuple[list[Standing], list[str]]:
    """How things stand, and the names whose runs belong to it."""
    model, colon, alias = name.partition(":")
    if colon:
        return _each_once(standings.of_alias(model, alias)), _given(standings.wished_version(model, alias))
    follows = standings.alias_of(name)
    wished = _given(standings.wished_version(*follows)) if follows else []
    return _each_once(standings.of_name(name)), [name, *wished]


def _each_once(found: Iterable[Standing]) -> list[Standing]:
    return list({standing.subject: standing for standing in found}.values())


def _given(name: str) -> list[str]:
    return [name] if name else []


def _recorded(runs: Sequence[Mapping[str, Any]]) -> Iterator[Standing]:
    """How runs ended, by their records, which say more than the objects."""
    for run in runs:
        is_well = run["status"] != "Failed"
        details = [] if is_well else list(_story(run))
        yield Standing(
            "training", f"run {run['name']}", run["status"], run["reason"], run["message"], is_well, details, run["uid"]
        )


def _story(run: Mapping[str, Any]) -> Iterator[str]:
    took = ", ".join(f"{what} {run['inputs'][what]}" for what in ("package", "dataset") if run["inputs"].get(what))
    attempts = f"{run['attempts']} attempt{'' if run['attempts'] == 1 else 's'}"
    yield f"ended {time_text(run['finishedAt'])} after {attempts}; it took {took or 'nothing'}"
    yield from run["traceback"] or run["logTail"]


def _lines(found: Sequence[Standing]) -> Iterator[str]:
    for stage in ("training", "loading", "serving"):
        for standing in (standing for standing in found if standing.stage == stage):
            reason = f" ({standing.reason})" if standing.reason not in ("", standing.state) else ""
            mark = "ok " if standing.is_well else "!! "
            yield f"{mark}{stage:<9} {standing.subject}: {standing.state}{reason}"
            if standing.note:
                yield f"             {standing.note}"
            if not (standing.is_well and standing.is_settled):
                yield from (f"             {line}" for line in [*standing.message.splitlines(), *standing.details])


def _as_json(standing: Standing) -> dict[str, Any]:
    fields = standing._asdict()
    return {_IN_JSON.get(name, name): value for name, value in fields.items()}


_IN_JSON = {"is_well": "isWell", "is_settled": "isSettled"}
