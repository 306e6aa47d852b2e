"""The ledger: what was acknowledged, what it must have moved, and how that differs from what is counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from tests.support.chaos.reading import Scrape
from tests.support.chaos.traffic import MILLIONTHS, Event, Series, moves, series

GAUGES = frozenset({"eddie_chunks_inflight", "agent_active_tasks"})


@dataclass(frozen=True)
class Balance:
    """Invariant I, judged: every series whose count is not what was acknowledged, and by how much."""

    lost: dict[Series, int]
    doubled: dict[Series, int]

    @property
    def exact(self) -> bool:
        """Whether everything acknowledged is counted, once."""
        return not self.lost and not self.doubled

    @property
    def events_lost(self) -> int:
        """Acknowledged events that are not counted."""
        return _events(self.lost)

    @property
    def events_doubled(self) -> int:
        """Events counted that were not acknowledged, or were counted before."""
        return _events(self.doubled)

    def __str__(self) -> str:
        """Say it in a few lines."""
        if self.exact:
            return "counted = acknowledged"
        lines = [f"{self.events_lost} events lost, {self.events_doubled} counted more than once"]
        for word, found in (("lost", self.lost), ("too many", self.doubled)):
            lines += [
                f"  {word}: {amount} of {name}{dict(labels)}" for (name, labels), amount in list(found.items())[:8]
            ]
        return "\n".join(lines)


def _events(found: Mapping[Series, int]) -> int:
    return sum(amount for (name, _), amount in found.items() if name == "eddie_events_accepted_total")


@dataclass
class Ledger:
    """Kept by one thread, the driver's; read after the drain."""

    acknowledged: Counter[Series] = field(default_factory=Counter)
    events: Counter[str] = field(default_factory=Counter)
    batches: Counter[str] = field(default_factory=Counter)
    duplicates: int = 0
    answers: Counter[str] = field(default_factory=Counter)
    surprises: list[str] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    _started: set[str | None] = field(default_factory=set)

    def acknowledge(self, sender: str, events: Iterable[Event], dropped: Mapping[str, int] | None = None) -> None:
        """Enter a batch that was answered 202."""
        self.batches[sender] += 1
        for event in events:
            self.events[event["kind"]] += 1
            chunk = event.get("chunk_id")
            for moved, amount in moves(event, started=chunk in self._started):
                self.acknowledged[moved] += amount
            if event["kind"] == "chunk-started":
                self._started.add(chunk)
        for reason, amount in (dropped or {}).items():
            self.acknowledged[series("eddie_client_dropped_events_total", producer=sender, reason=reason)] += amount

    def total(self) -> int:
        """Answer the number of events acknowledged."""
        return self.events.total()

    def balance(self, scrape: Scrape, retired: Mapping[str, float] | None = None) -> Balance:
        """Compare with a scrape, series by series; with ``retired`` (or overflow) only sums can be compared."""
        names = {name for name, _ in self.acknowledged} | {"eddie_events_accepted_total"}
        counted = {one: _integer(one[0], value) for one, value in scrape.samples(names).items()}
        expected: Mapping[Series, int] = self.acknowledged
        if retired is not None:
            counted, expected = _sums(counted), _sums(expected)
            for name, amount in retired.items():
                if name in names:
                    counted[name, ()] = counted.get((name, ()), 0) + _integer(name, amount)
        gaps = {one: expected.get(one, 0) - counted.get(one, 0) for one in {*expected, *counted}}
        return Balance({k: gap for k, gap in gaps.items() if gap > 0}, {k: -gap for k, gap in gaps.items() if gap < 0})


def _integer(name: str, value: float) -> int:
    return round(value * 1_000_000) if name in MILLIONTHS else round(value)


def _sums(found: Mapping[Series, int]) -> dict[Series, int]:
    sums: Counter[Series] = Counter()
    for (name, _), amount in found.items():
        sums[name, ()] += amount
    return dict(sums)
