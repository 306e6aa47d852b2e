"""Print what a scrape gets from an exporter that has counted every kind of event, for ``promtool check metrics``."""

from __future__ import annotations

import sys
from typing import Any

from eddie_exporter.exposition import TEXT, render
from eddie_exporter.metrics import MetricsCollector
from eddie_exporter.settings import Settings


def busy() -> MetricsCollector:
    """Answer a collector that counted every kind of event, some with labels that need escaping."""
    collector = MetricsCollector(Settings())
    spent: dict[str, Any] = {"tokens_in": 900, "tokens_out": 120, "cost_usd": 0.02}
    collector.record_agent_hello(agent_id="a1", language="python", version="1.0", stages=["plan"], reasons=["deadline"])
    collector.record_task_started(task_id="t1", agent_id="a1", stage="plan")
    collector.record_timeout(agent_id='a"1\\', reason="𝕏 # TYPE x counter", stage="plan")
    collector.record_task_split(task_id="t1", chunks=2)
    collector.record_chunk_started(chunk_id="c1", agent_id="a1")
    collector.record_chunk_execution(agent_id="a1", seconds=12.5, chunk_id="c2", **spent)
    collector.record_merge_deduplication(chunks=2, duplicates=1)
    collector.record_task_finished(
        task_id="t2", agent_id="a1", stage="plan", seconds=90, outcome="timeout", reason="slow"
    )
    collector.record_fallback_depth_exceeded(task_id="t3")
    for cpu in (1.0, 2.0):
        collector.record_docker_resource_allocation(container_id="box", cpu_limit=cpu, memory_limit_bytes=2**29)
    collector.notification("HighTimeoutEvents", "firing", {})
    collector.docker_up(up=True)
    return collector


if __name__ == "__main__":
    sys.stdout.buffer.write(render(busy(), TEXT))
