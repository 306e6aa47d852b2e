"""Station "panel": the indicators and their objectives, read from the dashboards that draw them.

An indicator is a panel's query for a series that a rule records for the whole job (``job:…``), and its objective is the
threshold which that panel draws for it: green on one side, red on the other. So there is no second list to be kept.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from eddie_board.draw import fields
from eddie_board.draw.fields import Field
from eddie_board.frames import Series
from eddie_board.queries import Window, interpolate, macros_of, variables

RECORDED = re.compile(r"\bjob:\w+:\w+")

NAMES = {
    "job:task_success:ratio_rate1h": "Success rate",
    "job:task_execution_seconds:p99_rate1h": "p99 latency",
    "job:timeout_events:increase1h": "Timeouts per hour",
    "job:merge_efficiency:ratio_rate1h": "Merge efficiency",
    "job:agent_load:max_over_mean_rate1h": "Load balance",
}
"""What people call them, in the order they are read; one that is not named has its legend's name and comes last."""


@dataclass(frozen=True, slots=True)
class Indicator:
    """A recorded series with its objective: a value is good on the ``good`` side of ``objective``.

    ``drawn`` is how its panel shows it (unit, decimals, words), ``panel`` that panel's place on the board.
    """

    metric: str
    name: str
    expression: str
    drawn: Field
    objective: float
    good: Literal["above", "below"]
    panel: str

    def text(self, value: float) -> str:
        """Write ``value`` as the panel does."""
        return self.drawn.text(value)

    def met(self, value: float) -> bool:
        """Say whether ``value`` meets the objective; what lies exactly on it does not."""
        return value > self.objective if self.good == "above" else value < self.objective


def indicators(dashboards: Iterable[Mapping[str, Any]]) -> tuple[Indicator, ...]:
    """Answer the indicators of ``dashboards`` (classic JSON), each once: the first panel that gives it an objective."""
    found: dict[str, Indicator] = {}
    for dashboard in dashboards:
        for indicator in _of(dashboard):
            found.setdefault(indicator.metric, indicator)
    order = list(NAMES)
    return tuple(sorted(found.values(), key=lambda one: order.index(one.metric) if one.metric in NAMES else len(order)))


def _panels(above: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    inner = above.get("panels")
    for panel in inner if isinstance(inner, list) else ():
        if isinstance(panel, Mapping):
            yield panel
            yield from _panels(panel)


def _of(dashboard: Mapping[str, Any]) -> Iterator[Indicator]:
    for panel in _panels(dashboard):
        try:
            found = [one for target in panel.get("targets") or () if (one := _indicator(dashboard, panel, target))]
        except (AttributeError, KeyError, IndexError, TypeError, ValueError):
            continue  # the panel itself says what is wrong with it; others have their indicators all the same
        yield from found


def _indicator(dashboard: Mapping[str, Any], panel: Mapping[str, Any], target: Mapping[str, Any]) -> Indicator | None:
    metrics = RECORDED.findall(str(target.get("expr", "")))
    if len(set(metrics)) != 1 or (limit := _limit(drawn := _drawn(panel, target))) is None:
        return None
    _, macros = macros_of(Window(start=0, end=3600), 720, 0)
    return Indicator(
        metric=metrics[0],
        name=NAMES.get(metrics[0]) or str(target.get("legendFormat") or panel.get("title") or metrics[0]),
        expression=interpolate(target["expr"], variables(dashboard, {}) | macros),
        drawn=drawn,
        objective=limit[0],
        good=limit[1],
        panel=f"/d/{dashboard['uid']}?viewPanel={panel['id']}",
    )


def _drawn(panel: Mapping[str, Any], target: Mapping[str, Any]) -> Field:
    series = Series(str(target.get("refId", "")), str(target.get("legendFormat", "")), {}, (), ())
    return fields.of(panel.get("fieldConfig") or {}, series)


def _limit(drawn: Field) -> tuple[float, Literal["above", "below"]] | None:
    """Read an objective out of thresholds: two steps, one green and one red; None for anything else."""
    if drawn.percentages or len(drawn.steps) != 2 or not math.isfinite(drawn.steps[1].value):
        return None
    below, above = (next((one for one in ("green", "red") if one in step.colour), "") for step in drawn.steps)
    if {below, above} != {"green", "red"}:
        return None
    return drawn.steps[1].value, "above" if above == "green" else "below"
