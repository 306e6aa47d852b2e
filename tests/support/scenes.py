"""What the board's top looks at, as fakes: a Prometheus and an Alertmanager of canned answers, and a clock."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

from eddie_board.alertmanager import Told
from eddie_board.chain import Chain, ChainState
from eddie_board.errors import AlertmanagerError, PrometheusError
from eddie_board.links import Link

NOW = 1_800_000_000.0
STARTED = "2027-01-15T07:00:00Z"
DASHBOARD: dict[str, Any] = {
    "uid": "u",
    "templating": {"list": []},
    "panels": [
        {
            "id": number,
            "title": name,
            "targets": [{"refId": "A", "expr": f"job:{name}:x", "legendFormat": name}],
            "fieldConfig": {"defaults": {"thresholds": {"mode": "absolute", "steps": steps}}},
        }
        for number, (name, steps) in enumerate(
            {
                "share": [{"value": None, "color": "red"}, {"value": 0.9, "color": "green"}],
                "count": [{"value": None, "color": "green"}, {"value": 5, "color": "red"}],
            }.items()
        )
    ],
}


WELL = {
    "max(max_over_time(eddie_docker_up": 1.0,
    "over_time": NOW - 3600,
    "eddie_docker_up": 1.0,
    "up{": 1.0,
    "job:share": 0.99,
    "job:count": 1.0,
}
"""Parts of queries and their numbers when everything answers; the first part that a query contains counts."""


@dataclass
class Answers:
    """A Prometheus of canned answers: the first text found in a query gives its number; it counts what it is asked."""

    numbers: dict[str, float] = field(default_factory=dict)
    alerts: list[dict[str, Any]] = field(default_factory=list)
    away: bool = False
    asked: int = 0

    async def query(self, expression: str, at: float) -> list[tuple[dict[str, str], float]]:
        """Answer one series without labels, or none."""
        assert at >= NOW
        await self._asked()
        found = next((number for text, number in self.numbers.items() if text in expression), None)
        return [] if found is None else [({}, found)]

    async def get(self, path: str) -> Any:
        """Answer the start, or the alerts."""
        await self._asked()
        return {"alerts": self.alerts} if path == "alerts" else {"startTime": STARTED}

    async def _asked(self) -> None:
        self.asked += 1
        await asyncio.sleep(0)
        if self.away:
            raise PrometheusError("down", "Prometheus does not answer")


@dataclass
class Telling:
    """An Alertmanager of canned alerts."""

    alerts: list[dict[str, Any]] = field(default_factory=list)
    away: bool = False

    async def ask(self) -> Told:
        """Answer them."""
        if self.away:
            raise AlertmanagerError("Alertmanager does not answer")
        return Told(self.alerts, NOW - 60, page=False)


def one(name: str) -> dict[str, Any]:
    """Make an alert that both programs' answers can hold."""
    since = "2027-01-15T07:59:00Z"
    return {"labels": {"alertname": name}, "annotations": {}, "startsAt": since, "activeAt": since, "state": "firing"}


class Scene:
    """A chain with both fakes and a clock of its own."""

    def __init__(self) -> None:
        self.prometheus, self.alertmanager, self.now = Answers(), Telling(), NOW
        self.chain = Chain(self.prometheus, self.alertmanager, lambda: [DASHBOARD], 15, clock=lambda: self.now)
        self.say(WELL)

    def say(self, numbers: dict[str, float]) -> None:
        """Let Prometheus answer these numbers before those it answers already."""
        old = self.prometheus.numbers
        self.prometheus.numbers = numbers | {text: number for text, number in old.items() if text not in numbers}

    async def look(self, later: float = 0.0) -> ChainState:
        """Answer the state ``later`` seconds after the last look."""
        self.now += later
        return await self.chain.state()

    async def links(self, later: float = 0.0) -> dict[str, Link]:
        """Answer the links by name."""
        return {link.name: link for link in (await self.look(later)).links}
