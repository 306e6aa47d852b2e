"""Station "panel": how every panel looks: its legend, its tooltip, its objective, its gaps."""

from __future__ import annotations

from typing import Literal

from dashboards.sdk import (
    Dataquery,
    FieldColor,
    GraphThresholdsStyleConfig,
    Panel,
    ThresholdsConfig,
    VizLegendOptions,
    VizTooltipOptions,
    common,
    dashboard,
)

DATASOURCE = common.DataSourceRef(type_val="prometheus", uid="${datasource}")

GOOD, BAD, MUTED = "green", "red", "#8e8e8e"
"""Named colours follow the theme, so the same panel is readable in dark and in light; grey works in both."""

COLUMNS = 24
"""Grafana's grid: three panels a row are readable at 1280 pixels, and not lost on a wide screen."""

HEIGHT = 9
"""Grid rows of a panel: two lines of legend and still a graph."""

MARGIN = 1.2
"""How far an axis reaches beyond its objective when all is well."""

PER_MINUTE = "suffix:/min"
"""``60 * rate()``; Grafana's own ``cpm`` prints "cpm" beside each number, which nobody reads as "per minute"."""

SECONDS = "suffix:s"
"""Plain seconds, as the objectives are written; Grafana's ``s`` makes "1.67 mins" of 100 s."""

MAX_DATA_POINTS = 720
"""Half-minute steps over the six hours shown first, whatever the window's width: fewer would hide a one-minute burst
on a narrow screen, and the newest point is never older than one step."""

STEP = common.LineInterpolation.STEP_AFTER
"""A limit holds from the moment it was seen until it is changed."""

SPARSE = "30s"
"""Minimal step of quantiles and ratios: ``$__rate_interval`` becomes at least four of it, two minutes, because a
quantile over the two or three tasks of one minute is noise."""


def query(ref: str, expression: str, legend: str, *, interval: str | None = None) -> Dataquery:
    """Query a range of the chosen data source; ``interval`` is its minimal step."""
    built = Dataquery().ref_id(ref).datasource(DATASOURCE).expr(expression).legend_format(legend).range()
    return built.interval(interval) if interval else built


def panel(number: int, title: str, description: str, unit: str) -> Panel:
    """Start a time series panel; its ``number`` is fixed, for alerts link to it.

    Gaps stay gaps (an exporter that is away must look away) but for one missed scrape; zero is always on the axis, so
    that a wobble is not drawn as a cliff.
    """
    return (
        Panel()
        .id(number)
        .title(title)
        .description(description)
        .datasource(DATASOURCE)
        .max_data_points(MAX_DATA_POINTS)
        .unit(unit)
        .axis_soft_min(0)
        .color_scheme(FieldColor().mode(dashboard.FieldColorModeId.PALETTE_CLASSIC))
        .draw_style(common.GraphDrawStyle.LINE)
        .line_width(1)
        .fill_opacity(0)
        .show_points(common.VisibilityMode.AUTO)
        .point_size(4)
        .span_nulls(45_000)
        .legend(legend())
        .tooltip(tooltip())
    )


def placed(built: Panel, x: int, row: int, width: int) -> Panel:
    """Put a panel at column ``x`` of a row, ``width`` columns wide."""
    return built.grid_pos(dashboard.GridPos(x=x, y=row * HEIGHT, w=width, h=HEIGHT))


def legend(*calcs: str) -> VizLegendOptions:
    """Put a list under the panel; with ``calcs`` a table that says the same series' numbers, largest first."""
    built = VizLegendOptions().show_legend(True).placement(common.LegendPlacement.BOTTOM)
    if not calcs:
        return built.display_mode(common.LegendDisplayMode.LIST)
    table = built.display_mode(common.LegendDisplayMode.TABLE).calcs(list(calcs))
    return table.sort_by(calcs[0].capitalize()).sort_desc(True)


def newest() -> VizLegendOptions:
    """Put a list under the panel that says each series' newest number, in the order in which they add up."""
    return legend().calcs(["lastNotNull"])


