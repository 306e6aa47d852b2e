"""Station count: work in flight is a set of ids that no lost, doubled or late message can bend."""

from __future__ import annotations

from typing import Any

from tests.support.collectors import START, Clock, collector_at, total, value

from eddie_exporter.catalogue import BY_NAME
from eddie_exporter.inflight import IDLE_LEASES, InFlight
from eddie_exporter.store import Budget, Family
from eddie_exporter.tables import Tables


def test_a_task_is_active_from_its_start_to_its_finish() -> None:
    """The gauge rises with the start and falls with the matching finish."""
    collector = collector_at(Clock())
    collector.record_task_started(task_id="t1", agent_id="a1", stage="plan")
    assert value(collector, "agent_active_tasks", agent_id="a1") == 1
    collector.record_task_finished(task_id="t1", agent_id="a1", stage="plan", seconds=1, outcome="success")
    assert value(collector, "agent_active_tasks", agent_id="a1") == 0


def test_tasks_and_chunks_of_an_agent_add_up() -> None:
    """A unit of work is a task or a chunk; the agent's gauge counts both, the chunks' gauge only chunks."""
    collector = collector_at(Clock())
    collector.record_task_started(task_id="t1", agent_id="a1", stage="plan")
    collector.record_chunk_started(chunk_id="c1", agent_id="a1")
    assert value(collector, "agent_active_tasks", agent_id="a1") == 2
    assert value(collector, "eddie_chunks_inflight") == 1


def test_a_start_that_is_sent_twice_counts_once() -> None:
    """The same id again adds nothing."""
    collector = collector_at(Clock())
    for _ in range(2):
        collector.record_chunk_started(chunk_id="c1", agent_id="a1")
    assert value(collector, "agent_active_tasks", agent_id="a1") == 1


def test_a_start_that_arrives_after_its_finish_adds_nothing() -> None:
    """Reordered messages leave no ghost behind."""
    collector = collector_at(Clock())
    collector.record_chunk_execution(agent_id="a1", seconds=1, chunk_id="c1")
    collector.record_chunk_started(chunk_id="c1", agent_id="a1")
    assert value(collector, "eddie_chunks_inflight") == 0


def test_the_same_chunk_on_another_agent_is_other_work() -> None:
    """A chunk that is tried again elsewhere is in flight there."""
    collector = collector_at(Clock())
    collector.record_chunk_execution(agent_id="a1", seconds=1, chunk_id="c1")
    collector.record_chunk_started(chunk_id="c1", agent_id="a2")
    assert value(collector, "agent_active_tasks", agent_id="a2") == 1


def test_a_lease_ends_what_never_finishes_and_counts_it_lost() -> None:
    """The gauge comes down alone, and the loss is a number."""
    clock = Clock()
    collector = collector_at(clock)
    collector.record_task_started(task_id="t1", agent_id="a1", stage="plan", lease_seconds=60)
    collector.record_chunk_started(chunk_id="c1", agent_id="a1", lease_seconds=60)
    clock.now += 59
    assert value(collector, "agent_active_tasks", agent_id="a1") == 2
    assert total(collector, "eddie_tasks_lost_total") == 0
    clock.now += 2
    assert value(collector, "agent_active_tasks", agent_id="a1") == 0
    assert value(collector, "eddie_tasks_lost_total", stage="plan") == 1
    assert value(collector, "eddie_chunks_lost_total") == 1


def test_what_finished_in_time_is_not_lost_when_its_lease_would_have_ended() -> None:
    """A finish ends the lease."""
    clock = Clock()
    collector = collector_at(clock)
    collector.record_chunk_started(chunk_id="c1", agent_id="a1", lease_seconds=60)
    collector.record_chunk_execution(agent_id="a1", seconds=1, chunk_id="c1")
    clock.now += 120
    assert value(collector, "eddie_chunks_lost_total") == 0


def test_the_oldest_task_of_each_stage_has_its_age() -> None:
    """The age grows with the clock and the series goes with the task."""
    clock = Clock()
    collector = collector_at(clock)
    collector.record_task_started(task_id="t1", agent_id="a1", stage="plan")
    clock.now += 40
    collector.record_task_started(task_id="t2", agent_id="a1", stage="plan")
    assert value(collector, "eddie_oldest_inflight_seconds", stage="plan") == 40
    collector.record_task_finished(task_id="t1", agent_id="a1", stage="plan", seconds=40, outcome="success")
    assert value(collector, "eddie_oldest_inflight_seconds", stage="plan") == 0
    collector.record_task_finished(task_id="t2", agent_id="a1", stage="plan", seconds=1, outcome="success")
    assert value(collector, "eddie_oldest_inflight_seconds", stage="plan") is None


