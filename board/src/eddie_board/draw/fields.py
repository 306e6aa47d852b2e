"""Station "draw": what a dashboard says of one series: the panel's defaults, then each override that matches it."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from eddie_board.dashboard import Panel
from eddie_board.draw.colours import Ink, ink, of_series
from eddie_board.draw.reduce import reduced
from eddie_board.draw.unit_names import unit
from eddie_board.draw.units import Unit
from eddie_board.frames import Series


@dataclass(frozen=True, slots=True)
class Step:
    """A threshold: from ``value`` on (the first: from minus infinity) ``colour`` as the dashboard writes it."""

    value: float
    colour: str


@dataclass(frozen=True, slots=True)
class Field:
    """How one series is shown; ``custom`` holds what belongs to one kind of panel, as in the file.

    ``minimum`` and ``maximum`` are hard ends of its axis or gauge; ``percentages`` says that thresholds are in percent
    from one to the other. ``decimals`` None: as many as are readable. ``lines`` of ``mappings`` are as in the file.
    """

    name: str
    unit_name: str = ""
    decimals: int | None = None
    minimum: float | None = None
    maximum: float | None = None
    steps: tuple[Step, ...] = ()
    percentages: bool = False
    colour: Mapping[str, Any] = field(default_factory=dict)
    mappings: tuple[Mapping[str, Any], ...] = ()
    no_value: str = ""
    custom: Mapping[str, Any] = field(default_factory=dict)

    @property
    def unit(self) -> Unit:
        """Its unit."""
        return unit(self.unit_name)

    def hidden(self, place: str) -> bool:
        """Say whether it is kept from ``place``: viz, legend or tooltip."""
        return bool((self.custom.get("hideFrom") or {}).get(place))

    def mapped(self, value: float | None) -> tuple[str | None, Ink | None]:
        """Give the words and the colour that a value mapping puts for ``value``."""
        for mapping in self.mappings:
            result = _result(mapping, value)
            if result is not None:
                colour = result.get("color")
                return result.get("text"), ink(colour) if colour else None
        return None, None

    def text(self, value: float | None) -> str:
        """Write ``value`` as the panel shows it."""
        words, _ = self.mapped(value)
        if words is not None:
            return words
        return self.no_value if value is None else self.unit.text(value, self.decimals)

    def reached(self, value: float | None, low: float, high: float) -> Ink:
        """Give the colour of the threshold that ``value`` has reached, where values go from ``low`` to ``high``."""
        if not self.steps:
            return ink("gray")
        measure = -math.inf if value is None or math.isnan(value) else value
        if self.percentages and math.isfinite(measure):
            measure = 100 * (measure - low) / (high - low) if high > low else 0.0
        active = self.steps[0]
        for step in self.steps[1:]:
            if measure < step.value:
                break
            active = step
        return ink(active.colour)

    def ink(self, index: int, value: float | None, low: float, high: float) -> Ink:
        """Give the colour of the ``index``-th series where its value is ``value``, between ``low`` and ``high``."""
        _, mapped = self.mapped(value)
        at = (value - low) / (high - low) if value is not None and math.isfinite(value) and high > low else 0.0
        return mapped or of_series(self.colour, index, self.name, at, self.reached(value, low, high))


def fields(panel: Panel, series: Sequence[Series]) -> tuple[Field, ...]:
    """Give the field of each of ``series`` of ``panel``, in their order."""
    return tuple(of(panel.field_config, each) for each in series)


def of(config: Mapping[str, Any], series: Series) -> Field:
    """Lay the overrides that match ``series`` over the defaults of ``config``, the later over the earlier."""
    defaults = config.get("defaults") or {}
    top = {key: value for key, value in defaults.items() if key != "custom"}
    custom = dict(defaults.get("custom") or {})
    for override in config.get("overrides") or ():
        if matches(override.get("matcher") or {}, series):
            for each in override.get("properties") or ():
                key, value = str(each.get("id")), each.get("value")
                if key.startswith("custom."):
                    custom[key.removeprefix("custom.")] = value
                else:
                    top[key] = value
    return _built(top, custom, series.name)


def _built(top: Mapping[str, Any], custom: Mapping[str, Any], name: str) -> Field:
    thresholds = top.get("thresholds") or {}
    steps = [
        Step(_number(step.get("value"), -math.inf), str(step.get("color"))) for step in thresholds.get("steps") or ()
    ]
    decimals = _number(top.get("decimals"), None)
    return Field(
        name=str(top.get("displayName") or name),
        unit_name=str(top.get("unit") or ""),
        decimals=None if decimals is None else min(max(int(decimals), 0), 15),
        minimum=_number(top.get("min"), None),
        maximum=_number(top.get("max"), None),
        steps=tuple(sorted(steps, key=lambda step: step.value)),
        percentages=thresholds.get("mode") == "percentage",
        colour=top.get("color") or {},
        mappings=tuple(top.get("mappings") or ()),
        no_value=str(top.get("noValue") or ""),
        custom=custom,
    )


def _number(value: object, otherwise: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return otherwise
    return float(value)


def matches(matcher: Mapping[str, Any], series: Series) -> bool:
    """Say whether an override's matcher means ``series``; one that Grafana knows and this page does not means none."""
    kind, options = matcher.get("id"), matcher.get("options")
    if kind == "byName":
        return bool(options == series.name)
    if kind == "byRegexp":
        return _regexp(str(options), series.name)
    if kind == "byFrameRefID":
        return bool(options == series.ref)
    if kind == "byType":
        return bool(options == "number")
    if kind == "byNames":
        named = series.name in (options or {}).get("names", ())
        return named != ((options or {}).get("mode") == "exclude")
    return kind == "byValue" and _compared(options or {}, series)


