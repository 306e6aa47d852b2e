"""Station count: a flood of new names passes; it leaves no series that nobody lets go, and no gauge that is wrong."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.collectors import Clock
from tests.support.stores import Kept, envelope, event, timeout

WEEK = 604_800
FEW = 10


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Kept]:
    """Give a store of its own that has place for few agents."""
    made = Kept(tmp_path, Clock(), max_agents=FEW)
    yield made
    made.killed()


def flood(kept: Kept, names: int = 5 * FEW) -> None:
    """Let many names speak once, all at the same time."""
    kept.submit([timeout(f"flood-{number}") for number in range(names)])
    kept.tick()


def hours(kept: Kept, count: int) -> None:
    """Let hours go by."""
    for _ in range(count):
        kept.clock.now += 3600
        kept.tick()


def test_after_a_flood_new_agents_find_a_place_again(kept: Kept) -> None:
    """What it left is let go of as soon as it is silent, and every event is in a sum."""
    flood(kept)
    hours(kept, 1)
    kept.submit([timeout("real")])
    assert kept.total("timeout_events_total", agent_id="real") == 1
    assert kept.total("timeout_events_total") + kept.collector.snapshot().retired["timeout_events_total"] == 5 * FEW + 1


def test_who_was_turned_away_and_has_series_is_let_go_in_its_time(kept: Kept) -> None:
    """Names that take no series fill the roll; those that come then have series, and leave like all others."""
    kept.submit([event("chunk-started", chunk_id="c", agent_id=f"start-{n}", lease_seconds=60) for n in range(2 * FEW)])
    flood(kept)
    assert kept.total("timeout_events_total", agent_id="flood-0") == 1
    hours(kept, 3)
    kept.submit([timeout("real")])
    assert kept.total("timeout_events_total", agent_id="real") == 1


def test_a_flood_pushes_nobody_out_who_has_work(kept: Kept) -> None:
    """Its gauge stays, and comes down to zero, not below."""
    start = {"agent_id": "busy", "lease_seconds": WEEK}
    kept.submit([event("chunk-started", chunk_id="c1", **start)])
    flood(kept)
    hours(kept, 2)
    kept.submit([event("chunk-started", chunk_id="c2", **start)])
    assert kept.total("agent_active_tasks", agent_id="busy") == 2
    kept.submit([event("chunk-execution", chunk_id=chunk, agent_id="busy", seconds=1) for chunk in ("c1", "c2")])
    assert kept.total("agent_active_tasks", agent_id="busy") == 0


def test_a_flood_of_containers_is_forgotten_at_once(kept: Kept) -> None:
    """What is kept of them is bounded at every moment, not only when somebody tidies."""
    kept.submit([event("docker-resource-allocation", container_id=f"box-{n}", cpu_limit=1) for n in range(500)])
    assert kept.total("docker_container_cpu_limit") <= FEW
    assert len(kept.collector.state.fleet._containers) == 2 * FEW


def test_a_crowd_of_producers_costs_no_agent_its_counters(kept: Kept) -> None:
    """Letting agents go would make no place for producers."""
    kept.submit([timeout("silent")])
    for number in range(FEW):
        kept.submit([], envelope=envelope(1, producer=f"p{number}", dropped={"full": 1}))
    hours(kept, 5)
    assert kept.total("timeout_events_total", agent_id="silent") == 1


def test_who_has_work_in_flight_does_not_retire(kept: Kept) -> None:
    """A lease longer than EDDIE_RETIRE_AFTER: the counters stay with the gauge, and then both leave."""
    soon = kept.again(retire_after=60)
    soon.submit([timeout("busy"), event("chunk-started", chunk_id="c", agent_id="busy", lease_seconds=WEEK)])
    hours(soon, 1)
    assert soon.total("timeout_events_total", agent_id="busy") == soon.total("agent_active_tasks", agent_id="busy") == 1
    soon.clock.now += WEEK
    hours(soon, 2)
    left = {line for line in soon.shown() if 'agent_id="busy"' in line}
    assert left == set()
    soon.killed()


def test_who_is_there_shows_after_a_restart_also_where_totals_fill_all_there_is(kept: Kept) -> None:
    """Gauges, and what tells the store and the version, had their place before the flood, and have it again."""
    small = kept.again(max_samples=1000, max_agents=30)
    small.submit([event("agent-hello", agent_id="real", version="1")])
    small.submit([event("task-started", task_id="t", agent_id="real", stage="plan")])
    small.submit([event("docker-resource-allocation", container_id="box", cpu_limit=1)])
    small.submit([timeout(f"flood-{n}", f"reason-{m}") for n in range(28) for m in range(20)])
    small.submit([event("chunk-execution", agent_id=f"flood-{n}", seconds=1) for n in range(28)])
    small.submit([event("task-finished", task_id="z", agent_id="real", stage="s", seconds=1, outcome="success")])
    small.tick()
    assert small.collector.state.budget.used > 1000
    before = small.shown()
    again = small.again(max_samples=1000, max_agents=30)
    assert before - again.shown() == set()
    again.killed()
