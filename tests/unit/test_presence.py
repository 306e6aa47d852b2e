"""Station count: container limits are state, and gauges of what is gone leave."""

from __future__ import annotations

from tests.support.collectors import START, Clock, collector_at, total, value

from eddie_exporter.metrics import MetricsCollector

FULL_ID = "0123456789ab" + "f" * 52


def watch(collector: MetricsCollector, cpu: float | None = 1.0, memory: int | None = 512, name: str = FULL_ID) -> None:
    """Let the watcher find a container."""
    collector.container_seen(
        name, cpu_limit=cpu, memory_limit_bytes=memory, name="worker-1", image="agent:1", agent_id="a1"
    )


def adjustments(collector: MetricsCollector) -> float:
    """Answer how many limits changed."""
    return total(collector, "docker_elastic_adjustment_total")


def test_the_first_report_sets_the_gauges_and_is_no_adjustment() -> None:
    """A container that appears has limits; nothing was adjusted."""
    collector = collector_at(Clock())
    collector.record_docker_resource_allocation(container_id=FULL_ID, cpu_limit=1.5, memory_limit_bytes=1024)
    assert value(collector, "docker_container_cpu_limit", container_id="0123456789ab") == 1.5
    assert value(collector, "docker_container_memory_limit_bytes", container_id="0123456789ab") == 1024
    assert adjustments(collector) == 0


def test_each_limit_that_changes_is_one_adjustment() -> None:
    """Only what differs counts, by its resource."""
    collector = collector_at(Clock())
    for cpu, memory in ((1.0, 512), (2.0, 512), (2.0, 512)):
        collector.record_docker_resource_allocation(container_id="box", cpu_limit=cpu, memory_limit_bytes=memory)
    assert value(collector, "docker_elastic_adjustment_total", resource_type="cpu") == 1
    assert value(collector, "docker_elastic_adjustment_total", resource_type="memory") == 0


def test_webhook_and_watcher_may_both_speak_of_a_change() -> None:
    """The change counts once, whoever says it first, under the full id and under the short one."""
    collector = collector_at(Clock())
    watch(collector, cpu=1.0)
    collector.record_docker_resource_allocation(container_id="0123456789ab", cpu_limit=2.0)
    watch(collector, cpu=2.0)
    collector.record_docker_resource_allocation(container_id=FULL_ID.upper(), cpu_limit=2.0)
    assert adjustments(collector) == 1
    assert total(collector, "docker_container_cpu_limit") == 2.0


def test_a_report_older_than_the_last_is_ignored() -> None:
    """Reports are ordered by their own ``ts``."""
    collector = collector_at(Clock())
    collector.record_docker_resource_allocation(container_id="box", cpu_limit=2.0, ts=START - 10)
    collector.record_docker_resource_allocation(container_id="box", cpu_limit=1.0, ts=START - 20)
    assert value(collector, "docker_container_cpu_limit", container_id="box") == 2.0
    assert adjustments(collector) == 0


def test_zero_means_unlimited_and_its_series_leaves() -> None:
    """Taking a limit off is an adjustment; the other limit stays."""
    collector = collector_at(Clock())
    collector.record_docker_resource_allocation(container_id="box", cpu_limit=2.0, memory_limit_bytes=512)
    collector.record_docker_resource_allocation(container_id="box", cpu_limit=0)
    assert value(collector, "docker_container_cpu_limit", container_id="box") is None
    assert value(collector, "docker_container_memory_limit_bytes", container_id="box") == 512
    assert adjustments(collector) == 1


def test_the_watcher_removes_what_it_found() -> None:
    """A container that is gone takes its gauges and its info with it."""
    collector = collector_at(Clock())
    watch(collector)
    assert total(collector, "eddie_container_info") == 1
    collector.container_gone(FULL_ID)
    assert value(collector, "docker_container_cpu_limit", container_id="0123456789ab") is None
    assert total(collector, "eddie_container_info") == 0


def test_the_watcher_does_not_remove_what_a_webhook_reported() -> None:
    """A container on another machine is none of this engine's business."""
    clock = Clock()
    collector = collector_at(clock, gauge_ttl_seconds=100)
    collector.record_docker_resource_allocation(container_id=FULL_ID, cpu_limit=1.0)
    collector.container_gone(FULL_ID)
    assert value(collector, "docker_container_cpu_limit", container_id="0123456789ab") == 1.0
    clock.now += 101
    assert value(collector, "docker_container_cpu_limit", container_id="0123456789ab") is None


