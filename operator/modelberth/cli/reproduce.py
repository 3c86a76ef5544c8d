"""Make a version again from what is recorded about it, and compare: the same package, data, parameters and image.

No version comes of it. Prints whether the content came out the same, byte by byte, and the metrics side by side, by
name; exit code 0 when the run has succeeded, whatever the comparison says, 1 when it failed.
"""

import argparse
import sys
from collections.abc import Mapping
from typing import Any

from modelberth.cli.arguments import add_place
from modelberth.cli.errors import CommandError
from modelberth.cli.questions import Subject, subject
from modelberth.cli.run_description import OTHER, SAME
from modelberth.cli.run_records import read_record
from modelberth.cli.session import Place, session_access
from modelberth.cli.tables import table
from modelberth.cli.train import create_run, follow_or_tell, run_name
from modelberth.domain.objects import dig

_EQUAL = "same"


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("address", metavar="ADDRESS", type=subject, help="such as housing-price:1.1, housing-price-1.1")
    add_place(parser)


def run(arguments: argparse.Namespace) -> int:
    """Find out how the version was made, make the run, wait, compare."""
    about: Subject = arguments.address
    place = Place.of(arguments)
    with place.connect() as cluster:
        namespace = about.namespace or place.namespace or cluster.namespace
        with session_access(cluster, place, namespace, "Pull") as access:
            known = access.client.ask("lineage/description", address=about.text, fresh="true")
        made_by = known.get("run") or {}
        if not made_by.get("recorded"):
            raise CommandError(
                f"{known['name']} was not made by a training run on record: nobody knows how to repeat it"
            )
        with session_access(cluster, place, namespace, "Pull", family="runs") as access:
            record = read_record(access, made_by["name"], made_by.get("uid"))
        if record is None or not record["template"]:
            raise CommandError(f"the record of run {made_by['name']} does not say how to repeat it")
        spec = {
            "template": pinned(record),
            "cache": False,
            "trigger": {"type": "Reproduction"},
            "reproduces": known["name"],
        }
        if not pullable(record):
            words = f"no node has told a digest that {record['image']} can be pulled by: it runs as it is named"
            print(f"note: {words}", file=sys.stderr)
        made = create_run(cluster, namespace, run_name(f"{made_by['name']}-again"), spec)
        name = str(made["metadata"]["name"])
        print(f"trainingrun/{name} created", file=sys.stderr)
        ended = follow_or_tell(cluster, namespace, made, log=False)
        with session_access(cluster, place, namespace, "Pull", family="runs") as access:
            again = read_record(access, name, str(made["metadata"]["uid"]))
    if dig(ended, "status", "phase") == "Failed":
        raise CommandError(f"{name} failed: modelberth run describe {name}")
    print(comparison(ended))
    if again is not None and not _same_image(record, again):
        print(f"note: {record['image']} is another image now than then: name images by their digests", file=sys.stderr)
    return 0


def pinned(record: Mapping[str, Any]) -> dict[str, Any]:
    """The template of a run with exactly what it used: versions instead of aliases."""
    inputs = record["inputs"]
    template = dict(record["template"])
    template["package"] = {"version": inputs["package"]}
    template["image"] = pullable(record) or template["image"]
    for name in ("dataset", "evaluation"):
        if inputs.get(name):
            folder = inputs.get(f"{name}Folder")
            template[name] = {"version": inputs[name], **({"folder": folder} if folder else {})}
    return template


def pullable(record: Mapping[str, Any]) -> str:
    """The image that it ran in as `<repository>@<digest>`; empty where no node has told one of the image's own name.

    Nodes into which images are loaded by hand make repositories up.
    """
    repository, _, digest = str(record["inputs"].get("imageID") or "").partition("@")
    name = str(record["image"]).partition("@")[0]
    if ":" in name.rpartition("/")[2]:
        name = name.rpartition(":")[0]
    if not digest or not (repository == name or repository.endswith(f"/{name}")):
        return ""
    return f"{repository}@{digest}"


def _same_image(then: Mapping[str, Any], now: Mapping[str, Any]) -> bool:
    """Whether both ran in one image, as far as the nodes have told: a tag may have moved."""
    digests = {str(record["imageDigest"]) for record in (then, now) if record["imageDigest"]}
    return len(digests) < 2


def comparison(run: Mapping[str, Any]) -> str:
    """What came out beside what was to come out."""
    status = run["status"]
    wanted = status.get("reproduction") or {}
    then, now = wanted.get("metrics") or {}, status.get("metrics") or {}
    lines = [
        f"{wanted.get('version')}: {SAME if wanted.get('sameDigest') else OTHER}; {_of_metrics(then, now)}",
        f"  recorded    {wanted.get('digest')}",
        f"  reproduced  {wanted.get('output')}",
    ]
    rows = [
        [name, _number(then.get(name)), _number(now.get(name)), _same(then, now, name)]
        for name in sorted({*then, *now})
    ]
    return "\n".join([*lines, "", table(["METRIC", "RECORDED", "REPRODUCED", ""], rows)] if rows else lines)


def _of_metrics(then: Mapping[str, float], now: Mapping[str, float]) -> str:
    names = {*then, *now}
    differing = sorted(name for name in names if _same(then, now, name) != _EQUAL)
    if not names:
        return "there are no metrics"
    if not differing:
        return "all metrics are the same"
    return f"{len(differing)} of {len(names)} metrics differ: {', '.join(differing)}"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:g}"


def _same(then: Mapping[str, float], now: Mapping[str, float], name: str) -> str:
    if name not in now:
        return "not reproduced"
    if name not in then:
        return "not recorded"
    return _EQUAL if then[name] == now[name] else "differs"
