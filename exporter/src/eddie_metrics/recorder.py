"""Station *event out*, its shape: what everything that records events can be told, one method a kind.

``eddie_metrics.Client`` sends what it is told, ``eddie_exporter.metrics.MetricsCollector`` counts it on the spot,
``CapturingClient`` keeps it for a test: an agent written against ``Recorder`` works with all of them.
"""

from __future__ import annotations

from typing import NotRequired, Protocol, TypedDict, Unpack

from eddie_metrics.events import Outcome


class _Common(TypedDict):
    id: NotRequired[str | None]
    ts: NotRequired[float | None]


class _Agent(TypedDict):
    agent_id: str


class _OwnAgent(TypedDict):
    agent_id: NotRequired[str | None]


class _Costs(_Common):
    tokens_in: NotRequired[int | None]
    tokens_out: NotRequired[int | None]
    cost_usd: NotRequired[float | None]


class _Timeout(_Common):
    reason: str
    stage: NotRequired[str | None]
    task_id: NotRequired[str | None]


class _ChunkStarted(_Common):
    chunk_id: str
    task_id: NotRequired[str | None]
    lease_seconds: NotRequired[float | None]


class _ChunkExecution(_Costs):
    seconds: float
    outcome: NotRequired[Outcome]
    chunk_id: NotRequired[str | None]
    task_id: NotRequired[str | None]


class _TaskStarted(_Common):
    task_id: str
    stage: str
    lease_seconds: NotRequired[float | None]


class _TaskFinished(_Costs):
    task_id: str
    stage: str
    seconds: float
    outcome: Outcome
    reason: NotRequired[str | None]


class _AgentHello(_Common):
    language: NotRequired[str | None]
    version: NotRequired[str | None]
    stages: NotRequired[list[str] | None]
    reasons: NotRequired[list[str] | None]


class TaskSplitFields(_Common):
    """The fields of ``events.TaskSplit``."""

    task_id: str
    chunks: int
    depth: NotRequired[int | None]
    stage: NotRequired[str | None]


class MergeDeduplicationFields(_Common):
    """The fields of ``events.MergeDeduplication``."""

    chunks: int
    duplicates: int
    task_id: NotRequired[str | None]


class DockerResourceAllocationFields(_Common):
    """The fields of ``events.DockerResourceAllocation``."""

    container_id: str
    cpu_limit: NotRequired[float | None]
    memory_limit_bytes: NotRequired[int | None]
    agent_id: NotRequired[str | None]


class FallbackDepthExceededFields(_Common):
    """The fields of ``events.FallbackDepthExceeded``."""

    task_id: NotRequired[str | None]
    depth: NotRequired[int | None]
    agent_id: NotRequired[str | None]


class TimeoutFields(_Timeout, _Agent):
    """The fields of ``events.Timeout``."""


class OwnTimeoutFields(_Timeout, _OwnAgent):
    """The fields of ``events.Timeout``, for a recorder that knows its agent."""


class ChunkStartedFields(_ChunkStarted, _Agent):
    """The fields of ``events.ChunkStarted``."""


class OwnChunkStartedFields(_ChunkStarted, _OwnAgent):
    """The fields of ``events.ChunkStarted``, for a recorder that knows its agent."""


class ChunkExecutionFields(_ChunkExecution, _Agent):
    """The fields of ``events.ChunkExecution``."""


class OwnChunkExecutionFields(_ChunkExecution, _OwnAgent):
    """The fields of ``events.ChunkExecution``, for a recorder that knows its agent."""


class TaskStartedFields(_TaskStarted, _Agent):
    """The fields of ``events.TaskStarted``."""


class OwnTaskStartedFields(_TaskStarted, _OwnAgent):
    """The fields of ``events.TaskStarted``, for a recorder that knows its agent."""


class TaskFinishedFields(_TaskFinished, _Agent):
    """The fields of ``events.TaskFinished``."""


class OwnTaskFinishedFields(_TaskFinished, _OwnAgent):
    """The fields of ``events.TaskFinished``, for a recorder that knows its agent."""


class AgentHelloFields(_AgentHello, _Agent):
    """The fields of ``events.AgentHello``."""


class OwnAgentHelloFields(_AgentHello, _OwnAgent):
    """The fields of ``events.AgentHello``, for a recorder that knows its agent."""


class Recorder(Protocol):
    """Takes events, one method a kind; units, bounds and meaning of the fields stand in ``events.py``."""

    def record_task_split(self, **fields: Unpack[TaskSplitFields]) -> None:
        """Tell of a task that was split."""

    def record_timeout(self, **fields: Unpack[TimeoutFields]) -> None:
        """Tell of something that took too long."""

    def record_chunk_started(self, **fields: Unpack[ChunkStartedFields]) -> None:
        """Tell of a chunk that was taken up."""

    def record_chunk_execution(self, **fields: Unpack[ChunkExecutionFields]) -> None:
        """Tell of a chunk that ended."""

    def record_merge_deduplication(self, **fields: Unpack[MergeDeduplicationFields]) -> None:
        """Tell of a merge."""

    def record_docker_resource_allocation(self, **fields: Unpack[DockerResourceAllocationFields]) -> None:
        """Tell of a container's limits."""

    def record_task_started(self, **fields: Unpack[TaskStartedFields]) -> None:
        """Tell of a stage of a task that was taken up."""

    def record_task_finished(self, **fields: Unpack[TaskFinishedFields]) -> None:
        """Tell of a stage of a task that ended."""

    def record_fallback_depth_exceeded(self, **fields: Unpack[FallbackDepthExceededFields]) -> None:
        """Tell of a split that was refused."""

    def record_agent_hello(self, **fields: Unpack[AgentHelloFields]) -> None:
        """Tell that an agent is there."""
