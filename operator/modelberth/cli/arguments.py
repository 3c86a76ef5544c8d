"""Arguments that several commands have. Standard library only: the loader's command has some of them, too."""

import argparse
import os
import re

from modelberth.content.addresses import Address
from modelberth.content.collections import CollectionFamily
from modelberth.content.errors import FormatError
from modelberth.content.versions import split_object_name
from modelberth.transfer.workers import default_workers

_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")


def add_place(parser: argparse.ArgumentParser) -> None:
    """Which cluster, namespace and registry."""
    group = parser.add_argument_group("where")
    group.add_argument("-n", "--namespace", type=plain_name, help="the namespace (default: the kubeconfig context's)")
    group.add_argument("--kubeconfig", metavar="FILE", help="as kubectl's (default: $KUBECONFIG, ~/.kube/config)")
    group.add_argument("--context", metavar="NAME", help="the kubeconfig's context (default: its current one)")
    group.add_argument(
        "--registry-url",
        metavar="URL",
        help="the registry's own address, if it has one outside of the cluster ($MODELBERTH_REGISTRY_URL; "
        "default: through the API server)",
    )
    group.add_argument(
        "--registry-namespace",
        type=plain_name,
        metavar="NAME",
        help="where Modelberth is installed ($MODELBERTH_REGISTRY_NAMESPACE; default: modelberth)",
    )
    group.add_argument(
        "--ca-file", metavar="FILE", help="certificates to trust for registry and store ($MODELBERTH_CA_FILE)"
    )


def add_family(parser: argparse.ArgumentParser) -> None:
    """Which of an artifact and a dataset of one name."""
    parser.add_argument(
        "--dataset", action="store_true", help="the name is a Dataset's (needed only where an artifact has it, too)"
    )


def family_of(arguments: argparse.Namespace) -> CollectionFamily | None:
    """The family that the arguments say; None for whichever has the name."""
    return "datasets" if arguments.dataset else None


def add_workers(parser: argparse.ArgumentParser) -> None:
    """How many threads move bytes."""
    parser.add_argument(
        "--workers",
        type=positive,
        default=os.environ.get("MODELBERTH_WORKERS") or default_workers(),
        metavar="N",
        help="threads that hash and transfer, 8 MiB of memory each ($MODELBERTH_WORKERS; default: %(default)s)",
    )
    parser.add_argument("-q", "--quiet", action="store_true", help="show no progress")


def plain_name(text: str) -> str:
    """The name of an object or a namespace."""
    if not _NAME.fullmatch(text):
        raise argparse.ArgumentTypeError(
            f"{text!r} is no name: lower-case letters, digits, '-' and '.', with a letter or digit first and last"
        )
    return text


def address(text: str) -> Address:
    """An address of a version."""
    try:
        return Address.parse(text)
    except FormatError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def alias_address(text: str) -> Address:
    """An address that names an alias."""
    parsed = address(text)
    if parsed.alias is None:
        raise argparse.ArgumentTypeError(f"{text}: no alias: write MODEL:ALIAS, such as digits:production")
    if parsed.folder is not None:
        raise argparse.ArgumentTypeError(f"{text}: an alias stands for a whole version: leave #{parsed.folder} away")
    return parsed


def version_name(text: str) -> str:
    """The name of a ModelVersion."""
    try:
        split_object_name(text)
    except FormatError:
        raise argparse.ArgumentTypeError(
            f"{text!r}: write the whole name of the version's object, such as mnist-v4 (modelberth get shows it)"
        ) from None
    return text


def positive(text: str) -> int:
    """A whole number of at least 1."""
    number = int(text) if text.isdecimal() else 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least 1")
    return number
