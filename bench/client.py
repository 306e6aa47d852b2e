"""What a record call costs the agent that makes it, against the counters of two other libraries."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from bench.table import Goal, row
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from prometheus_client import CollectorRegistry, Counter

from eddie_metrics import Client

CALLS = 5000
ROUNDS = 9
GOAL = Goal("<=", 5.0, of="ours")
AWAY = "http://127.0.0.1:9"
"""Nobody listens there: what is measured is the call, not the exporter."""


def median_of(call: Callable[[], object]) -> float:
    """Answer the median of single calls, in microseconds, the clock's own cost taken off."""
    clock = time.perf_counter_ns
    spent = []
    for _ in range(CALLS):
        began = clock()
        call()
        spent.append(clock() - began)
    empty = []
    for _ in range(CALLS):
        began = clock()
        empty.append(clock() - began)
    return (statistics.median(spent) - statistics.median(empty)) / 1e3


def compare(name: str, ours: Callable[[], object], peers: dict[str, Callable[[], object]]) -> None:
    """Print a row for each peer, all measured in turn."""
    rounds = [(median_of(ours), [median_of(peer) for peer in peers.values()]) for _ in range(ROUNDS)]
    mine = statistics.median(own for own, _ in rounds)
    for place, peer in enumerate(peers):
        other = statistics.median(others[place] for _, others in rounds)
        ratio = statistics.median(own / others[place] for own, others in rounds)
        row(name, mine, other, peer, ratio=ratio, goal=GOAL)


def chunks(client: Client) -> Callable[[], None]:
    """Answer a call that records the end of a chunk, another one each time."""
    ids = iter([f"chunk-{number}" for number in range(ROUNDS * CALLS)])  # an agent has its id before it records
    return lambda: client.record_chunk_execution(seconds=1.5, chunk_id=next(ids), task_id="t1")


def rows() -> None:
    """Print all rows of this part."""
    counter = Counter("timeouts", "Timeouts.", ["agent_id", "reason"], registry=CollectorRegistry())
    provider = MeterProvider(metric_readers=[InMemoryMetricReader()])
    instrument = provider.get_meter("bench").create_counter("timeouts")
    peers: dict[str, Callable[[], object]] = {
        "prometheus_client labels().inc()": lambda: counter.labels("a1", "deadline").inc(),
        "opentelemetry-sdk counter.add()": lambda: instrument.add(1, {"agent_id": "a1", "reason": "deadline"}),
    }
    with tempfile.TemporaryDirectory() as folder:
        for place, outbox in (("memory", None), ("outbox", Path(folder))):
            client = Client(AWAY, agent_id="a1", outbox=outbox)
            compare(f"record_timeout, {place} (µs, median)", partial(client.record_timeout, reason="deadline"), peers)
            compare(f"record_chunk_execution, {place} (µs, median)", chunks(client), peers)
            client.close(0)
    provider.shutdown()
