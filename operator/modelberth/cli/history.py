"""Show what happened to an alias of a registered model, oldest first, from the records in the store."""

import argparse
import json

from modelberth.cli.arguments import add_place, alias_address
from modelberth.cli.existence import check_alias
from modelberth.cli.session import Place, session_access
from modelberth.cli.tables import table
from modelberth.cli.times import time_text


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("address", metavar="MODEL:ALIAS", type=alias_address, help="such as digits:production")
    parser.add_argument("-o", "--output", choices=("json",), help="print JSON instead of a table")
    add_place(parser)


def run(arguments: argparse.Namespace) -> int:
    """Print the history. Exit code 1 where there is neither such an alias nor anything on record about it."""
    address = arguments.address
    place = Place.of(arguments)
    with place.connect() as cluster:
        namespace = address.namespace or place.namespace or cluster.namespace
        with session_access(cluster, place, namespace, "Pull") as access:
            entries = access.client.history(address.name, address.alias)
        if not entries:
            check_alias(cluster, namespace, address)
    if arguments.output == "json":
        print(json.dumps(list(entries), indent=2, ensure_ascii=False))
    elif entries:
        columns = ("sequence", "at", "event", "version", "previous", "movedBy")
        shown = [{**entry, "at": time_text(entry.get("at"))} for entry in entries]
        rows = [[str(entry.get(column) or "") for column in columns] for entry in shown]
        print(table(["SEQ", "AT", "EVENT", "VERSION", "PREVIOUS", "BY"], rows))
    else:
        print(f"nothing is recorded for {address}")
    return 0
