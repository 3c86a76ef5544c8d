"""Wait until an alias stands for a version: until that version answers, not merely until somebody has asked for it.

Prints why it waits whenever the reason changes. Exit code 0 when the alias stands for the version, 1 when the time is
over.
"""

import argparse
import sys
import time
from typing import NamedTuple

from modelberth.cli.arguments import add_place, alias_address, positive, version_name
from modelberth.cli.cluster import Cluster
from modelberth.cli.errors import CommandError
from modelberth.cli.session import Place
from modelberth.content.addresses import LATEST, Address
from modelberth.domain.objects import dig
from modelberth.runtime.resources import DATASETS, MODEL_ARTIFACTS, REGISTERED_MODELS, Object

_POLL_SECONDS = 1.0


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("address", metavar="MODEL:ALIAS", type=alias_address, help="such as digits:production")
    parser.add_argument(
        "--version",
        type=version_name,
        metavar="VERSION",
        help="the ModelVersion's name, such as mnist-v4 (default: what the spec asks for)",
    )
    parser.add_argument(
        "--timeout", type=positive, default=600, metavar="SECONDS", help="how long (default: %(default)s)"
    )
    add_place(parser)


def run(arguments: argparse.Namespace) -> int:
    """Look once a second."""
    address = arguments.address
    place = Place.of(arguments)
    deadline = time.monotonic() + arguments.timeout
    with place.connect() as cluster:
        namespace = address.namespace or place.namespace or cluster.namespace
        told = ""
        while True:
            standing = look(_owner(cluster, namespace, address), address.alias, arguments.version)
            if standing.is_reached:
                print(f"{address} is {standing.version}")
                return 0
            if standing.why != told:
                print(standing.why, file=sys.stderr, flush=True)
                told = standing.why
            if time.monotonic() >= deadline:
                raise CommandError(
                    f"{address} is not {standing.version or 'there'} after {arguments.timeout} s: {standing.why}"
                )
            time.sleep(_POLL_SECONDS)


class Standing(NamedTuple):
    """Whether an alias stands for the version (by object name), and if not, why not."""

    is_reached: bool
    version: str
    why: str


def look(owner: Object, alias: str, version: str | None) -> Standing:
    """How an alias stands.

    Args:
        owner: the RegisteredModel, ModelArtifact or Dataset.
        alias: its alias.
        version: the object name that is waited for; None for the one that the spec asks for.
    """
    name = f"{dig(owner, 'metadata', 'name')}:{alias}"
    if alias == LATEST:
        newest = str(dig(owner, "status", "latestVersion") or "")
        is_reached = newest != "" and version in (None, newest)
        return Standing(is_reached, version or newest, f"{name} moves by itself, and is {newest or 'no version yet'}")
    asked = str(dig(owner, "spec", "aliases", alias, "version") or "")
    wanted = version or asked
    if not asked:
        known = ", ".join(sorted(dig(owner, "spec", "aliases") or {}))
        there = f"; there is {known}" if known else ""
        return Standing(False, wanted, f"{name} is no alias yet: nobody has set spec.aliases.{alias}.version{there}")
    if asked != wanted:
        return Standing(False, wanted, f"{name}: spec.aliases.{alias}.version is {asked}, not {wanted}")
    status = dig(owner, "status", "aliases", alias)
    if dig(status, "desired") != wanted:
        return Standing(False, wanted, f"{name}: the operator has not seen the change yet")
    if dig(status, "current") == wanted:
        return Standing(True, wanted, "")
    reason = ": ".join(str(part) for part in (dig(status, "reason"), dig(status, "message")) if part)
    return Standing(
        False, wanted, f"{name} is {dig(status, 'state') or 'Unknown'}" + (f" ({reason})" if reason else "")
    )


def _owner(cluster: Cluster, namespace: str, address: Address) -> Object:
    """The object whose alias is meant: the one that has it; while neither has it, the model, which may get it yet."""
    name, alias = address.name, str(address.alias)
    known = [
        owner
        for owner in (cluster.get(REGISTERED_MODELS, namespace, name), cluster.get(MODEL_ARTIFACTS, namespace, name))
        if owner is not None
    ] or [owner for owner in [cluster.get(DATASETS, namespace, name)] if owner is not None]
    if not known:
        kinds = "neither a RegisteredModel nor a ModelArtifact nor a Dataset"
        raise CommandError(f"there is {kinds} {name} in namespace {namespace}")
    holders = [owner for owner in known if _has(owner, alias)]
    if len(holders) > 1:
        raise CommandError(
            f"{name}:{alias} is an alias of RegisteredModel {name} and of ModelArtifact {name}: remove one of them"
        )
    return (holders or known)[0]


def _has(owner: Object, alias: str) -> bool:
    if alias == LATEST:
        return dig(owner, "status", "latestVersion") is not None
    return any(dig(owner, part, "aliases", alias) is not None for part in ("spec", "status"))
