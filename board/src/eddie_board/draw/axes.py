"""Station "draw": the axes of a chart over time: which series share one, where it stands, how far it reaches."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from eddie_board.draw.colours import GRID, TEXT, ink
from eddie_board.draw.expressions import call
from eddie_board.draw.fields import Field, Step

FONT = "Inter, Roboto, system-ui, Helvetica, Arial, sans-serif"
LABEL = {"fontSize": 12, "fontFamily": FONT, **TEXT.option()}
RULE = {"show": True, "lineStyle": {"width": 1, **GRID.option()}}
_TICKS = 6.5
"""An axis has at most so many steps: 30 pixels each in a panel of the usual height, as in Grafana."""


@dataclass(slots=True)
class Scale:
    """One value axis and what it was told by the first series that is read on it."""

    field: Field
    right: bool
    shown: bool
    low: float = math.inf
    high: float = -math.inf
    steps: tuple[Step, ...] = ()
    style: str = "off"

    def reach(self, values: Sequence[float | None]) -> None:
        """Let it reach over ``values``."""
        for value in values:
            if value is not None:
                self.low, self.high = min(self.low, value), max(self.high, value)


@dataclass(slots=True)
class Scales:
    """The value axes in the order Grafana makes them: series of one unit, ends, place and label share an axis."""

    rows: list[Scale] = field(default_factory=list)
    _keys: dict[str, int] = field(default_factory=dict)

    def of(self, shown: Field) -> int:
        """Answer the number of the axis of a series; a new one stands right where there is one on the left."""
        custom = shown.custom
        parts = [shown.unit_name, shown.minimum, shown.maximum]
        parts += [custom.get(key) for key in ("axisSoftMin", "axisSoftMax", "axisPlacement", "axisLabel")]
        key = repr([*parts, (custom.get("scaleDistribution") or {}).get("type")])
        if key not in self._keys:
            place = custom.get("axisPlacement") or "auto"
            left = any(not each.right and each.shown for each in self.rows)
            right = place == "right" or (place == "auto" and left)
            self._keys[key] = len(self.rows)
            self.rows.append(Scale(shown, right, place != "hidden"))
        at = self._keys[key]
        style = (custom.get("thresholdsStyle") or {}).get("mode") or "off"
        if self.rows[at].style == "off" and style != "off":
            self.rows[at].style, self.rows[at].steps = style, shown.steps
        return at

    def options(self) -> list[dict[str, Any]]:
        """Give the chart's yAxis; never fewer than two, for an update would leave an axis that vanished."""
        rulers = next((at for at, scale in enumerate(self.rows) if scale.shown), 0)
        sides: dict[bool, int] = {}
        made = []
        for at, scale in enumerate(self.rows):
            offset = 56 * sides.get(scale.right, 0) if scale.shown else 0
            sides[scale.right] = sides.get(scale.right, 0) + scale.shown
            made.append(axis(scale, ruled=at == rulers) | {"offset": offset})
        while len(made) < 2:
            made.append({"type": "value", "show": False, "position": "right"})
        return made


def axis(scale: Scale, *, ruled: bool) -> dict[str, Any]:
    """Give one value axis; ``ruled`` draws its lines through the picture."""
    shown, custom = scale.field, scale.field.custom
    distribution = custom.get("scaleDistribution") or {}
    base = {
        "type": "value",
        "show": scale.shown,
        "position": "right" if scale.right else "left",
        "name": str(custom.get("axisLabel") or ""),
        "nameLocation": "middle",
        "nameRotate": -90 if scale.right else 90,
        "nameTextStyle": LABEL,
        "axisLabel": {**LABEL, "hideOverlap": True, ":formatter": call("tick", shown.unit.spec(shown.decimals))},
        "axisLine": {"show": False},
        "axisTick": {**RULE, "length": 4},
        "splitLine": {**RULE, "show": ruled and custom.get("axisGridShow") is not False},
        "axisPointer": {"show": False},
        "minInterval": 1 if shown.decimals == 0 else 0,
    }
    if distribution.get("type") == "log":
        ends = {"min": shown.minimum, "max": shown.maximum}
        return base | {"type": "log", "logBase": distribution.get("log") or 2} | {k: v for k, v in ends.items() if v}
    end = _end(scale)
    return base | {"interval": end["step"], ":min": call("low", end), ":max": call("high", end)}


