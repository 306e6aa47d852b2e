"""Station *contract*: one definition of each event, for the sender and for the exporter.

Each kind of event is a frozen dataclass. The bounds of a field stand in its metadata, so that whoever
checks events (the exporter's decoder, the OpenAPI schema, a sender in another language that reads this file)
derives them from here and nowhere else. Standard library only: agents import this.

Field names, kinds and bounds are a public promise. Adding an optional field is a new contract version.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

CONTRACT = 1
"""Version of this table."""

DEFAULT_LEASE_SECONDS = 3600
"""How long started work counts as in flight when its start names no ``lease_seconds``."""

TEXT_PATTERN = "^(?!__)[^\x00-\x1f\x7f-\x9f\ud800-\udfff]+\\Z"
"""No leading ``__`` (kept for the exporter's own values), no control characters, no surrogates."""

UUID7_PATTERN = r"^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-7[0-9a-fA-F]{3}-[89abAB][0-9a-fA-F]{3}-[0-9a-fA-F]{12}\Z"
"""A UUID of version 7 (RFC 9562 section 5.7) in its 36-character form."""

Outcome = Literal["success", "failure", "timeout"]


def _text(*, optional: bool = False) -> Any:
    """Declare a string of 1 to 128 characters (at most 512 bytes of UTF-8, four bytes a character)."""
    bounds = {"min_length": 1, "max_length": 128, "pattern": TEXT_PATTERN}
    return field(default=None, metadata=bounds) if optional else field(metadata=bounds)


def _number(low: float, high: float, *, optional: bool = False) -> Any:
    """Declare a finite number from ``low`` to ``high``, both included; integers are strict."""
    bounds = {"ge": low, "le": high}
    return field(default=None, metadata=bounds) if optional else field(metadata=bounds)


def _texts() -> Any:
    """Declare an optional list of at most 100 strings, each bounded like every string."""
    item = {"min_length": 1, "max_length": 128, "pattern": TEXT_PATTERN}
    return field(default=None, metadata={"max_length": 100, "item": item})


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """What all kinds have in common.

    ``id``: a UUIDv7, optional; makes a retry of a bare event recognisable.
    ``ts``: seconds since the epoch, optional; orders reports of state and goes into the history, never into totals.
    """

    kind: ClassVar[str]

    id: str | None = field(default=None, metadata={"min_length": 36, "max_length": 36, "pattern": UUID7_PATTERN})
    ts: float | None = _number(0, 1e11, optional=True)

    def problem(self) -> str | None:
        """Say what is wrong between fields, as ``field: what was expected``; None when nothing is."""
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskSplit(Event):
    """A task was split into ``chunks`` chunks, at ``depth`` levels below the original task."""

    kind: ClassVar[str] = "task-split"

    task_id: str = _text()
    chunks: int = _number(1, 1_000_000)
    depth: int | None = _number(0, 1000, optional=True)
    stage: str | None = _text(optional=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeout(Event):
    """Something that ``agent_id`` did took too long, for ``reason``; the only kind that counts timeouts."""

    kind: ClassVar[str] = "timeout"

    agent_id: str = _text()
    reason: str = _text()
    stage: str | None = _text(optional=True)
    task_id: str | None = _text(optional=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChunkStarted(Event):
    """An agent took up a chunk; it is in flight until its chunk-execution arrives or ``lease_seconds`` are over."""

    kind: ClassVar[str] = "chunk-started"

    chunk_id: str = _text()
    agent_id: str = _text()
    task_id: str | None = _text(optional=True)
    lease_seconds: float | None = _number(1, 604_800, optional=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChunkExecution(Event):
    """An agent worked ``seconds`` on a chunk, with ``outcome`` success when none is given; cost in US dollars."""

    kind: ClassVar[str] = "chunk-execution"

    agent_id: str = _text()
    seconds: float = _number(0, 31_536_000)
    outcome: Outcome = "success"
    chunk_id: str | None = _text(optional=True)
    task_id: str | None = _text(optional=True)
    tokens_in: int | None = _number(0, 1_000_000_000, optional=True)
    tokens_out: int | None = _number(0, 1_000_000_000, optional=True)
    cost_usd: float | None = _number(0, 1_000_000, optional=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class MergeDeduplication(Event):
    """A merge kept ``chunks`` chunk results and dropped ``duplicates`` of them."""

    kind: ClassVar[str] = "merge-deduplication"

    chunks: int = _number(0, 1_000_000)
    duplicates: int = _number(0, 1_000_000)
    task_id: str | None = _text(optional=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class DockerResourceAllocation(Event):
    """The limits of a container now: ``cpu_limit`` in cores, ``memory_limit_bytes``; 0 means unlimited."""

    kind: ClassVar[str] = "docker-resource-allocation"

    container_id: str = _text()
    cpu_limit: float | None = _number(0, 4096, optional=True)
    memory_limit_bytes: int | None = _number(0, 2**53 - 1, optional=True)
    agent_id: str | None = _text(optional=True)

    def problem(self) -> str | None:
        """At least one limit is told."""
        if self.cpu_limit is None and self.memory_limit_bytes is None:
            return "cpu_limit: expected cpu_limit, memory_limit_bytes or both, got neither"
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskStarted(Event):
    """An agent took up a stage of a task; in flight until its task-finished or until ``lease_seconds`` are over."""

    kind: ClassVar[str] = "task-started"

    task_id: str = _text()
    agent_id: str = _text()
    stage: str = _text()
    lease_seconds: float | None = _number(1, 604_800, optional=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskFinished(Event):
    """A stage of a task ended after ``seconds``, after its fallback; ``reason`` is needed unless it succeeded."""

    kind: ClassVar[str] = "task-finished"

    task_id: str = _text()
    agent_id: str = _text()
    stage: str = _text()
    seconds: float = _number(0, 31_536_000)
    outcome: Outcome
    reason: str | None = _text(optional=True)
    tokens_in: int | None = _number(0, 1_000_000_000, optional=True)
    tokens_out: int | None = _number(0, 1_000_000_000, optional=True)
    cost_usd: float | None = _number(0, 1_000_000, optional=True)

    def problem(self) -> str | None:
        """Whatever did not succeed has a reason."""
        if self.outcome != "success" and self.reason is None:
            return f"reason: expected a reason, because outcome is {self.outcome!r}"
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class FallbackDepthExceeded(Event):
    """A split was refused because the task was split too often already."""

    kind: ClassVar[str] = "fallback-depth-exceeded"

    task_id: str | None = _text(optional=True)
    depth: int | None = _number(0, 1000, optional=True)
    agent_id: str | None = _text(optional=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentHello(Event):
    """An agent is there; its series begin at zero, for the ``stages`` and timeout ``reasons`` it will use."""

    kind: ClassVar[str] = "agent-hello"

    agent_id: str = _text()
    language: str | None = _text(optional=True)
    version: str | None = _text(optional=True)
    stages: list[str] | None = _texts()
    reasons: list[str] | None = _texts()


KINDS: dict[str, type[Event]] = {
    cls.kind: cls
    for cls in (
        TaskSplit,
        Timeout,
        ChunkStarted,
        ChunkExecution,
        MergeDeduplication,
        DockerResourceAllocation,
        TaskStarted,
        TaskFinished,
        FallbackDepthExceeded,
        AgentHello,
    )
}
"""Every kind of event, by the name it has on the wire."""
