"""Station *count*: a timeout told in words that were checked before costs as little as a counter of prometheus_client.

An agent that embeds the collector says the same thing again and again. Its words are checked the first time; from
then on a call notes when it came, without a lock, and whoever next looks at the state or moves it counts first
what was noted. So everything is as if each had been counted at once.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from eddie_exporter.history import History
from eddie_exporter.presence import NOW
from eddie_exporter.state import State
from eddie_metrics.events import Event, Timeout

MOST_WAITING = 1000
"""Timeouts noted before they are counted even if nobody looks."""
MOST_KNOWN = 10_000
"""Pairs of agent and reason whose words are remembered as checked; past it all are checked again."""

Key = tuple[str, str]


@dataclass(slots=True)
class _Sum:
    """What was noted of one agent and reason: how often, when first and last; ``latest`` is ``last`` by the wall."""

    wall: float
    now: float
    latest: float
    last: float
    count: int = 0


class Repeats:
    """Timeouts that were noted and not yet counted, and the words that were checked."""

    def __init__(self) -> None:
        """Begin with none."""
        self._known: dict[Key, Event] = {}
        self._waiting: deque[tuple[Key, Event, float, float]] = deque()

    def know(self, agent_id: str, reason: str, event: Event) -> None:
        """Remember that these words were checked, and the event they made."""
        if len(self._known) >= MOST_KNOWN:
            self._known.clear()
        self._known[agent_id, reason] = event

    def note(self, agent_id: str, reason: str, wall: Callable[[], float], now: Callable[[], float]) -> int:
        """Note a timeout, and answer how many wait; 0: these words were not checked before, nothing is noted."""
        key = (agent_id, reason)
        try:
            event = self._known[key]
        except (KeyError, TypeError):  # unhashable words are for the check to refuse
            return 0
        self._waiting.append((key, event, wall(), now()))
        return len(self._waiting) or 1  # another thread may have counted it already

    def forget(self) -> None:
        """Let go what was noted: the state it was for is gone."""
        self._waiting.clear()

    def settle(self, state: State, history: History) -> int:
        """Count what was noted, each at its own time, and answer how many; hold the collector's lock."""
        if not self._waiting:
            return 0
        told: list[tuple[float, Event]] = []
        sums: dict[Key, _Sum] = {}
        # Threads may note on: what comes later is left for the next time.
        for _ in range(len(self._waiting)):
            key, event, wall, now = self._waiting.popleft()
            told.append((wall, event))
            one = sums.get(key)
            if one is None:
                one = sums[key] = _Sum(wall, now, wall, now)
            one.count += 1
            one.last = now
            one.latest = wall
        timeouts = state.families["timeout_events_total"]
        for (agent_id, reason), one in sums.items():
            state.at(one.wall, one.now)  # a series begins when its first was noted
            state.fleet.hear_agent(agent_id, NOW, one.now)
            child = timeouts.child((agent_id, reason), one.count)
            child.value += one.count
            child.move()
        for (agent_id, _), one in sorted(sums.items(), key=lambda item: item[1].last):
            state.at(one.latest, one.last)
            state.fleet.hear_agent(agent_id, NOW, one.last)
        state.count("eddie_events_accepted_total", (Timeout.kind,), len(told))
        history.add_told(told)
        return len(told)