def test_a_container_both_spoke_of_stays_until_its_ttl() -> None:
    """The watcher's word that it is gone ends only the watcher's part; the webhook's leaves after its silence."""
    clock = Clock()
    collector = collector_at(clock)
    collector.record_docker_resource_allocation(container_id=FULL_ID, cpu_limit=1)
    watch(collector)
    collector.container_gone(FULL_ID)
    assert value(collector, "docker_container_cpu_limit", container_id="0123456789ab") == 1
    clock.now += 1801
    assert value(collector, "docker_container_cpu_limit", container_id="0123456789ab") is None


def test_docker_away_costs_only_what_the_watcher_knew() -> None:
    """Its gauges go, the reported ones stay, and nothing was adjusted when it comes back unchanged."""
    collector = collector_at(Clock())
    collector.docker_up(up=True)
    watch(collector)
    collector.record_docker_resource_allocation(container_id="box", cpu_limit=2.0)
    collector.docker_up(up=False)
    assert value(collector, "eddie_docker_up") == 0
    assert value(collector, "docker_container_cpu_limit", container_id="0123456789ab") is None
    assert value(collector, "docker_container_cpu_limit", container_id="box") == 2.0
    collector.docker_up(up=True)
    watch(collector)
    assert value(collector, "docker_container_cpu_limit", container_id="0123456789ab") == 1.0
    assert adjustments(collector) == 0


def test_a_late_report_revives_no_container() -> None:
    """What is gone stays gone for a report from before."""
    clock = Clock()
    collector = collector_at(clock)
    watch(collector)
    clock.now += 10
    collector.container_gone(FULL_ID)
    collector.record_docker_resource_allocation(container_id=FULL_ID, cpu_limit=1.0, ts=START + 5)
    assert total(collector, "docker_container_cpu_limit") == 0


def test_a_report_that_is_sent_again_revives_no_container_but_a_later_one_does() -> None:
    """Only a later ``ts`` brings a container back; the same one is old news."""
    clock = Clock()
    collector = collector_at(clock, gauge_ttl_seconds=100)
    for wait, ts, there in ((0, START, 2.0), (101, START, None), (0, START + 1, 2.0)):
        clock.now += wait
        collector.tidy()
        collector.record_docker_resource_allocation(container_id="box", cpu_limit=2.0, ts=ts)
        assert value(collector, "docker_container_cpu_limit", container_id="box") == there


def test_the_gauges_of_a_silent_agent_leave_and_its_totals_stay() -> None:
    """After the TTL an agent is gone; what it did is not."""
    clock = Clock()
    collector = collector_at(clock, gauge_ttl_seconds=100)
    collector.record_agent_hello(agent_id="a1", version="1")
    collector.record_timeout(agent_id="a1", reason="deadline")
    clock.now += 101
    assert value(collector, "agent_active_tasks", agent_id="a1") is None
    assert total(collector, "eddie_agent_info") == 0
    assert value(collector, "timeout_events_total", agent_id="a1", reason="deadline") == 1


def test_an_agent_with_work_in_flight_is_not_gone() -> None:
    """An hour of work is an hour of silence; the lease says when it is over."""
    clock = Clock()
    collector = collector_at(clock, gauge_ttl_seconds=100)
    collector.record_task_started(task_id="t1", agent_id="a1", stage="plan", lease_seconds=300)
    clock.now += 200
    assert value(collector, "agent_active_tasks", agent_id="a1") == 1
    clock.now += 200
    assert value(collector, "agent_active_tasks", agent_id="a1") is None


def test_a_late_event_revives_no_agent_but_a_later_one_does() -> None:
    """Only a later ``ts`` or a hello brings an agent back."""
    clock = Clock()
    collector = collector_at(clock, gauge_ttl_seconds=100)
    collector.record_agent_hello(agent_id="a1", version="1")
    clock.now += 101
    collector.tidy()
    collector.record_task_started(task_id="t1", agent_id="a1", stage="plan", ts=START - 5)
    assert value(collector, "agent_active_tasks", agent_id="a1") is None
    collector.record_task_started(task_id="t2", agent_id="a1", stage="plan", ts=START + 50)
    assert value(collector, "agent_active_tasks", agent_id="a1") == 1
    assert value(collector, "eddie_agent_info", agent_id="a1", language="", version="1") == 1


