"""What the driver's agents do, and what each of their events must move: the contract's table, written a second time.

The second writing is on purpose independent of ``eddie_exporter.fold``: the ledger must not err together with it.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

Event = dict[str, Any]
Series = tuple[str, tuple[tuple[str, str], ...]]
"""A sample's name and its labels, sorted."""

MICRO = 1_000_000
WEEK = 604_800
"""Leases that no test outlives, also not one that turns the clock."""
STAGES = ("plan", "code", "review")
REASONS = ("deadline", "stall", "tool")


def series(name: str, **labels: str) -> Series:
    """Name one series."""
    return name, tuple(sorted(labels.items()))


def _chunk_ended(event: Event, *, started: bool) -> Iterator[tuple[Series, int]]:
    agent = event["agent_id"]
    yield series("chunk_execution_seconds_count", agent_id=agent), 1
    yield series("chunk_execution_seconds_sum", agent_id=agent), round(event["seconds"] * MICRO)
    yield series("agent_tasks_executed_total", agent_id=agent), 1
    yield series("eddie_chunk_outcomes_total", outcome=event["outcome"]), 1
    yield series("eddie_tokens_total", agent_id=agent, direction="in"), event["tokens_in"]
    yield series("eddie_cost_usd_total", agent_id=agent), round(event["cost_usd"] * MICRO)
    if started:
        yield series("eddie_chunks_inflight"), -1
        yield series("agent_active_tasks", agent_id=agent), -1
    else:
        yield series("eddie_chunks_started_total"), 1


def _task_ended(event: Event) -> Iterator[tuple[Series, int]]:
    stage = event["stage"]
    yield series("task_execution_seconds_count", stage=stage), 1
    yield series("task_execution_seconds_sum", stage=stage), round(event["seconds"] * MICRO)
    yield series("agent_tasks_executed_total", agent_id=event["agent_id"]), 1
    if event["outcome"] == "success":
        yield series("task_success_total", stage=stage), 1
    else:
        yield series("task_failure_total", stage=stage, reason=event["reason"]), 1


def moves(event: Event, *, started: bool) -> Iterator[tuple[Series, int]]:
    """Yield each series an event moves, and by how much; seconds and dollars in millionths.

    ``started``: whether the start of the chunk that the event is about was counted before.
    """
    kind = event["kind"]
    yield series("eddie_events_accepted_total", kind=kind), 1
    match kind:
        case "timeout":
            yield series("timeout_events_total", agent_id=event["agent_id"], reason=event["reason"]), 1
        case "task-split":
            yield series("task_split_total"), 1
            yield series("task_split_chunks_total"), event["chunks"]
        case "merge-deduplication":
            yield series("merge_chunks_combined_total"), event["chunks"]
            yield series("merge_deduplication_total"), event["duplicates"]
        case "fallback-depth-exceeded":
            yield series("fallback_depth_exceeded_total"), 1
        case "chunk-started":
            yield series("eddie_chunks_started_total"), 1
            yield series("eddie_chunks_inflight"), 1
            yield series("agent_active_tasks", agent_id=event["agent_id"]), 1
        case "chunk-execution":
            yield from _chunk_ended(event, started=started)
        case "task-finished":
            yield from _task_ended(event)


MILLIONTHS = frozenset({"chunk_execution_seconds_sum", "task_execution_seconds_sum", "eddie_cost_usd_total"})
"""Samples that are exposed in seconds or dollars and compared in integers."""


class Traffic:
    """One agent's events: random, and the same again for the same seed."""

    def __init__(self, agent: str, seed: int) -> None:
        self.agent = agent
        self._random = random.Random(seed)  # noqa: S311  (no secret)
        self._made = 0
        self._open: list[str] = []

    def batch(self, size: int) -> list[Event]:
        """Answer the agent's next ``size`` events."""
        return [self._event() for _ in range(size)]

    def _event(self) -> Event:  # noqa: PLR0911  (a share of the traffic each)
        rnd, self._made = self._random, self._made + 1
        name = f"{self.agent}-{self._made}"
        pick = rnd.random()
        if pick < 0.35:
            return {"kind": "timeout", "agent_id": self.agent, "reason": rnd.choice(REASONS)}
        if pick < 0.5:
            return {"kind": "task-split", "task_id": name, "chunks": rnd.randint(1, 16)}
        if pick < 0.6:
            return {"kind": "merge-deduplication", "chunks": rnd.randint(0, 9), "duplicates": rnd.randint(0, 9)}
        if pick < 0.62:
            return {"kind": "fallback-depth-exceeded", "depth": 3}
        if pick < 0.75:
            return self._task(name)
        if pick < 0.87 and len(self._open) < 8:
            self._open.append(name)
            return {"kind": "chunk-started", "chunk_id": name, "agent_id": self.agent, "lease_seconds": WEEK}
        return self._chunk()

    def _task(self, name: str) -> Event:
        rnd = self._random
        outcome = rnd.choice(("success", "success", "failure", "timeout"))
        told = {} if outcome == "success" else {"reason": rnd.choice(REASONS)}
        task = {"task_id": name, "agent_id": self.agent, "stage": rnd.choice(STAGES)}
        return {"kind": "task-finished", **task, "seconds": self._seconds(), "outcome": outcome, **told}

    def _chunk(self) -> Event:
        rnd = self._random
        started = bool(self._open) and rnd.random() < 0.8
        chunk = self._open.pop(0) if started else f"unseen-{self.agent}-{self._made}"
        return {
            "kind": "chunk-execution",
            "chunk_id": chunk,
            "agent_id": self.agent,
            "seconds": self._seconds(),
            "outcome": rnd.choice(("success", "failure", "timeout")),
            "tokens_in": rnd.randint(0, 5000),
            "cost_usd": rnd.randint(0, MICRO) / MICRO,
        }

    def _seconds(self) -> float:
        return self._random.randint(0, 400 * MICRO) / MICRO
