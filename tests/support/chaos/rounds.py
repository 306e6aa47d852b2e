"""Kills and power cuts, many in a row under load, and the figures they end with: for tests and for ``make chaos``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.chaos.disks import Disk
from tests.support.chaos.judging import quantile
from tests.support.chaos.ledger import Balance
from tests.support.chaos.moments import chance, moment
from tests.support.chaos.process import EXPORTER, Exporter, exporter
from tests.support.chaos.senders import Fleet, driven, fleet_of
from tests.support.chaos.watcher import Watcher, watched


@dataclass
class Figures:
    """What rounds of faults came to."""

    faults: Counter[str] = field(default_factory=Counter)
    acknowledged: int = 0
    counted: int = 0
    lost: int = 0
    doubled: int = 0
    lost_batches: int = 0
    duplicates: int = 0
    scrapes: int = 0
    ready: list[float] = field(default_factory=list)
    cost: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    surprises: list[str] = field(default_factory=list)
    balances: list[Balance] = field(default_factory=list)

    def add(self, other: Figures) -> None:
        """Take another run's figures in."""
        self.faults += other.faults
        for name in ("acknowledged", "counted", "lost", "doubled", "lost_batches", "duplicates", "scrapes"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for name in ("ready", "cost", "seconds", "violations", "surprises", "balances"):
            getattr(self, name).extend(getattr(other, name))

    @property
    def exact(self) -> bool:
        """Whether I and J held and nothing surprised a sender."""
        return all(one.exact for one in self.balances) and not self.violations and not self.surprises

    def __str__(self) -> str:
        """Answer the table."""
        middle, p50, p99 = quantile(0.5, self.ready), quantile(0.5, self.seconds), quantile(0.99, self.seconds)
        most = max(self.cost, default=0)
        rows = [
            ("faults", ", ".join(f"{number} {name}" for name, number in self.faults.items())),
            ("events acknowledged", f"{self.acknowledged:,}"),
            ("events counted", f"{self.counted:,}"),
            ("events lost", f"{self.lost:,}"),
            ("events doubled", f"{self.doubled:,}"),
            ("batches the store misses", f"{self.lost_batches:,}"),
            ("retries recognised", f"{self.duplicates:,} events"),
            ("scrapes, series gone back", f"{self.scrapes:,}, {len(self.violations)}"),
            ("ready after a start", f"median {middle:.2f} s, worst {max(self.ready, default=0):.2f} s"),
            ("  of it processor", f"median {quantile(0.5, self.cost):.2f} s, worst {most:.2f} s"),
            ("answer at the first try", f"p50 {p50 * 1000:.1f} ms, p99 {p99 * 1000:.1f} ms"),
        ]
        notes = [f"  {one}" for one in [*map(str, self.balances), *self.violations, *self.surprises][:12] if one]
        table = [f"{name:<28}{value}" for name, value in rows]
        return "\n".join(table if self.exact else [*table, *notes])


def _figures(one: Exporter, fleet: Fleet, watcher: Watcher, fault: str, times: int) -> Figures:
    """Compare after the drain, and put together what was seen."""
    seen, ledger = watcher.look(), fleet.ledger
    found = ledger.balance(seen)
    return Figures(
        faults=Counter({fault: times}),
        acknowledged=ledger.total(),
        counted=round(seen.total("eddie_events_accepted_total")),
        lost=found.events_lost,
        doubled=found.events_doubled,
        lost_batches=round(seen.total("eddie_lost_batches_total")),
        duplicates=ledger.duplicates,
        scrapes=watcher.scrapes,
        ready=one.ready_seconds[1:],
        cost=one.ready_cost[1:],
        seconds=ledger.seconds,
        violations=watcher.violations,
        surprises=ledger.surprises,
        balances=[found],
    )


def kills(folder: Path, times: int, *, seed: int = 1, command: Sequence[str] = EXPORTER, **env: str) -> Figures:
    """Kill and restart an exporter under load, ``times`` times, at the same port; then drain and compare."""
    when = chance(seed)
    with exporter(folder, None, command=command, **env) as one, watched(one.port) as watcher:  # noqa: SIM117  (needs port)
        with driven(fleet_of(one.port, seed=seed)) as fleet:
            for _ in range(times):
                moment(when, 0.02, 0.5)
                one.kill()
                one.start()
            fleet.drain()
            return _figures(one, fleet, watcher, "kills", times)


def cuts(disk: Disk, times: int, *, seed: int = 1, **env: str) -> Figures:
    """Cut the power of the exporter's disk under load, ``times`` times; then drain and compare."""
    when = chance(seed)
    folder = disk.place.parent
    with exporter(folder, disk.place / "data", **env) as one, watched(one.port) as watcher:  # noqa: SIM117  (needs port)
        with driven(fleet_of(one.port, seed=seed)) as fleet:
            for _ in range(times):
                moment(when, 0.02, 0.6)
                one.lose_power(disk)
                one.start()
            fleet.drain()
            return _figures(one, fleet, watcher, f"cuts on {disk.kind}", times)
