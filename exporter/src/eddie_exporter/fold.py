"""Station *count*: state is a fold over events; here stands, for each kind of event, what it moves.

``apply`` is the only way an event moves the state, and it cannot fail: whatever could be wrong with an event was
refused when it was decoded.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from eddie_exporter.catalogue import MICRO
from eddie_exporter.decode import STRUCTS
from eddie_exporter.presence import NOW
from eddie_exporter.state import State
from eddie_metrics import events
from eddie_metrics.events import Event

LATE_SECONDS = 300
"""An event that happened longer before it was sent counts as late."""


def apply(state: State, batch: Sequence[Event], sent: float | None = None) -> None:
    """Move everything that the events move; ``sent`` is the sender's clock in seconds, where it told it."""
    wall = state.budget.now
    for event in batch:
        kind, move = _MOVES[type(event)]
        ts = event.ts
        if ts is None:
            ts = NOW
        else:
            age = (wall if sent is None else sent) - ts
            if age > LATE_SECONDS:
                state.add["eddie_late_events_total"]((kind,), 1)
                state.late.note(wall - age, state.now)
            ts = min(ts, wall)
        move(state, event, ts)
    for struct, count in Counter(map(type, batch)).items():
        state.add["eddie_events_accepted_total"]((_MOVES[struct][0],), count)


def _spend(state: State, event: Any) -> None:
    """Count an event's tokens and cost, where it tells them."""
    if event.tokens_in is not None:
        state.add["eddie_tokens_total"]((event.agent_id, "in"), event.tokens_in)
    if event.tokens_out is not None:
        state.add["eddie_tokens_total"]((event.agent_id, "out"), event.tokens_out)
    if event.cost_usd is not None:
        state.add["eddie_cost_usd_total"]((event.agent_id,), round(event.cost_usd * MICRO))


def _task_split(state: State, event: events.TaskSplit, _: float) -> None:
    state.add["task_split_total"]((), 1)
    state.add["task_split_chunks_total"]((), event.chunks)
    state.splits.add(event.task_id)


def _timeout(state: State, event: events.Timeout, ts: float) -> None:
    state.fleet.hear_agent(event.agent_id, ts, state.now)
    state.add["timeout_events_total"]((event.agent_id, event.reason), 1)
    if event.stage is not None:
        state.add["eddie_stage_timeouts_total"]((event.stage,), 1)


def _chunk_started(state: State, event: events.ChunkStarted, ts: float) -> None:
    agent = state.fleet.hear_agent(event.agent_id, ts, state.now)
    key = (event.chunk_id, event.agent_id)
    if agent is not None and state.chunks.expects(key, state.now):
        if not agent.active:
            state.fleet.give_gauge(event.agent_id)
        state.chunks.start(key, event.agent_id, state.now, event.lease_seconds)
        state.add["eddie_chunks_started_total"]((), 1)


def _chunk_execution(state: State, event: events.ChunkExecution, ts: float) -> None:
    state.fleet.hear_agent(event.agent_id, ts, state.now)
    state.families["chunk_execution_seconds"].observe((event.agent_id,), round(event.seconds * MICRO))
    state.add["agent_tasks_executed_total"]((event.agent_id,), 1)
    state.add["eddie_chunk_outcomes_total"]((event.outcome,), 1)
    _spend(state, event)
    if event.chunk_id is None or not state.chunks.finish((event.chunk_id, event.agent_id), state.now):
        state.add["eddie_chunks_started_total"]((), 1)  # its end is all that was told of its start


def _merge_deduplication(state: State, event: events.MergeDeduplication, _: float) -> None:
    state.add["merge_chunks_combined_total"]((), event.chunks)
    state.add["merge_deduplication_total"]((), event.duplicates)


def _docker_resource_allocation(state: State, event: events.DockerResourceAllocation, ts: float) -> None:
    state.fleet.report_container(
        event.container_id, event.cpu_limit, event.memory_limit_bytes, event.agent_id, ts=ts, now=state.now
    )


def _task_started(state: State, event: events.TaskStarted, ts: float) -> None:
    agent = state.fleet.hear_agent(event.agent_id, ts, state.now)
    key = (event.task_id, event.agent_id, event.stage)
    if agent is not None and state.tasks.expects(key, state.now):
        if not agent.active:
            state.fleet.give_gauge(event.agent_id)
        state.tasks.start(key, event.agent_id, state.now, event.lease_seconds, event.stage)


def _task_finished(state: State, event: events.TaskFinished, ts: float) -> None:
    state.fleet.hear_agent(event.agent_id, ts, state.now)
    state.families["task_execution_seconds"].observe((event.stage,), round(event.seconds * MICRO))
    if event.outcome == "success":
        state.add["task_success_total"]((event.stage,), 1)
    else:
        state.add["task_failure_total"]((event.stage, str(event.reason)), 1)
    state.add["agent_tasks_executed_total"]((event.agent_id,), 1)
    if state.splits.take(event.task_id):
        state.add["eddie_fallback_tasks_total"]((event.outcome,), 1)
    _spend(state, event)
    state.tasks.finish((event.task_id, event.agent_id, event.stage), state.now)


def _fallback_depth_exceeded(state: State, event: events.FallbackDepthExceeded, ts: float) -> None:
    if event.agent_id is not None:
        state.fleet.hear_agent(event.agent_id, ts, state.now)
    state.add["fallback_depth_exceeded_total"]((), 1)


def _agent_hello(state: State, event: events.AgentHello, ts: float) -> None:
    """Let the agent's series begin at zero, and those of the stages and reasons it will use."""
    agent = event.agent_id
    state.fleet.hear_agent(agent, ts, state.now, hello=True)
    born: list[tuple[str, tuple[str, ...]]] = [
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
        state.families[name].child(labels)
    state.fleet.give_gauge(agent)
    state.fleet.introduce_agent(agent, event.language or "", event.version or "")


_Move = Callable[[State, Any, float], None]
_BY_KIND: dict[str, _Move] = {
    events.TaskSplit.kind: _task_split,
    events.Timeout.kind: _timeout,
    events.ChunkStarted.kind: _chunk_started,
    events.ChunkExecution.kind: _chunk_execution,
    events.MergeDeduplication.kind: _merge_deduplication,
    # Names an agent and does not come from it: the orchestrator reports limits, and that is no sign of life.
    events.DockerResourceAllocation.kind: _docker_resource_allocation,
    events.TaskStarted.kind: _task_started,
    events.TaskFinished.kind: _task_finished,
    events.FallbackDepthExceeded.kind: _fallback_depth_exceeded,
    events.AgentHello.kind: _agent_hello,
}
_MOVES: dict[type, tuple[str, _Move]] = {struct: (kind, _BY_KIND[kind]) for kind, struct in STRUCTS.items()}
