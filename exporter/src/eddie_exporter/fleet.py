"""Station *count*: the gauges of agents and containers, which come with a report and leave with silence.

Container limits are state: a report that changes nothing is no adjustment, the first report is none either,
and an older report is ignored. So webhook and Docker watcher may both speak without counting twice.
"""

from __future__ import annotations

from eddie_exporter.presence import Agent, Container, Roll
from eddie_exporter.settings import Settings
from eddie_exporter.store import OVERFLOW, Budget, Family
from eddie_exporter.tables import Row, Tables

SHORT_ID = 12
"""Docker's own short form; a full id is 64 hexadecimal digits."""


def short_id(container_id: str) -> str:
    """Shorten a full Docker id to 12 digits, for webhook and watcher alike; any other string stays as it is."""
    is_full = len(container_id) == 64 and all(digit in "0123456789abcdefABCDEF" for digit in container_id)
    return container_id[:SHORT_ID].lower() if is_full else container_id


class Fleet:
    """Who is there, and the gauges that say so."""

    def __init__(self, families: dict[str, Family], settings: Settings, tables: Tables, budget: Budget) -> None:
        """Begin with nobody there; ``budget`` has our clock."""
        self._families = families
        self._ttl = settings.gauge_ttl_seconds
        self.agents: Roll[Agent] = Roll(2 * settings.max_agents, tables.agents, budget)
        self._containers: Roll[Container] = Roll(2 * settings.max_agents, tables.containers, budget)
        self.strays = True  # whether some agent may have series and no place here

    def hear_agent(self, agent_id: str, ts: float, now: float, *, hello: bool = False) -> Agent | None:
        """Note that an agent spoke; one that is gone comes back only by a later ``ts`` or a hello.

        Answer the agent, None when it stays gone, or when there is no place for one more: a flood of new names
        pushes nobody out.
        """
        agent = self.agents.get(agent_id)
        if agent is None:
            if len(self.agents) >= self.agents.most:
                self.strays = True
                return None
            agent = Agent(ts, now)
        elif agent.heard == now and not agent.gone:  # again in the same group
            self.agents.date(agent, ts)
            return agent
        elif agent.gone:
            if ts <= agent.latest and not hello:
                return None
            if agent.active:
                self._families["agent_active_tasks"].set((agent_id,), 0)
            if agent.info is not None:
                self._families["eddie_agent_info"].set((agent_id, *agent.info), 1)
        self.agents.hear(agent_id, agent, ts, now)
        return agent

    def is_there(self, agent_id: str) -> bool:
        """Whether an agent is there."""
        agent = self.agents.get(agent_id)
        return agent is not None and not agent.gone

    def give_gauge(self, agent_id: str) -> None:
        """Let an agent that is there have its gauge of work in flight, from now on."""
        agent = self.agents.get(agent_id)
        if agent is not None and not agent.active:
            agent.active = True
            self.agents.note(agent_id, agent)
            self._families["agent_active_tasks"].child((agent_id,))

    def introduce_agent(self, agent_id: str, language: str, version: str) -> None:
        """Show what an agent's hello told of it; a new version replaces the old."""
        agent = self.agents.get(agent_id)
        if agent is None:
            return
        if agent.info is not None and agent.info != (language, version):
            self._families["eddie_agent_info"].remove((agent_id, *agent.info))
        agent.info = (language, version)
        self.agents.note(agent_id, agent)
        self._families["eddie_agent_info"].set((agent_id, language, version), 1)

    def report_container(
        self,
        container_id: str,
        cpu_limit: float | None,
        memory_limit_bytes: int | None,
        agent_id: str | None,
        *,
        ts: float,
        now: float,
        watched_as: tuple[str, str] | None = None,
    ) -> None:
        """Take what a webhook, or the watcher (``watched_as`` name and image), says of a container's limits."""
        name = short_id(container_id)
        known = self._containers.get(name)
        # The watcher looks at the engine itself: what it sees is never old, also when our clock was set back.
        if known is not None and watched_as is None and (ts < known.latest or (known.gone and ts == known.latest)):
            return
        container = Container(ts, now) if known is None else known
        self._adjust("cpu", container.cpu_limit, cpu_limit)
        self._adjust("memory", container.memory_limit_bytes, memory_limit_bytes)
        container.cpu_limit = container.cpu_limit if cpu_limit is None else cpu_limit
        container.memory_limit_bytes = (
            container.memory_limit_bytes if memory_limit_bytes is None else memory_limit_bytes
        )
        container.watched |= watched_as is not None
        container.reported |= watched_as is None
        before = container.info or ("", "", "")
        info = (*(watched_as or before[:2]), agent_id or before[2])
        self._show(name, container, info)
        self._containers.hear(name, container, ts, now)
        self._containers.note(name, container)
        for unheard, gone in self._containers.surplus():
            self._hide(unheard, gone)

    def container_gone(self, container_id: str, ts: float) -> None:
        """Take the watcher's word that a container is gone; one that a webhook reported stays until its TTL."""
        name = short_id(container_id)
        container = self._containers.get(name)
        if container is None or not container.watched:
            return
        container.watched = False
        if not container.reported:
            container.latest = max(container.latest, ts)
            self._hide(name, container)

    def forget_watched(self, ts: float) -> None:
        """Let everything that only the watcher knew go: Docker is away."""
        for name, container in self._containers.there():
            if container.watched:
                self.container_gone(name, ts)

    def tidy(self, now: float) -> None:
        """Let the gauges of whoever was silent for the TTL leave; not of an agent with work in flight."""
        active = self._families["agent_active_tasks"]
        for agent_id, agent in self.agents.silent_since(now - self._ttl):
            child = active.children.get((agent_id,))
            if child is None or child.value == 0:
                self._dismiss(agent_id, agent)
        for name, container in self._containers.silent_since(now - self._ttl):
            if not container.watched:
                container.reported = False
                self._hide(name, container)
        if self.strays:
            self._adopt(now)

    def _adopt(self, now: float) -> None:
        """Take in whoever has series and was turned away, as heard of now: else nobody would let its series go."""
        self.strays = False
        for family in self._families.values():
            if family.metric.kind == "gauge" or "agent_id" not in family.metric.labels:
                continue
            place = family.metric.labels.index("agent_id")
            for labels in family.children:
                name = labels[place]
                if name == OVERFLOW or self.agents.get(name) is not None:
                    continue
                if len(self.agents) >= self.agents.most:
                    self.strays = True
                    return
                self.agents.hear(name, Agent(0.0, now), 0.0, now)

    def _dismiss(self, agent_id: str, agent: Agent) -> None:
        agent.gone = True
        self.agents.note(agent_id, agent)
        self._families["agent_active_tasks"].remove((agent_id,))
        if agent.info is not None:
            self._families["eddie_agent_info"].remove((agent_id, *agent.info))

    def _adjust(self, resource: str, before: float | None, after: float | None) -> None:
        # A millionth of a core is below what any engine can set: the difference is rounding on the way.
        if before is not None and after is not None and abs(before - after) > 1e-6:
            self._families["docker_elastic_adjustment_total"].add((resource,), 1)

    def _show(self, name: str, container: Container, info: tuple[str, str, str]) -> None:
        for family, limit in (
            ("docker_container_cpu_limit", container.cpu_limit),
            ("docker_container_memory_limit_bytes", container.memory_limit_bytes),
        ):
            if limit:
                self._families[family].set((name,), limit)
            else:
                self._families[family].remove((name,))
        if container.info is not None and container.info != info:
            self._families["eddie_container_info"].remove((name, *container.info))
        container.info = info
        self._families["eddie_container_info"].set((name, *info), 1)

    def _hide(self, name: str, container: Container) -> None:
        container.gone = True
        if self._containers.get(name) is container:
            self._containers.note(name, container)
        for family in ("docker_container_cpu_limit", "docker_container_memory_limit_bytes"):
            self._families[family].remove((name,))
        if container.info is not None:
            self._families["eddie_container_info"].remove((name, *container.info))

    def restore_agent(self, number: int, row: Row) -> None:
        """Take back an agent and its gauges."""
        name, latest, heard, gone, active, language, version = row
        info = None if language is None else (language, version)
        agent = Agent(latest, heard, bool(gone), number, info=info, active=bool(active))
        self.agents.restore(name, agent)
        if agent.gone:
            return
        if agent.active:
            self._families["agent_active_tasks"].set((name,), 0)
        if info is not None:
            self._families["eddie_agent_info"].set((name, *info), 1)

    def restore_container(self, number: int, row: Row) -> None:
        """Take back a container; one that only the watcher knew is gone until the watcher tells of it again."""
        name, latest, heard, gone, cpu, memory, reported, *info = row
        container = Container(latest, heard, bool(gone), number, cpu_limit=cpu, memory_limit_bytes=memory)
        container.reported = bool(reported)
        self._containers.restore(name, container)
        if container.reported and not container.gone:
            self._show(name, container, (info[0], info[1], info[2]))
        else:
            container.gone = True
            container.info = None if info[0] is None else (info[0], info[1], info[2])

    def restored(self) -> None:
        """Bring everybody into the order in which they were heard."""
        self.agents.order()
        self._containers.order()