def tooltip() -> VizTooltipOptions:
    """Show all series at the pointer, largest first, without the ones that are zero."""
    return (
        VizTooltipOptions()
        .mode(common.TooltipDisplayMode.MULTI)
        .sort(common.SortOrder.DESCENDING)
        .hide_zeros(True)
        .max_height(400)
    )


def limit(value: float, bad: Literal["above", "below"]) -> ThresholdsConfig:
    """Make an objective a threshold: the side that breaks it is ``BAD``."""
    low, high = (GOOD, BAD) if bad == "above" else (BAD, GOOD)
    steps = [dashboard.Threshold(value=None, color=low), dashboard.Threshold(value=value, color=high)]
    return ThresholdsConfig().mode(dashboard.ThresholdsMode.ABSOLUTE).steps(steps)


def dashed_limit() -> GraphThresholdsStyleConfig:
    """Draw the objective as a dashed line across the panel."""
    return GraphThresholdsStyleConfig().mode(common.GraphThresholdsStyleMode.DASHED)


def objective(built: Panel, value: float, bad: Literal["above", "below"]) -> Panel:
    """Draw the objective of the panel's own unit, on an axis that always reaches it: one looks for the margin."""
    drawn = built.thresholds(limit(value, bad)).thresholds_style(dashed_limit())
    return drawn.axis_soft_max(round(value * MARGIN, 3)) if bad == "above" else drawn


def setting(name: str, value: object) -> dashboard.DynamicConfigValue:
    """Set one property of an override."""
    return dashboard.DynamicConfigValue(id_val=name, value=value)


def right_axis(
    unit: str, label: str, *, objective: float | None = None, bad: Literal["above", "below"] = "above"
) -> list[dashboard.DynamicConfigValue]:
    """Set series in another unit apart: their axis is on the right, and so is their objective."""
    settings = [setting("unit", unit), setting("custom.axisPlacement", "right"), setting("custom.axisLabel", label)]
    if objective is not None:
        settings += [
            setting("thresholds", limit(objective, bad).build()),
            setting("custom.thresholdsStyle", dashed_limit().build()),
            # Half way up: not where the objective of the left axis is.
            setting("custom.axisSoftMax", 2 * objective if bad == "above" else 1),
        ]
    return settings


def fixed(color: str) -> dashboard.DynamicConfigValue:
    """Give one colour whatever the series' name."""
    return setting("color", {"mode": "fixed", "fixedColor": color})


def whole_job(color: str = MUTED) -> list[dashboard.DynamicConfigValue]:
    """Draw a recorded indicator, the whole job's last hour, which no agent or stage narrows, as a thick line."""
    return [
        fixed(color),
        setting("custom.lineWidth", 2),
        setting("custom.fillOpacity", 0),
        setting("custom.stacking", {"mode": "none", "group": "A"}),
    ]


def bars() -> list[dashboard.DynamicConfigValue]:
    """Draw what happens now and then as stacked bars: one event is seen, and a sum is read."""
    return [
        setting("custom.drawStyle", "bars"),
        setting("custom.fillOpacity", 70),
        setting("custom.lineWidth", 0),
        setting("custom.stacking", {"mode": "normal", "group": "A"}),
    ]


def areas() -> list[dashboard.DynamicConfigValue]:
    """Stack what adds up to a whole."""
    return [setting("custom.fillOpacity", 40), setting("custom.stacking", {"mode": "normal", "group": "A"})]


def shares() -> list[dashboard.DynamicConfigValue]:
    """Give shares near 1 room to differ: the axis begins at 80 % unless one falls below, and ends at 100 %."""
    return [setting("max", 1), setting("custom.axisSoftMin", 0.8)]


def dashes() -> list[dashboard.DynamicConfigValue]:
    """Dash the lesser of two sisters (p95 beside p99)."""
    return [setting("custom.lineStyle", {"fill": "dash", "dash": [4, 4]}), setting("custom.fillOpacity", 0)]
