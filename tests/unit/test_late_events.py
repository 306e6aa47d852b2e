"""Late events: the span in which they happened is shown while they come, and not after."""

from __future__ import annotations

from tests.support.collectors import START, Clock, collector_at, value

from eddie_exporter import decode
from eddie_exporter.lateness import SPAN_SECONDS
from eddie_exporter.metrics import MetricsCollector

OLDEST, NEWEST = "eddie_late_oldest_timestamp_seconds", "eddie_late_newest_timestamp_seconds"


def late(collector: MetricsCollector, *ages: float, sent: float | None = None) -> None:
    """Count timeouts that happened so many seconds before the exporter's start."""
    fields = [{"agent_id": "a", "reason": "r", "ts": START - age} for age in ages]
    collector.apply([decode.build("timeout", each) for each in fields], sent=sent)


def span(collector: MetricsCollector) -> tuple[float | None, float | None]:
    """Answer both ends of the span as a scrape shows them."""
    return value(collector, OLDEST), value(collector, NEWEST)


def test_a_span_reaches_from_the_oldest_to_the_newest_late_event() -> None:
    """Events of an outbox come in any order; what is not late is not in the span."""
    collector = collector_at(Clock())
    late(collector, 1800, 3600, 600, 10)
    assert span(collector) == (START - 3600, START - 600)


def test_nothing_late_is_no_span() -> None:
    """Negative twin: without late events both ends are 0, from the first scrape on."""
    collector = collector_at(Clock())
    assert span(collector) == (0, 0)
    late(collector, 299, 0)
    assert span(collector) == (0, 0)


def test_a_span_is_by_our_clock() -> None:
    """A sender whose clock is an hour behind says by its own clock when it sent: the span is put right by that."""
    collector = collector_at(Clock())
    late(collector, 4200, sent=START - 3600)
    assert span(collector) == (START - 600, START - 600)


def test_a_span_ends_with_the_pause_after_it() -> None:
    """A quarter of an hour after the last late event there is no span, and the next begins anew."""
    clock = Clock()
    collector = collector_at(clock)
    late(collector, 3600)
    clock.now += SPAN_SECONDS
    assert span(collector) == (START - 3600, START - 3600)
    clock.now += 1
    assert span(collector) == (0, 0)
    late(collector, 600)
    assert span(collector) == (START - 600, START - 600)
