"""Say which version an alias answered with last, or at a given time, from the alias' history in the store."""

import argparse
import json

from modelberth.cli.arguments import alias_address
from modelberth.cli.existence import check_alias
from modelberth.cli.questions import Answer, add_question, asking, short_digest, span_text
from modelberth.cli.tables import table
from modelberth.cli.times import time_text


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("address", metavar="MODEL:ALIAS", type=alias_address, help="such as digits:production")
    parser.add_argument(
        "--at", metavar="TIME", help="such as 2026-11-21T09:00:00Z, in UTC if no offset is given (default: now)"
    )
    add_question(parser)


def run(arguments: argparse.Namespace) -> int:
    """Print the version. Exit code 1 when none answered."""
    address = arguments.address
    query = {"at": arguments.at} if arguments.at else {}
    with asking(arguments, address.namespace) as questions:
        found = questions.ask(f"models/{address.name}/aliases/{address.alias}/deployed", **query)
        if not (found["answered"] or found["asked"] or found["spans"]):
            check_alias(questions.cluster, questions.namespace, address)
    if arguments.output == "json":
        print(json.dumps(found, indent=2, ensure_ascii=False))
    else:
        print(_sentence(found))
        if found["spans"] and not arguments.at:
            rows = [
                [span["version"], short_digest(span["digest"]), span_text(span), span["movedBy"]]
                for span in found["spans"]
            ]
            print("\n" + table(["VERSION", "DIGEST", "ANSWERED", "BY"], rows))
    return 0 if found["answered"] else 1


def _sentence(found: Answer) -> str:
    answered, asked, at = found["answered"], found["asked"], time_text(found["at"])
    when = f" at {at}" if at else ""
    if answered is None:
        wish = f"; {asked['version']} was asked for" if asked else ""
        return f"{found['alias']} answered with no version{when}{wish}"
    verb = "answers" if not at and not answered.get("until") else "answered"
    other = f"; {asked['version']} was asked for" if asked and asked["version"] != answered["version"] else ""
    return f"{found['alias']} {verb}{when} with {answered['version']} {answered['digest']}".rstrip() + other
