"""What an event and a scrape cost the exporter, against the library it is built on."""

from __future__ import annotations

import gc
import statistics
import time
import tracemalloc
from collections.abc import Callable
from typing import Any

import psutil
from bench.table import Goal, row
from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.exposition import generate_latest as text_latest
from prometheus_client.openmetrics.exposition import generate_latest as openmetrics_latest

from eddie_exporter.exposition import OPENMETRICS, TEXT, render
from eddie_exporter.metrics import MetricsCollector
from eddie_exporter.settings import DEFAULT_BUCKETS, Settings

AGENTS = (1000, 10_000)
ROUNDS = 7
SCRAPES = 5


def seconds(work: Callable[[], object]) -> float:
    """Answer how long ``work`` takes, in seconds of this process's CPU: other processes on the machine do not count."""
    gc.collect()
    before = time.process_time()
    work()
    return time.process_time() - before


def compare(
    name: str, ours: Callable[[], object], peer: Callable[[], object], each: int, peer_name: str, *, goal: Goal
) -> None:
    """Print one row: ours and the peer's median cost of one operation (``each`` a round), and the median ratio."""
    ours()
    peer()
    pairs = [(seconds(ours), seconds(peer)) for _ in range(ROUNDS)]
    mine, other = (statistics.median(column) / each * 1e6 for column in zip(*pairs, strict=True))
    ratio = statistics.median(left / right for left, right in pairs)
    row(name, mine, other, peer_name, ratio=ratio, goal=goal)


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

    name = "record_timeout, in process (µs)"
    compare(name, ours, peer, 5000, "prometheus_client labels().inc()", goal=Goal("<=", 1))


class Fleet:
    """Agents that each end chunks, counted by us and, in the same histogram and counter, by the library."""

    def __init__(self, agents: int) -> None:
        """Let each end one."""
        self.collector = MetricsCollector(Settings(max_agents=agents, max_samples=100 * agents))
        self.registry = CollectorRegistry()
        self._agents = [f"agent-{number:05}" for number in range(agents)]
        self._rounds = 0
        options: dict[str, Any] = {"labelnames": ["agent_id"], "registry": self.registry}
        self._histogram = Histogram("chunk_execution_seconds", "s", buckets=DEFAULT_BUCKETS, **options)
        self._counter = Counter("agent_tasks_executed_total", "n", **options)
        self.move()

    def move(self) -> None:
        """Let every series change: a renderer that keeps what it wrote last gains nothing."""
        self._rounds += 1
        for number, agent in enumerate(self._agents):
            seconds = number * self._rounds / 7 % 4000
            self.collector.record_chunk_execution(agent_id=agent, seconds=seconds)
            self._histogram.labels(agent).observe(seconds)
            self._counter.labels(agent).inc()


def scraping() -> None:
    """One scrape against the library over the same histogram and counter; the ratio says how many times faster."""
    for agents in AGENTS:
        fleet = Fleet(agents)
        for fmt, name, latest in (
            (TEXT, "text 0.0.4", text_latest),
            (OPENMETRICS, "OpenMetrics", openmetrics_latest),
        ):
            pairs = []
            for _ in range(SCRAPES):
                fleet.move()
                pairs.append((seconds(lambda: render(fleet.collector, fmt)), seconds(lambda: latest(fleet.registry))))  # noqa: B023
            ours, peer = (statistics.median(column) * 1e3 for column in zip(*pairs, strict=True))
            ratio = statistics.median(other / mine for mine, other in pairs)
            row(
                f"scrape of {agents} agents, {name} (ms; times faster)",
                ours,
                peer,
                f"prometheus_client generate_latest, {name}",
                ratio=ratio,
                goal=Goal(">=", 10),
            )


def series() -> None:
    """Bytes that a fleet takes in memory after its first scrape, by series of it in Prometheus."""
    gc.collect()
    tracemalloc.start()
    collector = MetricsCollector(Settings(max_samples=1_000_000))
    for number in range(AGENTS[0]):
        agent = f"agent-{number:05}"
        collector.record_agent_hello(agent_id=agent, reasons=["deadline", "stalled"], language="python", version="1.2")
        collector.record_chunk_execution(agent_id=agent, seconds=number / 7, chunk_id=f"chunk-{number}")
        collector.record_timeout(agent_id=agent, reason="deadline")
    number = sum(not line.startswith(b"#") for line in render(collector, TEXT).splitlines())
    gc.collect()
    taken, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    row("memory of a fleet of 1000, bytes per series", taken / number, goal=Goal("<=", 1024, of="ours"))


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
    series()
    memory()
