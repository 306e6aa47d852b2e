"""What a scrape costs, on the real server: a thousand agents with all their families are fetched in under a second."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from tests.support.eventually import eventually
from tests.support.stacks import native

from rig.stack import Stack

AGENTS = 1000
STAGES = ("plan", "code", "test", "review", "choose")


def everything(agent: str, stage: str) -> list[dict[str, Any]]:
    """Return events that give one agent a series in every family with its name, histograms included."""
    spent = {"tokens_in": 10, "tokens_out": 20, "cost_usd": 0.001}
    task = {"task_id": f"t-{agent}", "agent_id": agent, "stage": stage}
    return [
        {"kind": "agent-hello", "agent_id": agent, "language": "python", "reasons": ["deadline"]},
        {"kind": "timeout", "agent_id": agent, "reason": "deadline", "stage": stage},
        {"kind": "chunk-started", "chunk_id": f"c-{agent}", "agent_id": agent},
        {"kind": "chunk-execution", "agent_id": agent, "seconds": 3.0, "chunk_id": f"other-{agent}", **spent},
        {"kind": "docker-resource-allocation", "container_id": f"box-{agent}", "cpu_limit": 2, "memory_limit_bytes": 1},
        {"kind": "task-started", **task},
        {"kind": "task-finished", **task, "seconds": 7.0, "outcome": "success", **spent},
    ]


def fill(stack: Stack) -> None:
    """Make a thousand agents known."""
    for begin in range(0, AGENTS, 250):
        events = [
            event
            for number in range(begin, begin + 250)
            for event in everything(f"agent-{number}", STAGES[number % len(STAGES)])
        ]
        stack.post(json.dumps(events).encode(), "application/json")


def test_a_scrape_of_a_thousand_agents_takes_less_than_a_second(tmp_path: Path) -> None:
    """As the server itself measures it, in the middle of three scrapes that hold every agent's histogram."""
    # A scrape every 3 s, cut off after 2: a busy machine may be late once, and that is not the scrape's cost.
    with native(tmp_path, "exporter", "prometheus", factor=5) as stack:
        fill(stack)
        began = time.time()

        def complete() -> None:
            since = f"[{time.time() - began:.0f}s]"
            assert stack.value('count(chunk_execution_seconds_bucket{le="+Inf"})') == AGENTS
            assert stack.value("count(agent_active_tasks)") == AGENTS
            assert stack.value(f'sum_over_time(up{{job="eddie-metrics"}}{since})') >= 3

        eventually(complete, within=40, every=1)
        assert stack.value('scrape_samples_scraped{job="eddie-metrics"}') > 17 * AGENTS
        assert stack.value('quantile_over_time(0.5, scrape_duration_seconds{job="eddie-metrics"}[9s])') < 1.0
