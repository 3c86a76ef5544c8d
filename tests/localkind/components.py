"""The programs of a cluster, one by one: starting, stopping, starting again, and waiting for what they bring about."""

import json
import os
import signal
import time
from collections.abc import Callable, Mapping

from . import sandbox
from .apiclient import wait_for
from .cluster import Cluster
from .host import LocalkindError
from .tools import bin_folder

_GRACE_SECONDS = 1.0


def start(
    cluster: Cluster,
    name: str,
    arguments: list[str],
    environment: Mapping[str, str] | None = None,
    runner: list[str] | None = None,
) -> None:
    """Start a program of the cluster and remember how, so that it can be started again after it was stopped.

    Args:
        cluster: where it runs.
        name: the program, and what it is called from then on.
        arguments: the program's.
        environment: what it finds there besides PATH, HOME and LANG.
        runner: the command that takes the arguments, where it is no built program.
    """
    command = [*(runner or [str(bin_folder() / name)]), *arguments]
    folder = cluster.folder / "components"
    folder.mkdir(mode=0o700, exist_ok=True)
    recipe = {"command": command, "environment": dict(environment or {})}
    (folder / f"{name}.json").write_text(json.dumps(recipe, indent=2))
    restart(cluster, name)


def restart(cluster: Cluster, name: str) -> None:
    """Start a program that the cluster was created with and that does not run now.

    Raises:
        LocalkindError: for a name the cluster was not created with, or one that runs.
    """
    file = cluster.folder / "components" / f"{name}.json"
    if not file.exists():
        known = ", ".join(sorted(entry.stem for entry in file.parent.glob("*.json")))
        raise LocalkindError(f"cluster {cluster.name!r} has no component {name!r}: it has {known}")
    if name in sandbox.components(cluster):
        raise LocalkindError(f"{name} of cluster {cluster.name!r} runs already: stop it first")
    recipe = json.loads(file.read_text())
    sandbox.spawn(cluster, name, recipe["command"], recipe["environment"])


def stop(cluster: Cluster, name: str, number: signal.Signals = signal.SIGKILL) -> None:
    """Send a signal to one component and wait until it has ended.

    Raises:
        LocalkindError: when it does not run.
    """
    running = sandbox.components(cluster)
    if name not in running:
        raise LocalkindError(f"{name} of cluster {cluster.name!r} does not run: there are {', '.join(sorted(running))}")
    os.kill(running[name], number)
    wait_for(f"the end of {name}", lambda: sandbox.components(cluster).get(name) != running[name])


def wait_until(cluster: Cluster, what: str, condition: Callable[[], bool]) -> None:
    """Wait for a condition that the components bring about; when one of them ends there is nothing to wait for.

    Raises:
        LocalkindError: naming the component that ended, or the condition that did not come.
    """
    missing_since: dict[str, float] = {}

    def comes() -> bool:
        missing = started(cluster) - sandbox.components(cluster).keys()
        for name in missing:  # a moment long a component is not itself yet, but the program that starts it
            if time.monotonic() - missing_since.setdefault(name, time.monotonic()) > _GRACE_SECONDS:
                raise LocalkindError(f"{name} ended while the cluster waited for {what}")
        return condition()

    wait_for(what, comes)


def started(cluster: Cluster) -> set[str]:
    """The components that the cluster was created with."""
    return {recipe.stem for recipe in (cluster.folder / "components").glob("*.json")}
