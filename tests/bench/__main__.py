"""Runs benches by name, prints their tables and puts them into the README."""

import argparse
import importlib
import sys
from collections.abc import Mapping

from tests.bench import machine
from tests.bench.progress import say
from tests.bench.report import Report, put_into_readme

BENCHES = {
    "loader": "loader_start",
    "operator": "operator_at_scale",
    "transfer": "transfer",
    "lineage": "lineage",
    "triggers": "triggers",
    "training": "training",
}
"""By name: the module whose `run(quick=…)` returns reports by the README's section."""


def main() -> int:
    """See `--help`."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("bench", nargs="*", help=f"which ones; without any, all of them: {', '.join(BENCHES)}")
    parser.add_argument("--quick", action="store_true", help="small sizes, few runs; the README stays as it is")
    arguments = parser.parse_args()
    unknown = set(arguments.bench) - BENCHES.keys()
    if unknown:
        parser.error(f"no bench is called {', '.join(sorted(unknown))}")
    for name in arguments.bench or BENCHES:
        _run(name, quick=arguments.quick)
    return 0


def _run(name: str, *, quick: bool) -> None:
    say(f"{name}: {'a try' if quick else 'all of it'}")
    before = machine.load_average()
    reports: Mapping[str, Report] = importlib.import_module(f"tests.bench.{BENCHES[name]}").run(quick=quick)
    where = (
        f"Measured {machine.describe()}; load average {before:.1f} before the run and "
        f"{machine.load_average():.1f} at its end."
    )
    for section, report in reports.items():
        text = f"{report.text()}\n\n{where}"
        print(f"## {section}\n\n{text}\n", flush=True)
        if not quick:
            put_into_readme(section, text)


if __name__ == "__main__":
    sys.exit(main())
