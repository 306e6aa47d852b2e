"""Station count: what each kind of event moves, and what it does not."""

from __future__ import annotations

import threading

import pytest
from tests.support.collectors import START, Clock, collector_at, total, value

from eddie_exporter import decode
from eddie_exporter.catalogue import BY_NAME, CATALOGUE
from eddie_exporter.errors import ContractError

PROMISED = {
    "task_split_total": ("counter", ()),
    "task_split_chunks_total": ("counter", ()),
    "timeout_events_total": ("counter", ("agent_id", "reason")),
    "fallback_depth_exceeded_total": ("counter", ()),
    "task_execution_seconds": ("histogram", ("stage",)),
    "chunk_execution_seconds": ("histogram", ("agent_id",)),
    "task_success_total": ("counter", ("stage",)),
    "task_failure_total": ("counter", ("stage", "reason")),
    "agent_active_tasks": ("gauge", ("agent_id",)),
    "agent_tasks_executed_total": ("counter", ("agent_id",)),
    "docker_container_cpu_limit": ("gauge", ("container_id",)),
    "docker_container_memory_limit_bytes": ("gauge", ("container_id",)),
    "docker_elastic_adjustment_total": ("counter", ("resource_type",)),
    "merge_deduplication_total": ("counter", ()),
    "merge_chunks_combined_total": ("counter", ()),
}


def test_the_promised_metrics_have_their_names_types_and_labels() -> None:
    """The fifteen of the brief never change."""
    assert {name: (BY_NAME[name].kind, BY_NAME[name].labels) for name in PROMISED} == PROMISED


def test_everything_else_begins_with_eddie() -> None:
    """What the project adds cannot collide with what was promised."""
    assert all(metric.name.startswith("eddie_") for metric in CATALOGUE if metric.name not in PROMISED)


def test_a_split_counts_itself_and_its_chunks() -> None:
    """task-split moves two totals, and no timeout: a timeout is counted by timeout alone."""
    collector = collector_at(Clock())
    collector.record_task_split(task_id="t1", chunks=4)
    assert value(collector, "task_split_total") == 1
    assert value(collector, "task_split_chunks_total") == 4
    assert total(collector, "timeout_events_total") == 0


def test_a_timeout_counts_by_agent_and_reason_and_by_stage_when_it_has_one() -> None:
    """timeout moves its own total; the stage's only when a stage is told."""
    collector = collector_at(Clock())
    collector.record_timeout(agent_id="a1", reason="deadline", stage="plan")
    collector.record_timeout(agent_id="a1", reason="deadline")
    assert value(collector, "timeout_events_total", agent_id="a1", reason="deadline") == 2
    assert value(collector, "eddie_stage_timeouts_total", stage="plan") == 1


def test_a_finished_task_moves_duration_outcome_load_and_cost() -> None:
    """task-finished with success counts a success and no failure."""
    collector = collector_at(Clock())
    collector.record_task_finished(
        task_id="t1", agent_id="a1", stage="plan", seconds=30, outcome="success", tokens_out=9, cost_usd=0.1
    )
    assert value(collector, "task_execution_seconds_count", stage="plan") == 1
    assert value(collector, "task_execution_seconds_bucket", stage="plan", le="30.0") == 1
    assert value(collector, "task_execution_seconds_bucket", stage="plan", le="15.0") == 0
    assert value(collector, "task_success_total", stage="plan") == 1
    assert value(collector, "agent_tasks_executed_total", agent_id="a1") == 1
    assert value(collector, "eddie_tokens_total", agent_id="a1", direction="out") == 9
    assert value(collector, "eddie_tokens_total", agent_id="a1", direction="in") is None
    assert value(collector, "eddie_cost_usd_total", agent_id="a1") == 0.1
    assert total(collector, "task_failure_total") == 0


@pytest.mark.parametrize("outcome", ["failure", "timeout"])
def test_a_task_that_did_not_succeed_is_a_failure_and_is_timed_too(outcome: str) -> None:
    """A timed-out task is observed, or p99 would improve when things get worse; it is no timeout event."""
    collector = collector_at(Clock())
    collector.record_task_finished(
        task_id="t1",
        agent_id="a1",
        stage="plan",
        seconds=900,
        outcome=outcome,  # type: ignore[arg-type]
        reason="deadline",
    )
    assert value(collector, "task_failure_total", stage="plan", reason="deadline") == 1
    assert value(collector, "task_execution_seconds_sum", stage="plan") == 900
    assert total(collector, "task_success_total") == 0
    assert total(collector, "timeout_events_total") == 0


def test_a_chunk_counts_its_outcome_and_its_agent() -> None:
    """chunk-execution is success unless told otherwise, and never a task."""
    collector = collector_at(Clock())
    collector.record_chunk_execution(agent_id="a1", seconds=1.5)
    collector.record_chunk_execution(agent_id="a1", seconds=2.5, outcome="timeout")
    assert value(collector, "chunk_execution_seconds_sum", agent_id="a1") == 4
    assert value(collector, "eddie_chunk_outcomes_total", outcome="success") == 1
    assert value(collector, "eddie_chunk_outcomes_total", outcome="timeout") == 1
    assert value(collector, "agent_tasks_executed_total", agent_id="a1") == 2
    assert total(collector, "task_execution_seconds_count") == 0


def test_a_merge_counts_kept_and_dropped() -> None:
    """merge-deduplication adds kept results and dropped ones apart."""
    collector = collector_at(Clock())
    collector.record_merge_deduplication(chunks=9, duplicates=1)
    assert value(collector, "merge_chunks_combined_total") == 9
    assert value(collector, "merge_deduplication_total") == 1


