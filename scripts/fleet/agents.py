"""The fleet's agents: who is there, who has a free slot, what waits, and the containers that follow the load."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fleet import scenarios as s
from fleet.containers import REPORT_SECONDS, TICK_SECONDS, Container
from fleet.work import Agent, Chunk, Run

if TYPE_CHECKING:
    from collections.abc import Callable

    from fleet.clock import Clock


@dataclass(frozen=True)
class Happening:
    """An event of the contract (with its ``kind``, without ``ts``) and when it happened, seconds since the start."""

    at: float
    event: dict[str, Any]


class Story:
    """What happened and was not yet told, and how often each kind happened in all."""

    def __init__(self, clock: Clock) -> None:
        self.counts: Counter[str] = Counter()
        self._clock = clock
        self._untold: list[Happening] = []

    def say(self, kind: str, **fields: Any) -> None:
        """Note that an event of ``kind`` happens now; a field that is None is left out."""
        self.counts[kind] += 1
        event = {"kind": kind, **{name: value for name, value in fields.items() if value is not None}}
        self._untold.append(Happening(self._clock.now, event))

    def tell(self) -> list[Happening]:
        """Return what happened since the last call."""
        untold, self._untold = self._untold, []
        return untold


class Crew:
    """The agents: each says hello, reports its container's limits, and runs what is submitted when a slot is free."""

    def __init__(
        self, slowness: float, clock: Clock, story: Story, begin: Callable[[Run | Chunk, Agent], None]
    ) -> None:
        self.waiting: deque[Run | Chunk] = deque()
        self._clock, self._story, self._begin = clock, story, begin
        self._turn = 0
        self.agents = [
            Agent(
                name, s.SLOTS, slowness if name == s.SLOW_AGENT else 1.0, Container(name.replace("demo-", "demo-box-"))
            )
            for name in s.AGENTS
        ]
        for agent in self.agents:
            self._hello(agent)
        self._clock.after(TICK_SECONDS, self._look_at_limits)

    @property
    def running(self) -> int:
        """Return how many units of work hold an agent's slot now."""
        return sum(agent.running for agent in self.agents)

    def submit(self, *units: Run | Chunk) -> None:
        """Queue units of work and begin what can begin."""
        self.waiting.extend(units)
        self._assign()

    def release(self, agent: Agent) -> None:
        """Free a slot of ``agent``; what waits is assigned with the next ``submit``."""
        agent.running -= 1

    def _assign(self) -> None:
        """Give waiting work to free agents in turn: the scheduler does not know who is slow."""
        for _ in range(len(self.waiting)):
            unit = self.waiting.popleft()
            agent = self._free_agent(unit.avoid)
            if agent is None:
                self.waiting.append(unit)
            else:
                agent.running += 1
                unit.agent, unit.started = agent, self._clock.now
                self._begin(unit, agent)

    def _free_agent(self, avoid: set[str]) -> Agent | None:
        for step in range(len(self.agents)):
            agent = self.agents[(self._turn + step) % len(self.agents)]
            if agent.running < agent.slots and agent.agent_id not in avoid:
                self._turn = (self._turn + step + 1) % len(self.agents)
                return agent
        return None

    def _hello(self, agent: Agent) -> None:
        self._story.say(
            "agent-hello",
            agent_id=agent.agent_id,
            language="python",
            version="1.4.2",
            stages=[stage.name for stage in s.STAGES],
            reasons=list(s.TIMEOUT_REASONS),
        )
        self._report(agent)

    def _report(self, agent: Agent) -> None:
        box = agent.container
        box.reported = self._clock.now
        self._story.say(
            "docker-resource-allocation",
            container_id=box.container_id,
            cpu_limit=box.cpu_limit,
            memory_limit_bytes=box.memory_limit_bytes,
            agent_id=agent.agent_id,
        )

    def _look_at_limits(self) -> None:
        for agent in self.agents:
            changed = agent.container.follow(agent.running / agent.slots)
            if changed or self._clock.now - agent.container.reported >= REPORT_SECONDS:
                self._report(agent)
        self._clock.after(TICK_SECONDS, self._look_at_limits)
