"""The demo fleet: its stream obeys the laws of what counts as what, and each scenario is what it is called."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from typing import Any

import pytest
from tests.support.stories import of, story

from eddie_exporter.decode import decode_ndjson
from eddie_exporter.errors import ContractError
from fleet.clock import Clock
from fleet.scenarios import CHUNK_TIMEOUT, DEPTH_LIMIT, SCENARIOS, STAGES
from fleet.simulation import Simulation

SEEDS = (1, 42)
IDS = ("agent_id", "task_id", "chunk_id", "container_id")

every_story = pytest.mark.parametrize(("name", "seed"), [(name, seed) for name in SCENARIOS for seed in SEEDS])


@every_story
def test_every_event_passes_the_contract(name: str, seed: int) -> None:
    """The exporter's own decoder takes each event of every scenario."""
    happenings = story(name, seed)
    for begin in range(0, len(happenings), 5000):
        batch = happenings[begin : begin + 5000]
        body = "\n".join(json.dumps({**happening.event, "ts": happening.at}) for happening in batch)
        assert len(decode_ndjson(body.encode())) == len(batch)


def test_the_decoder_would_notice_a_wrong_event() -> None:
    """Negative twin: one unknown field in a fleet's event is refused."""
    happenings = story("calm", 42, 1)
    with pytest.raises(ContractError):
        decode_ndjson(json.dumps({**happenings[0].event, "mood": "depressed"}).encode())


@every_story
def test_the_same_seed_tells_the_same_story(name: str, seed: int) -> None:
    """The sequence of events depends on scenario and seed, not on the steps in which time passes."""
    at_once = story(name, seed, 120)
    simulation = Simulation(SCENARIOS[name], seed)
    in_steps = [happening for step in range(1, 481) for happening in simulation.advance(step * 0.25)]
    assert tuple(in_steps) == at_once


def test_another_seed_tells_another_story() -> None:
    """Negative twin: the seed is not ignored."""
    assert story("storm", 1, 60) != story("storm", 2, 60)


@every_story
def test_all_ids_say_that_they_are_a_demo(name: str, seed: int) -> None:
    """Whoever finds the fleet's series later can tell them from real ones."""
    happenings = story(name, seed, 300)
    ids = [happening.event[key] for happening in happenings for key in IDS if key in happening.event]
    assert ids
    assert [each for each in ids if not each.startswith("demo-")] == []


@every_story
def test_chunks_split_are_finished_or_in_flight_or_waiting(name: str, seed: int) -> None:
    """No chunk is lost and none appears from nowhere, at the end of every minute."""
    simulation = Simulation(SCENARIOS[name], seed)
    split = 0
    started: dict[tuple[str, str], float] = {}
    finished: set[tuple[str, str]] = set()
    for minute in range(1, 11):
        for happening in simulation.advance(minute * 60.0):
            event = happening.event
            if event["kind"] == "task-split":
                split += event["chunks"]
            elif event["kind"] == "chunk-started":
                key = (event["chunk_id"], event["agent_id"])
                assert key not in started
                started[key] = happening.at
            elif event["kind"] == "chunk-execution":
                key = (event["chunk_id"], event["agent_id"])
                assert key not in finished
                finished.add(key)
                assert event["seconds"] == pytest.approx(happening.at - started[key], abs=1e-5)
                assert event["seconds"] <= CHUNK_TIMEOUT + 1e-5
        assert finished <= set(started)
        assert 0 <= split - len(started) <= simulation.waiting
        assert len(started) - len(finished) <= simulation.running


