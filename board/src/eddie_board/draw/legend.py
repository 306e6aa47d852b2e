"""Station "draw": the legend of a chart: its rows, its columns of numbers and their order."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from eddie_board.draw.fields import Field
from eddie_board.draw.model import LegendRow
from eddie_board.draw.reduce import TITLES, reduced
from eddie_board.draw.unit_names import unit

_UNITLESS = frozenset({"count"})


def keys(names: Sequence[str]) -> list[str]:
    """Give each name a key of its own: the same names get characters of no width behind them."""
    seen: dict[str, int] = {}
    made = []
    for name in names:
        seen[name] = seen.get(name, -1) + 1
        made.append(name + "\u200b" * seen[name])
    return made


def shape(options: Mapping[str, Any]) -> tuple[Literal["list", "table", "hidden"], Literal["bottom", "right"]]:
    """Say how and where a panel wants its legend."""
    legend = options.get("legend") or {}
    place: Literal["bottom", "right"] = "right" if legend.get("placement") == "right" else "bottom"
    if legend.get("showLegend") is False or legend.get("displayMode") == "hidden":
        return "hidden", place
    return ("table" if legend.get("displayMode") == "table" else "list"), place


def calculations(options: Mapping[str, Any]) -> tuple[str, ...]:
    """Name the reducers of the legend's columns."""
    return tuple(str(each) for each in (options.get("legend") or {}).get("calcs") or ())


def titles(names: Sequence[str]) -> tuple[str, ...]:
    """Give the columns' titles."""
    return tuple(TITLES.get(name, name) for name in names)


def numbers(
    names: Sequence[str], shown: Field, values: Sequence[float | None]
) -> tuple[tuple[str, ...], tuple[float | None, ...]]:
    """Give the columns of one series, as texts and as numbers."""
    found = tuple(reduced(name, values) for name in names)
    texts = tuple(
        unit("none").text(value) if name in _UNITLESS else shown.text(value)
        for name, value in zip(names, found, strict=True)
    )
    return texts, found


def ordered(rows: Sequence[LegendRow], columns: Sequence[str], options: Mapping[str, Any]) -> tuple[LegendRow, ...]:
    """Put a table's rows in the order the panel asks for: by a column's title, or by name."""
    legend = options.get("legend") or {}
    by, down = legend.get("sortBy"), bool(legend.get("sortDesc"))
    if legend.get("displayMode") != "table" or not by:
        return tuple(rows)
    if by in columns:
        at = list(columns).index(by)
        worst = -math.inf if down else math.inf
        pairs = [(worst if (number := row.numbers[at]) is None else number, row) for row in rows]
        return tuple(row for _, row in sorted(pairs, key=lambda pair: pair[0], reverse=down))
    return tuple(sorted(rows, key=lambda row: row.name.casefold(), reverse=down)) if by == "Name" else tuple(rows)
