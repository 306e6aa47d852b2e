"""Faults 8 to 11, and a poison event: replies get lost, requests come again, out of order, or with other content."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.chaos.judging import must_hold
from tests.support.chaos.ledger import Ledger
from tests.support.chaos.moments import chance, run_for
from tests.support.chaos.outbox import Outbox
from tests.support.chaos.process import Exporter, exporter
from tests.support.chaos.reading import scrape
from tests.support.chaos.senders import Fleet, Sender, driven, fleet_of, new_epoch
from tests.support.chaos.single import post, sealed, timeouts
from tests.support.chaos.swallower import swallowing
from tests.support.chaos.traffic import Traffic
from tests.support.chaos.watcher import watched
from tests.support.chaos.wire import Link, Request
from tests.support.eventually import eventually


@pytest.fixture
def one(tmp_path: Path) -> Iterator[Exporter]:
    """Answer a running exporter."""
    with exporter(tmp_path) as found:
        yield found


def counted(one: Exporter) -> float:
    """Answer how many timeouts are counted."""
    return scrape(one.port).total("timeout_events_total")


def test_fault_08_replies_lost_after_the_commit_are_answered_as_duplicates(one: Exporter) -> None:
    """A third of all replies never arrives: each retry is recognised, and everything counts once."""
    with swallowing(one.port, share=0.33) as way, watched(one.port) as watcher:
        with driven(fleet_of(way.port, numbered=8, with_ids=4)) as fleet:
            run_for(2)
            fleet.drain()
            fleet.port = one.port
            must_hold(fleet, watcher)
        assert way.swallowed > 50, "expected many lost replies"
        assert fleet.ledger.duplicates > 0


def test_fault_09_a_recorded_run_replayed_ten_times_shuffled_moves_nothing(one: Exporter) -> None:
    """Every request of a run, ten times more, in any order: totals stay as they were."""
    fleet = fleet_of(one.port, numbered=4, with_ids=2)
    for sender in fleet.senders:
        sender.record = []
    with driven(fleet), watched(one.port) as watcher:
        eventually(lambda: _many(fleet), within=60)
        must_hold(fleet, watcher)
        recorded = [request for sender in fleet.senders for request in sender.record or []]
        statuses = asyncio.run(_replay(one.port, recorded))
        assert statuses == {202}
        must_hold(fleet, watcher)


def _many(fleet: Fleet) -> None:
    assert fleet.ledger.batches.total() > 100, "expected a run worth replaying"


async def _replay(port: int, recorded: list[Request]) -> set[int]:
    when, link = chance(9), Link("127.0.0.1", port)
    statuses = set()
    for _ in range(10):
        when.shuffle(recorded)
        statuses |= {(await link.send(request)).status for request in recorded}
    link.close()
    return statuses


def test_fault_10_the_same_identity_with_other_content_is_a_conflict(one: Exporter) -> None:
    """What was counted under an identity stays; the other content is refused and moves nothing."""
    assert post(one.port, sealed("p", 5, 1, timeouts(3))).status == 202
    reply = post(one.port, sealed("p", 5, 1, timeouts(4)))
    assert (reply.status, reply.json()["error"]) == (409, "conflict")
    assert post(one.port, sealed("p", 5, 1, timeouts(3))).json() == {"accepted": 0, "duplicates": 3}
    assert counted(one) == 3


def test_fault_10_a_conflict_is_seen_after_a_restart_too(one: Exporter) -> None:
    """The checksum is kept with the identity."""
    assert post(one.port, sealed("p", 5, 1, timeouts(3))).status == 202
    one.kill()
    one.start()
    assert post(one.port, sealed("p", 5, 1, timeouts(4))).json()["error"] == "conflict"


def test_fault_11_a_gap_names_the_batch_that_is_missing(one: Exporter) -> None:
    """A batch that comes too early is refused with the seq that is expected; in order, all are counted."""
    batches = {seq: sealed("p", 5, seq, timeouts(seq), oldest=1) for seq in (1, 2, 3)}
    assert post(one.port, batches[1]).status == 202
    early = post(one.port, batches[3])
    assert (early.status, early.json()["error"], early.json()["expected"]) == (409, "gap", 2)
    assert counted(one) == 1
    assert [post(one.port, batches[seq]).status for seq in (2, 3)] == [202, 202]
    assert counted(one) == 6


def test_fault_11_batches_in_any_order_are_counted_once(one: Exporter) -> None:
    """A sender that shuffles, and goes by the answers, brings everything home."""
    when, ready = chance(11), list(range(1, 31))
    batches = {seq: sealed("p", 5, seq, timeouts(1), oldest=1) for seq in ready}
    while ready:
        seq = when.choice(ready)
        reply = post(one.port, batches[seq])
        if reply.status == 202:
            ready.remove(seq)
        else:
            assert (reply.status, reply.json()["expected"]) == (409, min(ready))
    assert counted(one) == 30


def test_fault_11_a_gap_that_cannot_be_filled_is_applied_and_counted_as_lost(one: Exporter) -> None:
    """A sender that no longer holds the missing batches says so: it flows on, and the loss shows."""
    assert post(one.port, sealed("p", 5, 1, timeouts(1))).status == 202
    assert post(one.port, sealed("p", 5, 6, timeouts(1), oldest=6)).status == 202
    assert (counted(one), scrape(one.port).total("eddie_lost_batches_total")) == (2, 4)


def test_a_poison_event_among_ten_thousand_costs_one_event(one: Exporter) -> None:
    """The sender takes out the event that is named, tells of the drop, and sends the rest under the same seq."""
    ledger = Ledger()
    box = Outbox("poisoned", ledger, epoch=new_epoch)
    events = [*timeouts(7000), {"kind": "timeout", "agent_id": "\u0000", "reason": "r"}, *timeouts(2999)]
    box.put(events)
    fleet = Fleet(one.port, ledger, [Sender(Traffic("nobody", 1), box, size=0, pace=3600, made=1)])
    with driven(fleet):
        must_hold(fleet)
    assert (ledger.total(), box.seq, ledger.answers["422"]) == (9999, 2, 1)
    dropped = scrape(one.port).values['eddie_client_dropped_events_total{producer="poisoned",reason="refused"}']
    assert (counted(one), dropped) == (9999, 1)
