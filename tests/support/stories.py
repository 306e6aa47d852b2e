"""A simulated fleet's story, told once per scenario, seed and length."""

from __future__ import annotations

import functools

from fleet.agents import Happening
from fleet.scenarios import SCENARIOS
from fleet.simulation import Simulation

MINUTES_25 = 1500.0


@functools.cache
def story(name: str, seed: int, seconds: float = MINUTES_25) -> tuple[Happening, ...]:
    """Return what happens in the first ``seconds`` of a scenario."""
    return tuple(Simulation(SCENARIOS[name], seed).advance(seconds))


def of(happenings: tuple[Happening, ...], kind: str) -> list[Happening]:
    """Return the happenings of one kind, in their order."""
    return [happening for happening in happenings if happening.event["kind"] == kind]


def most_in(happenings: list[Happening], window: float) -> int:
    """Return the largest number of happenings within any window of so many seconds."""
    times = [happening.at for happening in happenings]
    return max((sum(begin <= at < begin + window for at in times) for begin in times), default=0)


def failed(happenings: tuple[Happening, ...]) -> list[Happening]:
    """Return the stages that did not end well."""
    return [happening for happening in of(happenings, "task-finished") if happening.event["outcome"] != "success"]
