"""Faults 36 to 38: two exporters on one store; the store is lost, put back from a copy, or of a newer making."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.chaos import store
from tests.support.chaos.judging import must_hold
from tests.support.chaos.moments import run_for
from tests.support.chaos.process import Exporter, exporter
from tests.support.chaos.reading import Scrape, scrape
from tests.support.chaos.senders import Fleet, driven, fleet_of
from tests.support.chaos.single import post, sealed, timeouts
from tests.support.eventually import eventually

FLOWS_WITHIN = 30
"""Seconds in which every sender must be acknowledged again after its store was lost."""


@pytest.fixture
def one(tmp_path: Path) -> Iterator[Exporter]:
    """Answer a running exporter."""
    with exporter(tmp_path) as found:
        yield found


def incarnation(seen: Scrape) -> str:
    """Answer which store this is."""
    (found,) = seen.samples({"eddie_store_info"})
    return dict(found[1])["incarnation"]


def all_flow_again(fleet: Fleet, before: dict[str, int]) -> None:
    """Wait until every sender has been acknowledged since."""

    def flowing() -> None:
        waiting = [name for name, number in before.items() if fleet.ledger.batches[name] <= number]
        assert not waiting, f"{len(waiting)} senders wait: {fleet.ledger.answers}"

    eventually(flowing, within=FLOWS_WITHIN)


def test_fault_36_a_second_exporter_ends_at_once_and_the_first_is_unharmed(one: Exporter, tmp_path: Path) -> None:
    """One store, one exporter: the second exits 75 and names the directory; the first counts on."""
    second = Exporter(tmp_path / "second", one.data)
    second.log.parent.mkdir()
    with driven(fleet_of(one.port, numbered=4, with_ids=2)) as fleet:
        second.spawn()
        assert second.exit_code(within=10) == 75
        assert str(one.data) in second.said()
        must_hold(fleet)


def test_fault_37_a_deleted_store_never_wedges_a_sender_and_the_loss_is_counted(one: Exporter) -> None:
    """The store vanishes under twenty senders: all flow again, and the loss is counted, batch by batch."""
    with driven(fleet_of(one.port, numbered=20, with_ids=0, size=5)) as fleet:
        run_for(1)
        one.kill()
        store.delete(one.data)
        before = dict(fleet.ledger.batches)
        one.start()
        all_flow_again(fleet, before)
        fleet.drain()
        found = fleet.ledger.balance(seen := scrape(one.port))
    lost = seen.total("eddie_lost_batches_total")
    assert found.events_doubled == 0, str(found)
    assert found.events_lost == lost * 5, f"{lost} batches of 5 events were said to be lost; {found}"
    assert fleet.ledger.surprises == []


def test_fault_37_a_copy_from_earlier_is_put_back_and_exactly_the_difference_is_lost(
    one: Exporter, tmp_path: Path
) -> None:
    """An old copy under twenty senders: all flow again; exactly the batches since the copy are lost, and counted."""
    with driven(fleet_of(one.port, numbered=20, with_ids=0, size=5)) as fleet:
        run_for(0.7)
        one.kill()
        store.copy(one.data, tmp_path / "copy")
        one.start()
        known = incarnation(scrape(one.port))
        run_for(0.7)
        one.kill()
        store.restore(tmp_path / "copy", one.data)
        before = dict(fleet.ledger.batches)
        one.start()
        all_flow_again(fleet, before)
        fleet.drain()
        found = fleet.ledger.balance(seen := scrape(one.port))
    assert incarnation(seen) != known, "expected whoever compares incarnations to see that time went back"
    assert found.events_doubled == 0, str(found)
    assert found.events_lost == seen.total("eddie_lost_batches_total") * 5 > 0, str(found)
    assert fleet.ledger.surprises == []


def test_fault_37_a_new_store_has_a_new_incarnation(one: Exporter) -> None:
    """Whoever compares the incarnation sees that counting began at zero; a restart keeps it."""
    first = incarnation(scrape(one.port))
    one.kill()
    one.start()
    assert incarnation(scrape(one.port)) == first
    one.kill()
    store.delete(one.data)
    one.start()
    assert incarnation(scrape(one.port)) != first


def test_fault_01_killed_while_it_makes_its_store_it_begins_again(tmp_path: Path) -> None:
    """A first start that was killed leaves a file without a table, nobody's store: the next start goes on."""
    (tmp_path / "data").mkdir()
    store.pragma(tmp_path / "data", "journal_mode = WAL")
    assert (tmp_path / "data" / store.NAMES[0]).stat().st_size > 0
    with exporter(tmp_path) as one:
        assert post(one.port, sealed("p", 1, 1, timeouts(3))).status == 202
        one.kill()
        one.start()
        assert scrape(one.port).total("timeout_events_total") == 3


def test_fault_38_a_store_of_a_newer_schema_is_refused_and_left_alone(one: Exporter) -> None:
    """An older exporter says what it found and the way out, exits 65, and changes nothing; all is still there."""
    assert post(one.port, sealed("p", 1, 1, timeouts(3))).status == 202
    assert one.stop() == 0
    store.pragma(one.data, "user_version = 9999")
    one.spawn()
    assert one.exit_code() == 65
    assert "9999" in one.said()
    assert "--start-fresh" in one.said()
    store.pragma(one.data, "user_version = 1")
    one.start()
    assert scrape(one.port).total("timeout_events_total") == 3
