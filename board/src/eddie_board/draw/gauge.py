"""Station "draw": the gauge panel: an arc a series from its least to its greatest value, thresholds around it."""

from __future__ import annotations

import math
from typing import Any

from eddie_board.dashboard import Panel
from eddie_board.draw.axes import FONT
from eddie_board.draw.colours import GRID, TEXT, ink
from eddie_board.draw.expressions import call
from eddie_board.draw.model import Chart
from eddie_board.draw.single import Single, empty_text, notes, singles
from eddie_board.draw.tooltip import units
from eddie_board.queries import Window
from eddie_board.shared import Answer


def chart(panel: Panel, answer: Answer, _window: Window) -> Chart:
    """Draw ``panel`` from ``answer``: gauges side by side, in as many rows as leave them round."""
    found = singles(panel, answer)
    wide, high = panel.w * 50.0, panel.h * 38.0 - 50
    across = max(range(1, len(found) + 1), key=lambda count: _side(count, len(found), wide, high), default=1)
    down = math.ceil(len(found) / across) or 1
    side = _side(across, len(found), wide, high)
    named = len(found) > 1
    marked = panel.options.get("showThresholdMarkers", True) is not False
    series = []
    for at, each in enumerate(found):
        middle = (f"{100 * (at % across + 0.5) / across:.3f}%", f"{100 * (at // across + 0.58) / down:.3f}%")
        # ECharts takes a radius as a share of half the shorter side.
        series += _arcs(each, middle, 96 * side / min(wide, high), side, named=named, marked=marked)
    return Chart(
        kind="gauge",
        options={"animation": False, "tooltip": {"show": False}, "legend": {"show": False}, "series": series},
        legend_mode="hidden",
        empty=empty_text(panel),
        notes=notes(panel.options),
    )


def _side(across: int, count: int, wide: float, high: float) -> float:
    return min(wide / across, high / math.ceil(max(count, 1) / across))


def _arcs(
    single: Single, middle: tuple[str, str], radius: float, side: float, *, named: bool, marked: bool
) -> list[dict[str, Any]]:
    hidden = {"show": False}
    base = {
        "type": "gauge", "silent": True, "animation": False, "center": list(middle), "startAngle": 200, "endAngle": -20,
        "min": single.low, "max": single.high, "pointer": hidden, "axisTick": hidden, "splitLine": hidden,
        "axisLabel": hidden, "anchor": hidden,
    }  # fmt: skip
    value = single.value if single.value is not None and math.isfinite(single.value) else None
    ways, _ = units([single.field])
    width = side * 0.1
    letters = {
        "offsetCenter": [0, "-4%"],
        "fontSize": max(12, round(side * 0.12)),
        "fontFamily": FONT,
        "fontWeight": 500,
    }
    arc = {
        **base,
        "radius": f"{radius * 0.92:.3f}%",
        "axisLine": {"lineStyle": {"width": width, "color": [[1, "rgba(128,128,128,0.18)"]]}},
        "progress": {"show": value is not None, "width": width, "itemStyle": single.ink.option()},
        "detail": {**letters, **single.ink.option(), ":formatter": call("value", ways[0])},
        "title": _title(side, named=named),
        "data": [{"value": value, "name": single.field.name if named else ""}],
    }
    if value is None:
        arc["detail"] = {**letters, **TEXT.option(), "formatter": "No data"}
    rim = {**base, "radius": f"{radius:.3f}%", "axisLine": {"lineStyle": _rim(single)}, "detail": hidden, "data": []}
    return [arc, rim] if marked and len(single.field.steps) > 1 else [arc]


def _title(side: float, *, named: bool) -> dict[str, Any]:
    letters = {"fontSize": 13, "fontFamily": FONT, **TEXT.option()}
    return {"show": named, "offsetCenter": [0, "45%"], "width": side * 0.9, "overflow": "truncate", **letters}


def _rim(single: Single) -> dict[str, Any]:
    # A list of pairs cannot carry an expression for both grounds: these colours are those of the dark one.
    span, steps, parts = single.high - single.low, single.field.steps, []
    for at, step in enumerate(steps):
        upper = steps[at + 1].value if at + 1 < len(steps) else single.high
        end = upper / 100 if single.field.percentages else (upper - single.low) / span
        colour = ink(step.colour).dark
        if end > 0:
            parts.append([min(1.0, end) if at + 1 < len(steps) else 1, colour])
    return {"width": 4, "color": parts or [[1, GRID.dark]]}
