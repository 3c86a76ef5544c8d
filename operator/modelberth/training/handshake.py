"""What the report takes hold of before there is a program that could put something else in its place."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from modelberth.training.pod_folder import LOADING, OUTCOME, WATCHED, PodFolder


@dataclass(frozen=True, slots=True)
class Handshake:
    """What is believed, because it is from before the program.

    Attributes:
        lock: the run's, open; None where there is none, and then no program starts.
        seal: what the supervisor's outcome shows, and no other: the program never sees it.
        loading: what the first container said of its work.
    """

    lock: int | None
    seal: str
    loading: Mapping[str, Any]

    def outcome(self, folder: PodFolder) -> Mapping[str, Any] | None:
        """What the supervisor has written; None where the file is there and is not the supervisor's.

        The supervisor takes the seal away before it starts the program. Where it still lies in its place there was no
        program who could have written anything.
        """
        said = folder.json(OUTCOME)
        is_ours = self.seal in (said.get("seal"), folder.json(WATCHED).get("seal"))
        return said if is_ours else None


def shake_hands(folder: PodFolder) -> Handshake:
    """Take hold, and then let the program start.

    Raises:
        OSError: the folder cannot be written to.
    """
    hands = Handshake(folder.lock(), new_seal(), folder.json(LOADING))
    if hands.lock is not None:
        folder.put(WATCHED, {"seal": hands.seal})
    return hands


def new_seal() -> str:
    """Something that nobody guesses."""
    return os.urandom(16).hex()
