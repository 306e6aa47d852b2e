"""Station *count*: work in flight is a set of ids, never ``inc`` and ``dec``: no lost or doubled message bends it.

A start adds its id, the matching finish removes it, a lease ends what never finishes. A finish is remembered
for the lease's time, so that a start which arrives after it adds nothing. Not thread-safe by itself.
"""

from __future__ import annotations

import heapq
from collections import OrderedDict, deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from eddie_exporter.store import Child, Family
from eddie_exporter.tables import Row, Tables
from eddie_metrics.events import DEFAULT_LEASE_SECONDS

MAX_STARTED = 100_000
"""Ids in flight at once; a start past it adds nothing."""
MAX_FINISHED = 200_000
"""Finishes remembered, as 64-bit hashes (about 100 bytes each); past it the oldest is forgotten."""
IDLE_LEASES = 1_000
"""Leases of what has finished that may wait beside as many again as there is work; past it they are thrown out."""


_SEPARATOR = "\x1f"
"""Between the parts of a key in the store; the contract allows no control character in them."""
Key = tuple[str, ...]


@dataclass(slots=True)
class Work:
    """One thing in flight: since when, until when (steady seconds), in whose gauge, and a task's stage."""

    started: float
    ends: float
    agent_id: str
    stage: str | None
    number: int = 0


class _Written(NamedTuple):
    """A row of what finished: until when any of it is remembered, and how much it is."""

    number: int
    ends: float
    size: int


class InFlight:
    """The ids of what was started and has neither finished nor outlived its lease."""

    def __init__(self, kind: str, gauge: Family, tables: Tables) -> None:
        """Begin with nothing in flight; ``gauge`` tells how much each agent has."""
        self._kind = kind
        self._gauge = gauge
        self._tables = tables
        self._work: dict[Key, Work] = {}
        self._leases: list[tuple[float, int, Key]] = []
        self._finished: OrderedDict[int, float] = OrderedDict()
        self._unwritten: list[tuple[Key, float]] = []
        self._written: deque[_Written] = deque()
        self._count = 0

    def __len__(self) -> int:
        """Answer how many are in flight."""
        return len(self._work)

    def expects(self, key: Key, now: float) -> bool:
        """Whether a start of ``key`` would add something: not in flight, not finished, and there is place."""
        if key in self._work or len(self._work) >= MAX_STARTED:
            return False
        return self._finished.get(hash(key), 0.0) <= now

    def start(self, key: Key, agent_id: str, now: float, lease: float | None, stage: str | None = None) -> None:
        """Take ``key`` in (ask ``expects`` first) and move its agent's gauge; ``lease`` in seconds."""
        # The gauge's own label: an agent that found no place counts in the overflow's.
        gauge = self._gauge.child((agent_id,))
        shown_as = gauge.labels[0]
        ends = now + (DEFAULT_LEASE_SECONDS if lease is None else lease)
        row = (self._kind, _SEPARATOR.join(key), shown_as, stage, now, ends)
        self._take(key, Work(now, ends, shown_as, stage, self._tables.flights.add(row)), gauge)

    def _take(self, key: Key, work: Work, gauge: Child) -> None:
        gauge.value += 1
        if not gauge.moved:
            gauge.move()
        self._work[key] = work
        self._count += 1
        heapq.heappush(self._leases, (work.ends, self._count, key))

    def finish(self, key: Key, now: float) -> bool:
        """Let ``key`` go, and answer whether it was in flight; a start that comes later will add nothing."""
        work = self._work.pop(key, None)
        ends = now + DEFAULT_LEASE_SECONDS if work is None else now + work.ends - work.started
        if work is not None:
            self._leave(work)
        self._remember(key, ends)
        self._unwritten.append((key, ends))
        if len(self._leases) > 2 * len(self._work) + IDLE_LEASES:
            self._throw_out()
        return work is not None

    def _leave(self, work: Work) -> None:
        gauge = self._gauge.children.get((work.agent_id,))
        if gauge is not None:
            gauge.value -= 1
            if not gauge.moved:
                gauge.move()
        self._tables.flights.drop(work.number)

    def _remember(self, key: Key, ends: float) -> None:
        known = hash(key)
        self._finished[known] = ends
        self._finished.move_to_end(known)
        if len(self._finished) > MAX_FINISHED:
            self._finished.popitem(last=False)

    def write(self) -> None:
        """Put what finished since the last commit into one row: a row each would cost more than all the counting."""
        if self._unwritten:
            lines = "\n".join(_SEPARATOR.join((*key, repr(ends))) for key, ends in self._unwritten)
            number = self._tables.finished.add((self._kind, lines))
            self._written.append(_Written(number, max(ends for _, ends in self._unwritten), len(self._unwritten)))

    def written(self) -> None:
        """Begin to collect for the next row: this one is durable, or there is no store."""
        self._unwritten.clear()

    def _throw_out(self) -> None:
        """Drop leases of what has finished: they may be a week long, and a busy fleet makes millions in that time."""
        self._leases = [lease for lease in self._leases if self._holds(lease[0], lease[2])]
        heapq.heapify(self._leases)

    def _holds(self, ends: float, key: Key) -> bool:
        """Whether this lease is that of something in flight."""
        work = self._work.get(key)
        return work is not None and work.ends == ends

    def expire(self, now: float) -> Iterator[Work]:
        """Let go, and yield, everything whose lease is over; it is remembered no longer."""
        while self._leases and self._leases[0][0] <= now:
            ends, _, key = heapq.heappop(self._leases)
            if self._holds(ends, key):
                work = self._work.pop(key)
                self._leave(work)
                yield work
        while self._finished and next(iter(self._finished.values())) <= now:
            self._finished.popitem(last=False)
        kept = sum(row.size for row in self._written)
        while self._written and (self._written[0].ends <= now or kept - self._written[0].size >= MAX_FINISHED):
            gone = self._written.popleft()
            kept -= gone.size
            self._tables.finished.drop(gone.number)

    def oldest(self) -> dict[str, float]:
        """Answer when the oldest task of each stage started."""
        found: dict[str, float] = {}
        for work in self._work.values():
            if work.stage is not None:
                found[work.stage] = min(work.started, found.get(work.stage, work.started))
        return found

    def restore_flight(self, number: int, row: Row) -> None:
        """Take back what was in flight."""
        _, key, agent_id, stage, started, ends = row
        work = Work(started, ends, agent_id, stage, number)
        self._take(tuple(key.split(_SEPARATOR)), work, self._gauge.child((agent_id,)))

    def restore_finish(self, number: int, row: Row) -> None:
        """Take back what finished."""
        lines = row[1].split("\n")
        latest = 0.0
        for line in lines:
            *key, ends = line.split(_SEPARATOR)
            self._remember(tuple(key), float(ends))
            latest = max(latest, float(ends))
        self._written.append(_Written(number, latest, len(lines)))
