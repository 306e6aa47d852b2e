"""Fault 28: Prometheus's disk is full; it says so itself, and what it holds afterwards is right."""

from __future__ import annotations

import json
import time
from pathlib import Path

from tests.support.chaos.disks import disk, fill
from tests.support.eventually import eventually
from tests.support.stacks import FACTOR, needs

from rig.stack import Stack

ALERT = "PrometheusNotStoring"
SMALL = 64 * 2**20
TIMEOUTS = [{"kind": "timeout", "agent_id": "a1", "reason": "deadline"}] * 40


def sooner(stack: Stack) -> None:
    """Let ten seconds without a sample be too long, for the factor divides durations, and this is a bound."""
    rules = stack.tree / "prometheus/rules/alerting/prometheus.yml"
    shipped = rules.read_text()
    assert "})) > 60\n" in shipped
    rules.write_text(shipped.replace("})) > 60\n", "})) > 10\n"))


def told(stack: Stack, *statuses: str) -> None:
    """Fail unless a person was told of the alert in exactly these statuses, in this order."""
    assert [each.status for each in stack.sink.notifications(ALERT)] == list(statuses)


def test_fault_28_a_full_disk_under_prometheus_is_told_and_costs_resolution_only(tmp_path: Path) -> None:
    """Rules go on, so somebody is told; with space again the last value is what was counted, and nothing reset."""
    needs("prometheus", "alertmanager", "amtool")
    with disk(tmp_path, "ext4", SMALL) as place, Stack(tmp_path / "stack", factor=FACTOR) as stack:
        data = stack.folder / "prometheus/data"
        data.parent.mkdir()
        (place.place / "tsdb").mkdir()
        data.symlink_to(place.place / "tsdb")
        sooner(stack)
        stack.start("exporter", "prometheus", "alertmanager")
        stack.scraped(time.time())
        ballast = fill(place.place)
        stack.post(json.dumps(TIMEOUTS).encode(), "application/json")
        eventually(lambda: told(stack, "firing"), within=60, every=1)
        assert "no space left on device" in (stack.folder / "prometheus.log").read_text()
        assert stack.samples("timeout_events_total") == {}, "expected nothing to be stored on a full disk"
        ballast.unlink()

        def right() -> None:
            assert stack.value("sum(timeout_events_total)") == len(TIMEOUTS)
            assert stack.value("max(resets(eddie_events_accepted_total[5m]))") == 0

        eventually(right, within=60, every=1)
        eventually(lambda: told(stack, "firing", "resolved"), within=60, every=1)
