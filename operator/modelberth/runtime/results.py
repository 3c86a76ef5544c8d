"""What a reconciler is to the workers: a key goes in, and what is left to do comes out."""

from dataclasses import dataclass
from typing import Protocol

from modelberth.runtime.resources import Key


@dataclass(frozen=True, slots=True)
class Result:
    """What is left to do: look again after so many seconds, or (None) only when something changes."""

    requeue_after: float | None = None


DONE = Result()


class Reconciler(Protocol):
    """Brings the object of one key to its desired state; called again whenever anything about it may have changed.

    Errors of the API server and the store that only time mends are raised: the work queue backs off and retries.
    """

    async def reconcile(self, key: Key) -> Result:
        """Observe, decide, execute."""
        ...
