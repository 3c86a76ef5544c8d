"""The container beside a run's program: takes hold of the run's lock, says so, and becomes the reporter.

The program is not started before, for it could put another lock in its place. It need not wait for the imports of the
reporter either: they come after.
"""

from importlib import import_module

from modelberth.training.pod_folder import WATCHED, PodFolder


def main(root: str) -> int:
    """Watch the program, and report.

    Args:
        root: the shared folder.

    Returns:
        0 when the registry knows how the attempt ended.
    """
    folder = PodFolder(root)
    lock = folder.lock()
    if lock is not None:
        folder.mark(WATCHED)
    code: int = import_module("modelberth.cli.run_reporter").main(folder, lock)
    return code
