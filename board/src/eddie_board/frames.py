"""Station "frames": what Prometheus answered to one query, as columns with the names a legend shows."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from eddie_board.queries import Query


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """One line of a panel.

    ``times`` are seconds since the epoch on the query's whole grid, one object for all series of a query; ``values``
    has as many entries, None where there is no sample, and may hold NaN and infinities where Prometheus said so.
    ``labels`` are as Prometheus gave them, ``__name__`` included.
    """

    ref: str
    name: str
    labels: Mapping[str, str]
    times: tuple[float, ...]
    values: tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class Mark:
    """One annotation on a panel: ``start`` to ``end`` in seconds (equal: a point), its texts as they came (no markup).

    ``title`` is the annotation's titleFormat filled in, ``name`` the annotation's own name, ``colour`` as the
    dashboard wrote it (``rgba(…)``).
    """

    start: float
    end: float
    title: str
    text: str
    tags: tuple[str, ...]
    name: str
    colour: str


@dataclass(frozen=True, slots=True, eq=False)
class Columns:
    """One answer of Prometheus before it has names: a grid, and labels and values of each series.

    ``notes`` are Prometheus's own warnings.
    """

    times: tuple[float, ...]
    rows: tuple[tuple[Mapping[str, str], tuple[float | None, ...]], ...]
    notes: tuple[str, ...] = ()

    @property
    def points(self) -> int:
        """How many values it holds; what it costs to keep."""
        return len(self.times) * (len(self.rows) + 1)


def grid(query: Query) -> tuple[float, ...]:
    """Answer the times a query is evaluated at."""
    if query.instant:
        return (query.end,)
    return tuple(query.start + number * query.step for number in range(int((query.end - query.start) / query.step) + 1))


def columns(query: Query, data: Mapping[str, Any], notes: Iterable[str] = ()) -> Columns:
    """Read ``data`` of Prometheus's answer. Raises KeyError, TypeError or ValueError for what is not that."""
    times = grid(query)
    kind, result = data["resultType"], data["result"]
    if kind == "scalar":
        result = [{"metric": {}, "value": result}]
    elif kind not in {"matrix", "vector"}:
        raise ValueError(f"expected a matrix, a vector or a scalar, got a {kind}")
    rows = tuple((each["metric"], _column(query, each, len(times))) for each in result)
    return Columns(times, rows, tuple(notes))


def _column(query: Query, series: Mapping[str, Any], length: int) -> tuple[float | None, ...]:
    samples = series["values"] if "values" in series else [series["value"]]
    if len(samples) == length:  # no gap: Prometheus answers on the grid, in order
        return tuple(float(value) for _, value in samples)
    column: list[float | None] = [None] * length
    start, step = query.start, query.step
    for at, value in samples:
        place = round((at - start) / step)
        if 0 <= place < length:
            column[place] = float(value)
    return tuple(column)


def named(query: Query, answer: Columns) -> tuple[Series, ...]:
    """Give each series of ``answer`` the name that the legend of ``query`` has for it."""
    names = legend(query, [labels for labels, _ in answer.rows])
    return tuple(
        Series(query.ref, name, labels, answer.times, values)
        for name, (labels, values) in zip(names, answer.rows, strict=True)
    )


def legend(query: Query, series: Sequence[Mapping[str, str]]) -> list[str]:
    """Name ``series`` as Grafana 12.2 does, by the query's legend format.

    ``{{label}}`` is the label's value or nothing. Without a format it is the metric as Prometheus writes it. With
    ``__auto``, and where a format leaves nothing, it is the value where all have but one label, the same, else all
    labels. Grafana looks for that one label in the whole panel, this in the query.
    """
    if not query.legend:
        return [_metric(labels) or query.expression for labels in series]
    keys = {key for labels in series for key in labels}
    plain = [next(iter(labels.values()), "") if len(keys) == 1 else written(labels) for labels in series]
    if query.legend == "__auto":
        return [name or query.expression for name in plain]
    return [filled(query.legend, labels) or name or "Value" for labels, name in zip(series, plain, strict=True)]


def filled(text: str, labels: Mapping[str, str]) -> str:
    """Fill ``{{label}}`` in, with nothing for a label that is missing."""
    return re.sub(r"\{\{\s*(.+?)\s*\}\}", lambda found: labels.get(found[1], ""), text)


def written(labels: Mapping[str, str]) -> str:
    """Write labels in braces, sorted; nothing for none."""
    return "{" + ", ".join(f'{name}="{value}"' for name, value in sorted(labels.items())) + "}" if labels else ""


def _metric(labels: Mapping[str, str]) -> str:
    name = labels.get("__name__", "")
    return name + written({key: value for key, value in labels.items() if key != "__name__"})


def marks(
    answer: Columns, step: float, *, name: str, colour: str, title: str, text: str, tag_keys: Sequence[str]
) -> list[Mark]:
    """Answer the events that an annotation's query found: samples above zero, a ``step`` apart at most, are one."""
    found: list[Mark] = []
    for labels, values in answer.rows:
        tags = tuple(labels[key] for key in tag_keys if key in labels)
        active = [at for at, value in zip(answer.times, values, strict=True) if value is not None and value > 0]
        for start, end in _regions(active, step):
            found.append(Mark(start, end, filled(title, labels), filled(text, labels), tags, name, colour))
    return sorted(found, key=lambda mark: mark.start)


def _regions(times: Sequence[float], step: float) -> list[tuple[float, float]]:
    regions: list[tuple[float, float]] = []
    for at in times:
        if regions and at <= regions[-1][1] + step:
            regions[-1] = (regions[-1][0], at)
        else:
            regions.append((at, at))
    return regions