def test_a_refused_split_counts() -> None:
    """fallback-depth-exceeded needs no field at all."""
    collector = collector_at(Clock())
    collector.record_fallback_depth_exceeded()
    assert value(collector, "fallback_depth_exceeded_total") == 1


def test_a_task_that_was_split_and_finishes_is_a_rescue_once() -> None:
    """Only a task that was split counts as fallback, by its outcome."""
    collector = collector_at(Clock())
    collector.record_task_split(task_id="t1", chunks=2)
    for task in ("t1", "t2"):
        collector.record_task_finished(task_id=task, agent_id="a1", stage="plan", seconds=1, outcome="success")
    assert value(collector, "eddie_fallback_tasks_total", outcome="success") == 1


def test_hello_lets_an_agents_series_begin_at_zero() -> None:
    """agent-hello creates, and counts nothing."""
    collector = collector_at(Clock())
    collector.record_agent_hello(agent_id="a1", language="go", version="2", stages=["plan"], reasons=["deadline"])
    assert value(collector, "timeout_events_total", agent_id="a1", reason="deadline") == 0
    assert value(collector, "task_failure_total", stage="plan", reason="deadline") == 0
    assert value(collector, "chunk_execution_seconds_count", agent_id="a1") == 0
    assert value(collector, "eddie_agent_info", agent_id="a1", language="go", version="2") == 1


def test_a_new_version_replaces_the_old_one_in_the_info() -> None:
    """An agent has one info series at a time."""
    collector = collector_at(Clock())
    for version in ("1", "2"):
        collector.record_agent_hello(agent_id="a1", version=version)
    assert total(collector, "eddie_agent_info") == 1
    assert value(collector, "eddie_agent_info", agent_id="a1", language="", version="2") == 1


def test_series_without_labels_exist_at_zero_from_the_start() -> None:
    """A counter born at its first event would hide that event from ``increase()``."""
    collector = collector_at(Clock())
    assert value(collector, "fallback_depth_exceeded_total") == 0
    assert value(collector, "docker_elastic_adjustment_total", resource_type="cpu") == 0
    assert value(collector, "task_split_created") == START - 30


def test_a_bad_value_counts_nothing() -> None:
    """A refusal leaves every total as it was, the accepted ones too."""
    collector = collector_at(Clock())
    with pytest.raises(ContractError):
        collector.record_task_split(task_id="t1", chunks=0)
    assert total(collector, "eddie_events_accepted_total") == 0


def test_an_event_older_than_five_minutes_is_late_by_the_senders_clock() -> None:
    """The age is taken against the sender's clock where it is told, so clock skew makes nothing late."""
    collector = collector_at(Clock())
    collector.record_fallback_depth_exceeded(ts=START - 301)
    collector.record_fallback_depth_exceeded(ts=START - 300)
    collector.record_fallback_depth_exceeded()
    assert total(collector, "eddie_late_events_total") == 1
    behind = decode.build("fallback-depth-exceeded", {"ts": START - 1000})
    collector.apply([behind], sent=START - 990)
    assert total(collector, "eddie_late_events_total") == 1
    collector.apply([behind], sent=START - 690)
    assert total(collector, "eddie_late_events_total") == 2


def test_sums_do_not_depend_on_the_order() -> None:
    """Durations are kept in whole microseconds: 0.1 added ten times is 1, not 0.9999999999999999."""
    collector = collector_at(Clock())
    for _ in range(10):
        collector.record_chunk_execution(agent_id="a1", seconds=0.1)
    assert value(collector, "chunk_execution_seconds_sum", agent_id="a1") == 1.0


def test_the_cost_of_recording_is_counted() -> None:
    """The summary eddie_collection_seconds counts each event once."""
    collector = collector_at(Clock())
    collector.record_fallback_depth_exceeded()
    collector.record_fallback_depth_exceeded()
    assert value(collector, "eddie_collection_seconds_count", operation="record") == 2
    assert (value(collector, "eddie_collection_seconds_sum", operation="record") or 0) > 0


def test_threads_lose_nothing() -> None:
    """Eight threads that record at once count every event."""
    collector = collector_at(Clock())

    def work() -> None:
        for _ in range(500):
            collector.record_timeout(agent_id="a1", reason="deadline")

    threads = [threading.Thread(target=work) for _ in range(8)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert value(collector, "timeout_events_total", agent_id="a1", reason="deadline") == 4000


def test_label_values_past_the_limit_go_to_overflow_and_the_sum_stays_right() -> None:
    """More agents than the limit share one series; nothing is lost and the overflow is counted."""
    collector = collector_at(Clock(), max_agents=10)
    for number in range(50):
        collector.record_timeout(agent_id=f"a{number}", reason="deadline")
    assert total(collector, "timeout_events_total") == 50
    assert value(collector, "timeout_events_total", agent_id="__overflow__", reason="deadline") == 40
    assert value(collector, "eddie_series_overflow_total", family="timeout_events_total") == 40


def test_samples_in_all_are_bounded() -> None:
    """Past the budget of samples a new series finds no place, and its total still counts."""
    collector = collector_at(Clock(), max_samples=2000)
    for number in range(3000):
        collector.record_chunk_execution(agent_id=f"a{number}", seconds=1)
    assert total(collector, "chunk_execution_seconds_count") == 3000
    assert sum(len(family.samples) for family in collector.families(openmetrics=True)) < 2200


def test_two_collectors_share_nothing() -> None:
    """There is no global registry: what one counts, the other does not see."""
    one, other = collector_at(Clock()), collector_at(Clock())
    one.record_fallback_depth_exceeded()
    assert value(other, "fallback_depth_exceeded_total") == 0
