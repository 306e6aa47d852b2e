"""Station *exposed*: families at one moment, and what our renderer is held to: the same as prometheus_client's metrics.

``_created`` stands directly after its child's own samples and is never left out of one child: with the feature
flag ``created-timestamp-zero-ingestion`` Prometheus looks ahead for it, and without it needs 20 s instead of
0.1 s for 1000 agents. A creation time in the exporter's future is sent as 0.0 for good.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from prometheus_client import Metric as Exposed
from prometheus_client.utils import floatToGoString

from eddie_exporter.catalogue import Metric
from eddie_exporter.store import Child, Family, Shown

Entry = tuple[Child, Shown | None]
"""A child, for what never changes of it, and what it showed at that moment, if anything."""


class ChildCopy(NamedTuple):
    """One child at one moment."""

    labels: tuple[str, ...]
    value: float
    created: float
    counts: tuple[int, ...]

    def cumulative(self) -> tuple[int, ...]:
        """Answer how many observations lie at or below each bound; the last is all of them."""
        return tuple(itertools.accumulate(self.counts))


@dataclass(frozen=True, slots=True)
class FamilyCopy:
    """One family at one moment, so that rendering needs no lock: its ``series``, and what each showed."""

    metric: Metric
    bounds: tuple[int, ...]
    series: list[Child]
    shown: list[Shown | None]

    def entries(self, start: int = 0, end: int | None = None) -> Iterator[Entry]:
        """Yield the series from ``start`` to before ``end``, each with what it showed."""
        return zip(self.series[start:end], self.shown[start:end], strict=True)

    def children(self) -> Iterator[ChildCopy]:
        """Yield the children that showed something."""
        for child, shown in self.entries():
            if shown is None:
                continue
            value, counts = shown if isinstance(shown, tuple) else (shown, ())
            yield ChildCopy(child.labels, value, child.created, counts)

    def values(self) -> dict[tuple[str, ...], float]:
        """Answer the exposed value by label values."""
        return {child.labels: _exposed(child.value, self.metric.unit) for child in self.children()}


def copy(family: Family, now: float) -> FamilyCopy:
    """Copy what is shown of a family, under the collector's lock: two lists, and nothing made for each series."""
    if family.newest > now and family.metric.kind != "gauge":
        _disown_future(family, now)
    series = list(family.children.values())
    return FamilyCopy(family.metric, family.bounds, series, [child.shown for child in series])


def _disown_future(family: Family, now: float) -> None:
    """Let creation times that lie ahead of our clock, which was ahead itself then, be 0.0 for good."""
    for child in family.children.values():
        if child.created > now:
            child.created, child.texts = 0.0, None
            child.move()
    family.newest = now


def _bound(seconds: float) -> str:
    return str(floatToGoString(seconds))


def _exposed(value: float, unit: int) -> float:
    return value if unit == 1 else value / unit


def expose(family: FamilyCopy, *, openmetrics: bool) -> Exposed:
    """Answer prometheus_client's metric with the samples of one format."""
    metric = family.metric
    name = metric.name.removesuffix("_total") if metric.kind == "counter" else metric.name
    exposed = Exposed(name, metric.help, metric.kind)
    bounds = [_bound(bound / metric.unit) for bound in family.bounds] + ["+Inf"]
    for child in family.children():
        labels = dict(zip(metric.labels, child.labels, strict=True))
        if metric.kind == "histogram":
            for bound, count in zip(bounds, child.cumulative(), strict=True):
                exposed.add_sample(f"{name}_bucket", {**labels, "le": bound}, count)
        if metric.kind in {"histogram", "summary"}:
            exposed.add_sample(f"{name}_count", labels, sum(child.counts))
            exposed.add_sample(f"{name}_sum", labels, child.value / metric.unit)
        elif metric.kind == "counter":
            exposed.add_sample(f"{name}_total", labels, _exposed(child.value, metric.unit))
        else:
            exposed.add_sample(name, labels, child.value)
        if openmetrics and metric.kind != "gauge":
            exposed.add_sample(f"{name}_created", labels, child.created)
    return exposed
