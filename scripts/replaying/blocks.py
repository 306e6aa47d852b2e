"""Replay into Prometheus's past: the log's events counted by the exporter's own code, at the times they happened.

What comes out is OpenMetrics text with a sample of every series at every step, as if Prometheus had scraped an exporter
all the time, for `promtool tsdb create-blocks-from openmetrics`.
"""

from __future__ import annotations

import math
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from eddie_exporter.catalogue import CATALOGUE
from eddie_exporter.decode import decode_one
from eddie_exporter.errors import ContractError, EddieError
from eddie_exporter.metrics import MetricsCollector
from eddie_exporter.settings import Settings
from eddie_metrics.events import Event
from replaying.log import Line, Place, Refusals, ReplayError, event_of, lines
from replaying.openmetrics import Points, Series, head

MOST_STEPS = 2_500_000
"""A year and more of 15 s: one wrong time in a log must not fill the disk."""
ABOUT_ITSELF = frozenset(
    {
        "eddie_build_info",
        "eddie_client_dropped_events_total",
        "eddie_clock_seconds",
        "eddie_collection_seconds",
        "eddie_commit_seconds",
        "eddie_dedup_window_seconds",
        "eddie_docker_up",
        "eddie_events_duplicate_total",
        "eddie_events_rejected_total",
        "eddie_late_events_total",
        "eddie_late_newest_timestamp_seconds",
        "eddie_late_oldest_timestamp_seconds",
        "eddie_lost_batches_total",
        "eddie_notifications_received_total",
        "eddie_queue_bytes",
        "eddie_queue_requests",
        "eddie_ready",
        "eddie_retired_series_total",
        "eddie_series_limit",
        "eddie_series_used",
        "eddie_store_bytes",
        "eddie_store_info",
        "eddie_unknown_fields_total",
    }
)
"""What an exporter says of itself and of its senders: a log has nothing to say about that."""


@dataclass
class Written:
    """What was written: where, how much, and from when to when (seconds since the epoch)."""

    out: Path
    events: int
    series: int
    samples: int
    first: float
    last: float

    def lines(self) -> Iterator[str]:
        """Say it, and what to type next."""
        began, ended = (time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(at)) for at in (self.first, self.last))
        yield f"{self.events} events from {began} to {ended}"
        yield f"{self.series} series, {self.samples} samples in {self.out}"
        yield f"now: promtool tsdb create-blocks-from openmetrics {self.out} PROMETHEUS_DATA"
        if time.time() - self.last < 3 * 3600:
            yield "the end of it is less than three hours old: Prometheus holds that time open, wait before you do"


@dataclass
class _Recorded:
    """Every series by family and labels, with what it showed from which step on; None: it left."""

    families: dict[str, dict[tuple[str, ...], Points]] = field(default_factory=dict)
    bounds: dict[str, tuple[int, ...]] = field(default_factory=dict)

    def take(self, step: int, collector: MetricsCollector) -> None:
        """Look at everything, as a scrape does, and keep what differs from the last look."""
        with collector.lock:
            copies = collector.copies()
        for family in copies:
            if family.metric.name in ABOUT_ITSELF:
                continue
            self.bounds[family.metric.name] = family.bounds
            known = self.families.setdefault(family.metric.name, {})
            gone = {labels for labels, points in known.items() if points[-1][1] is not None}
            for child, shown in family.entries():
                gone.discard(child.labels)
                points = known.setdefault(child.labels, [])
                if shown is not None and (not points or points[-1][1] != shown):
                    points.append((step, shown))
                if not points:
                    del known[child.labels]
            for labels in gone:
                known[labels].append((step, None))


def _judged(log: Path, refusals: Refusals) -> list[tuple[float, Place]]:
    """Return when each event happened, and where it stands, in the order of their times; keep what is refused."""
    found, refused = [], []
    for line in lines(log, Place()):
        if line.blank:
            continue
        try:
            ts = _decoded(line).ts
        except (ValueError, ContractError) as error:
            refused.append((line, str(error)))
        else:
            if ts is None:
                refused.append((line, "ts: expected when it happened, got none: it has no place in the past"))
            else:
                found.append((ts, line.at))
    refusals.keep(refused)
    return sorted(found, key=lambda one: (one[0], one[1].line))


def _decoded(line: Line) -> Event:
    return decode_one(str(event_of(line.text)["kind"]), line.text)


def _read(file: IO[bytes], at: Place) -> Event:
    file.seek(at.byte)
    text = file.readline()
    return _decoded(Line(at, at, text))


def _count(log: Path, order: list[tuple[float, Place]], step: float, first: int, last: int) -> _Recorded:
    """Count everything, and look at every step; ``first`` and ``last`` are numbers of steps since the epoch."""
    now = first * step
    collector = MetricsCollector(Settings(), clock=lambda: now)
    recorded = _Recorded()
    recorded.take(first, collector)  # before the first event: what begins at zero is seen to
    waiting = iter(order)
    upcoming = next(waiting, None)
    with log.open("rb") as file:
        for current in range(first + 1, last + 1):
            while upcoming is not None and upcoming[0] <= current * step:
                now = max(now, upcoming[0])
                collector.apply([_read(file, upcoming[1])])
                upcoming = next(waiting, None)
            now = current * step
            recorded.take(current, collector)
    return recorded


def write(log: Path, out: Path, step: float, instance: str, refusals: Refusals) -> Written:
    """Write the log's events to ``out``. Raises ReplayError where there is nothing to write, OSError."""
    if not 1 <= step <= 300:
        raise ReplayError(f"--step: expected 1 to 300 s (Prometheus takes a series for gone after 300), got {step:g}")
    order = _judged(log, refusals)
    if not order:
        raise ReplayError(f"expected events with their ts in {log}, got none; why is in {refusals.path}")
    first, last = math.floor(order[0][0] / step) - 1, math.ceil(order[-1][0] / step)
    if last - first > MOST_STEPS:
        begins, ends = order[0], order[-1]
        raise ReplayError(
            f"expected at most {MOST_STEPS} steps of {step:g} s, got events from {begins[0]:.0f}"
            f" (line {begins[1].line}) to {ends[0]:.0f} (line {ends[1].line}): one of the two has a wrong ts"
        )
    try:
        recorded = _count(log, order, step, first, last)
    except EddieError as error:
        raise ReplayError(str(error)) from error
    series = samples = 0
    # Beside the file and then in its place: what is half written never looks finished.
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=out.parent, prefix=out.name, delete=False) as file:
        for metric in CATALOGUE:
            known = recorded.families.get(metric.name)
            if known:
                file.write(head(metric))
                series += len(known)
                for labels, points in sorted(known.items()):
                    writer = Series(metric, labels, recorded.bounds[metric.name], instance, step)
                    samples += writer.write(file, points, first, last)
        file.write("# EOF\n")
    Path(file.name).replace(out)
    return Written(out, len(order), series, samples, order[0][0], order[-1][0])
