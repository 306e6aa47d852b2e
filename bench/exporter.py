"""What an event and a scrape cost the exporter, against the library it is built on."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable

import psutil
from bench.table import row
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest

from eddie_exporter.exposition import OPENMETRICS, TEXT, render
from eddie_exporter.metrics import MetricsCollector
from eddie_exporter.settings import DEFAULT_BUCKETS, Settings

AGENTS = 1000
ROUNDS = 7


def seconds(work: Callable[[], object]) -> float:
    """Answer how long ``work`` takes, in seconds of this process's CPU: other processes on the machine do not count."""
    gc.collect()
    before = time.process_time()
    work()
    return time.process_time() - before


def compare(name: str, ours: Callable[[], object], peer: Callable[[], object], each: int, peer_name: str) -> None:
    """Print one row: ours and the peer's median cost of one operation (``each`` a round), and the median ratio."""
    ours()
    peer()
    pairs = [(seconds(ours), seconds(peer)) for _ in range(ROUNDS)]
    mine, other = (statistics.median(column) / each * 1e6 for column in zip(*pairs, strict=True))
    ratio = statistics.median(left / right for left, right in pairs)
    row(name, mine, other, peer_name, ratio=ratio)


def recording() -> None:
    """One ``record_timeout`` in process against one ``labels().inc()`` of the library."""
    collector = MetricsCollector(Settings())
    counter = Counter("timeouts", "Timeouts.", ["agent_id", "reason"], registry=CollectorRegistry())

    def ours() -> None:
        for _ in range(5000):
            collector.record_timeout(agent_id="a1", reason="deadline")

    def peer() -> None:
        for _ in range(5000):
            counter.labels("a1", "deadline").inc()

    compare("record_timeout, in process (µs)", ours, peer, 5000, "prometheus_client labels().inc()")


def scraping() -> None:
    """One scrape of 1000 agents against the library over the same histogram and counter."""
    collector = MetricsCollector(Settings())
    registry = CollectorRegistry()
    histogram = Histogram("chunk_execution_seconds", "s", ["agent_id"], registry=registry, buckets=DEFAULT_BUCKETS)
    counter = Counter("agent_tasks_executed_total", "n", ["agent_id"], registry=registry)
    for number in range(AGENTS):
        collector.record_chunk_execution(agent_id=f"agent-{number:04}", seconds=number / 10)
        histogram.labels(f"agent-{number:04}").observe(number / 10)
        counter.labels(f"agent-{number:04}").inc()
    for fmt, name in ((TEXT, "text 0.0.4"), (OPENMETRICS, "OpenMetrics")):
        compare(
            f"scrape of {AGENTS} agents, {name} (µs)",
            lambda fmt=fmt: render(collector, fmt),  # type: ignore[misc]
            lambda: generate_latest(registry),
            1,
            "prometheus_client generate_latest",
        )


def memory() -> None:
    """Resident memory while 800 000 chunks end: what is remembered of them is bounded, so it levels off."""
    collector = MetricsCollector(Settings())
    process = psutil.Process()
    sizes = []
    for batch in range(8):
        for number in range(100_000):
            collector.record_chunk_execution(agent_id=f"a{number % 100}", seconds=1, chunk_id=f"c{batch}-{number}")
        collector.tidy()
        gc.collect()
        sizes.append(process.memory_info().rss / 2**20)
    grown = " ".join(f"{size:.0f}" for size in sizes)
    print(f"resident MiB after each 100 000 events: {grown}; last / half-way = {sizes[7] / sizes[3]:.2f}")


def rows() -> None:
    """Print the exporter's rows."""
    recording()
    scraping()
    memory()
