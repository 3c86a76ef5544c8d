"""How much anybody may ask for: a rate per namespace, and bodies of bounded size."""

import time
from collections import OrderedDict
from collections.abc import Callable

from modelberth.registry.problems import Problem, busy

JSON_BYTES = 1024 * 1024
"""The largest body that is taken where no format has a limit of its own."""
_REMEMBERED = 10_000


class RateLimit:
    """A token bucket for each namespace, or each of what `each` says (of one replica).

    Args:
        per_second: what a namespace may ask for, on average.
        burst: how far it may go beyond for a moment.
        each: what the names are of that are counted, for messages.
        monotonic: seconds since some point.
    """

    def __init__(
        self,
        *,
        per_second: float,
        burst: float,
        each: str = "namespace",
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._per_second = per_second
        self._burst = burst
        self._each = each
        self._monotonic = monotonic
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, name: str) -> None:
        """Count one request.

        Raises:
            Problem: 429, with the seconds to wait.
        """
        left = self._available(name)
        if left < 1:
            raise busy(f"too many requests for {self._each} {name}: slow down", (1 - left) / self._per_second)
        self._remember(name, left - 1)

    def check(self, name: str) -> None:
        """Refuse without counting.

        Raises:
            Problem: 429, where nothing is left.
        """
        left = self._available(name)
        if left < 1:
            raise busy(f"too many refused requests for {self._each} {name}: wait", (1 - left) / self._per_second)

    def _available(self, name: str) -> float:
        now = self._monotonic()
        left, since = self._left.get(name, (self._burst, now))
        return min(self._burst, left + (now - since) * self._per_second)

    def _remember(self, name: str, left: float) -> None:
        self._left[name] = (left, self._monotonic())
        self._left.move_to_end(name)
        while len(self._left) > _REMEMBERED:
            self._left.popitem(last=False)


def too_large(limit: int) -> Problem:
    """The answer to a body over its limit."""
    return Problem(413, "TooLarge", f"the body has more than {limit} bytes")
