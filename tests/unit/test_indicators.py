"""Indicators: quantiles as Prometheus computes them, and the last hour cut out of all that was."""

from __future__ import annotations

from typing import Any

import pytest
from tests.support.collectors import Clock, collector_at

from eddie_exporter.indicators import HOUR, MARK_SECONDS, Indicator, LastHour, Totals, judge, nothing, quantile, totals


@pytest.mark.parametrize(
    ("q", "cumulative", "expected"),
    [
        (0.5, (0, 10, 10, 10), 3.0),  # all in (1, 5]: the middle
        (0.99, (0, 10, 10, 10), 4.96),
        (0.5, (10, 10, 10, 10), 0.5),  # the first bucket begins at 0
        (0.5, (5, 10, 10, 10), 1.0),  # exactly on a bound
        (0.99, (0, 0, 0, 4), 10.0),  # beyond the last bound: that bound
        (0.25, (1, 2, 3, 4), 1.0),
        (1.0, (1, 2, 4, 4), 10.0),
        (0.0, (0, 2, 2, 2), 0.0),  # rank 0 lies in the first bucket, empty or not
    ],
)
def test_quantile_is_prometheus(q: float, cumulative: tuple[int, ...], expected: float) -> None:
    """The numbers `histogram_quantile` gives for buckets 1, 5, 10, +Inf."""
    found = quantile(q, (1.0, 5.0, 10.0), cumulative)
    assert found == pytest.approx(expected)


@pytest.mark.parametrize(("bounds", "cumulative"), [((), ()), ((1.0,), (0, 0)), ((), (3,))])
def test_no_observations_have_no_quantile(bounds: tuple[float, ...], cumulative: tuple[int, ...]) -> None:
    """Nothing observed is None, never 0."""
    assert quantile(0.99, bounds, cumulative) is None


def named(found: list[Indicator]) -> dict[str, tuple[Any, bool | None]]:
    """Answer value and judgement by name."""
    return {one.name: (one.value, one.ok) for one in found}


def test_a_good_hour_is_good() -> None:
    """Five numbers, each inside its objective."""
    clock = Clock()
    collector = collector_at(clock)
    for n in range(200):
        agent = f"a{n % 4}"
        collector.record_task_finished(task_id=f"t{n}", agent_id=agent, stage="plan", seconds=20, outcome="success")
    collector.record_merge_deduplication(chunks=95, duplicates=5)
    found = named(judge(nothing(clock.now), totals(collector.snapshot())))
    assert found["success_rate"] == (1.0, True)
    assert found["merge_efficiency"] == (0.95, True)
    assert found["load_balance"] == (1.0, True)
    assert found["timeouts_per_hour"] == (0, True)
    assert found["p99_latency"] == (pytest.approx(29.85), True)


def test_a_bad_hour_is_bad() -> None:
    """The same five, each outside; what lies exactly on an objective does not meet it."""
    clock = Clock()
    collector = collector_at(clock)
    for n in range(20):
        collector.record_task_finished(
            task_id=f"t{n}",
            agent_id="busy",
            stage="plan",
            seconds=100,
            outcome="failure" if n == 0 else "success",
            reason="crash",
        )
    collector.record_agent_hello(agent_id="idle")
    for _ in range(5):
        collector.record_timeout(agent_id="busy", reason="deadline")
    collector.record_merge_deduplication(chunks=9, duplicates=1)
    found = named(judge(nothing(clock.now), totals(collector.snapshot())))
    assert found["success_rate"] == (0.95, False)
    assert found["merge_efficiency"] == (0.9, False)
    assert found["load_balance"] == (2.0, False)
    assert found["timeouts_per_hour"] == (5, False)
    assert found["p99_latency"] == (pytest.approx(119.7), False)


def test_no_data_is_no_judgement() -> None:
    """Without data an indicator is None; no timeouts are none, which is good."""
    clock = Clock()
    found = named(judge(nothing(clock.now), totals(collector_at(clock).snapshot())))
    assert found.pop("timeouts_per_hour") == (0, True)
    assert set(found.values()) == {(None, None)}


def at(seconds: float, timeouts: float) -> Totals:
    """Answer totals in which only timeouts happened."""
    return Totals(seconds, 0, 0, timeouts, 0, 0, {}, frozenset(), (1.0,), (0, 0))


def test_what_is_over_is_over() -> None:
    """Timeouts of two hours ago are not in the last hour, those of half an hour ago are."""
    hour = LastHour(0)
    for mark in range(1, 25):
        seconds = mark * MARK_SECONDS
        assert hour.due(seconds)
        hour.mark(at(seconds, 7 if seconds < HOUR else 10))
        assert not hour.due(seconds + MARK_SECONDS / 2)
    looked_back, found = hour.judge(at(2 * HOUR + 60, 11))
    assert HOUR <= looked_back <= HOUR + MARK_SECONDS
    assert named(found)["timeouts_per_hour"] == (1, True)


def test_a_young_exporter_counts_since_its_start() -> None:
    """Before the first hour is over, everything counts, and the seconds say how long that is."""
    hour = LastHour(1000)
    looked_back, found = hour.judge(at(1600, 6))
    assert looked_back == 600
    assert named(found)["timeouts_per_hour"] == (6, False)


def test_a_clock_set_back_does_not_stop_the_marks() -> None:
    """A mark is due again when the clock was set back, and the answer stays a number."""
    hour = LastHour(10_000)
    assert hour.due(5_000)
    hour.mark(at(5_000, 1))
    assert hour.judge(at(5_010, 2))[0] >= 0
