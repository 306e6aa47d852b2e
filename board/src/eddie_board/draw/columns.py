"""Station "draw": the samples as columns for ECharts; series of one grid of times share it, no number is changed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

Values = Sequence[float | None]


def finite(values: Values) -> list[float | None]:
    """Give ``values`` with None for what a picture has no place for: NaN and infinities, which JSON cannot say."""
    return [value if value is not None and math.isfinite(value) else None for value in values]


def bridged(times: Sequence[float], values: Values, longest: float) -> set[int]:
    """Answer the places without a sample that a line goes over: gaps shorter than ``longest`` seconds, end to end."""
    over: set[int] = set()
    last: int | None = None
    for at, value in enumerate(values):
        if value is None:
            continue
        if last is not None and last + 1 < at and times[at] - times[last] < longest:
            over.update(range(last + 1, at))
        last = at
    return over


def lonely(values: Values) -> list[int | None] | None:
    """Mark with 1 each sample that has none before and none after it; None when there is no such sample."""
    end = len(values) - 1
    marks = [
        1
        if value is not None and (at == 0 or values[at - 1] is None) and (at == end or values[at + 1] is None)
        else None
        for at, value in enumerate(values)
    ]
    return marks if any(marks) else None


@dataclass(slots=True)
class Columns:
    """The chart's datasets: one for each grid of times, each a list of rows of which the first is the times in ms."""

    datasets: list[dict[str, Any]] = field(default_factory=list)
    _grids: dict[tuple[float, ...], int] = field(default_factory=dict)

    def put(self, times: tuple[float, ...], row: Sequence[Any]) -> tuple[int, int]:
        """Add a row over ``times``; answer the numbers of its dataset and of its row."""
        at = self._grids.get(times)
        if at is None:
            at = self._grids[times] = len(self.datasets)
            self.datasets.append({"sourceHeader": False, "source": [[round(time * 1000) for time in times]]})
        source = self.datasets[at]["source"]
        source.append(row)
        return at, len(source) - 1
