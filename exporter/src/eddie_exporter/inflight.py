"""Station *count*: work in flight is a set of ids, never ``inc`` and ``dec``: no lost or doubled message bends it.

A start adds its id, the matching finish removes it, a lease ends what never finishes. A finish is remembered
for the lease's time, so that a start which arrives after it adds nothing. Not thread-safe by itself.
"""

from __future__ import annotations

import heapq
from collections import OrderedDict
from collections.abc import Hashable, Iterator
from dataclasses import dataclass

from eddie_exporter.store import Child
from eddie_metrics.events import DEFAULT_LEASE_SECONDS

MAX_STARTED = 100_000
"""Ids in flight at once; a start past it adds nothing."""
MAX_FINISHED = 200_000
"""Finishes remembered, as 64-bit hashes (about 100 bytes each); past it the oldest is forgotten."""
IDLE_LEASES = 1_000
"""Leases of what has finished that may wait beside as many again as there is work; past it they are thrown out."""


@dataclass(slots=True)
class Work:
    """One thing in flight: since when, until when, whose gauge it counts in, and a task's stage."""

    started: float
    ends: float
    gauge: Child
    stage: str | None


class InFlight:
    """The ids of what was started and has neither finished nor outlived its lease."""

    def __init__(self) -> None:
        """Begin with nothing in flight."""
        self._work: dict[Hashable, Work] = {}
        self._leases: list[tuple[float, int, Hashable]] = []
        self._finished: OrderedDict[int, float] = OrderedDict()
        self._number = 0

    def __len__(self) -> int:
        """Answer how many are in flight."""
        return len(self._work)

    def expects(self, key: Hashable, now: float) -> bool:
        """Whether a start of ``key`` would add something: not in flight, not finished, and there is place."""
        if key in self._work or len(self._work) >= MAX_STARTED:
            return False
        return self._finished.get(hash(key), 0.0) <= now

    def start(self, key: Hashable, gauge: Child, now: float, lease: float | None, stage: str | None = None) -> None:
        """Take ``key`` in (ask ``expects`` first) and move its agent's gauge; ``lease`` in seconds."""
        ends = now + (DEFAULT_LEASE_SECONDS if lease is None else lease)
        self._work[key] = Work(now, ends, gauge, stage)
        self._number += 1
        heapq.heappush(self._leases, (ends, self._number, key))
        gauge.value += 1

    def finish(self, key: Hashable, now: float) -> None:
        """Let ``key`` go; without its start nothing moves, and a start that comes later will add nothing."""
        work = self._work.pop(key, None)
        lease = DEFAULT_LEASE_SECONDS if work is None else work.ends - work.started
        if work is not None:
            work.gauge.value -= 1
        self._finished[hash(key)] = now + lease
        self._finished.move_to_end(hash(key))
        while len(self._finished) > MAX_FINISHED:
            self._finished.popitem(last=False)
        if len(self._leases) > 2 * len(self._work) + IDLE_LEASES:
            self._throw_out()

    def _throw_out(self) -> None:
        """Drop leases of what has finished: they may be a week long, and a busy fleet makes millions in that time."""
        self._leases = [lease for lease in self._leases if self._holds(lease[0], lease[2])]
        heapq.heapify(self._leases)

    def _holds(self, ends: float, key: Hashable) -> bool:
        """Whether this lease is that of something in flight."""
        work = self._work.get(key)
        return work is not None and work.ends == ends

    def expire(self, now: float) -> Iterator[Work]:
        """Let go, and yield, everything whose lease is over; it is remembered no longer."""
        while self._leases and self._leases[0][0] <= now:
            ends, _, key = heapq.heappop(self._leases)
            if self._holds(ends, key):
                work = self._work.pop(key)
                work.gauge.value -= 1
                yield work
        while self._finished:
            oldest = next(iter(self._finished.values()))
            if oldest > now:
                break
            self._finished.popitem(last=False)

    def oldest(self) -> dict[str, float]:
        """Answer when the oldest task of each stage started."""
        found: dict[str, float] = {}
        for work in self._work.values():
            if work.stage is not None:
                found[work.stage] = min(work.started, found.get(work.stage, work.started))
        return found
