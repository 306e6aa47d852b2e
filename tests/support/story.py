"""One story whose numbers are known: the events to post, and what each query of the panels must then show."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

GIB = 2**30

BEFORE: list[dict[str, Any]] = [
    *({"kind": "agent-hello", "agent_id": agent, "reasons": ["deadline"]} for agent in ("a1", "a2")),
    {
        "kind": "docker-resource-allocation",
        "container_id": "box-1",
        "cpu_limit": 2.0,
        "memory_limit_bytes": GIB,
        "agent_id": "a1",
    },
]
"""What is known before the story: two agents and a container of 2 cores."""


def _finished(count: int, agent: str, stage: str, seconds: float, **more: Any) -> list[dict[str, Any]]:
    more = {"outcome": "success", **more}
    return [
        {
            "kind": "task-finished",
            "task_id": f"{stage}-{more['outcome']}-{number}",
            "agent_id": agent,
            "stage": stage,
            "seconds": seconds,
            **more,
        }
        for number in range(count)
    ]


def _chunks(count: int, agent: str, seconds: float) -> list[dict[str, Any]]:
    return [{"kind": "chunk-execution", "agent_id": agent, "seconds": seconds}] * count


def _started(count: int, agent: str) -> list[dict[str, Any]]:
    return [
        {"kind": "chunk-started", "chunk_id": f"{agent}-{number}", "agent_id": agent, "lease_seconds": 3600}
        for number in range(count)
    ]


EVENTS: list[dict[str, Any]] = [
    *[{"kind": "task-split", "task_id": "t", "chunks": 8, "depth": 1}] * 3,
    *[{"kind": "timeout", "agent_id": "a1", "reason": "deadline"}] * 40,
    *_finished(18, "a1", "code", 8.0),
    *_finished(2, "a1", "code", 8.0, outcome="failure", reason="tool-error"),
    *_finished(10, "a2", "plan", 2.0),
    *_chunks(12, "a1", 4.0),
    *_chunks(4, "a2", 20.0),
    *_started(3, "a1"),
    *_started(1, "a2"),
    {"kind": "merge-deduplication", "chunks": 9, "duplicates": 1},
    {"kind": "fallback-depth-exceeded", "task_id": "t", "depth": 4},
    {
        "kind": "docker-resource-allocation",
        "container_id": "box-1",
        "cpu_limit": 4.0,
        "memory_limit_bytes": 2 * GIB,
        "agent_id": "a1",
    },
]
"""The story, posted at once: 40 timeouts and a task too deep among it, 2 of 30 stages failed."""


@dataclass(frozen=True)
class Shown:
    """One number: the series of a panel's query that has ``labels``, its ``most`` over time or its ``last`` value."""

    panel: int
    ref: str
    value: float
    labels: tuple[tuple[str, str], ...] = ()
    of: str = "last"
    within: float = 0.01  # as a share of the value


def _rate(panel: int, ref: str, events: float, *labels: tuple[str, str]) -> Shown:
    """Expect a rate that was once ``events`` a minute: rates are extrapolated to the ends of their window."""
    return Shown(panel, ref, events, labels, of="most", within=0.15)


SHOWN = [
    _rate(1, "A", 3),
    _rate(1, "B", 24),
    Shown(1, "C", 8),
    _rate(2, "A", 40, ("agent_id", "a1"), ("reason", "deadline")),
    _rate(2, "A", 0, ("agent_id", "a2"), ("reason", "deadline")),
    _rate(2, "B", 40),
    # All of a stage's tasks lie in one bucket, where quantiles are interpolated: 5 to 10 s and 1 to 2.5 s.
    Shown(3, "A", 9.75, (("stage", "code"),)),
    Shown(3, "B", 9.95, (("stage", "code"),)),
    Shown(3, "A", 2.425, (("stage", "plan"),)),
    Shown(3, "B", 2.485, (("stage", "plan"),)),
    Shown(3, "C", 5 + 5 * (29.7 - 10) / 20),
    Shown(4, "A", 3, (("agent_id", "a1"),)),
    Shown(4, "A", 1, (("agent_id", "a2"),)),
    Shown(4, "B", 32 / 23),
    Shown(5, "A", 0.9, (("stage", "code"),)),
    Shown(5, "A", 1.0, (("stage", "plan"),)),
    Shown(5, "B", 28 / 30),
    _rate(5, "C", 2 / 60),
    _rate(5, "D", 2 / 60, ("reason", "tool-error")),
    Shown(6, "A", 4, (("container_id", "box-1"),)),
    Shown(7, "A", 2 * GIB, (("container_id", "box-1"),)),
    _rate(8, "A", 9),
    _rate(8, "B", 1),
    Shown(8, "C", 0.9),
    Shown(9, "A", 4.875, (("agent_id", "a1"),)),
    Shown(9, "A", 29.25, (("agent_id", "a2"),)),
    _rate(10, "A", 1),
    _rate(10, "B", 1, ("resource_type", "cpu")),
    _rate(10, "B", 1, ("resource_type", "memory")),
    _rate(11, "A", 40),
    _rate(11, "B", 40, ("reason", "deadline")),
    # Totals, to the unit: 24 split, of them 16 ended (nobody told their start), 4 work, 4 wait.
    Shown(12, "A", 24, within=0),
    Shown(12, "B", 16, within=0),
    Shown(12, "C", 4, within=0),
    Shown(12, "D", 0, within=0),
    Shown(12, "E", 4, within=0),
]
"""Every panel's queries, each with at least one number."""
