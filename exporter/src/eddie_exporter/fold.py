"""Station *count*: state is a fold over events; here stands, for each kind of event, what it moves.

``State`` is everything that is counted; ``State.apply`` is the only way an event moves it. Applying cannot
fail: whatever could be wrong with an event was refused when it was decoded. Not thread-safe by itself.
"""

from __future__ import annotations

import platform
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from eddie_exporter.catalogue import CATALOGUE, MICRO
from eddie_exporter.fleet import Fleet
from eddie_exporter.inflight import InFlight
from eddie_exporter.settings import Settings
from eddie_exporter.store import Budget, Family
from eddie_metrics import __version__, events
from eddie_metrics.events import Event

LATE_SECONDS = 300
"""An event that happened longer before it was sent counts as late."""
MAX_SPLIT_TASKS = 100_000
"""Split tasks remembered until they finish; past it the oldest is forgotten, and its rescue not seen."""


class State:
    """All families, what is in flight, and who is there."""

    def __init__(self, settings: Settings, now: float) -> None:
        """Begin at zero, with every series that is known from the start."""
        budget = Budget(settings.max_samples)
        bounds = tuple(round(bound * MICRO) for bound in settings.buckets)
        self.families: dict[str, Family] = {
            metric.name: Family(
                metric,
                budget,
                max_agents=settings.max_agents,
                bounds=bounds if metric.kind == "histogram" else (),
            )
            for metric in CATALOGUE
        }
        for metric in CATALOGUE:
            for labels in metric.born_children():
                self.families[metric.name].child(labels, now)
            if metric.labels:
                self.families["eddie_series_overflow_total"].child((metric.name,), now)
        self.families["eddie_build_info"].set((__version__, platform.python_version()), 1, now)
        self.tasks = InFlight()
        self.chunks = InFlight()
        self.fleet = Fleet(self.families, settings)
        self._split: OrderedDict[str, None] = OrderedDict()

    def apply(self, event: Event, now: float, sent: float) -> None:
        """Move everything that ``event`` moves; ``now`` is our clock, ``sent`` the sender's, in seconds."""
        kind: str = event.__struct_config__.tag  # type: ignore[attr-defined]
        self.count("eddie_events_accepted_total", (kind,), now)
        ts = now if event.ts is None else min(event.ts, now)
        if event.ts is not None and sent - event.ts > LATE_SECONDS:
            self.count("eddie_late_events_total", (kind,), now)
        agent_id: str | None = getattr(event, "agent_id", None)
        if agent_id is not None and kind not in _NOT_HEARD:
            self.fleet.hear_agent(agent_id, ts, now, hello=kind == "agent-hello")
        _MOVES[kind](self, event, now, ts)

    def count(self, family: str, labels: tuple[str, ...], now: float, amount: int = 1) -> None:
        """Count ``amount`` more in a counter."""
        self.families[family].add(labels, amount, now)

    def observe(self, family: str, labels: tuple[str, ...], seconds: float, now: float) -> None:
        """Observe a duration in a histogram or summary."""
        self.families[family].observe(labels, round(seconds * self.families[family].metric.unit), now)

    def tidy(self, now: float) -> None:
        """End leases that are over, and let the gauges of what is silent go."""
        for lost in self.tasks.expire(now):
            self.count("eddie_tasks_lost_total", (str(lost.stage),), now)
        for _ in self.chunks.expire(now):
            self.count("eddie_chunks_lost_total", (), now)
        self.fleet.tidy(now)

    def refresh(self, now: float) -> None:
        """Bring the gauges that follow from other state up to date, before somebody looks."""
        self.families["eddie_chunks_inflight"].set((), len(self.chunks), now)
        ages = self.families["eddie_oldest_inflight_seconds"]
        oldest = {(stage,): started for stage, started in self.tasks.oldest().items()}
        for labels in set(ages.children) - set(oldest):
            ages.remove(labels)
        counted = ages.overflowed
        for labels, started in oldest.items():
            ages.set(labels, max(0.0, now - started), now)
        ages.overflowed = counted  # overflow counts events, and a look is none
        overflow = self.families["eddie_series_overflow_total"]
        for family in self.families.values():
            if family.metric.labels:
                overflow.child((family.metric.name,), now).value = family.overflowed

    def spent(self, agent_id: str, event: Any, now: float) -> None:
        """Count an event's tokens and cost, where it tells them."""
        for direction, tokens in (("in", event.tokens_in), ("out", event.tokens_out)):
            if tokens is not None:
                self.count("eddie_tokens_total", (agent_id, direction), now, tokens)
        if event.cost_usd is not None:
            self.count("eddie_cost_usd_total", (agent_id,), now, round(event.cost_usd * MICRO))

    def split(self, task_id: str) -> None:
        """Remember that a task was split."""
        self._split[task_id] = None
        if len(self._split) > MAX_SPLIT_TASKS:
            self._split.popitem(last=False)

    def was_split(self, task_id: str) -> bool:
        """Whether a task was split; asked once, when it finishes."""
        return self._split.pop(task_id, False) is None