def test_agents_past_the_limit_keep_an_honest_gauge_in_overflow() -> None:
    """Starts and finishes of agents without a place move the same overflow series up and down."""
    collector = collector_at(Clock(), max_agents=10)
    for number in range(15):
        collector.record_chunk_started(chunk_id="c", agent_id=f"a{number}")
    assert value(collector, "agent_active_tasks", agent_id="__overflow__") == 5
    for number in range(15):
        collector.record_chunk_execution(agent_id=f"a{number}", seconds=1, chunk_id="c")
    assert total(collector, "agent_active_tasks") == 0


def test_leases_of_what_finished_are_thrown_out_and_the_others_still_end() -> None:
    """Week-long leases of a busy fleet keep no memory after the work; what is still in flight is lost in its time."""
    gauge = Family(BY_NAME["agent_active_tasks"], Budget(1000, START), max_agents=10)
    works = InFlight("chunk", gauge, Tables())
    works.start(("stays", "a"), "a", 0, 100)
    for number in range(10 * IDLE_LEASES):
        works.start((str(number), "a"), "a", 0, 604_800)
        works.finish((str(number), "a"), 0)
    assert len(works._leases) <= IDLE_LEASES + 2
    assert [list(works.expire(99)), len(works)] == [[], 1]
    assert [len(list(works.expire(100))), len(works), gauge.child(("a",)).value] == [1, 0, 0]


def test_looking_at_ages_that_find_no_place_is_no_overflow_of_events() -> None:
    """However often somebody looks, the overflow is the same."""
    collector = collector_at(Clock())
    for number in range(205):
        collector.record_task_started(task_id="t1", agent_id="a1", stage=f"s{number}")
    before = value(collector, "eddie_series_overflow_total", family="eddie_oldest_inflight_seconds")
    assert value(collector, "eddie_series_overflow_total", family="eddie_oldest_inflight_seconds") == before
    assert total(collector, "eddie_oldest_inflight_seconds") == 0


def test_a_finish_is_remembered_for_its_own_lease() -> None:
    """A start sent again adds nothing while its lease, short or long, would have run; then it does."""
    for lease in (60, 7200):
        clock = Clock()
        collector = collector_at(clock)
        start: dict[str, Any] = {"task_id": "t1", "agent_id": "a1", "stage": "plan", "lease_seconds": lease}
        collector.record_task_started(**start)
        collector.record_task_finished(task_id="t1", agent_id="a1", stage="plan", seconds=1, outcome="success")
        clock.now += lease - 1
        collector.record_task_started(**start)
        assert value(collector, "agent_active_tasks", agent_id="a1") == 0
        clock.now += 2
        collector.record_task_started(**start)
        assert value(collector, "agent_active_tasks", agent_id="a1") == 1


def test_a_chunk_that_ends_without_its_start_moves_no_gauge() -> None:
    """It counts as executed, and nothing goes below zero."""
    collector = collector_at(Clock())
    collector.record_chunk_execution(agent_id="a1", seconds=1, chunk_id="c1")
    assert value(collector, "agent_tasks_executed_total", agent_id="a1") == 1
    assert value(collector, "agent_active_tasks", agent_id="a1") is None
    assert value(collector, "eddie_chunks_inflight") == 0


def test_a_finish_without_its_start_counts_and_moves_no_gauge() -> None:
    """Neither the agent's own gauge nor that of its other work falls."""
    collector = collector_at(Clock())
    collector.record_task_finished(task_id="t1", agent_id="a1", stage="plan", seconds=1, outcome="success")
    assert value(collector, "agent_tasks_executed_total", agent_id="a1") == 1
    assert value(collector, "agent_active_tasks", agent_id="a1") is None
    collector.record_task_started(task_id="t2", agent_id="a1", stage="plan")
    collector.record_task_finished(task_id="t3", agent_id="a1", stage="plan", seconds=1, outcome="success")
    assert value(collector, "agent_active_tasks", agent_id="a1") == 1