def _regexp(text: str, name: str) -> bool:
    # As Grafana reads it: /…/flags is searched for, anything else stands for the whole name.
    written = re.fullmatch(r"/(.*)/([a-z]*)", text, re.DOTALL)
    pattern, flags = (written[1], written[2]) if written else (f"^{text}$", "")
    pattern = re.sub(r"\(\?<(?=[A-Za-z_])", "(?P<", pattern)
    try:
        return re.search(pattern, name, re.IGNORECASE if "i" in flags else 0) is not None
    except re.error:
        return False


def _compared(options: Mapping[str, Any], series: Series) -> bool:
    value, other = reduced(str(options.get("reducer")), series.values), _number(options.get("value"), None)
    if value is None or other is None:
        return False
    found: dict[str, bool] = {
        "gte": value >= other, "gt": value > other, "lte": value <= other, "lt": value < other,
        "eq": value == other, "neq": value != other,
    }  # fmt: skip
    return found.get(str(options.get("op")), False)


def _result(mapping: Mapping[str, Any], value: float | None) -> Mapping[str, Any] | None:
    kind, options = mapping.get("type"), mapping.get("options") or {}
    found: Mapping[str, Any] | None = None
    if kind == "value":
        text = "null" if value is None else unit("none").text(value, 15 if value % 1 else 0)
        found = next((result for key, result in options.items() if _same(key, text, value)), None)
    elif kind == "range" and value is not None:
        low, high = _number(options.get("from"), -math.inf), _number(options.get("to"), math.inf)
        found = options.get("result") if low <= value <= high else None
    elif kind == "special":
        match = options.get("match")
        nothing = value is None or math.isnan(value)
        is_it = (match in ("null", "empty") and value is None) or (match == "nan" and value is not None and nothing)
        found = options.get("result") if is_it or (match == "null+nan" and nothing) else None
    return found


def _same(key: str, text: str, value: float | None) -> bool:
    if value is None:
        return key == text
    try:
        return float(key) == value
    except ValueError:
        return False
