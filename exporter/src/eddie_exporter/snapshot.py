"""Station *count*: everything that was counted, at one moment, for whoever shows it to people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from eddie_exporter.catalogue import Kind
from eddie_exporter.samples import FamilyCopy

Values = dict[str, dict[tuple[str, ...], float]]
"""By metric name, then by label values in the catalogue's order."""


@dataclass(frozen=True)
class HistogramView:
    """One histogram: bounds in seconds, cumulative counts (the last is +Inf's), sum in seconds."""

    bounds: tuple[float, ...]
    cumulative: tuple[int, ...]
    sum_seconds: float


@dataclass(frozen=True)
class Snapshot:
    """Everything at one moment; times are seconds since the epoch, None for what never was."""

    started_at: float
    now: float
    last_scrape: float | None
    last_watchdog: float | None
    counters: Values
    gauges: Values
    histograms: dict[str, dict[tuple[str, ...], HistogramView]]
    retired: dict[str, float]
    events: list[dict[str, Any]]
    notifications: list[dict[str, Any]]


def values(copies: Sequence[FamilyCopy], kind: Kind) -> Values:
    """Answer the values of every metric of one kind."""
    return {one.metric.name: one.values() for one in copies if one.metric.kind == kind}


def histograms(copies: Sequence[FamilyCopy]) -> dict[str, dict[tuple[str, ...], HistogramView]]:
    """Answer every histogram."""
    return {
        one.metric.name: {
            child.labels: HistogramView(
                tuple(bound / one.metric.unit for bound in one.bounds),
                child.cumulative(),
                child.value / one.metric.unit,
            )
            for child in one.children()
        }
        for one in copies
        if one.metric.kind == "histogram"
    }