@every_story
def test_a_task_ends_once_per_stage_after_its_fallback(name: str, seed: int) -> None:
    """Each started stage finishes at most once, in the order of the stages, with its whole time as seconds."""
    happenings = story(name, seed)
    started: dict[tuple[str, str, str], float] = {}
    ended: set[tuple[str, str, str]] = set()
    passed: dict[str, list[str]] = defaultdict(list)
    for happening in happenings:
        event = happening.event
        if event["kind"] not in {"task-started", "task-finished"}:
            continue
        key = (event["task_id"], event["agent_id"], event["stage"])
        if event["kind"] == "task-started":
            assert key not in started
            started[key] = happening.at
            continue
        assert key not in ended
        ended.add(key)
        passed[event["task_id"]].append(event["stage"])
        assert event["seconds"] == pytest.approx(happening.at - started[key], abs=1e-5)
        assert (event["outcome"] == "success") == ("reason" not in event)
    order = [stage.name for stage in STAGES]
    # The first few were at work when the fleet began, in any stage; nobody skips one or goes back.
    assert all(stages == order[order.index(stages[0]) :][: len(stages)] for stages in passed.values())
    assert sum(stages[0] != order[0] for stages in passed.values()) <= len(order)
    assert len(started) - len(ended) < 200  # what is in flight at the end: the fleet keeps up with its work


@every_story
def test_each_timeout_is_counted_once_and_causes_one_split_or_the_end(name: str, seed: int) -> None:
    """Timeouts = splits + fallbacks too deep, at the same moment, for the same task; depth never passes the limit."""
    happenings = story(name, seed)
    cause = Counter((happening.at, happening.event["task_id"]) for happening in of(happenings, "timeout"))
    effects = of(happenings, "task-split") + of(happenings, "fallback-depth-exceeded")
    assert Counter((happening.at, happening.event["task_id"]) for happening in effects) == cause
    assert all(1 <= happening.event["depth"] <= DEPTH_LIMIT for happening in of(happenings, "task-split"))
    timed_out = [h for h in of(happenings, "chunk-execution") if h.event["outcome"] == "timeout"]
    stages = len(of(happenings, "timeout")) - len(timed_out)
    assert stages == sum(happening.event["depth"] == 1 for happening in of(happenings, "task-split"))


@every_story
def test_a_merge_accounts_for_each_result_of_its_chunks(name: str, seed: int) -> None:
    """Kept and dropped results of a task's merges are its successful chunks, no more and no less."""
    happenings = story(name, seed)
    results: Counter[str] = Counter()
    merged = 0
    for happening in happenings:
        event: dict[str, Any] = happening.event
        if event["kind"] == "chunk-execution" and event["outcome"] == "success":
            results[event["task_id"]] += 1
        elif event["kind"] == "merge-deduplication":
            merged += 1
            assert event["chunks"] + event["duplicates"] == results.pop(event["task_id"])
    assert merged
    assert sum(results.values()) < 100  # of fallbacks still in flight


@every_story
def test_limits_change_one_at_a_time_within_their_bounds(name: str, seed: int) -> None:
    """Containers are elastic: each one's limits move, by halves and doubles, between 1 and 4 cores."""
    happenings = story(name, seed)
    known: dict[str, float] = {}
    changes = 0
    for happening in of(happenings, "docker-resource-allocation"):
        event = happening.event
        before = known.get(event["container_id"], event["cpu_limit"])
        assert event["cpu_limit"] in {1.0, 2.0, 4.0}
        assert event["cpu_limit"] / before in {0.5, 1.0, 2.0}
        changes += before != event["cpu_limit"]
        known[event["container_id"]] = event["cpu_limit"]
    assert len(known) == 8
    assert changes


def test_the_clock_keeps_the_order_of_one_moment_and_refuses_the_past() -> None:
    """Two actions of one moment run as planned; a negative delay is an error, not a journey."""
    clock, ran = Clock(), list[str]()
    clock.after(1.0, lambda: ran.append("first"))
    clock.after(1.0, lambda: ran.append("second"))
    clock.advance(0.5)
    assert ran == []
    clock.advance(1.0)
    assert ran == ["first", "second"]
    with pytest.raises(ValueError, match="past"):
        clock.after(-1.0, lambda: None)
