"""Station "draw": one series as ECharts draws it: a curve, an area, bars, or points alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from eddie_board.draw.colours import Ink
from eddie_board.draw.columns import Columns, bridged, lonely
from eddie_board.draw.expressions import call
from eddie_board.draw.fields import Field
from eddie_board.frames import Series

_STEPS = {"stepBefore": "start", "stepAfter": "end"}


@dataclass(slots=True)
class Line:
    """One series on its way into the chart."""

    series: Series
    field: Field
    ink: Ink
    key: str
    axis: int
    values: list[float | None]
    stack: str = ""


def drawn(line: Line, columns: Columns, *, sparse: bool) -> dict[str, Any]:
    """Give the chart's series of ``line`` and put its numbers into ``columns``; ``sparse`` leaves room for points."""
    custom = line.field.custom
    style = custom.get("drawStyle") or "line"
    times, values = line.series.times, line.values
    spans = custom.get("spanNulls")
    if style == "line" and not line.stack and isinstance(spans, int | float) and not isinstance(spans, bool):
        over = bridged(times, values, spans / 1000)
        if over:
            kept = [at for at in range(len(times)) if at not in over]
            times, values = tuple(times[at] for at in kept), [values[at] for at in kept]
    dataset, row = columns.put(times, values)
    option = {
        "name": line.key,
        "yAxisIndex": line.axis,
        "datasetIndex": dataset,
        "seriesLayoutBy": "row",
        "encode": {"x": 0, "y": row},
        "stack": line.stack or None,
        "itemStyle": line.ink.option(),
        "emphasis": {"disabled": True},
        "animation": False,
    }
    if style == "bars":
        return option | _bars(line)
    return option | _curve(line) | _points(line, columns, (times, values), sparse=sparse)


def _bars(line: Line) -> dict[str, Any]:
    custom = line.field.custom
    width = _number(custom.get("lineWidth"), 1)
    border = line.ink.option("borderColor") if width else {"borderColor": "transparent"}
    return {
        "type": "bar",
        "itemStyle": {**line.ink.option(), "opacity": _share(custom), "borderWidth": width, **border},
        "barCategoryGap": f"{100 - 100 * _number(custom.get('barWidthFactor'), 0.6):g}%",
        "barGap": "-100%",
        "barMaxWidth": _number(custom.get("barMaxWidth"), 200),
    }


def _curve(line: Line) -> dict[str, Any]:
    custom = line.field.custom
    width = _number(custom.get("lineWidth"), 1)
    if custom.get("drawStyle") == "points":
        width = 0
    pattern = custom.get("lineStyle") or {}
    kind: Any = "solid" if pattern.get("fill") in (None, "solid") else pattern.get("dash") or [10, 10]
    cap = "round" if pattern.get("fill") == "dot" else "butt"
    shape = custom.get("lineInterpolation")
    filled = _share(custom) > 0 and custom.get("drawStyle") != "points"
    return {
        "type": "line",
        "step": _STEPS.get(str(shape), False),
        "smooth": 0.3 if shape == "smooth" else False,
        "smoothMonotone": "x",
        "connectNulls": custom.get("spanNulls") is True,
        "lineStyle": {**line.ink.option(), "width": width, "type": kind, "cap": cap, "opacity": 1 if width else 0},
        "areaStyle": {**line.ink.option(), "opacity": _share(custom)} if filled else None,
    }


def _points(
    line: Line, columns: Columns, samples: tuple[tuple[float, ...], list[float | None]], *, sparse: bool
) -> dict[str, Any]:
    custom = line.field.custom
    mode = "always" if custom.get("drawStyle") == "points" else custom.get("showPoints") or "auto"
    size = max(_number(custom.get("pointSize"), 5), _number(custom.get("lineWidth"), 1))
    times, values = samples
    if mode == "always" or (mode == "auto" and sparse):
        return {"showSymbol": True, "showAllSymbol": True, "symbol": "circle", "symbolSize": size}
    alone = lonely(values) if mode == "auto" else None
    if alone is None:
        return {"showSymbol": False, "symbol": "circle", "symbolSize": size}
    _, row = columns.put(times, alone)
    return {"showSymbol": True, "showAllSymbol": True, ":symbol": call("dot", row), "symbolSize": size + 1}


def _share(custom: Mapping[str, Any]) -> float:
    return _number(custom.get("fillOpacity"), 0) / 100


def _number(value: object, otherwise: float) -> float:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else otherwise
