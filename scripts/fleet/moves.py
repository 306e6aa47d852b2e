"""What an event moves: for each kind the queries that show it in Prometheus, after design's table of events."""

from __future__ import annotations

from typing import Any

JOB = "eddie-metrics"
SCRAPED = f'max(timestamp(up{{job="{JOB}"}}) and up{{job="{JOB}"}} == 1)'
"""When the exporter was last scraped, unix seconds; ``timestamp`` of a comparison would be the time of the question."""


def queries(kind: str, event: dict[str, Any]) -> list[str]:
    """Return the PromQL selectors of the public metrics that this event can move, with the event's own labels."""
    agent = _labels(event, "agent_id")
    stage = _labels(event, "stage")
    box = {"container_id": _short(event["container_id"])} if "container_id" in event else {}
    outcome = event.get("outcome", "success")
    ended = "task_success_total" if outcome == "success" else "task_failure_total"
    table: dict[str, list[tuple[str, dict[str, str]]]] = {
        "task-split": [("task_split_total", {}), ("task_split_chunks_total", {})],
        "timeout": [("timeout_events_total", _labels(event, "agent_id", "reason"))],
        "chunk-started": [("agent_active_tasks", agent)],
        "chunk-execution": [("chunk_execution_seconds_count", agent), ("agent_tasks_executed_total", agent)],
        "merge-deduplication": [("merge_chunks_combined_total", {}), ("merge_deduplication_total", {})],
        "docker-resource-allocation": [
            *([("docker_container_cpu_limit", box)] if "cpu_limit" in event else []),
            *([("docker_container_memory_limit_bytes", box)] if "memory_limit_bytes" in event else []),
            ("docker_elastic_adjustment_total", {}),
        ],
        "task-started": [("agent_active_tasks", agent)],
        "task-finished": [
            (ended, stage if outcome == "success" else _labels(event, "stage", "reason")),
            ("task_execution_seconds_count", stage),
            ("agent_tasks_executed_total", agent),
            ("agent_active_tasks", agent),
        ],
        "fallback-depth-exceeded": [("fallback_depth_exceeded_total", {})],
        "agent-hello": [("eddie_agent_info", agent)],
    }
    return [_selector(name, {"job": JOB, **labels}) for name, labels in table[kind]]


def _labels(event: dict[str, Any], *names: str) -> dict[str, str]:
    return {name: str(event[name]) for name in names if name in event}


def _short(container_id: str) -> str:
    """Shorten a full container id as the exporter does: 64 hex digits to 12."""
    full = len(container_id) == 64 and not container_id.strip("0123456789abcdefABCDEF")
    return container_id[:12] if full else container_id


def _selector(name: str, labels: dict[str, str]) -> str:
    pairs = ",".join(f"{label}={_quoted(value)}" for label, value in labels.items())
    return f"{name}{{{pairs}}}"


def _quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
