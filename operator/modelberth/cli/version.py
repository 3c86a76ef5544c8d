"""Show the version of this program, and with --registry that of the registry and what it lacks."""

import argparse

from modelberth import __version__
from modelberth.cli.arguments import add_place


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--registry", action="store_true", help="ask the registry, too")
    add_place(parser)


def run(arguments: argparse.Namespace) -> int:
    """Print."""
    print(f"modelberth {__version__}")
    if arguments.registry:
        from modelberth.cli.session import Place, session_access

        place = Place.of(arguments)
        with place.connect() as cluster:
            namespace = place.namespace or cluster.namespace
            with session_access(cluster, place, namespace, "Pull") as access:
                info = access.client.info()
        formats = ", ".join(f"{name} {number}" for name, number in dict(info.get("formats") or {}).items())
        print(f"registry {info.get('version')} (formats: {formats}; mode: {info.get('mode')})")
        for problem in info.get("problems") or []:
            print(f"  {problem}")
    return 0
