"""Say on one screen what is known of a version: its data, parameters, run, environment, libraries, metrics, aliases."""

import argparse
import json
import sys
from collections.abc import Iterator, Mapping
from typing import Any

from modelberth.cli.arguments import add_family
from modelberth.cli.questions import (
    Answer,
    Subject,
    add_question,
    asking,
    family_query,
    number,
    span_text,
    subject,
    warnings_of,
)
from modelberth.cli.times import time_text

_INDENT = 14
_LIBRARIES = 12
_ROLES = {"train": "", "evaluation": "evaluation", "through": "through what it stands on"}


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("address", metavar="ADDRESS", type=subject, help="such as digits:production, housing-price-1.1")
    add_family(parser)
    parser.add_argument(
        "--libraries",
        metavar="TEXT",
        nargs="?",
        const="",
        help="all libraries, or those whose names contain TEXT (default: the first twelve)",
    )
    add_question(parser)


def run(arguments: argparse.Namespace) -> int:
    """Print the description."""
    about: Subject = arguments.address
    with asking(arguments, about.namespace) as questions:
        known = questions.ask("lineage/description", address=about.text, **family_query(arguments), fresh="true")
    if arguments.output == "json":
        print(json.dumps(known, indent=2, ensure_ascii=False))
    else:
        print("\n".join(_lines(known, arguments.libraries)))
    for warning in warnings_of(known):
        print(warning, file=sys.stderr)
    return 0


def _lines(known: Answer, libraries: str | None) -> Iterator[str]:
    state = "" if known["committed"] else "   (its content is not in the store)"
    yield f"{known['name']}   {known['digest']}{state}"
    who = f" by {known['createdBy']}" if known["createdBy"] else ""
    yield from _field("made", [f"{time_text(known['createdAt'])}{who}"])
    yield from _field("description", [known["description"]])
    yield from _field("format", [known["format"]])
    yield from _field("labels", _pairs(known["labels"]))
    yield from _field("data", [_data(use) for use in known["data"]])
    yield from _field("package", [known["package"]])
    yield from _field("parents", known["parents"])
    yield from _field("parameters", _pairs(known["parameters"]))
    yield from _field("metrics", _pairs({name: number(value) for name, value in known["metrics"].items()}))
    yield from _field("run", _run(known["run"]))
    yield from _field("code", [_code(known["code"])])
    yield from _environment(known["environment"], libraries)
    spans = [f"{alias['alias']}   {', '.join(map(span_text, alias['intervals']))}" for alias in known["aliases"]]
    yield from _field("answered", spans)


def _field(name: str, values: list[str]) -> Iterator[str]:
    """A line for each value, the first one with the field's name; nothing for a field that is empty."""
    for line, value in enumerate(value for value in values if value):
        yield f"{'' if line else name + ':':<{_INDENT}}{value}"


def _pairs(values: Mapping[str, Any]) -> list[str]:
    return [f"{name} = {value}" for name, value in sorted(values.items())]


def _data(use: Mapping[str, Any]) -> str:
    name = f"{use['name']}#{use['folder']}" if use["folder"] else use["name"]
    notes = [note for note in (_ROLES[use["role"]], "" if use["recorded"] else "declared") if note]
    return "   ".join(part for part in (name, use["digest"], f"({', '.join(notes)})" if notes else "") if part)


def _run(made_by: Mapping[str, Any] | None) -> list[str]:
    if made_by is None:
        return []
    if not made_by["recorded"]:
        return [f"{made_by['name'] or made_by['uri']}   (declared)"]
    pipeline = f" of pipeline {made_by['pipeline']}" if made_by["pipeline"] else ""
    who = f"{made_by['trigger']}, by {made_by['createdBy']}" if made_by["createdBy"] else made_by["trigger"]
    started, ended = time_text(made_by["startedAt"]), time_text(made_by["finishedAt"])
    return [f"{made_by['name']}{pipeline}   ({who})", f"{started} – {ended}"]


def _code(code: Mapping[str, Any]) -> str:
    place = "@".join(str(code[field]) for field in ("repository", "revision") if code.get(field))
    path = f"   {code['path']}" if code.get("path") else ""
    return f"{place}{path}{'   (with changes that were not committed)' if code.get('dirty') else ''}"


def _environment(where: Mapping[str, Any], libraries: str | None) -> Iterator[str]:
    yield from _field("image", [where["image"], where["imageDigest"]])
    yield from _field("python", [where["python"]])
    packages = {name: text for name, text in sorted(where["packages"].items()) if (libraries or "") in name}
    shown = list(packages.items()) if libraries is not None else list(packages.items())[:_LIBRARIES]
    lines = [f"{name} {text}" for name, text in shown]
    if len(shown) < len(packages):
        lines.append(f"and {len(packages) - len(shown)} more: --libraries shows all")
    if libraries and where["packages"] and not lines:
        lines = [f"none of {len(where['packages'])} contains {libraries!r}"]
    yield from _field("libraries", lines or [where["packagesDigest"]])
