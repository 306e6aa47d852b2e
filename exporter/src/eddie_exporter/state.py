"""Station *count*: everything that is counted, as it is now and as a store has it.

Live state = restored state: whatever an event moves has a row in a table. Not thread-safe by itself.
"""

from __future__ import annotations

import json
import platform

from eddie_exporter.catalogue import CATALOGUE, MICRO
from eddie_exporter.fleet import Fleet
from eddie_exporter.identity import Producers
from eddie_exporter.inflight import InFlight
from eddie_exporter.lateness import Lateness
from eddie_exporter.retire import Retired
from eddie_exporter.settings import Settings
from eddie_exporter.splits import Splits
from eddie_exporter.store import Budget, Child, Distribution, Family
from eddie_exporter.tables import Row, Rows, Tables
from eddie_metrics import __version__

_MOST_INTEGER = 2**63 - 1


class State:
    """All families, what is in flight, and who is there.

    Two clocks: ``wall`` (seconds since the epoch) for creation times, ``now`` (steady: it never jumps or goes back,
    and goes on where the last process stopped) for leases and silence.
    """

    def __init__(
        self,
        settings: Settings,
        wall: float,
        now: float,
        rows: Rows | None = None,
        incarnation: str | None = None,
    ) -> None:
        """Begin at zero with every series that is known from the start, or with what ``rows`` of a store say.

        ``incarnation`` is the store's name.
        """
        self.now = now
        self.budget = Budget(settings.max_samples, wall)
        self.tables = Tables()
        self._collected: list[Child] = []
        bounds = tuple(round(bound * MICRO) for bound in settings.buckets)
        self.families: dict[str, Family] = {
            metric.name: Family(
                metric,
                self.budget,
                max_agents=settings.max_agents,
                bounds=bounds if metric.kind == "histogram" else (),
            )
            for metric in CATALOGUE
        }
        self.add = {name: family.add for name, family in self.families.items()}
        gauge = self.families["agent_active_tasks"]
        self.tasks = InFlight("task", gauge, self.tables)
        self.chunks = InFlight("chunk", gauge, self.tables)
        self.splits = Splits(self.tables.splits)
        self.late = Lateness()
        self.fleet = Fleet(self.families, settings, self.tables, self.budget)
        self.producers = Producers(self.tables.epochs)
        self.retired = Retired(self.families, self.tables, settings)
        self.families["eddie_build_info"].set((__version__, platform.python_version()), 1)
        if incarnation is not None:
            self.families["eddie_store_info"].set((incarnation,), 1)
        if rows is not None:
            self._restore(rows)
            self.collect()
            self.publish()
        self._bear()

    def _bear(self) -> None:
        """Let the series that are known from the start be there."""
        overflow = self.families["eddie_series_overflow_total"]
        for metric in CATALOGUE:
            for labels in metric.born_children():
                self.families[metric.name].child(labels)
            if metric.labels:
                self.families[metric.name].overflow = overflow.child((metric.name,))

    def _restore(self, rows: Rows) -> None:
        """Take everything back as a store has it; a family this version does not know is left where it is."""
        for table in self.tables.all():
            table.last = rows[table.name][-1][0] if rows[table.name] else 0
        for number, row in rows["agents"]:
            self.fleet.restore_agent(number, row)
        for number, row in rows["containers"]:
            self.fleet.restore_container(number, row)
        self.fleet.restored()
        # After the gauges: totals need no place, and where they fill all there is, who is there shows still.
        for number, row in rows["series"]:
            self._restore_child(number, row)
        for number, row in rows["retired"]:
            self.retired.restore(number, row)
        for number, row in rows["epochs"]:
            self.producers.restore(number, row)
        self.producers.restored()
        for number, row in rows["splits"]:
            self.splits.restore(number, row)
        for number, row in rows["flights"]:
            (self.tasks if row[0] == "task" else self.chunks).restore_flight(number, row)
        for number, row in rows["finished"]:
            (self.tasks if row[0] == "task" else self.chunks).restore_finish(number, row)

    def _restore_child(self, number: int, row: Row) -> None:
        name, labels, created, value, counts = row
        family = self.families.get(name)
        values = tuple(json.loads(labels))
        if family is None or len(values) != len(family.metric.labels) or family.metric.kind == "gauge":
            return
        child = family.make(values, created)
        child.number = number
        child.value = int(value)
        if isinstance(child, Distribution):
            child.counts = [int(count) for count in counts.split()]

    def at(self, wall: float, now: float) -> None:
        """Say what time it is for what comes next."""
        self.budget.now = wall
        self.now = now

    def count(self, family: str, labels: tuple[str, ...], amount: int = 1) -> None:
        """Count ``amount`` more in a counter."""
        self.add[family](labels, amount)

    def observe(self, family: str, labels: tuple[str, ...], seconds: float) -> None:
        """Observe a duration in a histogram or summary."""
        self.families[family].observe(labels, round(seconds * self.families[family].metric.unit))

    def tidy(self) -> None:
        """End leases that are over, let the gauges of what is silent go, and retire what is silent for long."""
        for lost in self.tasks.expire(self.now):
            self.count("eddie_tasks_lost_total", (str(lost.stage),))
        for _ in self.chunks.expire(self.now):
            self.count("eddie_chunks_lost_total", ())
        self.fleet.tidy(self.now)
        self.retired.retire("producer", self.producers.tidy(self.now))
        self.retired.tidy(self.fleet.agents, self.budget, self.now)

    def refresh(self) -> None:
        """Bring the gauges that follow from other state up to date, before somebody looks."""
        self.families["eddie_chunks_inflight"].show((), len(self.chunks))
        ages = self.families["eddie_oldest_inflight_seconds"]
        oldest = {(stage,): started for stage, started in self.tasks.oldest().items()}
        for labels in set(ages.children) - set(oldest):
            ages.remove(labels)
        for labels, started in oldest.items():
            ages.show(labels, max(0.0, self.now - started))
        oldest_late, newest_late = self.late.span(self.now)
        self.families["eddie_late_oldest_timestamp_seconds"].show((), oldest_late)
        self.families["eddie_late_newest_timestamp_seconds"].show((), newest_late)
        self.families["eddie_clock_seconds"].show((), self.budget.now)
        self.families["eddie_series_used"].show((), self.budget.used)
        self.families["eddie_series_limit"].show((), self.budget.most)

    def collect(self, *, rows: bool = False) -> None:
        """Take together what moved until now, to be shown when it is durable; with ``rows`` for the store."""
        if rows:
            self.tasks.write()
            self.chunks.write()
        for child in self.budget.moved:
            child.moved = False
            if rows and child.family.metric.kind != "gauge" and child.family.children.get(child.labels) is child:
                child.number = self.tables.series.put(child.number, _row(child))
        self._collected += self.budget.moved
        self.budget.moved.clear()

    def publish(self) -> None:
        """Let scrapes see everything that was collected: it is on disk now, or there is no store."""
        for child in self._collected:
            child.show()
        self._collected.clear()
        self.tables.clear()
        self.tasks.written()
        self.chunks.written()

    def show(self) -> None:
        """Let scrapes see everything as it is now, before a store has it: what begins at zero is true at once."""
        for child in self.budget.moved:
            child.show()


_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def _row(child: Child) -> Row:
    counts = " ".join(map(str, child.counts)) if isinstance(child, Distribution) else None
    labels = child.stored_labels
    if labels is None:
        labels = child.stored_labels = _encode(child.labels)
    return child.family.metric.name, labels, child.created, stored_integer(child.value), counts


def stored_integer(value: float) -> int | str:
    """Answer an integer as the store keeps it: past 64 bits as text."""
    return int(value) if abs(value) <= _MOST_INTEGER else str(int(value))
