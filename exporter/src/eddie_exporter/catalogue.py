"""Station *count*: every metric, declared once, in the order it is exposed.

The first fifteen names are the brief's; they, their types and labels are a public promise and never change.
Everything else begins with ``eddie_``. ``docs/metrics.md`` and the tests read this table.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from eddie_metrics.events import KINDS

Kind = Literal["counter", "gauge", "histogram", "summary"]

MICRO = 1_000_000
"""Totals of seconds and dollars are kept as integers of a millionth: sums are exact in any order."""


@dataclass(frozen=True)
class Metric:
    """One metric.

    ``born``: label values known from the start, whose series exist at zero before anything happens, so that
    ``increase()`` sees the first event; a metric without labels is always born. ``unit``: how many of the
    integers it is kept in make one of what is exposed.
    """

    name: str
    kind: Kind
    labels: tuple[str, ...]
    help: str
    born: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    unit: int = 1

    def born_children(self) -> Iterator[tuple[str, ...]]:
        """Yield the label values of the series that exist from the start."""
        if not self.labels:
            yield ()
        elif set(self.born) == set(self.labels):
            yield from itertools.product(*(self.born[label] for label in self.labels))


_OUTCOMES = {"outcome": ("success", "failure", "timeout")}
_REASONS = (
    "contract",
    "too-many-events",
    "too-large",
    "encoding",
    "slow",
    "disconnected",
    "unauthorized",
    "forbidden",
    "unavailable",
    "overloaded",
    "disk-full",
    "gap",
    "conflict",
    "expired",
    "id-old",
    "id-future",
)
_OPERATIONS = ("record", "scrape", "summary", "containers", "tidy")

CATALOGUE: tuple[Metric, ...] = (
    Metric("task_split_total", "counter", (), "Tasks that were split into chunks."),
    Metric("task_split_chunks_total", "counter", (), "Chunks that splits made."),
    Metric("timeout_events_total", "counter", ("agent_id", "reason"), "Timeouts, by agent and reason."),
    Metric(
        "fallback_depth_exceeded_total", "counter", (), "Splits refused because a task was split too often already."
    ),
    Metric(
        "task_execution_seconds",
        "histogram",
        ("stage",),
        "Seconds a task took in a stage, timed-out tasks included.",
        unit=MICRO,
    ),
    Metric(
        "chunk_execution_seconds",
        "histogram",
        ("agent_id",),
        "Seconds an agent worked on a chunk, timed-out chunks included.",
        unit=MICRO,
    ),
    Metric("task_success_total", "counter", ("stage",), "Tasks that succeeded, by stage."),
    Metric(
        "task_failure_total", "counter", ("stage", "reason"), "Tasks that failed or timed out, by stage and reason."
    ),
    Metric("agent_active_tasks", "gauge", ("agent_id",), "Tasks and chunks an agent has in flight."),
    Metric(
        "agent_tasks_executed_total", "counter", ("agent_id",), "Tasks and chunks an agent ended, whatever the outcome."
    ),
    Metric(
        "docker_container_cpu_limit",
        "gauge",
        ("container_id",),
        "CPU limit of a container in cores; absent: unlimited.",
    ),
    Metric(
        "docker_container_memory_limit_bytes",
        "gauge",
        ("container_id",),
        "Memory limit of a container in bytes; absent: unlimited.",
    ),
    Metric(
        "docker_elastic_adjustment_total",
        "counter",
        ("resource_type",),
        "Limits of containers that changed.",
        born={"resource_type": ("cpu", "memory")},
    ),
    Metric("merge_deduplication_total", "counter", (), "Chunk results that merges dropped as duplicates."),
    Metric("merge_chunks_combined_total", "counter", (), "Chunk results that merges kept."),
    Metric("eddie_stage_timeouts_total", "counter", ("stage",), "Timeouts, by the stage they happened in."),
    Metric("eddie_chunk_outcomes_total", "counter", ("outcome",), "Chunks that ended, by outcome.", born=_OUTCOMES),
    Metric(
        "eddie_fallback_tasks_total",
        "counter",
        ("outcome",),
        "Tasks that were split and then finished, by outcome; success is a rescue by the fallback.",
        born=_OUTCOMES,
    ),
    Metric(
        "eddie_chunks_started_total", "counter", (), "Chunks that were started, told by a start or only by their end."
    ),
    Metric("eddie_chunks_inflight", "gauge", (), "Chunks that were started and have not ended."),
    Metric("eddie_oldest_inflight_seconds", "gauge", ("stage",), "Age of the oldest task in flight, by stage."),
    Metric("eddie_tasks_lost_total", "counter", ("stage",), "Tasks whose lease ended before they finished, by stage."),
    Metric("eddie_chunks_lost_total", "counter", (), "Chunks whose lease ended before they finished."),
    Metric("eddie_tokens_total", "counter", ("agent_id", "direction"), "Tokens an agent used, in and out."),
    Metric("eddie_cost_usd_total", "counter", ("agent_id",), "US dollars an agent cost.", unit=MICRO),
    Metric(
        "eddie_agent_info", "gauge", ("agent_id", "language", "version"), "1 for each agent that said hello, for joins."
    ),
    Metric(
        "eddie_container_info",
        "gauge",
        ("container_id", "name", "image", "agent_id"),
        "1 for each container known, for joins.",
    ),
    Metric(
        "eddie_events_accepted_total",
        "counter",
        ("kind",),
        "Events that were counted, by kind.",
        born={"kind": tuple(KINDS)},
    ),
    Metric(
        "eddie_events_rejected_total",
        "counter",
        ("reason",),
        "Requests that were refused; nothing of them was counted.",
        born={"reason": _REASONS},
    ),
    Metric(
        "eddie_events_duplicate_total",
        "counter",
        (),
        "Events that were recognised as sent before, and not counted again.",
    ),
    Metric(
        "eddie_late_events_total",
        "counter",
        ("kind",),
        "Events that had happened more than 5 minutes before they were sent.",
        born={"kind": tuple(KINDS)},
    ),
    Metric(
        "eddie_late_oldest_timestamp_seconds",
        "gauge",
        (),
        "When the oldest of the late events of the last quarter of an hour happened, since the epoch; 0: none came.",
    ),
    Metric(
        "eddie_late_newest_timestamp_seconds",
        "gauge",
        (),
        "When the newest of the late events of the last quarter of an hour happened, since the epoch; 0: none came.",
    ),
    Metric("eddie_lost_batches_total", "counter", (), "Batches of events that their sender could not fill a gap with."),
    Metric(
        "eddie_client_dropped_events_total", "counter", ("producer", "reason"), "Events that a sender says it dropped."
    ),
    Metric("eddie_unknown_fields_total", "counter", ("kind",), "Fields of a newer contract that were passed over."),
    Metric(
        "eddie_dedup_window_seconds",
        "gauge",
        (),
        "How far back an event's id is remembered; 0: ids are not remembered.",
    ),
    Metric("eddie_ready", "gauge", (), "1 while events can be taken, else 0."),
    Metric("eddie_store_info", "gauge", ("incarnation",), "1; which store this is: another one began at zero."),
    Metric("eddie_store_bytes", "gauge", (), "Bytes of the store on disk, its write-ahead log included."),
    Metric("eddie_commit_seconds", "summary", (), "Cost of making a group of requests durable.", unit=1_000_000_000),
    Metric("eddie_queue_requests", "gauge", (), "Requests that wait to be stored."),
    Metric("eddie_queue_bytes", "gauge", (), "Bytes of their bodies."),
    Metric("eddie_clock_seconds", "gauge", (), "The exporter's clock, in seconds since the epoch."),
    Metric("eddie_series_used", "gauge", (), "Samples there are, of those there is place for."),
    Metric("eddie_series_limit", "gauge", (), "Samples there is place for."),
    Metric("eddie_retired_series_total", "counter", (), "Series of long-silent agents that left."),
    Metric("eddie_series_overflow_total", "counter", ("family",), "Events that found no place for their label values."),
    Metric(
        "eddie_notifications_received_total",
        "counter",
        ("alertname", "status"),
        "Notifications the inbox received, by alert and status.",
    ),
    Metric("eddie_docker_up", "gauge", (), "1 while the Docker Engine answers the watcher, else 0."),
    Metric(
        "eddie_collection_seconds",
        "summary",
        ("operation",),
        "Cost of each record and of each background collection, in seconds.",
        born={"operation": _OPERATIONS},
        unit=1_000_000_000,
    ),
    Metric("eddie_build_info", "gauge", ("version", "python_version"), "1; which build this is."),
)

BY_NAME: dict[str, Metric] = {metric.name: metric for metric in CATALOGUE}
