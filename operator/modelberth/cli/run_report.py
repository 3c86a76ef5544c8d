"""The container beside a run's program: shakes hands with its supervisor, and becomes the reporter.

The program is not started before, for it could put another lock in the place of the run's. It need not wait for the
imports of the reporter either: they come after.
"""

from importlib import import_module

from modelberth.training.handshake import shake_hands
from modelberth.training.pod_folder import PodFolder


def main(root: str) -> int:
    """Watch the program, and report.

    Args:
        root: the shared folder.

    Returns:
        0 when the registry knows how the attempt ended.
    """
    folder = PodFolder(root)
    hands = shake_hands(folder)
    code: int = import_module("modelberth.cli.run_reporter").main(folder, hands)
    return code
