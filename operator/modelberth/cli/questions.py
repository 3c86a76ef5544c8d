"""Questions to the registry about what is on record, with the user's own rights: what several commands share."""

import argparse
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

from modelberth.cli.arguments import add_place
from modelberth.cli.cluster import Cluster
from modelberth.cli.session import Place, session_access
from modelberth.cli.times import time_text
from modelberth.content.addresses import Address
from modelberth.content.errors import FormatError
from modelberth.content.versions import split_object_name

Answer = Mapping[str, Any]


class Subject(NamedTuple):
    """What a question is about.

    Attributes:
        namespace: as it was written before a slash; None for the place's own.
        text: an address, or the name of a version's object.
    """

    namespace: str | None
    text: str


class Questions(NamedTuple):
    """Somebody who may be asked.

    Attributes:
        cluster: the API server, as the user.
        namespace: which it is about.
        ask: path below the namespace and query → answer.
    """

    cluster: Cluster
    namespace: str
    ask: Callable[..., Answer]


def add_question(parser: argparse.ArgumentParser) -> None:
    """Where to ask, and how to print."""
    parser.add_argument("-o", "--output", choices=("json",), help="print JSON, in which nothing is shortened")
    add_place(parser)


def family_query(arguments: argparse.Namespace) -> dict[str, str]:
    """The part of a query that says which of an artifact and a dataset of one name is meant."""
    return {"family": "datasets"} if arguments.dataset else {}


def subject(text: str) -> Subject:
    """An address, or the name of a version's object such as housing-price-1.1, with a namespace before it or not."""
    namespace, slash, rest = text.rpartition("/")
    try:
        split_object_name(rest)
    except FormatError:
        try:
            Address.parse(text)
        except FormatError as error:
            raise argparse.ArgumentTypeError(str(error)) from None
    return Subject(namespace if slash else None, rest)


@contextmanager
def asking(arguments: argparse.Namespace, namespace: str | None = None) -> Iterator[Questions]:
    """The registry, by a session that ends with the block.

    Args:
        arguments: of a command that has `add_place`.
        namespace: which it is about, before what the place says.
    """
    place = Place.of(arguments)
    with place.connect() as cluster:
        asked = namespace or place.namespace or cluster.namespace
        with session_access(cluster, place, asked, "Pull") as access:
            yield Questions(cluster, asked, access.client.ask)


def short_digest(text: str) -> str:
    """The beginning of a digest, for tables."""
    return text[:19]


def number(value: float) -> str:
    """A metric, in as many digits as a person reads."""
    return f"{value:.6g}"


def span_text(interval: Answer) -> str:
    """`2026-11-21T09:00:00Z – now`."""
    return f"{time_text(interval['since'])} – {time_text(interval.get('until')) or 'now'}"


def warnings_of(answer: Answer, cut: str = "") -> list[str]:
    """What people must know about an answer: how old it is, where it is cut off, what could not be read.

    Args:
        answer: the registry's.
        cut: how to ask for the rest, where an answer may be cut off.
    """
    said = [f"warning: {problem}" for problem in answer.get("problems") or ()]
    if answer.get("truncated"):
        said.append(f"there is more: {cut}")
    return said
