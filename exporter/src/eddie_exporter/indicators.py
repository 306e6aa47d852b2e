"""Station *recorded*, seen from inside: the five indicators over the last hour, as Prometheus's rules record them.

The exporter keeps a mark of its totals every five minutes for an hour and subtracts. Younger than an hour, it says
what happened since its start and in how many seconds.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import dataclass

from eddie_exporter.snapshot import HistogramView, Snapshot

HOUR = 3600.0
MARK_SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class Indicator:
    """One indicator: ``ok`` is None when there is no data to judge by."""

    name: str
    value: float | None
    unit: str
    objective: str
    ok: bool | None


@dataclass(frozen=True, slots=True)
class Totals:
    """What the indicators are made of, at one moment; ``executed`` is by agent, ``present`` who is there."""

    at: float
    success: float
    failure: float
    timeouts: float
    kept: float
    dropped: float
    executed: dict[str, float]
    present: frozenset[str]
    bounds: tuple[float, ...]
    durations: tuple[int, ...]


def quantile(q: float, bounds: tuple[float, ...], cumulative: tuple[int, ...]) -> float | None:
    """Answer the ``q`` quantile as Prometheus's ``histogram_quantile`` does; None without observations.

    Linear inside the bucket that holds the rank; the first bucket begins at 0; a rank in the last bucket (+Inf)
    answers the highest bound there is. ``cumulative`` has one count more than ``bounds``: the last is +Inf's.
    """
    total = cumulative[-1] if cumulative else 0
    if total <= 0 or not bounds:
        return None
    rank = q * total
    place = next(index for index, count in enumerate(cumulative) if count >= rank)
    if place == len(bounds):
        return bounds[-1]
    low = bounds[place - 1] if place else 0.0
    below = cumulative[place - 1] if place else 0
    inside = cumulative[place] - below
    return low if inside == 0 else low + (bounds[place] - low) * (rank - below) / inside


def ratio(part: float, whole: float) -> float | None:
    """Answer part / whole, None when there is no whole."""
    return part / whole if whole > 0 else None


def merged(views: Iterable[HistogramView]) -> tuple[tuple[float, ...], tuple[int, ...]]:
    """Add up histograms of the same bounds."""
    found = list(views)
    if not found:
        return (), ()
    return found[0].bounds, tuple(sum(counts) for counts in zip(*(one.cumulative for one in found), strict=True))


def totals(snapshot: Snapshot) -> Totals:
    """Take from a snapshot what the indicators need."""

    def total(name: str) -> float:
        return sum(snapshot.counters.get(name, {}).values())

    bounds, durations = merged(snapshot.histograms.get("task_execution_seconds", {}).values())
    return Totals(
        at=snapshot.now,
        success=total("task_success_total"),
        failure=total("task_failure_total"),
        timeouts=total("timeout_events_total"),
        kept=total("merge_chunks_combined_total"),
        dropped=total("merge_deduplication_total"),
        executed={
            labels[0]: value for labels, value in snapshot.counters.get("agent_tasks_executed_total", {}).items()
        },
        present=frozenset(labels[0] for labels in snapshot.gauges.get("agent_active_tasks", {})),
        bounds=bounds,
        durations=durations,
    )


def nothing(at: float) -> Totals:
    """Answer the totals of a start."""
    return Totals(at, 0, 0, 0, 0, 0, {}, frozenset(), (), ())


def judge(then: Totals, now: Totals) -> list[Indicator]:
    """Answer the five indicators of what happened between two moments."""
    before = then.durations or (0,) * len(now.durations)
    durations = tuple(new - old for new, old in zip(now.durations, before, strict=True))
    success, failure = now.success - then.success, now.failure - then.failure
    kept, dropped = now.kept - then.kept, now.dropped - then.dropped
    executed = Counter(now.executed)
    executed.subtract(then.executed)
    # Who is there and did nothing is part of the mean, as in the rule: one busy agent in an idle fleet is no balance.
    work = [count for agent, count in executed.items() if count > 0 or agent in now.present]
    balance = ratio(max(work, default=0) * len(work), sum(work))
    rate = ratio(success, success + failure)
    merge = ratio(kept, kept + dropped)
    p99 = quantile(0.99, now.bounds, durations)
    timeouts = now.timeouts - then.timeouts
    return [
        Indicator("success_rate", rate, "ratio", "> 0.95", None if rate is None else rate > 0.95),
        Indicator("p99_latency", p99, "seconds", "< 60", None if p99 is None else p99 < 60),
        Indicator("timeouts_per_hour", timeouts, "timeouts", "< 5", timeouts < 5),
        Indicator("merge_efficiency", merge, "ratio", "> 0.9", None if merge is None else merge > 0.9),
        Indicator("load_balance", balance, "busiest / mean", "< 2", None if balance is None else balance < 2),
    ]


class LastHour:
    """Marks of the totals, five minutes apart, so that the last hour can be told from all that was."""

    def __init__(self, started_at: float) -> None:
        """Begin with a mark of nothing."""
        self._marks: deque[Totals] = deque([nothing(started_at)], maxlen=int(HOUR / MARK_SECONDS) + 2)

    def due(self, now: float) -> bool:
        """Say whether it is time for another mark; a clock that was set back makes it time too."""
        return not 0 <= now - self._marks[-1].at < MARK_SECONDS

    def mark(self, now: Totals) -> None:
        """Keep a mark and forget those that no hour needs: the newest one that is an hour old stays."""
        self._marks.append(now)
        while len(self._marks) > 1 and self._marks[1].at <= now.at - HOUR:
            self._marks.popleft()

    def judge(self, now: Totals) -> tuple[float, list[Indicator]]:
        """Answer (seconds looked back, the indicators)."""
        marks = list(self._marks)
        then = max((mark for mark in marks if mark.at <= now.at - HOUR), key=lambda mark: mark.at, default=marks[0])
        return max(0.0, now.at - then.at), judge(then, now)
