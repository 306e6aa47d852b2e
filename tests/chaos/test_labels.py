"""Faults 20 and 40: a sender invents a label value per event, or puts addresses into events."""

from __future__ import annotations

import http.client
import json
import time
from pathlib import Path

import pytest
from tests.support.chaos.process import Exporter, exporter
from tests.support.chaos.reading import get, scrape
from tests.support.chaos.single import post, sealed
from tests.support.chaos.tracing import injected, needs_strace
from tests.support.chaos.traffic import Event
from tests.support.eventually import eventually

BATCHES, SIZE = 100, 10_000


def invented(number: int) -> list[Event]:
    """Make events of which each names another agent: half timeouts, half chunks."""
    start = number * SIZE
    return [
        {"kind": "timeout", "agent_id": f"random-{one:09}", "reason": "deadline"}
        if one % 2
        else {"kind": "chunk-execution", "agent_id": f"random-{one:09}", "seconds": 1.5}
        for one in range(start, start + SIZE)
    ]


def _seconds(one: Exporter) -> float:
    """Answer what a scrape takes."""
    began = time.monotonic()
    assert get(one.port, "/metrics/prometheus")[0] == 200
    return time.monotonic() - began


def megabytes(one: Exporter, field: str = "VmHWM") -> float:
    """Answer the most memory the process ever held."""
    for line in Path(f"/proc/{one.pid}/status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) / 1024
    raise AssertionError(f"expected {field} in the process's status")


@pytest.mark.parametrize(
    ("agents", "batches", "most"),
    [pytest.param(1000, BATCHES, 128, id="cap-1000"), pytest.param(10_000, BATCHES // 4, 300, id="default")],
)
def test_fault_20_a_label_value_per_event_is_bounded_and_sums_stay_exact(
    tmp_path: Path, agents: int, batches: int, most: int
) -> None:
    """Series stay below the cap, the rest is in `__overflow__`, sums are exact, memory and scrapes bounded."""
    with exporter(tmp_path, EDDIE_MAX_AGENTS=str(agents)) as one:
        for number in range(batches):
            assert post(one.port, sealed("inventive", 1, number + 1, invented(number))).status == 202
        seen = scrape(one.port)
        took = min(_seconds(one) for _ in range(3))
        half = batches * SIZE // 2
        assert seen.total("timeout_events_total") == half
        assert seen.total("chunk_execution_seconds_count") == half
        assert seen.total("chunk_execution_seconds_sum") == half * 1.5
        for name in ("timeout_events_total", "chunk_execution_seconds_count", "agent_tasks_executed_total"):
            own = seen.samples({name})
            assert len(own) <= agents + 1, f"{name} has {len(own)} series"
        placed = len(seen.samples({"timeout_events_total"})) - 1
        overflow = seen.values['eddie_series_overflow_total{family="timeout_events_total"}']
        assert overflow == half - placed, f"{overflow} of {half} events overflowed, {placed} series have their own"
        assert len(seen.values) < 200_000 + 5000
        assert took < 1, f"a scrape took {took:.2f} s"
        assert (found := megabytes(one)) < most, f"{found:.0f} MB"


def test_fault_20_the_cap_holds_after_a_restart(tmp_path: Path) -> None:
    """A restart makes no room for new values, and keeps the old ones theirs."""
    with exporter(tmp_path, EDDIE_MAX_AGENTS="100") as one:
        assert post(one.port, sealed("inventive", 1, 1, invented(0))).status == 202
        before = scrape(one.port).samples({"timeout_events_total"})
        one.kill()
        one.start()
        assert scrape(one.port).samples({"timeout_events_total"}) == before
        assert post(one.port, sealed("inventive", 1, 2, invented(1))).status == 202
        after = scrape(one.port).samples({"timeout_events_total"})
        assert set(after) == set(before)
        assert sum(after.values()) == SIZE


def test_fault_40_addresses_in_events_are_text(tmp_path: Path) -> None:
    """An event full of addresses, in every field that takes text, opens no connection to anywhere."""
    needs_strace()
    address = "http://127.0.0.1:9/latest/meta-data?${jndi:ldap://127.0.0.1:9/a}"
    texts = {"agent_id": address, "reason": address, "stage": address, "task_id": address}
    events: list[Event] = [
        {"kind": "timeout", **texts},
        {"kind": "agent-hello", "agent_id": address, "language": address, "version": address, "stages": [address]},
        {"kind": "docker-resource-allocation", "container_id": address, "cpu_limit": 1, "agent_id": address},
    ]
    with exporter(tmp_path) as one:
        with injected(one.pid, tmp_path / "calls", "trace=connect,execve") as calls:
            assert post(one.port, sealed(address, 1, 1, events)).status == 202
            for path in ("/metrics/prometheus", "/metrics/summary", "/", "/health"):
                link = http.client.HTTPConnection("127.0.0.1", one.port, timeout=10)
                link.request("GET", path)
                assert link.getresponse().read()
                link.close()
            assert json.dumps(address)[1:-1] in str(scrape(one.port).values)
        eventually(lambda: _ended(calls), within=60)
        made = [line for line in calls.read_text().splitlines() if "connect(" in line or "execve(" in line]
        assert made == []


def _ended(calls: Path) -> None:
    assert calls.exists(), "expected strace's log"
