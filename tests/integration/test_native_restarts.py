"""The rhythm of restarts under the real supervisor: at once, then 0.1 s doubling to 2 s, never given up."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from tests.support.eventually import eventually
from tests.support.natives import Native

from stack.native_files import supervisor
from stack.native_processes import start, stop
from stack.native_services import Service, write

SLACK = 0.6
"""Seconds on top of each wait: the supervisor looks every 0.1 s, and a Python has to start on a busy machine."""


@pytest.fixture
def failing(tmp_path: Path) -> Iterator[tuple[Native, Path]]:
    """Run a service that writes the time it started and ends as an exporter does whose disk fails: exit 70."""
    stack, starts = Native(tmp_path), tmp_path / "starts"
    place = stack.place
    place.make()
    program = f"import time; open({str(starts)!r}, 'a').write(f'{{time.monotonic()}}\\n'); raise SystemExit(70)"
    service = Service("exporter", [sys.executable, "-c", program], {}, str(tmp_path), "", "", "", "")
    write(place, [service])
    (place.native / "sockets").write_text(f"{place.sockets()}\n")
    sockets = Path((place.native / "sockets").read_text().strip())
    (place.native / "circus.ini").write_text(supervisor(sys.executable, place, sockets, ["exporter"]))
    start(stack.ctx, place)
    yield stack, starts
    stop(place)


def test_a_failing_service_is_started_in_the_rhythm_and_never_given_up(failing: tuple[Native, Path]) -> None:
    """Ten starts: the gaps are what the design says, neither shorter nor much longer."""
    stack, starts = failing

    def ten() -> list[float]:
        times = [float(line) for line in starts.read_text().split()] if starts.exists() else []
        assert len(times) >= 10
        return times[:10]

    gaps = [late - early for early, late in pairwise(eventually(ten, within=40))]
    for gap, wait in zip(gaps, [0, 0.1, 0.2, 0.4, 0.8, 1.6, 2, 2, 2], strict=True):
        assert wait <= gap <= wait + SLACK, gaps
    said = re.findall(r"start (\d+) in ([\d.]+) s", stack.place.log("exporter").read_text())
    assert said[:4] == [("2", "0.0"), ("3", "0.1"), ("4", "0.2"), ("5", "0.4")]


def test_a_service_that_waits_for_its_next_start_is_ended_too(failing: tuple[Native, Path]) -> None:
    """`make down` between two starts leaves nothing that would start later."""
    stack, starts = failing

    def slow() -> None:
        assert len(starts.read_text().split()) >= 7

    eventually(slow, within=30)
    stop(stack.place)
    assert stack.pids() == {}
    ended = len(starts.read_text().split())
    with pytest.raises(AssertionError):
        eventually(lambda: _more_than(ended, starts), within=2.5)


def _more_than(ended: int, starts: Path) -> None:
    assert len(starts.read_text().split()) > ended
