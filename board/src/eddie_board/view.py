"""Station "view": the address of the page, as Grafana writes it, read as what somebody wants to see."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from eddie_board import times
from eddie_board.dashboard import Dashboard, Variable
from eddie_board.errors import ViewError
from eddie_board.queries import Window

ALL = "$__all"
"""What an address and a choice say for all values of a variable."""

SHORTEST = 60.0
"""Seconds: a shorter time holds a handful of scrapes, and rates of nothing."""

MOST_CHOICES = 200
"""Values of one variable that an address may choose; above it All is quicker for everybody."""


@dataclass(frozen=True, slots=True)
class View:
    """What one page shows: time as written (``now-6h``), choices by variable, and the panel that is shown alone.

    ``choices`` has every variable that a reader can choose, ``("$__all",)`` for all. ``notes`` are sentences for the
    page about what the address asked for in vain.
    """

    start_text: str
    end_text: str
    choices: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    panel: int | None = None
    notes: tuple[str, ...] = ()

    @classmethod
    def read(cls, parameters: Sequence[tuple[str, str]], dashboard: Dashboard) -> View:
        """Read the address's parameters in their order; what is bad becomes the dashboard's default and a note."""
        notes: list[str] = []
        start, end = _range(parameters, dashboard, notes)
        asked: dict[str, list[str]] = {}
        for key, value in parameters:
            if key.startswith("var-"):
                asked.setdefault(key.removeprefix("var-"), []).append(value)
        choices = {}
        for variable in dashboard.variables:
            values = asked.pop(variable.name, [])
            if variable.choosable:
                choices[variable.name] = _chosen(variable, values, notes)
            elif values and values != list(variable.default):
                notes.append(f"{variable.label} cannot be chosen on this page; it stays as the dashboard has it.")
        notes.extend(
            f"The dashboard has no variable {shown(name)}; the address's choice is left out." for name in asked
        )
        return cls(start, end, choices, _panel(parameters, dashboard, notes), tuple(notes[:10]))

    def parameters(self, dashboard: Dashboard) -> list[tuple[str, str]]:
        """Write the address's parameters: from, to, var-… and viewPanel; read() of them is this view again."""
        found = [("from", self.start_text), ("to", self.end_text)]
        for variable in dashboard.variables:
            found += [(f"var-{variable.name}", value) for value in self.choices.get(variable.name, ())]
        return found + ([("viewPanel", f"panel-{self.panel}")] if self.panel is not None else [])

    def window(self, now: float) -> Window:
        """Answer start and end in seconds when it is ``now``; never shorter than a minute. Raises ViewError."""
        start, end = times.read(self.start_text, now), times.read(self.end_text, now, up=True)
        return Window(start=max(0.0, min(start, end - SHORTEST)), end=max(end, SHORTEST))


def shown(value: str) -> str:
    """Shorten what a sentence repeats of an address."""
    return f"“{value[:60]}…”" if len(value) > 60 else f"“{value}”"


def _range(parameters: Sequence[tuple[str, str]], dashboard: Dashboard, notes: list[str]) -> tuple[str, str]:
    given = dict(parameters)
    start, end = given.get("from") or dashboard.time_from, given.get("to") or dashboard.time_to
    try:
        _ordered(start, end)
    except ViewError as error:
        notes.append(f"The address's time is not used: {error}.")
        start, end = dashboard.time_from, dashboard.time_to
        with suppress(ViewError):
            _ordered(start, end)
            return start, end
        return "now-6h", "now"  # nor is the dashboard's own
    return start, end


def _ordered(start: str, end: str) -> None:
    now = time.time()
    if times.read(start, now) >= times.read(end, now, up=True):
        raise ViewError(f"expected a time that begins before it ends, got from {start[:40]} to {end[:40]}")


def _chosen(variable: Variable, values: Sequence[str], notes: list[str]) -> tuple[str, ...]:
    wanted = tuple(dict.fromkeys(value for value in values if value))
    if not wanted:
        return variable.default
    if ALL in wanted or (wanted == ("All",) and variable.include_all):
        if variable.include_all:
            return (ALL,)
        notes.append(f"{variable.label} has no choice of all; the dashboard's own is shown.")
        return variable.default
    if not variable.multi and len(wanted) > 1:
        notes.append(f"{variable.label} takes one value; {shown(wanted[0])} is shown.")
        return wanted[:1]
    if len(wanted) > MOST_CHOICES:
        notes.append(f"{variable.label} takes {MOST_CHOICES} values at most; the first of the address's are shown.")
    return wanted[:MOST_CHOICES]


def _panel(parameters: Sequence[tuple[str, str]], dashboard: Dashboard, notes: list[str]) -> int | None:
    text = dict(parameters).get("viewPanel")
    if not text:
        return None
    found = re.fullmatch(r"(?:panel-)?([0-9]{1,9})", text)
    if found is None or dashboard.panel(int(found[1])) is None:
        notes.append(f"The dashboard has no panel {shown(text)}; all are shown.")
        return None
    return int(found[1])


def unknown(label: str, values: Sequence[str]) -> Iterator[str]:
    """Say that Prometheus does not know ``values`` of the variable with this label."""
    if values:
        more = f" and {len(values) - 3} more" if len(values) > 3 else ""
        yield f"Prometheus knows no {label} {', '.join(shown(each) for each in values[:3])}{more} in the shown time."
