"""Faults 15 to 19: the disk is full, refuses, is slow, or holds something torn or spoilt."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.chaos import store
from tests.support.chaos.disks import Disk, disk, fill
from tests.support.chaos.judging import must_hold, quantile
from tests.support.chaos.moments import run_for
from tests.support.chaos.process import EXPORTER, Exporter, exporter
from tests.support.chaos.reading import Scrape, scrape
from tests.support.chaos.senders import Fleet, driven, fleet_of
from tests.support.chaos.single import post, sealed, timeouts
from tests.support.chaos.tracing import injected, needs_strace
from tests.support.chaos.watcher import watched
from tests.support.eventually import eventually

SMALL = 24 * 2**20


@pytest.fixture
def one(tmp_path: Path) -> Iterator[Exporter]:
    """Answer a running exporter."""
    with exporter(tmp_path) as found:
        yield found


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Disk]:
    """Answer a small disk."""
    with disk(tmp_path, "ext4", SMALL) as found:
        yield found


def refused(fleet: Fleet) -> None:
    """Check that every sender was told that the disk is full."""
    assert fleet.ledger.answers["507"] > len(fleet.senders), f"expected refusals, got {fleet.ledger.answers}"


def test_fault_15_a_full_disk_refuses_and_serves_and_is_exact_when_space_returns(small: Disk, tmp_path: Path) -> None:
    """With no byte left events are refused with 507 and scrapes go on; when there is space all is counted once."""
    with exporter(tmp_path, small.place / "data") as one:
        ballast = fill(small.place)
        with watched(one.port) as watcher, driven(fleet_of(one.port)) as fleet:
            eventually(lambda: refused(fleet), within=60)
            assert scrape(one.port).total("eddie_events_accepted_total") == fleet.ledger.total()
            reply = post(one.port, sealed("late", 1, 1, timeouts(1)))
            assert (reply.status, reply.json()["error"], (reply.retry_after or 0) > 0) == (507, "disk-full", True)
            ballast.unlink()
            eventually(lambda: _counts(fleet, 1000), within=60)
            must_hold(fleet, watcher)
        assert one.process is not None
        assert one.process.poll() is None


def test_fault_16_killed_while_the_disk_is_full_it_starts_and_serves(small: Disk, tmp_path: Path) -> None:
    """A restart needs no space: what was counted is shown, events are refused; when there is space all is exact."""
    with exporter(tmp_path, small.place / "data") as one:  # noqa: SIM117  (needs port)
        with watched(one.port) as watcher, driven(fleet_of(one.port)) as fleet:
            eventually(lambda: _counts(fleet, 1000), within=60)
            ballast = fill(small.place)
            eventually(lambda: refused(fleet), within=60)
            for _ in range(3):
                one.kill()
                one.spawn()
                shown = eventually(lambda: _scraped(one), within=60).total("eddie_events_accepted_total")
                assert shown >= fleet.ledger.total()
            ballast.unlink()
            before = fleet.ledger.total()
            eventually(lambda: _counts(fleet, before + 1000), within=60)
            must_hold(fleet, watcher)


def _scraped(one: Exporter) -> Scrape:
    assert one.process is not None
    if one.process.poll() is not None:
        raise RuntimeError(f"expected it to serve, got exit {one.process.returncode}: {one.said()[-2000:]}")
    return scrape(one.port)


def _counts(fleet: Fleet, least: int) -> None:
    assert fleet.ledger.total() >= least, f"expected a flow, got {fleet.ledger.answers}"


@pytest.mark.parametrize("call", ["fdatasync,fsync", "pwrite64"])
def test_fault_17_an_io_error_ends_the_exporter_and_a_restart_is_exact(
    one: Exporter, tmp_path: Path, call: str
) -> None:
    """What the disk may not have is never acknowledged: exit 70, and after the restart everything counts once."""
    needs_strace()
    with watched(one.port) as watcher, driven(fleet_of(one.port)) as fleet:
        with injected(one.pid, tmp_path / "calls", f"trace={call}", f"inject={call}:error=EIO:when=20+"):
            assert one.exit_code(within=60) == 70, one.said()
        one.start()
        must_hold(fleet, watcher)


def test_fault_18_a_slow_disk_costs_time_and_nothing_else(one: Exporter, tmp_path: Path) -> None:
    """With 10 ms more for each sync answers come later, all of them are good, and everything counts once."""
    needs_strace()
    with watched(one.port) as watcher, driven(fleet_of(one.port)) as fleet:
        run_for(1)
        quick = quantile(0.5, list(fleet.ledger.seconds))
        seen = len(fleet.ledger.seconds)
        with injected(one.pid, tmp_path / "calls", "trace=fdatasync", "inject=fdatasync:delay_exit=10000"):
            run_for(2)
            slow = quantile(0.5, fleet.ledger.seconds[seen:])
        must_hold(fleet, watcher)
    assert slow >= quick + 0.009, f"expected 10 ms more than {quick:.4f} s, got {slow:.4f} s"
    assert set(fleet.ledger.answers) == {"202"}


def test_fault_19_garbage_behind_the_log_is_passed_over(one: Exporter) -> None:
    """A write that was torn before its commit leaves half a frame: the last valid commit stands."""
    with driven(fleet_of(one.port)) as fleet:
        run_for(0.5)
        one.kill()
        with (one.data / "journal.db-wal").open("ab") as log:
            log.write(os.urandom(3000))
        one.start()
        must_hold(fleet)


def test_fault_19_a_torn_last_commit_takes_back_that_commit_alone(one: Exporter) -> None:
    """A disk that lost the end of the log costs its last commit; the sender's next batch tells of the loss."""
    for seq in range(1, 6):
        assert post(one.port, sealed("p", 1, seq, timeouts(10))).status == 202
    one.kill()
    log = one.data / "journal.db-wal"
    os.truncate(log, log.stat().st_size - 100)
    one.start()
    assert scrape(one.port).total("timeout_events_total") == 40
    assert post(one.port, sealed("p", 1, 6, timeouts(1), oldest=6)).status == 202
    seen = scrape(one.port)
    assert (seen.total("timeout_events_total"), seen.total("eddie_lost_batches_total")) == (41, 1)


def test_fault_19_a_spoilt_page_stops_the_start_and_says_the_way_out(one: Exporter) -> None:
    """A store that cannot be trusted is never served and never begun at zero silently: exit 65, then --start-fresh."""
    with driven(fleet_of(one.port)) as fleet:
        run_for(0.5)
        fleet.drain()
    assert one.stop() == 0
    _spoil(one.data)
    one.spawn()
    assert one.exit_code() == 65, one.said()
    assert "--start-fresh" in one.said()
    one.command = (*EXPORTER, "--start-fresh")
    one.spawn()
    assert one.exit_code() == 0, one.said()
    aside = [path.name for path in one.data.iterdir() if ".aside-" in path.name]
    assert aside, "expected the spoilt store to be kept, aside"
    one.command = EXPORTER
    one.start()
    assert scrape(one.port).total("eddie_events_accepted_total") == 0


def _spoil(data: Path) -> None:
    """Overwrite the middle of every page but the first, as a failing disk does."""
    base = data / store.NAMES[0]
    size = base.stat().st_size
    assert size >= 8192, f"expected a store of several pages, got {size} bytes"
    with base.open("r+b") as file:
        for page in range(4096, size, 4096):
            file.seek(page)
            file.write(os.urandom(64))
