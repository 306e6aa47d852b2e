"""Faults 12 and 32 to 35: the exporter is away, frozen, cut off, besieged, or out of file descriptors."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.chaos.judging import must_hold
from tests.support.chaos.moments import run_for
from tests.support.chaos.process import Exporter, exporter
from tests.support.chaos.reading import get, scrape
from tests.support.chaos.senders import driven, fleet_of
from tests.support.chaos.swallower import swallowing
from tests.support.chaos.watcher import watched
from tests.support.eventually import eventually


@pytest.fixture
def one(tmp_path: Path) -> Iterator[Exporter]:
    """Answer a running exporter."""
    with exporter(tmp_path) as found:
        yield found


def test_fault_12_while_the_exporter_is_down_outboxes_grow_to_their_cap_and_drain(one: Exporter) -> None:
    """Agents work on while nobody answers; past the cap the oldest go, are told of, and the rest counts once."""
    fleet = fleet_of(one.port, numbered=6, with_ids=2, size=5, pace=0.02, most=50)
    with watched(one.port) as watcher, driven(fleet):
        run_for(0.5)
        one.kill()

        def overflowing() -> None:
            assert all(sender.box.waiting >= 50 for sender in fleet.senders), "expected full outboxes"

        eventually(overflowing, within=60)
        run_for(0.5)
        assert all(sender.box.waiting <= 51 for sender in fleet.senders)
        one.start()
        must_hold(fleet, watcher)
    told = scrape(one.port).samples({"eddie_client_dropped_events_total"})
    assert len(told) == 6, "expected every numbered sender to tell what it dropped"
    assert scrape(one.port).total("eddie_lost_batches_total") == 0


def test_fault_32_a_frozen_exporter_is_seen_and_everything_counts_once(one: Exporter) -> None:
    """While the process stands still health does not answer; requests that were given up count once all the same."""
    fleet = fleet_of(one.port, timeout=0.5)
    with watched(one.port) as watcher, driven(fleet):
        for _ in range(2):
            run_for(0.3)
            os.kill(one.pid, signal.SIGSTOP)
            with pytest.raises(OSError, match="timed out"):
                get(one.port, "/health/ready", timeout=1)
            run_for(1)
            os.kill(one.pid, signal.SIGCONT)
            eventually(lambda: get(one.port, "/health/ready"), within=60)
        must_hold(fleet, watcher)
    assert fleet.ledger.duplicates > 0, "expected requests that were given up and had been counted"


def test_fault_33_two_hundred_agents_with_full_outboxes_come_at_once(tmp_path: Path) -> None:
    """What was held back while the exporter was away arrives in one rush, is spread by refusals, and counts once."""
    one = Exporter(tmp_path, EDDIE_QUEUE_REQUESTS="50")
    fleet = fleet_of(one.port, numbered=200, with_ids=0, size=20, pace=3600)
    for sender in fleet.senders:
        sender.made = 1
        for _ in range(20):
            sender.box.put(sender.traffic.batch(20))
    try:
        with driven(fleet):
            run_for(0.3)
            one.start()
            with watched(one.port) as watcher:
                must_hold(fleet, watcher)
    finally:
        one.kill()
    assert fleet.ledger.total() == 200 * 20 * 20


def test_fault_34_a_partition_is_survived(one: Exporter) -> None:
    """Packets vanish for a while, without a word: senders time out, hold what they have, and bring it home later."""
    with swallowing(one.port, share=0) as way, watched(one.port) as watcher:  # noqa: SIM117  (needs port)
        with driven(fleet_of(way.port, size=5, pace=0.02, timeout=0.5)) as fleet:
            run_for(0.5)
            way.silent = True
            run_for(3)
            assert max(sender.box.waiting for sender in fleet.senders) > 50, "expected outboxes that fill"
            way.silent = False
            fleet.drain()
            fleet.port = one.port
            must_hold(fleet, watcher)


def test_fault_35_without_file_descriptors_it_recovers_alone(tmp_path: Path) -> None:
    """Idle connections take every descriptor there is; when they are gone events flow, and count once."""
    if shutil.which("prlimit") is None:
        pytest.skip("no prlimit on this machine (package util-linux)")
    with exporter(tmp_path, EDDIE_HEADER_SECONDS="120") as one:
        # Lowered while it runs: a limit that it finds at its start it keeps its distance from.
        subprocess.run(("prlimit", "--pid", str(one.pid), "--nofile=96:96"), check=True)
        fleet = fleet_of(one.port, numbered=6, with_ids=2, timeout=1)
        with driven(fleet):
            run_for(0.3)
            with contextlib.ExitStack() as idle:
                for _ in range(150):
                    idle.enter_context(socket.create_connection(("127.0.0.1", one.port), timeout=5))

                def exhausted() -> None:
                    assert len(list(Path(f"/proc/{one.pid}/fd").iterdir())) >= 94

                eventually(exhausted, within=60)
                run_for(1)
            must_hold(fleet)
        assert one.process is not None
        assert one.process.poll() is None, one.said()
