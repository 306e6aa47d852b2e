"""Faults 26, 27 and 31: Prometheus is away or loses power; the exporter's clock is wrong, and right again."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.support.chaos.disks import disk
from tests.support.chaos.judging import must_hold
from tests.support.chaos.moments import run_for
from tests.support.chaos.process import Exporter, exporter
from tests.support.chaos.prometheus import Prometheus, scraping
from tests.support.chaos.senders import Fleet, driven, fleet_of
from tests.support.chaos.turned import COMMAND, Clock
from tests.support.chaos.watcher import watched
from tests.support.eventually import eventually


def stored(prometheus: Prometheus, fleet: Fleet) -> None:
    """Check that the last value Prometheus holds is what was acknowledged."""
    assert prometheus.number("sum(eddie_events_accepted_total)") == fleet.ledger.total()


def test_fault_26_what_happened_while_prometheus_was_down_is_in_its_next_scrape(tmp_path: Path) -> None:
    """Prometheus is killed under load and comes back: its last raw value is what was acknowledged."""
    with exporter(tmp_path) as one, scraping(tmp_path, one.port) as prometheus, driven(fleet_of(one.port)) as fleet:
        run_for(2)
        prometheus.kill()
        run_for(2)
        must_hold(fleet)
        prometheus.start()
        eventually(lambda: stored(prometheus, fleet), within=60)
        assert prometheus.resets() == 0


def test_fault_27_a_power_cut_under_prometheus_costs_resolution_only(tmp_path: Path) -> None:
    """Prometheus's disk loses power: it starts again by itself, its next values are right, and nothing has reset."""
    with (
        disk(tmp_path, "ext4") as place,
        exporter(tmp_path) as one,
        scraping(tmp_path, one.port, place.place / "tsdb") as prometheus,
        driven(fleet_of(one.port)) as fleet,
    ):
        run_for(3)
        assert prometheus.process is not None
        place.cut(prometheus.process)
        place.power_on()
        prometheus.start()
        must_hold(fleet)
        eventually(lambda: stored(prometheus, fleet), within=60)
        assert prometheus.resets() == 0


@pytest.mark.parametrize("restarts", [False, True], ids=["running", "restarted"])
def test_fault_31_a_clock_that_jumps_double_counts_nothing(tmp_path: Path, restarts: bool) -> None:
    """An hour ahead, an hour behind, right again: counted once, nothing resets, and Prometheus counts nothing twice."""
    clock = Clock(tmp_path)
    with (
        exporter(tmp_path, None, command=COMMAND, **clock.env) as one,
        scraping(tmp_path, one.port) as prometheus,
        watched(one.port) as watcher,
    ):
        fleets = []
        for turn, seconds in enumerate((0, 3600, -3600, 0)):
            clock.turn(seconds)
            if restarts:
                one.kill()
                one.start()
            # New agents at each turn: their series are born while the clock is wrong.
            with driven(fleet_of(one.port, numbered=3, with_ids=1, size=5, pace=0.1, seed=31 + turn)) as fleet:
                run_for(2.5)
                fleet.drain()
            fleets.append(fleet)
        total = sum(fleet.ledger.total() for fleet in fleets)

        def whole() -> None:
            assert prometheus.number("sum(eddie_events_accepted_total)") == total

        eventually(whole, within=60)
        watcher.look()
        assert watcher.violations == []
        assert [fleet.ledger.surprises for fleet in fleets] == [[]] * 4
        assert prometheus.resets() == 0
        counted = prometheus.number("sum(increase(eddie_events_accepted_total[5m]))")
        assert counted <= total * 1.3, f"{total} events, and Prometheus says {counted}"


def test_fault_31_ids_of_a_wrong_clock_are_told_apart(tmp_path: Path) -> None:
    """Ids of a right clock are taken by an exporter an hour behind, and their events count once when it is right."""
    clock = Clock(tmp_path)
    one = Exporter(tmp_path, None, command=COMMAND, **clock.env)
    clock.turn(-3600)
    try:
        one.start()
        with driven(fleet_of(one.port, numbered=0, with_ids=4)) as fleet:
            run_for(0.7)
            one.kill()
            clock.turn(0)
            one.start()
            must_hold(fleet)
    finally:
        one.kill()