def test_an_agent_that_comes_back_has_the_gauge_that_left_and_no_other() -> None:
    """A finish alone revives the gauge of an agent that had one; an agent that never started anything has none."""
    clock = Clock()
    collector = collector_at(clock, gauge_ttl_seconds=100)
    collector.record_agent_hello(agent_id="a1")
    for wait in (0, 101):
        clock.now += wait
        collector.tidy()
        for agent in ("a1", "a2"):
            collector.record_chunk_execution(agent_id=agent, seconds=1)
        assert value(collector, "agent_active_tasks", agent_id="a1") == 0
        assert value(collector, "agent_active_tasks", agent_id="a2") is None


def test_a_report_of_limits_is_no_sign_of_life_of_the_agent() -> None:
    """The orchestrator speaks of limits, the agent does not."""
    clock = Clock()
    collector = collector_at(clock, gauge_ttl_seconds=100)
    collector.record_agent_hello(agent_id="a1")
    clock.now += 99
    collector.record_docker_resource_allocation(container_id="box", cpu_limit=1.0, agent_id="a1")
    clock.now += 2
    assert value(collector, "agent_active_tasks", agent_id="a1") is None


def test_history_is_bounded_in_number_and_age() -> None:
    """The last events are kept, the old ones are forgotten."""
    clock = Clock()
    collector = collector_at(clock, history_events=5, history_seconds=60)
    for number in range(9):
        collector.record_task_split(task_id=f"t{number}", chunks=1)
    assert [event["task_id"] for event in collector.snapshot().events] == ["t4", "t5", "t6", "t7", "t8"]
    clock.now += 61
    collector.tidy()
    assert collector.snapshot().events == []


def test_history_tells_no_time_that_has_not_come() -> None:
    """A ``ts`` from a clock that is ahead is capped at now; an earlier one is kept."""
    collector = collector_at(Clock())
    for ts in (START + 999, START - 5):
        collector.record_task_split(task_id="t1", chunks=1, ts=ts)
    assert [event["ts"] for event in collector.snapshot().events] == [START, START - 5]


def test_what_the_watcher_sees_counts_also_after_the_clock_was_set_back() -> None:
    """The engine's state now is never an old report; a webhook's from before is."""
    clock = Clock()
    collector = collector_at(clock)
    watch(collector, cpu=1.0)
    clock.now -= 3600
    watch(collector, cpu=2.0)
    assert value(collector, "docker_container_cpu_limit", container_id="0123456789ab") == 2.0
    collector.record_docker_resource_allocation(container_id=FULL_ID, cpu_limit=4.0, ts=clock.now)
    assert value(collector, "docker_container_cpu_limit", container_id="0123456789ab") == 2.0


def test_what_tells_no_time_is_of_now_also_after_the_clock_was_set_back() -> None:
    """Limits are taken and agents come back, an hour before the clock is where it was; what is ordered stays so."""
    clock, steady = Clock(), Clock()
    collector = collector_at(clock, gauge_ttl_seconds=100)
    collector.steady = steady
    for shift, limit in ((0, 1.0), (-3600, 4.0)):
        clock.now = START + shift
        collector.tidy()
        collector.record_docker_resource_allocation(container_id="box", cpu_limit=limit)
        collector.record_task_started(task_id=f"t{limit}", agent_id="a1", stage="plan", lease_seconds=60)
        assert value(collector, "docker_container_cpu_limit", container_id="box") == limit
        assert value(collector, "agent_active_tasks", agent_id="a1") == 1
        steady.now += 101
        collector.tidy()
        steady.now += 101
    collector.record_docker_resource_allocation(container_id="box", cpu_limit=8.0, ts=clock.now - 1)
    assert value(collector, "docker_container_cpu_limit", container_id="box") is None


def test_a_time_in_the_future_is_taken_as_now_and_blocks_no_later_report() -> None:
    """A sender whose clock is ahead has the last word for a moment, not for as long as its clock is ahead."""
    clock = Clock()
    collector = collector_at(clock)
    collector.record_docker_resource_allocation(container_id="box", cpu_limit=2.0, ts=START + 3600)
    clock.now += 1
    collector.record_docker_resource_allocation(container_id="box", cpu_limit=4.0)
    assert value(collector, "docker_container_cpu_limit", container_id="box") == 4.0
