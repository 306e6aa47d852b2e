"""A store with its collector and writer in this process, to be closed, dropped as if killed, and opened again."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.support.collectors import Clock

from eddie_exporter.batch import Batch, Envelope, Taken
from eddie_exporter.decode import build
from eddie_exporter.errors import StoreError
from eddie_exporter.exposition import OPENMETRICS, render
from eddie_exporter.journal import Journal
from eddie_exporter.metrics import MetricsCollector
from eddie_exporter.settings import Settings
from eddie_exporter.writer import Writer
from eddie_metrics.events import Event

UNSTEADY = (
    "eddie_collection_seconds",
    "eddie_commit_seconds",
    "eddie_clock_seconds",
    "eddie_store_bytes",
    "eddie_dedup_window_seconds",
    "eddie_oldest_inflight_seconds",
    "eddie_series_used",
    "eddie_ready",
    "eddie_late_oldest_timestamp_seconds",
    "eddie_late_newest_timestamp_seconds",
)
"""What differs from look to look without any event, or is not in the store."""


def event(kind: str, **fields: Any) -> Event:
    """Make a decoded event."""
    return build(kind, fields)


def timeout(agent_id: str = "a1", reason: str = "deadline", **fields: Any) -> Event:
    """Make a timeout."""
    return event("timeout", agent_id=agent_id, reason=reason, **fields)


def envelope(seq: int, *, producer: str = "p", epoch: int = 1, content: bytes = b"", **rest: Any) -> Envelope:
    """Make a batch's identity; ``content`` stands for its bytes."""
    return Envelope(producer, epoch, seq, content or b"%d" % seq, **rest)


class Kept:
    """An exporter's inside over a store; its writer works in the caller's thread."""

    def __init__(self, folder: Path, clock: Clock, **settings: Any) -> None:
        self.clock = clock
        # No fsync: what survives a power cut is proven by cutting the power, in tests/chaos.
        self.settings = Settings(data_dir=folder, **{"durability": "process", **settings})
        self.collector = MetricsCollector(self.settings, clock=clock)
        self.journal = Journal.of(self.settings)
        self.failures: list[StoreError] = []
        self.writer = Writer(self.collector, self.journal, self.settings, self.failures.append)

    def submit(self, events: Sequence[Event], **rest: Any) -> Taken:
        """Submit a batch and wait for its answer. Raises RefusalError."""

        async def submitted() -> Taken:
            return await self.writer.submit(Batch(events, 100, **rest))

        return asyncio.run(submitted())

    def tick(self) -> None:
        """Do the housekeeping that is due, leases included."""
        self.collector.tidy()
        self.writer.tick(last=True)

    def total(self, sample: str, **labels: str) -> float:
        """Answer the sum of a sample's series with these labels, as a scrape shows it."""
        return sum(
            one.value
            for family in self.collector.families(openmetrics=True)
            for one in family.samples
            if one.name == sample and labels.items() <= one.labels.items()
        )

    def shown(self) -> set[str]:
        """Answer every line of a scrape but those that differ from look to look."""
        lines = render(self.collector, OPENMETRICS).decode().splitlines()
        return {line for line in lines if not line.startswith(("#", *UNSTEADY))}

    def killed(self) -> None:
        """End as by SIGKILL: what was not committed is gone."""
        assert self.journal is not None
        self.journal.close()

    def again(self, **settings: Any) -> Kept:
        """End as by SIGKILL, and start anew on the same store."""
        self.killed()
        return Kept(self.journal.folder if self.journal else Path(), self.clock, **settings)
