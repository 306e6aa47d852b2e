"""The units of work of the fleet: a task's run of one stage, and the chunks its fallback makes of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fleet.containers import Container
    from fleet.scenarios import Stage


@dataclass
class Agent:
    """One agent: what it runs now, how slow it is, and the container it lives in."""

    agent_id: str
    slots: int
    slowness: float
    container: Container
    running: int = 0

    def seconds_for(self, work: float) -> float:
        """Return how long ``work`` seconds of work take here in fair weather."""
        return work * self.slowness / self.container.speed


@dataclass(frozen=True)
class Task:
    """One task: its id, and the stage in which it is too large for one agent, if there is one."""

    task_id: str
    hard_in: str | None


@dataclass
class Run:
    """A task in one stage: from ``task-started`` to its one ``task-finished``, its fallback included."""

    task: Task
    stage: Stage
    work: float
    core: float
    agent: Agent | None = None
    started: float = 0.0
    chunks_made: int = 0
    chunks_open: int = 0
    answers: list[int] = field(default_factory=list)
    trouble: tuple[str, str] | None = None  # (outcome, reason) of the first branch that ended badly
    avoid: set[str] = field(default_factory=set)

    @property
    def timeout(self) -> float:
        """Return the seconds after which the agent gives this up."""
        return self.stage.timeout


@dataclass
class Chunk:
    """A part of a run's work on one agent, ``depth`` splits below the run."""

    chunk_id: str
    run: Run
    depth: int
    work: float
    core: float
    timeout: float
    agent: Agent | None = None
    started: float = 0.0

    @property
    def avoid(self) -> set[str]:
        """Return the agents that already let this task time out: it is not given to them again."""
        return self.run.avoid
