"""A collector with a clock that a test turns, and a short way to read its numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from eddie_exporter.metrics import MetricsCollector
from eddie_exporter.settings import Settings

START = 1_700_000_000.0


@dataclass
class Clock:
    """A clock that stands until somebody turns it; seconds since the epoch."""

    now: float = START

    def __call__(self) -> float:
        """Answer the time."""
        return self.now


def collector_at(clock: Clock, **settings: Any) -> MetricsCollector:
    """Answer a collector whose settings are the defaults but for those given."""
    return MetricsCollector(Settings(**settings), clock=clock)


def value(collector: MetricsCollector, sample: str, **labels: str) -> float | None:
    """Answer one sample's value as OpenMetrics would expose it, or None where there is none."""
    for family in collector.families(openmetrics=True):
        for one in family.samples:
            if one.name == sample and one.labels == labels:
                return float(one.value)
    return None


def total(collector: MetricsCollector, sample: str) -> float:
    """Answer the sum over every series of a sample's name."""
    return sum(
        one.value for family in collector.families(openmetrics=True) for one in family.samples if one.name == sample
    )
