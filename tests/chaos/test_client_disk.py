"""Fault 14: the disk under an agent's outbox is full."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.chaos.disks import disk, fill
from tests.support.chaos.process import Exporter, exporter
from tests.support.chaos.reading import scrape
from tests.support.eventually import eventually

from eddie_metrics import Client

SMALL = 24 * 2**20
SLOWEST_RECORD = 1.0
"""Seconds; a record call on a full disk has no reason to wait at all, a busy machine has."""


@pytest.fixture
def one(tmp_path: Path) -> Iterator[Exporter]:
    """Answer a running exporter."""
    with exporter(tmp_path) as found:
        yield found


def record(client: Client, count: int) -> float:
    """Record, and answer the longest that a call took, in seconds."""
    worst = 0.0
    for number in range(count):
        began = time.perf_counter()
        client.record_timeout(reason="deadline", task_id=f"task-{number}")
        worst = max(worst, time.perf_counter() - began)
    return worst


def test_fault_14_on_a_full_disk_the_agent_works_on_and_what_it_drops_is_counted(one: Exporter, tmp_path: Path) -> None:
    """Record calls return at once; with room again everything that was not dropped counts once, and drops are told."""
    with (
        disk(tmp_path, "ext4", SMALL) as small,
        Client(f"http://127.0.0.1:{one.port}", agent_id="a", outbox=small.place / "outbox") as client,
    ):
        record(client, 100)
        assert client.flush(20)
        ballast = fill(small.place)
        assert record(client, 5000) < SLOWEST_RECORD
        dropped = client.dropped()
        assert set(dropped) == {"disk-full"}
        ballast.unlink()
        record(client, 100)
        eventually(lambda: _flushed(client), within=60)
        assert client.dropped() == dropped
        counted = scrape(one.port).total("timeout_events_total")
        assert counted + dropped["disk-full"] == 5200
        eventually(lambda: _told(one, dropped["disk-full"]), within=20)
        client.close()


def test_fault_14_with_room_nothing_is_dropped(one: Exporter, tmp_path: Path) -> None:
    """The same agent on the same disk, not filled."""
    with disk(tmp_path, "ext4", SMALL) as small:
        client = Client(f"http://127.0.0.1:{one.port}", agent_id="a", outbox=small.place / "outbox")
        record(client, 5200)
        eventually(lambda: _flushed(client), within=60)
        assert client.dropped() == {}
        assert scrape(one.port).total("timeout_events_total") == 5200
        client.close()


def _flushed(client: Client) -> None:
    assert client.flush(2), f"expected everything to be answered, {client.waiting} wait"


def _told(one: Exporter, expected: int) -> None:
    assert scrape(one.port).total("eddie_client_dropped_events_total") == expected
