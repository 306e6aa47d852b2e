"""Faults 1b, 2 and 3: the power goes, and with it everything that was not synced."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.support.chaos.disks import disk
from tests.support.chaos.process import exporter
from tests.support.chaos.reading import scrape
from tests.support.chaos.rounds import cuts
from tests.support.chaos.single import post, sealed
from tests.support.chaos.tracing import injected, needs_strace
from tests.support.eventually import eventually

CUTS = 10


@pytest.mark.parametrize(("number", "kind"), [("02", "ext4"), ("03", "xfs")])
def test_fault_02_03_power_cuts_cost_nothing_that_was_acknowledged(tmp_path: Path, number: str, kind: str) -> None:
    """After ten power cuts under load what was acknowledged is counted once, and no series has gone back."""
    with disk(tmp_path, kind) as place:
        found = cuts(place, CUTS, seed=int(number))
    print(found)
    assert found.exact, str(found)
    assert found.lost_batches == 0


@pytest.mark.parametrize("kind", ["ext4", "xfs"])
def test_fault_01b_killed_before_the_sync_then_restarted_then_the_power_goes(tmp_path: Path, kind: str) -> None:
    """A batch killed between its write and its sync, answered as known by the restarted exporter, survives the power.

    What recovery reads may exist in the page cache alone: the restarted exporter has to make it durable first.
    """
    needs_strace()
    batch = sealed("p", 1, 1, [{"kind": "timeout", "agent_id": "a", "reason": "r"}] * 7)
    with disk(tmp_path, kind) as place, exporter(tmp_path, place.place / "data") as one:
        assert post(one.port, sealed("warm", 1, 1, [])).status == 202
        slow = "inject=fdatasync,fsync:delay_enter=3000000"
        with injected(one.pid, tmp_path / "calls", "trace=fdatasync,fsync", slow) as calls:
            with pytest.raises(OSError, match="timed out"):
                post(one.port, batch, timeout=0.5)
            eventually(lambda: _called(calls), within=60)
            one.kill()
        one.start()
        again = post(one.port, batch)
        shown = scrape(one.port).total("timeout_events_total")
        one.lose_power(place)
        one.start()
        assert (again.status, shown) == (202, 7)
        assert scrape(one.port).total("timeout_events_total") == 7, f"lost after it was answered {again.body!r}"
        assert post(one.port, batch).json() == {"accepted": 0, "duplicates": 7}


def _called(calls: Path) -> None:
    assert "sync(" in calls.read_text(), "expected the exporter to be inside a sync"
