"""Station "draw": the time series panel as a chart: lines, areas, bars and steps, stacked or not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from eddie_board.dashboard import Panel
from eddie_board.draw import legend, marks, tooltip
from eddie_board.draw.axes import Scales, threshold_marks, time_axis
from eddie_board.draw.columns import Columns, finite
from eddie_board.draw.curves import Line, drawn
from eddie_board.draw.fields import fields
from eddie_board.draw.model import Chart, LegendRow
from eddie_board.draw.reduce import extent, reduced
from eddie_board.frames import Series
from eddie_board.queries import Window
from eddie_board.shared import Answer

_SPACE = 10.0
"""Pixels between samples from which on each has its point, where the panel leaves it to the program."""


def chart(panel: Panel, answer: Answer, window: Window) -> Chart:
    """Draw ``panel`` from ``answer`` over the time of ``window``."""
    scales, columns = Scales(), Columns()
    lines = _lines(panel, answer.series, scales)
    _percentages(lines)
    _reach(lines, scales)
    sparse = _sparse(panel, lines)
    curves = [drawn(line, columns, sparse=sparse) for line in lines]
    helpers = _helpers(scales, marks.holder(answer.marks))
    marked = marks.titles(answer.marks, lines[0].series.times if lines else (), columns)
    names = legend.calculations(panel.options)
    rows = [_row(line, names, scales) for line in lines if not line.field.hidden("legend")]
    told = [line.field if not line.field.hidden("tooltip") else None for line in lines]
    mode, place = legend.shape(panel.options)
    options = {
        "animation": False,
        "textStyle": {"fontFamily": "Inter, Roboto, system-ui, Helvetica, Arial, sans-serif"},
        "legend": {"show": False},
        "grid": {"left": 6, "right": 6, "top": 10, "bottom": 4, "outerBoundsMode": "same", "outerBoundsContain": "all"},
        "xAxis": time_axis(window.start, window.end, panel.w),
        "yAxis": scales.options(),
        "dataset": columns.datasets,
        "series": curves + helpers + [marked],
        "tooltip": tooltip.over_time(panel.options, told, marks=len(lines) + len(helpers)),
    }
    return Chart(
        kind="timeseries",
        options=options,
        legend=legend.ordered(rows, legend.titles(names), panel.options),
        columns=legend.titles(names),
        legend_mode=mode,
        legend_placement=place,
        empty=str((panel.field_config.get("defaults") or {}).get("noValue") or ""),
        notes=_notes(lines),
    )


def _lines(panel: Panel, series: Sequence[Series], scales: Scales) -> list[Line]:
    made = []
    shown = fields(panel, series)
    keys = legend.keys([each.name for each in shown])
    low, high = extent([each.values for each in series])
    for index, (each, how) in enumerate(zip(series, shown, strict=True)):
        if how.hidden("viz"):
            continue
        by = str(how.colour.get("seriesBy") or "last")
        span = (how.minimum if how.minimum is not None else low, how.maximum if how.maximum is not None else high)
        line = Line(each, how, how.ink(index, reduced(by, each.values), *span), keys[index], 0, finite(each.values))
        if how.custom.get("transform") == "negative-Y":
            line.values = [None if value is None else -value for value in line.values]
        line.axis = scales.of(how)
        line.stack = _stack(line)
        made.append(line)
    return made


def _stack(line: Line) -> str:
    custom = line.field.custom
    stacking = custom.get("stacking") or {}
    if stacking.get("mode") not in ("normal", "percent"):
        return ""
    # One grid of times to a stack: ECharts stacks by place, not by time.
    parts = (
        stacking["mode"],
        stacking.get("group"),
        line.axis,
        custom.get("drawStyle"),
        custom.get("lineInterpolation"),
    )
    return "|".join(str(part) for part in (*parts, len(line.values), line.values and line.series.times[0]))


def _percentages(lines: Sequence[Line]) -> None:
    for stack in {line.stack for line in lines if line.stack.startswith("percent")}:
        members = [line for line in lines if line.stack == stack]
        sums = [sum(abs(value or 0) for value in row) for row in zip(*(line.values for line in members), strict=True)]
        for line in members:
            pairs = zip(line.values, sums, strict=True)
            line.values = [None if value is None else (value / whole if whole else 0.0) for value, whole in pairs]


def _reach(lines: Sequence[Line], scales: Scales) -> None:
    totals: dict[str, list[float]] = {}
    for line in lines:
        if not line.stack:
            scales.rows[line.axis].reach(line.values)
            continue
        before = totals.get(line.stack, [0.0] * len(line.values))
        totals[line.stack] = [was + (value or 0.0) for was, value in zip(before, line.values, strict=True)]
        scales.rows[line.axis].reach(totals[line.stack])


def _sparse(panel: Panel, lines: Sequence[Line]) -> bool:
    # In a window of a usual width; the samples of all queries count, as they do in Grafana.
    width = panel.w / 24 * 1250 - 70
    return len(set().union(*(line.series.times for line in lines))) * _SPACE <= width


def _helpers(scales: Scales, annotations: Mapping[str, Any]) -> list[dict[str, Any]]:
    # Thresholds hang on a series of their own, so that no hidden series takes them along.
    helpers = []
    for at, scale in enumerate(scales.rows):
        line, area = threshold_marks(scale)
        base = {"type": "line", "name": "", "data": [], "yAxisIndex": at, "silent": True, "animation": False}
        helpers.append({**base, "markLine": line, "markArea": area})
    over = {"type": "line", "name": "", "data": [], "yAxisIndex": 0, "silent": True, "animation": False}
    return [*helpers, {**over, **annotations}]


def _row(line: Line, names: Sequence[str], scales: Scales) -> LegendRow:
    texts, numbers = legend.numbers(names, line.field, line.values)
    pattern = (line.field.custom.get("lineStyle") or {}).get("fill")
    kind: Any = pattern if pattern in ("dash", "dot") else "solid"
    right = scales.rows[line.axis].right
    return LegendRow(line.key, line.field.name, line.ink, kind, right, texts, numbers)


def _notes(lines: Sequence[Line]) -> tuple[str, ...]:
    notes = []
    if any(line.field.custom.get("fillBelowTo") for line in lines):
        notes.append("the filling between two lines (fillBelowTo) is not drawn here")
    if any(line.field.custom.get("transform") == "constant" for line in lines):
        notes.append("a constant (transform) is drawn as a line of its samples here")
    if any(line.field.custom.get("gradientMode") not in (None, "none") for line in lines):
        notes.append("colours that change along a line (gradientMode) are drawn as one colour here")
    return tuple(notes)
