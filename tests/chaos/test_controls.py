"""Faults 4 and 5, the controls: with a promise switched off, the same rounds must find the difference.

A harness that passes everything proves nothing; these two say that it sees a loss and a double count.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from tests.support.chaos import forgetful
from tests.support.chaos.disks import disk
from tests.support.chaos.judging import balance
from tests.support.chaos.moments import run_for
from tests.support.chaos.process import exporter
from tests.support.chaos.rounds import cuts, kills
from tests.support.chaos.senders import driven, fleet_of
from tests.support.chaos.swallower import swallowing

FORGETFUL = (sys.executable, str(Path(str(forgetful.__file__))))


@pytest.mark.parametrize("kind", ["ext4", "xfs"])
def test_fault_04_without_fsync_power_cuts_are_seen_to_lose_events(tmp_path: Path, kind: str) -> None:
    """With EDDIE_DURABILITY=process the same power cuts cost acknowledged events, and the harness says how many."""
    with disk(tmp_path, kind) as place:
        found = cuts(place, 3, EDDIE_DURABILITY="process")
    assert found.lost > 0, f"expected a loss that the harness sees, got none:\n{found}"
    assert not found.exact
    assert found.lost_batches > 0, "expected the exporter to count what its store misses"


def test_fault_04_without_fsync_kills_cost_nothing(tmp_path: Path) -> None:
    """What EDDIE_DURABILITY=process does promise: a killed process has lost nothing."""
    found = kills(tmp_path, 5, EDDIE_DURABILITY="process")
    assert found.exact, str(found)


def test_fault_05_without_deduplication_lost_replies_are_seen_to_count_twice(tmp_path: Path) -> None:
    """With an exporter that forgets identities the same lost replies count twice, and the harness says how often."""
    with exporter(tmp_path, command=FORGETFUL) as one, swallowing(one.port, share=0.33) as way:  # noqa: SIM117
        with driven(fleet_of(way.port)) as fleet:
            run_for(1.5)
            fleet.drain()
            fleet.port = one.port
            found = balance(fleet)
    assert found.events_doubled > 0, "expected a double count that the harness sees, got none"
    assert found.events_lost == 0, str(found)