def _end(scale: Scale) -> dict[str, Any]:
    shown, custom = scale.field, scale.field.custom
    end = {
        "min": shown.minimum,
        "max": shown.maximum,
        "softMin": _number(custom.get("axisSoftMin")),
        "softMax": _number(custom.get("axisSoftMax")),
        "centred": bool(custom.get("axisCenteredZero")),
        "whole": shown.decimals == 0,
    }
    return end | {"step": _step(scale, end)}


def _step(scale: Scale, end: Mapping[str, Any]) -> float:
    # Of what is drawn now; where a reader hides series, draw.js narrows the ends and this step may be too wide.
    low, high = (scale.low, scale.high) if scale.low <= scale.high else (0.0, 1.0)
    low = min(low, 0.0 if end["softMin"] is None and low >= 0 else _first(end["softMin"], low))
    high = max(high, _first(end["softMax"], high))
    span = _first(end["max"], high) - _first(end["min"], low)
    raw = min((span if span > 0 else abs(high) or 1.0), 1e300) / _TICKS
    if scale.field.unit.binary:
        return float(2 ** max(0, math.ceil(math.log2(raw))))
    power = 10.0 ** math.floor(math.log10(raw))
    steps = (1, 2, 5, 10) if end["whole"] else (1, 2, 2.5, 5, 10)
    step = next((each * power for each in steps if each * power >= raw * (1 - 1e-9)), 10 * power)
    return max(1.0, step) if end["whole"] else float(f"{step:.12g}")


def _first(value: float | None, otherwise: float) -> float:
    return otherwise if value is None else value


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def time_axis(start: float, end: float, columns: int) -> dict[str, Any]:
    """Give the time axis from ``start`` to ``end`` (seconds) of a panel that is ``columns`` of 24 wide.

    Its labels are in the viewer's own time.
    """
    return {
        "type": "time",
        "min": round(start * 1000),
        "max": round(end * 1000),
        "axisLabel": {**LABEL, "hideOverlap": True, ":formatter": call("time", round(end - start))},
        "axisLine": {**RULE, "onZero": False},
        "axisTick": {**RULE, "length": 4},
        "splitLine": RULE,
        "splitNumber": min(6, max(2, columns // 2)),
    }


def threshold_marks(scale: Scale) -> tuple[dict[str, Any], dict[str, Any]]:
    """Give the lines and the areas of an axis's thresholds, as markLine and markArea of a series on it."""
    steps = list(scale.steps)
    if scale.field.percentages:
        low, high = scale.field.minimum or 0.0, scale.field.maximum or 100.0
        steps = [Step(low + (high - low) * step.value / 100, step.colour) for step in steps]
    lines, areas = [], []
    if "line" in scale.style or "dash" in scale.style:
        dash = [10, 10] if "dash" in scale.style else "solid"
        clear = next((at for at, step in enumerate(steps) if step.colour == "transparent"), 0)
        for at, step in enumerate(steps[1:], start=1):
            colour = ink(steps[at - 1].colour if clear >= at else step.colour)
            lines.append(
                {"yAxis": step.value, "lineStyle": {"type": dash, "width": 2, "opacity": 0.7, **colour.option()}}
            )
    if "area" in scale.style.lower():
        for at, step in enumerate(steps):
            upper = steps[at + 1].value if at + 1 < len(steps) else None
            low_end = {} if step.value == -math.inf else {"yAxis": step.value}
            style = {"opacity": 0.15, **ink(step.colour).option()}
            areas.append([{**low_end, "itemStyle": style}, {} if upper is None else {"yAxis": upper}])
    return _still(lines), {**_still(areas), "label": {"show": False}}


def _still(data: Sequence[Mapping[str, Any] | list[Any]]) -> dict[str, Any]:
    return {"silent": True, "animation": False, "symbol": "none", "label": {"show": False}, "data": list(data)}
