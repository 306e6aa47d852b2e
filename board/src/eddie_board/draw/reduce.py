"""Station "draw": one number for a whole series, as the legend's columns and the stat panel show it."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence

TITLES = {
    "last": "Last", "lastNotNull": "Last *", "first": "First", "firstNotNull": "First *", "min": "Min", "max": "Max",
    "mean": "Mean", "sum": "Total", "count": "Count", "range": "Range", "delta": "Delta", "diff": "Difference",
    "median": "Median", "stdDev": "StdDev", "variance": "Variance", "logmin": "Min (above zero)",
}  # fmt: skip
"""What Grafana calls each of them."""


def _median(values: Sequence[float]) -> float:
    row, half = sorted(values), len(values) // 2
    return row[half] if len(row) % 2 else (row[half - 1] + row[half]) / 2


def _variance(values: Sequence[float]) -> float:
    mean = sum(values) / len(values)
    return sum((value - mean) ** 2 for value in values) / len(values)


def _delta(values: Sequence[float]) -> float:
    # A counter's growth: a fall is a start from nought.
    pairs = itertools.pairwise(values)
    return sum(after - before if after >= before else after for before, after in pairs)


_OF_NUMBERS: dict[str, Callable[[Sequence[float]], float]] = {
    "last": lambda values: values[-1],
    "first": lambda values: values[0],
    "min": min,
    "max": max,
    "mean": lambda values: sum(values) / len(values),
    "sum": sum,
    "range": lambda values: max(values) - min(values),
    "delta": _delta,
    "diff": lambda values: values[-1] - values[0],
    "median": _median,
    "stdDev": lambda values: math.sqrt(_variance(values)),
    "variance": _variance,
    "logmin": lambda values: min((value for value in values if value > 0), default=math.nan),
}


def reduced(name: str, values: Sequence[float | None]) -> float | None:
    """Reduce ``values`` as Grafana's reducer ``name`` does; an unknown one is the last value.

    Samples that are NaN count as none. None where nothing is left.
    """
    numbers = [value for value in values if value is not None and not math.isnan(value)]
    if name == "count":
        return float(len(values))
    if name in ("last", "first"):
        end = values[-1 if name == "last" else 0] if values else None
        return end if end is None or not math.isnan(end) else None
    if not numbers:
        return None
    plain = {"lastNotNull": "last", "firstNotNull": "first"}.get(name, name)
    return float(_OF_NUMBERS.get(plain, _OF_NUMBERS["last"])(numbers))


def extent(values: Sequence[Sequence[float | None]]) -> tuple[float, float]:
    """Answer the least and the greatest finite number of all ``values``; 0 and 100 where there is none."""
    low, high = math.inf, -math.inf
    for each in values:
        for value in each:
            if value is not None and math.isfinite(value):
                low, high = min(low, value), max(high, value)
    return (low, high) if low <= high else (0.0, 100.0)
