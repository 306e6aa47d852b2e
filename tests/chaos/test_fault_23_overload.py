"""Fault 23: four hundred clients, a queue of fifty."""

from __future__ import annotations

import time
from pathlib import Path

from tests.support.chaos.judging import must_hold
from tests.support.chaos.moments import run_for
from tests.support.chaos.process import Exporter, exporter
from tests.support.chaos.reading import get, scrape
from tests.support.chaos.senders import driven, fleet_of
from tests.support.chaos.watcher import watched
from tests.support.eventually import eventually

REFUSED = 'eddie_events_rejected_total{reason="overloaded"}'


def peak(one: Exporter) -> float:
    """Answer the most memory the process ever held, in MiB."""
    for line in Path(f"/proc/{one.pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise AssertionError("expected VmHWM in the process's status")


def test_fault_23_past_the_queue_senders_are_told_to_come_again(tmp_path: Path) -> None:
    """Some are refused with 503, nobody's acknowledged event is lost or doubled, and memory and scrapes stay small."""
    with exporter(tmp_path, EDDIE_QUEUE_REQUESTS="50") as one:
        fleet = fleet_of(one.port, numbered=380, with_ids=20, timeout=20)
        with watched(one.port) as watcher, driven(fleet):

            def overloaded() -> None:
                assert scrape(one.port).values[REFUSED] > 0

            eventually(overloaded, within=60)
            began = time.monotonic()
            assert get(one.port, "/metrics/prometheus")[0] == 200
            assert time.monotonic() - began < 2
            assert get(one.port, "/health/live")[0] == 200
            run_for(1)
            must_hold(fleet, watcher)
        assert peak(one) < 300
        assert [line for line in one.said().splitlines() if '"error"' in line] == []


def test_fault_23_a_queue_that_is_long_enough_refuses_nobody(tmp_path: Path) -> None:
    """Negative twin: with the queue as it is shipped, sixty clients are never told to wait."""
    with exporter(tmp_path) as one:
        fleet = fleet_of(one.port, numbered=50, with_ids=10, timeout=20)
        with driven(fleet):
            run_for(1)
            must_hold(fleet)
        assert scrape(one.port).values[REFUSED] == 0
