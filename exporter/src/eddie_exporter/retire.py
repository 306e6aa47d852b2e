"""Station *count*: counters of long-silent agents leave the exposition; their sums stay, so nothing is lost.

Exposition + retired = acknowledged. An agent that returns begins at zero, with a new creation time.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from eddie_exporter.presence import Agent, Roll
from eddie_exporter.settings import Settings
from eddie_exporter.store import Budget, Distribution, Family
from eddie_exporter.tables import Row, Tables

CROWDED = 0.9
"""Share of a limit from which the longest-silent agents retire early, those whose gauges have left already."""
_EASED = 0.89


_Series = dict[str, list[tuple[Family, tuple[str, ...]]]]


@dataclass(slots=True)
class Sum:
    """What has left a family: the integer sum, and a distribution's observations by bucket."""

    value: int = 0
    counts: list[int] | None = None
    number: int = 0


class Retired:
    """The sums of all series that left."""

    def __init__(self, families: dict[str, Family], tables: Tables, settings: Settings) -> None:
        """Begin with nothing retired."""
        self._families = [family for family in families.values() if family.metric.kind != "gauge"]
        self._agents = [family for family in self._families if "agent_id" in family.metric.labels]
        self._count = families["eddie_retired_series_total"]
        self._sums: dict[str, Sum] = {}
        self._tables = tables
        self._after = settings.retire_after

    def tidy(self, agents: Roll[Agent], budget: Budget, now: float) -> None:
        """Retire agents that are silent for long, and while place is short the longest silent of those gone."""
        silent = [name for name, agent in agents.silent_since(now - self._after, gone=True) if agent.gone]
        crowded = self._crowded(agents, budget, CROWDED)
        if not silent and not crowded:
            return
        series = self._series("agent_id")
        for name in silent:
            self._leave(agents, name, series)
        for name, _ in agents.gone() if crowded else ():
            if not self._crowded(agents, budget, _EASED):
                break
            self._leave(agents, name, series)

    def _leave(self, agents: Roll[Agent], name: str, series: _Series) -> None:
        for family, labels in series.get(name, ()):
            self._keep(family, labels)
        agents.forget(name)

    def _crowded(self, agents: Roll[Agent], budget: Budget, share: float) -> bool:
        """Whether place is short that agents take; a crowd of producers is not eased by letting agents go."""
        if budget.used > share * budget.most or len(agents) > share * agents.most:
            return True
        return any(family.crowded(share) for family in self._agents)

    def _series(self, label: str) -> _Series:
        """Answer every counting series that has ``label``, by its value."""
        found: _Series = {}
        for family in self._families:
            if label in family.metric.labels:
                place = family.metric.labels.index(label)
                for labels in family.children:
                    found.setdefault(labels[place], []).append((family, labels))
        return found

    def retire(self, label: str, values: Collection[str]) -> None:
        """Let every series with one of these values of ``label`` go, and keep its sum."""
        if not values:
            return
        series = self._series(label)
        for value in values:
            for family, labels in series.get(value, ()):
                self._keep(family, labels)

    def _keep(self, family: Family, labels: tuple[str, ...]) -> None:
        child = family.remove(labels)
        if child is None:
            return
        kept = self._sums.setdefault(family.metric.name, Sum())
        kept.value += int(child.value)
        if isinstance(child, Distribution):
            before = kept.counts or [0] * len(child.counts)
            kept.counts = [old + new for old, new in zip(before, child.counts, strict=True)]
        kept.number = self._tables.retired.put(kept.number, self._row(family.metric.name, kept))
        self._tables.series.drop(child.number)
        self._count.add((), 1)

    @staticmethod
    def _row(name: str, kept: Sum) -> Row:
        return name, str(kept.value), None if kept.counts is None else " ".join(map(str, kept.counts))

    def restore(self, number: int, row: Row) -> None:
        """Take back a sum."""
        name, value, counts = row
        self._sums[name] = Sum(int(value), None if counts is None else [int(one) for one in counts.split()], number)

    def totals(self) -> dict[str, float]:
        """Answer what has left, by sample name, as it was exposed."""
        units = {family.metric.name: family.metric.unit for family in self._families}
        found: dict[str, float] = {}
        for name, kept in self._sums.items():
            value = kept.value if units.get(name, 1) == 1 else kept.value / units[name]
            if kept.counts is None:
                found[name] = value
            else:
                found |= {f"{name}_sum": value, f"{name}_count": sum(kept.counts)}
        return found
