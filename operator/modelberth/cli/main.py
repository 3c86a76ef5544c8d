"""`modelberth COMMAND …`, also as `kubectl modelberth COMMAND …`.

A command's module is imported when it is called: a pod's loader must start on the standard library alone.
Exit codes: 0 done, 1 refused or failed, 2 wrong usage.
"""

import argparse
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import NoReturn

from modelberth import __version__
from modelberth.cli.errors import UsageError
from modelberth.content.errors import FormatError
from modelberth.transfer.errors import Damaged, TransferError

COMMANDS = {
    "push": "send a folder as a new version of an artifact",
    "load": "bring a version into a folder",
    "verify": "check every byte of a version in the store, or of a folder",
    "get": "show artifacts, datasets, models, versions and aliases",
    "history": "show what happened to an alias",
    "lineage": "show what a version was made of, and what was made of it",
    "describe": "say what is known of a version: data, parameters, run, environment, metrics",
    "runs": "list training runs by the data that they used, or by a metric",
    "deployed": "say which version an alias answered with, now or at a time",
    "train": "run a training pipeline now",
    "run": "look at training runs: describe, follow, get, list",
    "reproduce": "make a version again from its record, and compare",
    "why": "say why something failed: training, loading and serving in one answer",
    "wait": "wait until an alias stands for a version",
    "version": "show the version of this program and of the registry",
}
PROCESSES = {
    "operator": ("run the operator", "modelberth.handlers"),
    "registry": ("run the registry", "modelberth.registry.main"),
    "store-bootstrap": ("prepare a MinIO for Modelberth", "modelberth.registry.bootstrap"),
    "run-prepare": ("bring a training run's inputs into FOLDER", "modelberth.cli.run_prepare"),
    "run-report": ("tell of a training run in FOLDER and send its outputs", "modelberth.cli.run_report"),
}
"""By name: what it does, and the module whose `main(…)` does it. The image's entry point is this program."""
_WITH_FOLDER = frozenset({"run-prepare", "run-report"})
"""The processes that are given the folder of their pod's shared volume."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        arguments: without the program's name; the process's own by default.

    Returns:
        The exit code.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    program = _program()
    name = words[0] if words else ""
    if name == "help" and words[1:] and words[1] in COMMANDS:
        name, words = words[1], ["", "--help"]
    if name in COMMANDS:
        return _run(f"{program} {name}", name, words[1:])
    if name in PROCESSES and len(words) == 1 + (name in _WITH_FOLDER) and not words[-1].startswith("-"):
        code: int = import_module(PROCESSES[name][1]).main(*words[1:])
        return code
    return _top_level(program, words)


def _run(program: str, name: str, words: list[str]) -> int:
    module = import_module(f"modelberth.cli.{name}")
    parser = argparse.ArgumentParser(
        prog=program, description=module.__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    module.configure(parser)
    signal.signal(signal.SIGTERM, _interrupt)  # so that a session is deleted when a CI job is cancelled
    try:
        code: int = module.run(parser.parse_args(words))
    except UsageError as error:
        parser.error(str(error))
    except Damaged as error:
        return _failed(name, f"refused: {error}")
    except (TransferError, FormatError) as error:
        return _failed(name, str(error))
    except BrokenPipeError:
        # Whoever read our output has seen enough; do not let the interpreter's own flush complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        return _failed(name, f"{where}{error.strerror or type(error).__name__}")
    except KeyboardInterrupt:
        return _failed(name, "stopped; run the same command again to go on")
    return code


def _interrupt(*_: object) -> NoReturn:
    raise KeyboardInterrupt


def _failed(name: str, why: str) -> int:
    print(f"modelberth {name}: {why}", file=sys.stderr)
    return 1


def _top_level(program: str, words: list[str]) -> int:
    """Help, or an error for what is no command."""
    parser = argparse.ArgumentParser(
        prog=program,
        usage=f"{program} COMMAND …",
        description="Versions of models and data, the runs that make them, and the aliases that deploy them.\n\n"
        f"commands:\n{_listed(COMMANDS)}\n\n"
        f"what pods run:\n{_listed({name: summary for name, (summary, _) in PROCESSES.items()})}",
        epilog=f"{program} COMMAND --help says more about a command. An ADDRESS names a version:\n"
        "[namespace/]name[:alias | :v4 | :1.1 | @sha256:…], with the name of an artifact, a dataset or, before an\n"
        "alias, a registered model. An artifact's or dataset's name alone means :latest.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"{program} {__version__}")
    if not words or words == ["help"]:
        parser.print_help()
        return 0
    name = words[0]
    if name in PROCESSES:
        return _misused(program, f"{name} takes {'a FOLDER' if name in _WITH_FOLDER else 'no arguments'}, in its pod")
    parser.parse_known_args(words)
    return _misused(program, f"there is no command {words[name == 'help']!r}")


def _misused(program: str, why: str) -> int:
    print(f"{program}: {why}; {program} --help shows the usage", file=sys.stderr)
    return 2


def _listed(summaries: Mapping[str, str]) -> str:
    return "\n".join(f"  {name:<16} {summary}" for name, summary in summaries.items())


def _program() -> str:
    return "kubectl modelberth" if os.path.basename(sys.argv[0]).startswith("kubectl-") else "modelberth"