def _task_split(state: State, event: events.TaskSplit, now: float, _: float) -> None:
    state.count("task_split_total", (), now)
    state.count("task_split_chunks_total", (), now, event.chunks)
    state.split(event.task_id)


def _timeout(state: State, event: events.Timeout, now: float, _: float) -> None:
    state.count("timeout_events_total", (event.agent_id, event.reason), now)
    if event.stage is not None:
        state.count("eddie_stage_timeouts_total", (event.stage,), now)


def _chunk_started(state: State, event: events.ChunkStarted, now: float, _: float) -> None:
    key = (event.chunk_id, event.agent_id)
    if state.fleet.is_there(event.agent_id) and state.chunks.expects(key, now):
        gauge = state.families["agent_active_tasks"].child((event.agent_id,), now)
        state.chunks.start(key, gauge, now, event.lease_seconds)


def _chunk_execution(state: State, event: events.ChunkExecution, now: float, _: float) -> None:
    state.observe("chunk_execution_seconds", (event.agent_id,), event.seconds, now)
    state.count("agent_tasks_executed_total", (event.agent_id,), now)
    state.count("eddie_chunk_outcomes_total", (event.outcome,), now)
    state.spent(event.agent_id, event, now)
    if event.chunk_id is not None:
        state.chunks.finish((event.chunk_id, event.agent_id), now)


def _merge_deduplication(state: State, event: events.MergeDeduplication, now: float, _: float) -> None:
    state.count("merge_chunks_combined_total", (), now, event.chunks)
    state.count("merge_deduplication_total", (), now, event.duplicates)


def _docker_resource_allocation(state: State, event: events.DockerResourceAllocation, now: float, ts: float) -> None:
    state.fleet.report_container(
        event.container_id, event.cpu_limit, event.memory_limit_bytes, event.agent_id, ts=ts, now=now
    )


def _task_started(state: State, event: events.TaskStarted, now: float, _: float) -> None:
    key = (event.task_id, event.agent_id, event.stage)
    if state.fleet.is_there(event.agent_id) and state.tasks.expects(key, now):
        gauge = state.families["agent_active_tasks"].child((event.agent_id,), now)
        state.tasks.start(key, gauge, now, event.lease_seconds, event.stage)


def _task_finished(state: State, event: events.TaskFinished, now: float, _: float) -> None:
    state.observe("task_execution_seconds", (event.stage,), event.seconds, now)
    if event.outcome == "success":
        state.count("task_success_total", (event.stage,), now)
    else:
        state.count("task_failure_total", (event.stage, str(event.reason)), now)
    state.count("agent_tasks_executed_total", (event.agent_id,), now)
    if state.was_split(event.task_id):
        state.count("eddie_fallback_tasks_total", (event.outcome,), now)
    state.spent(event.agent_id, event, now)
    state.tasks.finish((event.task_id, event.agent_id, event.stage), now)


def _fallback_depth_exceeded(state: State, _event: events.FallbackDepthExceeded, now: float, _: float) -> None:
    state.count("fallback_depth_exceeded_total", (), now)


def _agent_hello(state: State, event: events.AgentHello, now: float, _: float) -> None:
    """Let the agent's series begin at zero, and those of the stages and reasons it will use."""
    agent = event.agent_id
    born: list[tuple[str, tuple[str, ...]]] = [
        ("agent_active_tasks", (agent,)),
        ("agent_tasks_executed_total", (agent,)),
        ("chunk_execution_seconds", (agent,)),
        ("eddie_tokens_total", (agent, "in")),
        ("eddie_tokens_total", (agent, "out")),
        ("eddie_cost_usd_total", (agent,)),
    ]
    born += [("timeout_events_total", (agent, reason)) for reason in event.reasons or ()]
    for stage in event.stages or ():
        born += [(name, (stage,)) for name in ("task_execution_seconds", "task_success_total")]
        born += [(name, (stage,)) for name in ("eddie_stage_timeouts_total", "eddie_tasks_lost_total")]
        born += [("task_failure_total", (stage, reason)) for reason in event.reasons or ()]
    for name, labels in born:
        state.families[name].child(labels, now)
    state.fleet.introduce_agent(agent, event.language or "", event.version or "", now)


_MOVES: dict[str, Callable[[State, Any, float, float], None]] = {
    events.TaskSplit.kind: _task_split,
    events.Timeout.kind: _timeout,
    events.ChunkStarted.kind: _chunk_started,
    events.ChunkExecution.kind: _chunk_execution,
    events.MergeDeduplication.kind: _merge_deduplication,
    events.DockerResourceAllocation.kind: _docker_resource_allocation,
    events.TaskStarted.kind: _task_started,
    events.TaskFinished.kind: _task_finished,
    events.FallbackDepthExceeded.kind: _fallback_depth_exceeded,
    events.AgentHello.kind: _agent_hello,
}
_NOT_HEARD = frozenset({events.DockerResourceAllocation.kind})
"""Kinds that name an agent but do not come from it: the orchestrator reports limits."""
