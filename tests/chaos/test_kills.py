"""Faults 1, 6 and 7: the process ends at any moment, by itself, by an operator, or for want of memory."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.chaos.judging import must_hold, quantile
from tests.support.chaos.memory import starved
from tests.support.chaos.moments import chance, moment
from tests.support.chaos.process import Exporter, exporter
from tests.support.chaos.rounds import kills
from tests.support.chaos.senders import driven, fleet_of
from tests.support.chaos.watcher import watched

KILLS = 50


@pytest.fixture
def one(tmp_path: Path) -> Iterator[Exporter]:
    """Answer a running exporter."""
    with exporter(tmp_path) as found:
        yield found


def test_fault_01_killed_fifty_times_nothing_is_lost_doubled_or_goes_back(tmp_path: Path) -> None:
    """After each SIGKILL all is there again, and soon: what was acknowledged is counted once, no series goes back."""
    found = kills(tmp_path, KILLS)
    print(found)
    assert found.exact, str(found)
    assert found.duplicates > 0, "expected retries of what was counted before a kill, got none: the test was too kind"
    assert found.lost_batches == 0
    # The promise is one second by the wall on a machine that is not busy; this one may be, with other tests.
    assert quantile(0.5, found.cost) <= 1.5, str(found)


def test_fault_06_sigterm_under_load_answers_what_was_accepted(one: Exporter) -> None:
    """Exporters that are asked to end under load end with 0 in the grace period, and nothing is lost or doubled."""
    when = chance(6)
    with watched(one.port) as watcher, driven(fleet_of(one.port)) as fleet:
        for _ in range(5):
            moment(when, 0.1, 0.5)
            assert one.stop(within=10) == 0
            one.start()
        must_hold(fleet, watcher)
        assert fleet.ledger.answers["none"] > 0, "expected senders that met no exporter, got none"


def test_fault_07_killed_for_want_of_memory_nothing_is_lost(one: Exporter) -> None:
    """The kernel kills an exporter that may have no more memory, under load: as with every kill, all is counted once.

    Memory charged before the limit is not part of it, so what remains is small, and large batches use it up.
    """
    with watched(one.port) as watcher, driven(fleet_of(one.port, numbered=8, with_ids=0, size=2000)) as fleet:
        moment(chance(7), 0.3, 0.5)
        assert one.process is not None
        with starved(one.pid):
            assert one.exit_code(within=30) == -signal.SIGKILL
        one.start()
        must_hold(fleet, watcher)
