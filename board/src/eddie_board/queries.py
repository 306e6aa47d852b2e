"""Station "panel": a dashboard's queries as Prometheus gets them, with variables and macros written out.

One helper for tests, browser checks and whoever shows the panels without Grafana. It follows what Grafana's Prometheus
data source does (pkg/promlib/models/query.go, 12.2): the step is the shown range divided by the panel's points, rounded
to a number people like, never below the minimal step; ``$__rate_interval`` is that step plus a scrape, four scrapes at
least; start and end are moved down to a multiple of the step.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

SCRAPE = 15.0
"""Seconds between scrapes: the data source's ``timeInterval``."""

MOST_POINTS = 11_000
"""Prometheus refuses a range query of more points."""

STEPS = (
    (17.5, 15), (25, 20), (45, 30), (90, 60), (210, 120), (450, 300), (750, 600), (1050, 900), (1500, 1200),
    (2700, 1800), (5400, 3600), (9000, 7200), (16200, 10800), (32400, 21600), (86400, 43200), (604800, 86400),
    (1814400, 604800), (3628800, 2592000),
)  # fmt: skip
"""(up to, step) in seconds: a raw step up to the first is rounded to the second; shorter than a scrape is no use."""

UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800, "y": 31536000}


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """What is looked at: ``start`` and ``end`` in seconds since the epoch, ``points`` where a panel names none."""

    start: float
    end: float
    points: int = 720


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """One query of one panel, ready to be sent; times and ``step`` in seconds."""

    panel: int
    title: str
    ref: str
    expression: str
    legend: str
    datasource: str
    start: float
    end: float
    step: float


def panel_queries(
    dashboard: Mapping[str, Any], window: Window, choices: Mapping[str, Sequence[str]] | None = None
) -> Iterator[Query]:
    """Yield every query of every panel of ``dashboard`` (classic JSON) over ``window``, in the order of the file.

    ``choices`` are the values chosen of a variable; one that is not named has the value the dashboard starts with.
    Raises KeyError when a query names a variable or macro that nobody defines, for Prometheus would say something
    about a bad token instead.
    """
    values = variables(dashboard, choices or {})
    for panel in dashboard["panels"]:
        points = panel.get("maxDataPoints") or window.points
        for target in panel.get("targets", []):
            step, macros = macros_of(window, points, seconds(target.get("interval") or panel.get("interval") or "0s"))
            yield Query(
                panel=panel["id"],
                title=panel["title"],
                ref=target["refId"],
                expression=interpolate(target["expr"], values | macros),
                legend=target.get("legendFormat", ""),
                datasource=interpolate(target["datasource"]["uid"], values),
                start=window.start // step * step,
                end=window.end // step * step,
                step=step,
            )


def variables(dashboard: Mapping[str, Any], choices: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Give the text each variable becomes: one value as it is, several as an alternation, "All" as its ``allValue``."""
    unknown = set(choices) - {variable["name"] for variable in dashboard["templating"]["list"]}
    if unknown:
        raise KeyError(f"expected choices of the dashboard's variables, got {sorted(unknown)}: choose what it has")
    return {
        variable["name"]: text_of(variable, choices.get(variable["name"]))
        for variable in dashboard["templating"]["list"]
    }


def text_of(variable: Mapping[str, Any], chosen: Sequence[str] | None) -> str:
    """Write what was ``chosen``; several values are escaped, for they stand in a regular expression."""
    start = variable["current"]["value"]
    values = [chosen] if isinstance(chosen, str) else list(chosen or ([start] if isinstance(start, str) else start))
    if values == ["$__all"]:
        return str(variable["allValue"])
    if not variable.get("multi"):
        return values[0]
    escaped = [re.sub(r"[\\^$.*+?()\[\]{}|]", lambda found: "\\\\" + found[0], value) for value in values]
    return escaped[0] if len(escaped) == 1 else f"({'|'.join(escaped)})"


def macros_of(window: Window, points: int, smallest: float) -> tuple[float, dict[str, str]]:
    """Give the step in seconds, and Grafana's macros for it; ``smallest`` is the query's own minimal step or 0."""
    span = window.end - window.start
    asked = max(rounded(span / points), SCRAPE)
    step = max(rounded(span / points), smallest or SCRAPE, rounded(span / MOST_POINTS))
    scrape = smallest or SCRAPE
    rate = max(asked + scrape, 4 * scrape)
    return step, {
        "__interval": duration(step),
        "__interval_ms": str(int(step * 1000)),
        "__range": f"{round(span)}s",
        "__range_s": str(round(span)),
        "__range_ms": str(round(span * 1000)),
        "__rate_interval": duration(rate),
        "__rate_interval_ms": str(int(rate * 1000)),
    }


def rounded(step: float) -> float:
    """Round a step to one that people like; above a year and more it is a year."""
    return next((nice for upto, nice in STEPS if step <= upto), 31536000.0)


def duration(length: float) -> str:
    """Write seconds as Prometheus reads them."""
    return f"{int(length)}s" if length == int(length) else f"{int(length * 1000)}ms"


def seconds(text: str) -> float:
    """Read a Grafana interval (``30s``, ``1m``)."""
    match = re.fullmatch(r"([0-9.]+)(ms|[smhdwy])", text)
    if match is None:
        raise ValueError(f"expected an interval such as 30s or 1m, got {text!r}: correct the panel's interval")
    return float(match[1]) * UNITS[match[2]]


def interpolate(text: str, values: Mapping[str, str]) -> str:
    """Replace ``$name``, ``${name}`` and ``${name:format}`` in ``text``; an unknown name is a KeyError."""

    def value_of(found: re.Match[str]) -> str:
        name = found[1] or found[2]
        if name not in values:
            raise KeyError(f"expected one of {sorted(values)}, got ${name} in `{text}`: define it or correct the query")
        return values[name]

    return re.sub(r"\$(?:(\w+)|\{(\w+)(?::\w+)?\})", value_of, text)
