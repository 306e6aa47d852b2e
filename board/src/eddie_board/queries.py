"""Station "panel": a dashboard's queries as Prometheus gets them, with variables and macros written out.

One helper for the board, the tests and browser checks. It follows what Grafana's Prometheus data source does
(pkg/promlib/models/query.go, 12.2): the step is the shown range divided by the panel's points, rounded to a number
people like, never below the minimal step; ``$__rate_interval`` is that step plus a scrape, four scrapes at least; start
and end are moved down to a multiple of the step.
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
    (1.5, 1), (3.5, 2), (7.5, 5), (12.5, 10), (17.5, 15),
    (25, 20), (45, 30), (90, 60), (210, 120), (450, 300), (750, 600), (1050, 900), (1500, 1200),
    (2700, 1800), (5400, 3600), (9000, 7200), (16200, 10800), (32400, 21600), (86400, 43200), (604800, 86400),
    (1814400, 604800), (3628800, 2592000),
)  # fmt: skip
"""(up to, step) in seconds: a raw step up to the first is rounded to the second; a year is the longest."""

UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800, "y": 31536000}


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """What is looked at: ``start`` and ``end`` in seconds since the epoch, ``points`` where a panel names none.

    ``scrape`` is the scrape interval in seconds; no step is shorter.
    """

    start: float
    end: float
    points: int = 720
    scrape: float = SCRAPE


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """One query of one panel, ready to be sent; times and ``step`` in seconds. An instant one is asked at ``end``."""

    panel: int
    title: str
    ref: str
    expression: str
    legend: str
    datasource: str
    start: float
    end: float
    step: float
    instant: bool = False


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
        for target in panel.get("targets", []):
            if target.get("expr") and not target.get("hide"):
                yield target_query(panel, target, window, values)


def target_query(
    panel: Mapping[str, Any], target: Mapping[str, Any], window: Window, values: Mapping[str, str]
) -> Query:
    """Write out one ``target`` of one ``panel``. Raises KeyError for an unknown name, ValueError for a bad interval."""
    points = int(panel.get("maxDataPoints") or window.points)
    automatic = {"__interval": "0s", "__rate_interval": "0s"}  # as if no minimal step were given
    smallest = interpolate(str(target.get("interval") or panel.get("interval") or "0s"), {**values, **automatic})
    step, macros = macros_of(window, points, seconds(smallest))
    source = target.get("datasource") or panel.get("datasource") or {}
    uid = source.get("uid", "") if isinstance(source, Mapping) else source
    instant = bool(target.get("instant")) and not target.get("range")
    return Query(
        panel=panel["id"],
        title=panel.get("title", ""),
        ref=target.get("refId", "A"),
        expression=interpolate(target["expr"], {**values, **macros}),
        legend=target.get("legendFormat") or "",
        datasource=interpolate(uid, values),
        start=window.start // step * step,
        end=window.end if instant else window.end // step * step,
        step=step,
        instant=instant,
    )


def variables(dashboard: Mapping[str, Any], choices: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Give the text each variable becomes: one value as it is, several as an alternation, "All" as its ``allValue``."""
    known = (dashboard.get("templating") or {}).get("list") or []
    unknown = set(choices) - {variable["name"] for variable in known}
    if unknown:
        raise KeyError(f"expected choices of the dashboard's variables, got {sorted(unknown)}: choose what it has")
    return {variable["name"]: text_of(variable, choices.get(variable["name"])) for variable in known}


def text_of(variable: Mapping[str, Any], chosen: Sequence[str] | None) -> str:
    """Write what was ``chosen``; where several or all may be, they stand in a regular expression and are escaped."""
    start = (variable.get("current") or {}).get("value") or ""
    values = [chosen] if isinstance(chosen, str) else list(chosen or ([start] if isinstance(start, str) else start))
    if "$__all" in values:
        return str(variable.get("allValue") or ".*")
    if not (variable.get("multi") or variable.get("includeAll")):
        return quoted(values[0])
    escaped = [quoted(re.sub(r"[\\^$.*+?()\[\]{}|]", r"\\\g<0>", value)) for value in values]
    return escaped[0] if len(escaped) == 1 else f"({'|'.join(escaped)})"


def quoted(value: str) -> str:
    """Write ``value`` for inside of PromQL's quotes, be they double or single.

    Both are written as hexadecimal escapes, which end neither. Grafana leaves double quotes as they are, unless a
    feature flag is set, and such a value breaks its query.
    """
    return re.sub(r"[\\\"'\x00-\x1f\x7f]", lambda one: r"\\" if one[0] == "\\" else f"\\x{ord(one[0]):02x}", value)


def macros_of(window: Window, points: int, smallest: float) -> tuple[float, dict[str, str]]:
    """Give the step in seconds, and Grafana's macros for it; ``smallest`` is the query's own minimal step or 0."""
    span = window.end - window.start
    asked = max(rounded(span / points), window.scrape)
    step = max(rounded(span / points), smallest, window.scrape, rounded(span / MOST_POINTS))
    while span / step >= MOST_POINTS - 1:  # rounded down, it may be one too many for Prometheus
        step = next((nice for _, nice in STEPS if nice > step), 2 * step)
    scrape = smallest or window.scrape
    rate = max(asked + scrape, 4 * scrape)
    return step, {
        "__interval": duration(step),
        "__interval_ms": str(int(step * 1000)),
        "__range": f"{round(span)}s",
        "__range_s": str(round(span)),
        "__range_ms": str(round(span * 1000)),
        "__rate_interval": duration(rate),
        "__rate_interval_ms": str(int(rate * 1000)),
        "__from": str(round(window.start * 1000)),
        "__to": str(round(window.end * 1000)),
    }


def rounded(step: float) -> float:
    """Round a step to one that people like; above a year and more it is a year."""
    return next((nice for upto, nice in STEPS if step <= upto), 31536000.0)


def duration(length: float) -> str:
    """Write seconds as Prometheus reads them."""
    return f"{int(length)}s" if length == int(length) else f"{int(length * 1000)}ms"


def seconds(text: str) -> float:
    """Read a Grafana interval (``30s``, ``1m``)."""
    match = re.fullmatch(r">?(\d+(?:\.\d+)?)(ms|[smhdwy])", text)
    if match is None:
        raise ValueError(f"expected an interval such as 30s or 1m, got {text!r}: correct the panel's interval")
    return float(match[1]) * UNITS[match[2]]


def interpolate(text: str, values: Mapping[str, str]) -> str:
    """Replace ``$name``, ``${name}`` and ``${name:format}`` in ``text``; an unknown name is a KeyError.

    A number is no name: ``$1`` is what `label_replace` puts in for a group.
    """

    def value_of(found: re.Match[str]) -> str:
        name = found[1] or found[2]
        if name not in values:
            raise KeyError(f"expected one of {sorted(values)}, got ${name} in `{text}`: define it or correct the query")
        return values[name]

    return re.sub(r"\$(?:([^\W\d]\w*)|\{([^\W\d]\w*)(?::\w+)?\})", value_of, text)
