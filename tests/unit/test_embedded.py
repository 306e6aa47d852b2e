"""A collector inside an agent, without a store: what waits for one elsewhere must not pile up here."""

from __future__ import annotations

from tests.support.collectors import Clock, collector_at, value

from eddie_exporter.metrics import MetricsCollector


def work(collector: MetricsCollector, chunks: int) -> None:
    """Start and end so many chunks, each with an id of its own."""
    for number in range(chunks):
        collector.record_chunk_started(chunk_id=f"c{number}", agent_id="a1")
        collector.record_chunk_execution(chunk_id=f"c{number}", agent_id="a1", seconds=1)


def test_nothing_waits_for_a_store_that_is_not_there() -> None:
    """Tidying lets go what a commit would have written, though nobody ever scrapes."""
    collector = collector_at(Clock())
    work(collector, 100)
    collector.tidy()
    assert not collector.state.tables.any()
    assert not collector.state.budget.moved
    assert not collector.state.chunks._unwritten
    assert value(collector, "agent_tasks_executed_total", agent_id="a1") == 100


def test_what_moved_waits_for_the_store_that_is_there() -> None:
    """With a writer behind the collector tidying shows nothing: it is not durable yet."""
    collector = collector_at(Clock())
    collector.defer = lambda job, _: job()
    work(collector, 3)
    collector.tidy()
    assert collector.state.budget.moved
    assert value(collector, "agent_tasks_executed_total", agent_id="a1") is None
