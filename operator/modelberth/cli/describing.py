"""What can be said about a version when it is pushed, from arguments to fields of its object's spec."""

import argparse
import math
from collections.abc import Mapping, Sequence
from typing import Any

from modelberth.cli.errors import UsageError
from modelberth.content.addresses import is_collection_name, is_digest
from modelberth.content.collections import CollectionFamily
from modelberth.content.errors import FormatError
from modelberth.content.versions import split_object_name

_ROLES = ("train", "validation", "test")
_OPTIONS_OF_OTHERS: Mapping[CollectionFamily, Sequence[str]] = {
    "models": ("derived_from", "label"),
    "datasets": ("metric", "parameter", "parent", "trained_on", "versioning"),
}


def add_description(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    group = parser.add_argument_group("what is known about the version")
    group.add_argument("--format", metavar="NAME", help="what reads the content, such as onnx, safetensors, sklearn")
    group.add_argument("--description", metavar="TEXT", help="what is special about the version")
    group.add_argument(
        "--metric", action="append", default=[], metavar="NAME=NUMBER", help="what was measured; repeatable"
    )
    group.add_argument(
        "--parameter", action="append", default=[], metavar="NAME=TEXT", help="what the training was told; repeatable"
    )
    group.add_argument(
        "--parent",
        action="append",
        default=[],
        metavar="VERSION",
        help="a ModelVersion that it was made from, by fine-tuning or otherwise, such as mnist-v3; repeatable",
    )
    group.add_argument(
        "--trained-on",
        action="append",
        default=[],
        metavar="VERSION|URI[,role=ROLE][,digest=sha256:…][,folder=PATH]",
        help="a DatasetVersion (housing-v3) or where else the data lies; role: train, validation or test; repeatable",
    )
    group.add_argument(
        "--derived-from",
        action="append",
        default=[],
        metavar="VERSION",
        help="with --dataset: a DatasetVersion that it was made from, such as housing-v1; repeatable",
    )
    group.add_argument(
        "--label",
        action="append",
        default=[],
        metavar="NAME=TEXT",
        help="with --dataset: whatever else is to be known; repeatable",
    )
    group.add_argument("--run", metavar="URI", help="the page of the training run")
    group.add_argument("--code-repository", metavar="URI", help="where the training program's source lies")
    group.add_argument("--code-revision", metavar="COMMIT", help="its commit")
    group.add_argument("--code-path", metavar="PATH", help="the program's path in it")
    group.add_argument("--code-dirty", action="store_true", help="the working copy differed from the commit")
    group.add_argument("--image", metavar="IMAGE", help="the container image that the training ran in")
    group.add_argument("--python", metavar="VERSION", help="the version of Python that it ran on")


def description_of(arguments: argparse.Namespace, family: CollectionFamily) -> dict[str, Any]:
    """The fields of the spec that the arguments give; those not given are left away.

    Raises:
        UsageError: an argument is not in its form, or describes the other family.
    """
    _refuse_foreign(arguments, family)
    code = {
        "repository": arguments.code_repository,
        "revision": arguments.code_revision,
        "path": arguments.code_path,
        "dirty": arguments.code_dirty or None,
    }
    lineage = {
        "run": _given({"uri": arguments.run}),
        "datasets": [_dataset(text) for text in arguments.trained_on],
        "parents": list(dict.fromkeys(arguments.parent)),
        "code": _given(code),
        "environment": _given({"image": arguments.image, "python": arguments.python}),
    }
    return _given(
        {
            "format": arguments.format,
            "lineage": _given(lineage),
            "parameters": _pairs("--parameter", arguments.parameter),
            "metrics": {name: _number(name, text) for name, text in _pairs("--metric", arguments.metric).items()},
            "derivedFrom": list(dict.fromkeys(arguments.derived_from)),
            "labels": _pairs("--label", arguments.label),
            "description": arguments.description,
        }
    )


def _refuse_foreign(arguments: argparse.Namespace, family: CollectionFamily) -> None:
    for option in _OPTIONS_OF_OTHERS[family]:
        if getattr(arguments, option):
            other = "an artifact's" if family == "datasets" else "a dataset's"
            raise UsageError(f"--{option.replace('_', '-')} is said of {other} versions: leave it away")


def _given(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value not in (None, {}, [], "")}


def _pairs(option: str, texts: Sequence[str]) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not name or not equals:
            raise UsageError(f"{option} {text}: write NAME=VALUE")
        if name in pairs:
            raise UsageError(f"{option} {name} is given twice")
        pairs[name] = value
    return pairs


def _number(name: str, text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise UsageError(f"--metric {name}={text}: {text!r} is not a finite number")
    return number


def _dataset(text: str) -> dict[str, str]:
    place, *options = text.split(",")
    dataset = {"version" if _is_version_name(place) else "uri": place}
    for option in options:
        name, _, value = option.partition("=")
        if name not in ("role", "digest", "folder"):
            raise UsageError(f"--trained-on {text}: {option!r} is neither role=… nor digest=… nor folder=…")
        dataset[name] = value
    if dataset.get("role", "train") not in _ROLES:
        raise UsageError(f"--trained-on {text}: role is one of {', '.join(_ROLES)}")
    if "digest" in dataset and not is_digest(dataset["digest"]):
        raise UsageError(f"--trained-on {text}: digest is sha256: and 64 hex digits")
    if not place:
        raise UsageError(f"--trained-on {text}: the version or URI is missing")
    return dataset


def _is_version_name(text: str) -> bool:
    try:
        name, _ = split_object_name(text)
    except FormatError:
        return False
    return is_collection_name(name)
