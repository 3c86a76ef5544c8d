"""Metrics of a step, as they can be recorded: finite numbers."""

import math
from collections.abc import Mapping
from contextlib import suppress
from typing import Any


def all_finite(metrics: Mapping[str, Any]) -> dict[str, float]:
    """The metrics as numbers.

    Raises:
        ValueError: naming one that is no finite number.
    """
    told = finite(metrics)
    for name, value in metrics.items():
        if name not in told:
            raise ValueError(f"metrics: {name} is {value!r}, not a finite number: nothing was pushed")
    return told


def finite(metrics: Mapping[str, Any]) -> dict[str, float]:
    """Those of the metrics that are finite numbers."""
    found: dict[str, float] = {}
    for name, value in metrics.items():
        with suppress(TypeError, ValueError, OverflowError):
            if math.isfinite(float(value)):
                found[name] = float(value)
    return found
