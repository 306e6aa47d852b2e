"""Replay into Prometheus's past, as text: one series, or one histogram's, at every step, in OpenMetrics."""

from __future__ import annotations

from typing import IO

from eddie_exporter.catalogue import Metric
from eddie_exporter.lines import number
from eddie_exporter.store import Shown

JOB = "eddie-metrics"

Points = list[tuple[int, Shown | None]]
"""What a series showed from which step on; None: it left."""


def head(metric: Metric) -> str:
    """Return the two lines above a family."""
    name = metric.name.removesuffix("_total") if metric.kind == "counter" else metric.name
    return f"# HELP {name} {metric.help}\n# TYPE {name} {metric.kind}\n"


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


class Series:
    """Writes one series, or one histogram's, at all steps."""

    def __init__(
        self, metric: Metric, values: tuple[str, ...], bounds: tuple[int, ...], instance: str, step: float
    ) -> None:
        pairs = [("job", JOB), ("instance", instance), *zip(metric.labels, values, strict=True)]
        labels = ",".join(f'{name}="{_escaped(value)}"' for name, value in pairs)
        self._metric, self._step = metric, step
        self._one = f"{metric.name}{{{labels}}}"
        self._rest = f"{metric.name}_count{{{labels}}}", f"{metric.name}_sum{{{labels}}}"
        ends = [number(bound / metric.unit) for bound in bounds] + ["+Inf"]
        self._buckets = [f'{metric.name}_bucket{{{labels},le="{end}"}}' for end in ends]

    def write(self, file: IO[str], points: Points, first: int, last: int) -> int:
        """Write the series from its first point to the last step; return the number of samples.

        What counts begins with a zero, a step before it is first seen: so its first event is an increase.
        """
        written = 0
        begin, shown = points[0]
        if begin > first and self._metric.kind != "gauge" and shown is not None:
            zero: Shown = 0 if not isinstance(shown, tuple) else (0, tuple(0 for _ in shown[1]))
            written += self._at(file, zero, begin - 1)
        changes = iter([*points[1:], (last + 1, None)])
        until, after = next(changes)
        for step in range(begin, last + 1):
            while step >= until:
                shown = after
                until, after = next(changes)
            if shown is not None:
                written += self._at(file, shown, step)
        return written

    def _at(self, file: IO[str], shown: Shown, step: int) -> int:
        at = f"{step * self._step:.3f}"
        unit = self._metric.unit
        if not isinstance(shown, tuple):
            file.write(f"{self._one} {number(shown if unit == 1 else shown / unit)} {at}\n")
            return 1
        total, counts = shown
        seen = 0
        for bucket, count in zip(self._buckets, counts, strict=True):
            seen += count
            file.write(f"{bucket} {seen} {at}\n")
        file.write(f"{self._rest[0]} {seen} {at}\n{self._rest[1]} {number(total / unit)} {at}\n")
        return len(counts) + 2
