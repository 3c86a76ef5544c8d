"""Show what a version was made of and what was made of it, through any number of steps: data, packages, runs, code,
environments above it; versions and the aliases that answered with them below it.

What a run's record or an alias' history says is `recorded`; what a version only says of itself is `declared`.
"""

import argparse
import json
import re
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from modelberth.cli.arguments import add_family, add_place, positive
from modelberth.cli.errors import UsageError
from modelberth.cli.questions import (
    Answer,
    Subject,
    asking,
    family_query,
    short_digest,
    span_text,
    subject,
    warnings_of,
)
from modelberth.cli.tables import table
from modelberth.cli.times import time_text
from modelberth.lineage.dot import dot
from modelberth.lineage.picture import Arrow, Box, Picture
from modelberth.lineage.svg import shortened, svg

_WORDS: Mapping[str, str] = {
    "datasetversion": "data",
    "modelversion": "version",
    "trainingrun": "run",
    "registeredmodel": "model",
    "environment": "",
    "outside": "",
}

_LONGEST = 56
"""Characters of a name in the table: the names of an image with its digest and of a commit go on and on."""
_IMAGE = 24
"""Characters of an environment's image at least: Python and the list of packages, which follow it, stay whole."""
_DIGEST = re.compile("sha256:[0-9a-f]{64}")


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("address", metavar="ADDRESS", type=subject, help="such as digits:production, housing:v3")
    parser.add_argument("--run", action="store_true", help="ADDRESS is the name of a TrainingRun that has ended")
    add_family(parser)
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--up", action="store_const", const="up", dest="direction", help="only what it was made of")
    where.add_argument("--down", action="store_const", const="down", dest="direction", help="only what was made of it")
    parser.add_argument("--depth", type=positive, metavar="N", help="so many steps at most (default: all)")
    parser.add_argument(
        "-o",
        "--output",
        choices=("table", "json", "dot", "svg"),
        default="table",
        help="svg is a picture, dot one for Graphviz (default: %(default)s)",
    )
    add_place(parser)


def run(arguments: argparse.Namespace) -> int:
    """Print the graph in the form asked for."""
    about: Subject = arguments.address
    if arguments.run and arguments.dataset:
        raise UsageError("--run and --dataset: the name is either a TrainingRun's or a Dataset's")
    query = {"run" if arguments.run else "address": about.text, "direction": arguments.direction or "both"}
    if arguments.depth:
        query["depth"] = str(arguments.depth)
    with asking(arguments, about.namespace) as questions:
        graph = questions.ask("lineage", **query, **family_query(arguments), fresh="true")
    match arguments.output:
        case "json":
            print(json.dumps(graph, indent=2, ensure_ascii=False))
        case "dot":
            print(dot(_picture(graph)), end="")
        case "svg":
            print(svg(_picture(graph)), end="")
        case _:
            print(_as_table(graph, arguments.direction))
            if _is_shortened(graph):
                print("long names are shortened: -o json has them whole", file=sys.stderr)
    cut = f"--depth {arguments.depth} cuts here; leave it out for all"
    for warning in warnings_of(graph, cut if arguments.depth else "ask for less with --up, --down or --depth N"):
        print(warning, file=sys.stderr)
    return 0


def _as_table(graph: Answer, direction: str | None) -> str:
    nodes = {node["id"]: node for node in graph["nodes"]}
    root = nodes[graph["root"]]
    known = " ".join(text for text in (short_digest(root["digest"]), _when_and_who(root)) if text)
    title = f"{_name(root)}   {known}".rstrip()
    if not graph["edges"]:
        return f"{title}\n{_NOTHING[direction]}"
    rows = []
    for edge in graph["edges"]:
        source, target = nodes[edge["source"]], nodes[edge["target"]]
        step = max(source["distance"], target["distance"], key=abs)
        says = "recorded" if edge["recorded"] else "declared"
        row = [f"{step:+d}", _name(target), edge["relation"], _name(source), says, _when(edge["intervals"])]
        rows.append((step, row))
    rows.sort(key=lambda row: row[0])
    return f"{title}\n\n" + table(["STEP", "WHAT", "WAS", "OF", "SAYS", "WHEN"], [row for _, row in rows])


_NOTHING: Mapping[str | None, str] = {
    "up": "nothing is known that it was made of: no run made it, and nobody declared data, parents, code or image",
    "down": "nothing is known that was made of it: no run and no version names it, and no alias has answered with it",
    None: "nothing is known that it was made of, or that was made of it: no run, no version and no alias names it",
}


def _when(intervals: Sequence[Mapping[str, Any]]) -> str:
    """The last time in which an alias answered with a version, and how many there were before."""
    earlier = f", and {len(intervals) - 1} earlier" if len(intervals) > 1 else ""
    return span_text(intervals[-1]) + earlier if intervals else ""


def _is_shortened(graph: Answer) -> bool:
    """Whether the table does not have everything."""
    has_long = any(_short(node) != node["name"] for node in graph["nodes"])
    return has_long or any(len(edge["intervals"]) > 1 for edge in graph["edges"])


def _short(node: Mapping[str, Any]) -> str:
    name = _DIGEST.sub(lambda found: short_digest(found[0]), node["name"])
    if node["kind"] != "environment":
        return shortened(name, _LONGEST)
    image, comma, rest = name.partition(", ")
    return shortened(image, max(_LONGEST - len(comma + rest), _IMAGE)) + comma + rest


def _when_and_who(node: Mapping[str, Any]) -> str:
    return " ".join(text for text in (time_text(node["at"]), f"by {node['by']}" if node["by"] else "") if text)


def _name(node: Mapping[str, Any]) -> str:
    status = f" ({node['reason'] or node['status']})" if node["status"] not in ("", "Succeeded") else ""
    return f"{_word(node)} {_short(node)}{status}".strip()


def _word(node: Mapping[str, Any]) -> str:
    """What it is, in a word; nothing for a URI, which says so itself, and an environment, as the relation says."""
    return _WORDS.get(node["kind"], node["kind"])


def _pictured(node: Mapping[str, Any]) -> str:
    return "environment" if node["kind"] == "environment" else _word(node)


def _picture(graph: Answer) -> Picture:
    boxes = [
        Box(
            id=node["id"],
            title=node["name"],
            subtitle=" ".join(text for text in (_pictured(node), node["status"], time_text(node["at"])) if text),
            kind=node["kind"],
            is_root=node["id"] == graph["root"],
            is_known=node["known"] or node["kind"] in ("code", "environment"),
        )
        for node in graph["nodes"]
    ]
    arrows = [
        Arrow(edge["source"], edge["target"], edge["relation"], is_dashed=not edge["recorded"])
        for edge in graph["edges"]
    ]
    return Picture(boxes, arrows)
