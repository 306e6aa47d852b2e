"""Station "draw": bar panels, a bar a series: the bar gauge in threshold colours, the bar chart on a value axis."""

from __future__ import annotations

import math
from typing import Any

from eddie_board.dashboard import Panel
from eddie_board.draw import legend
from eddie_board.draw.axes import FONT, LABEL, Scale, axis, threshold_marks
from eddie_board.draw.colours import TEXT
from eddie_board.draw.expressions import call
from eddie_board.draw.model import Chart
from eddie_board.draw.single import Single, empty_text, notes, singles
from eddie_board.draw.tooltip import frame, units
from eddie_board.queries import Window
from eddie_board.shared import Answer


def bar_gauge(panel: Panel, answer: Answer, _window: Window) -> Chart:
    """Draw a bar gauge: one bar a series, lying unless the panel wants them upright, its value beside it."""
    found = singles(panel, answer)
    upright = panel.options.get("orientation") == "vertical"
    ends = (min((each.low for each in found), default=0.0), max((each.high for each in found), default=1.0))
    values: dict[str, Any] = {"type": "value", "show": False, "min": ends[0], "max": ends[1]}
    options = _options(found, values, upright=upright, text_in_bar=True, wide=panel.w)
    options["tooltip"] = {"show": False}
    options["series"][0] |= {"showBackground": panel.options.get("showUnfilled", True) is not False}
    return Chart("bargauge", options, legend_mode="hidden", empty=empty_text(panel), notes=notes(panel.options))


def bar_chart(panel: Panel, answer: Answer, _window: Window) -> Chart:
    """Draw a bar chart: the last value of each series as a bar over its name."""
    found = singles(panel, answer)
    lying = panel.options.get("orientation") == "horizontal"
    values: dict[str, Any] = {"type": "value"}
    lines: dict[str, Any] = {}
    areas: dict[str, Any] = {}
    if found:
        first = found[0].field
        scale = Scale(first, right=False, shown=True)
        scale.reach([0.0, *(each.value for each in found)])
        scale.style, scale.steps = (first.custom.get("thresholdsStyle") or {}).get("mode") or "off", first.steps
        values = axis(scale, ruled=True) | ({"position": "bottom", "nameRotate": 0} if lying else {})
        lines, areas = threshold_marks(scale)
        if lying:
            lines["data"] = [
                {**{k: v for k, v in each.items() if k != "yAxis"}, "xAxis": each["yAxis"]} for each in lines["data"]
            ]
            areas = {}
    shown = panel.options.get("showValue") == "always"
    options = _options(found, values, upright=not lying, text_in_bar=shown, wide=panel.w)
    options["series"][0] |= {"markLine": lines or None, "markArea": areas or None}
    options["tooltip"] = _tooltip(panel, found)
    drawn = (
        ("each series is one bar with its last value here",) if any(len(one.series.times) > 1 for one in found) else ()
    )
    return Chart("barchart", options, legend_mode="hidden", empty=empty_text(panel), notes=drawn)


def _options(
    found: tuple[Single, ...], values: dict[str, Any], *, upright: bool, text_in_bar: bool, wide: int
) -> dict[str, Any]:
    room = max(30, wide * 45 // max(len(found), 1)) if upright else 140
    names = legend.keys([each.field.name for each in found])
    category = {
        "type": "category",
        "data": names,
        "inverse": not upright,
        "axisLabel": {**LABEL, "interval": 0 if len(found) <= 40 else "auto", "width": room, "overflow": "truncate"},
        "axisTick": {"show": False},
        "axisLine": {"show": False},
    }
    ways, of = units([each.field for each in found])
    label = {
        "show": text_in_bar,
        "position": "top" if upright else "right",
        "fontFamily": FONT,
        "fontSize": 13,
        ":formatter": call("bar", ways, of),
        **TEXT.option(),
    }
    value_axis, name_axis = {**values}, category
    return {
        "animation": False,
        "legend": {"show": False},
        "grid": {"left": 8, "right": 64 if text_in_bar and not upright else 8, "top": 20 if upright else 4, "bottom": 4,
                 "outerBoundsMode": "same", "outerBoundsContain": "all"},
        "xAxis": name_axis if upright else value_axis,
        "yAxis": value_axis if upright else name_axis,
        "series": [
            {
                "type": "bar",
                "barCategoryGap": "20%",
                "animation": False,
                "backgroundStyle": {"color": "rgba(128,128,128,0.15)"},
                "label": label,
                "emphasis": {"disabled": True},
                "data": [{"value": _plain(each.value), "itemStyle": each.ink.option()} for each in found],
            }
        ],
    }  # fmt: skip


def _tooltip(panel: Panel, found: tuple[Single, ...]) -> dict[str, Any]:
    ways, of = units([each.field for each in found])
    return {
        **frame(),
        "show": (panel.options.get("tooltip") or {}).get("mode") != "none",
        "trigger": "axis",
        "axisPointer": {"type": "shadow"},
        ":formatter": call("named", ways, of),
    }


def _plain(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
