"""Several measurements of one thing, and how they are written: the median, and between which two values all of them lay."""

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import median
from typing import Self

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Series:
    """At least one measurement, all in the same unit."""

    values: tuple[float, ...]

    @classmethod
    def of(cls, values: Iterable[float]) -> Self:
        """Measurements in any order."""
        return cls(tuple(values))

    @property
    def median(self) -> float:
        """Half of the values are below, half above."""
        return median(self.values)

    def per(self, other: "Series") -> str:
        """How many times the other's median this one's is."""
        return f"{self.median / other.median:.2f} ×"

    def text(self, unit: str, scale: float = 1.0) -> str:
        """`12.3 ms (11.0–15.2)`; a single value stands alone.

        Args:
            unit: what the numbers are in once they are multiplied by `scale`.
            scale: the number of those units in one unit of the values.
        """
        low, middle, high = (_number(value * scale) for value in (min(self.values), self.median, max(self.values)))
        return f"{middle} {unit}" + (f" ({low}–{high})" if len(self.values) > 1 else "")


def seconds(values: Iterable[float]) -> str:
    """Durations given in seconds, in the unit that suits the median."""
    series = Series.of(values)
    return series.text("ms", 1000.0) if series.median < 1 else series.text("s")


def mebibytes(values: Iterable[float]) -> str:
    """Sizes given in bytes."""
    return Series.of(values).text("MiB", 1 / MIB)


def _number(value: float) -> str:
    """Three significant digits, without an exponent."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"
