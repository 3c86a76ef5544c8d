"""Runs benches by name, prints their tables and puts them into the README."""

import argparse
import importlib
import sys

from tests.bench import machine
from tests.bench.report import Report, put_into_readme

BENCHES = ("loader_start", "alias_move", "startup", "transfer")


def main() -> int:
    """See `--help`."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("bench", nargs="*", help=f"which ones; without any, all of them: {', '.join(BENCHES)}")
    parser.add_argument("--quick", action="store_true", help="small sizes, few runs; the README stays as it is")
    arguments = parser.parse_args()
    unknown = set(arguments.bench) - set(BENCHES)
    if unknown:
        parser.error(f"no bench is called {', '.join(sorted(unknown))}")
    for name in arguments.bench or BENCHES:
        _run(name, quick=arguments.quick)
    return 0


def _run(name: str, *, quick: bool) -> None:
    before = machine.load_average()
    report: Report = importlib.import_module(f"tests.bench.{name}").run(quick=quick)
    where = f"Measured {machine.describe()}; load average before the run {before:.1f}."
    text = f"{report.text()}\n\n{where}"
    print(f"## {name}\n\n{text}\n", flush=True)
    if not quick:
        put_into_readme(name, text)


if __name__ == "__main__":
    sys.exit(main())
