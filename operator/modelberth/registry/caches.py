"""A small cache with an age and a weight limit. What is in it can be read again from the bucket or the API server."""

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class AgingCache(Generic[K, V]):
    """Remembers values for some seconds, the most recently used ones first.

    Args:
        seconds: how long a value is good.
        weight: how much all values may weigh together.
        weigh: the weight of one value; 1 each by default.
        monotonic: seconds since some point.
    """

    def __init__(
        self,
        *,
        seconds: float,
        weight: float,
        weigh: Callable[[V], float] = lambda _: 1.0,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._seconds = seconds
        self._limit = weight
        self._weigh = weigh
        self._monotonic = monotonic
        self._values: OrderedDict[K, tuple[float, V]] = OrderedDict()
        self._weight = 0.0

    def get(self, key: K) -> V | None:
        """The value, if it is still good."""
        found = self._values.get(key)
        if found is None:
            return None
        if self._monotonic() >= found[0]:
            self.drop(key)
            return None
        self._values.move_to_end(key)
        return found[1]

    def put(self, key: K, value: V, *, seconds: float | None = None) -> None:
        """Remember a value, for `seconds` at most if given. One heavier than the whole cache is not kept."""
        self.drop(key)
        weight = self._weigh(value)
        if weight > self._limit:
            return
        lifetime = self._seconds if seconds is None else min(seconds, self._seconds)
        self._values[key] = (self._monotonic() + lifetime, value)
        self._weight += weight
        while self._weight > self._limit:
            self.drop(next(iter(self._values)))

    def drop(self, key: K) -> None:
        """Forget a value."""
        found = self._values.pop(key, None)
        if found is not None:
            self._weight -= self._weigh(found[1])
