"""Station "draw": panels that show one value a series: which value, in which colour, between which ends."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from eddie_board.dashboard import Panel
from eddie_board.draw.colours import Ink
from eddie_board.draw.fields import Field, fields
from eddie_board.draw.reduce import extent, reduced
from eddie_board.frames import Series
from eddie_board.shared import Answer


@dataclass(frozen=True, slots=True)
class Single:
    """One series brought down to ``value``; ``low`` and ``high`` are the ends it is shown between."""

    series: Series
    field: Field
    value: float | None
    ink: Ink
    low: float
    high: float

    @property
    def text(self) -> str:
        """The value as the panel writes it."""
        return self.field.text(self.value) or "No data"


def singles(panel: Panel, answer: Answer) -> tuple[Single, ...]:
    """Reduce each series as the panel's ``reduceOptions`` say; ends that nobody named are those of all samples."""
    low, high = extent([series.values for series in answer.series])
    calculation = calculation_of(panel.options)
    made = []
    for index, (series, shown) in enumerate(zip(answer.series, fields(panel, answer.series), strict=True)):
        if shown.hidden("viz"):
            continue
        value = reduced(calculation, series.values)
        start = shown.minimum if shown.minimum is not None else low
        end = shown.maximum if shown.maximum is not None else high
        if end <= start:
            start, end = min(0.0, start), max(start + 1.0, 1.0)
        made.append(Single(series, shown, value, shown.ink(index, value, start, end), start, end))
    return tuple(made)


def calculation_of(options: Mapping[str, Any]) -> str:
    """Name the panel's reducer."""
    named = (options.get("reduceOptions") or {}).get("calcs") or ["lastNotNull"]
    return str(named[0])


def notes(options: Mapping[str, Any]) -> tuple[str, ...]:
    """Say what of ``reduceOptions`` is not done here."""
    if (options.get("reduceOptions") or {}).get("values"):
        return (
            "every row as a value of its own (reduceOptions.values) is shown as the last value of each series here",
        )
    return ()


def empty_text(panel: Panel) -> str:
    """Give the panel's own sentence for no data."""
    return str((panel.field_config.get("defaults") or {}).get("noValue") or "")
