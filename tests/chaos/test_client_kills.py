"""Fault 13: the agent is killed after a record call returned; its outbox is sent by whoever comes next."""

from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.chaos.moments import run_for
from tests.support.chaos.process import Exporter, exporter
from tests.support.chaos.reading import scrape
from tests.support.eventually import eventually

from eddie_metrics import Client

KILLS = 50
AGENTS = 3


@pytest.fixture
def one(tmp_path: Path) -> Iterator[Exporter]:
    """Answer a running exporter."""
    with exporter(tmp_path) as found:
        yield found


class Run:
    """One life of an agent, which ends by SIGKILL."""

    def __init__(self, folder: Path, url: str, number: int) -> None:
        self.name = f"run-{number}"
        self._notes = folder / f"{self.name}.notes"
        command = (sys.executable, "-m", "tests.support.chaos.recording", url, str(folder / "outbox"))
        more = (f"agent-{number % AGENTS}", self.name, str(self._notes))
        self._process = subprocess.Popen((*command, *more), stderr=subprocess.DEVNULL)

    def kill(self, *, after: float) -> None:
        """End it some seconds after its first record."""
        try:
            eventually(lambda: self._noted(1), within=30, every=0.002)
            run_for(after)
        finally:
            self._process.kill()
            self._process.wait(10)

    def _noted(self, least: int) -> None:
        assert self._notes.exists(), "expected an agent that records"
        assert self._notes.stat().st_size >= least

    def returned(self) -> tuple[int, int]:
        """Answer how many record calls returned, and how many began."""
        notes = self._notes.read_bytes()
        return notes.count(b"."), notes.count(b"+")


def drained(outbox: Path, url: str) -> None:
    """Send what is left, as any agent does that shares the outbox."""

    def empty() -> None:
        left = [path for path in outbox.rglob("*.*") if path.stat().st_size]
        assert not left, f"expected an empty outbox, got {[path.name for path in left]}"

    with Client(url, agent_id="heir", outbox=outbox) as heir:
        heir.record_agent_hello()
        eventually(empty, within=60)


def test_fault_13_an_agent_killed_fifty_times_is_counted_once(one: Exporter, tmp_path: Path) -> None:
    """Every event whose record call returned is counted exactly once; leases end, and gauges come down."""
    rnd = random.Random(13)  # noqa: S311  (no secret)
    url = f"http://127.0.0.1:{one.port}"
    runs = []
    for number in range(KILLS):
        run = Run(tmp_path, url, number)
        run.kill(after=rnd.uniform(0, 0.3))
        runs.append(run)
    drained(tmp_path / "outbox", url)
    found = scrape(one.port)
    for run in runs:
        done, begun = run.returned()
        labels = (("agent_id", run.name),)
        count = found.samples({"chunk_execution_seconds_count"})["chunk_execution_seconds_count", labels]
        total = found.samples({"chunk_execution_seconds_sum"})["chunk_execution_seconds_sum", labels]
        assert done <= count <= begun, f"{run.name}: expected {done} to {begun} events, got {count}"
        assert total == count * (count + 1) / 2, f"{run.name}: expected each of them once"
    assert sum(run.returned()[0] for run in runs) > 1000
    assert found.total("eddie_lost_batches_total") == 0
    assert found.total("eddie_chunks_started_total") >= KILLS
    eventually(lambda: _nothing_in_flight(one), within=60)


def _nothing_in_flight(one: Exporter) -> None:
    found = scrape(one.port)
    assert (found.total("agent_active_tasks"), found.total("eddie_chunks_inflight")) == (0, 0)


def test_fault_13_without_an_outbox_a_kill_loses_what_was_queued(one: Exporter, tmp_path: Path) -> None:
    """The control: memory does not survive, and the test above would notice."""
    code = (
        "import os, signal, sys; from eddie_metrics import Client; client = Client(sys.argv[1], agent_id='a')\n"
        "for _ in range(5): client.record_timeout(reason='x')\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    url = f"http://127.0.0.1:{one.port}"
    subprocess.run((sys.executable, "-c", code, url), check=False)
    drained(tmp_path / "outbox", url)
    assert scrape(one.port).total("timeout_events_total") == 0


def test_fault_13_a_torn_last_event_is_counted_and_costs_no_other(one: Exporter, tmp_path: Path) -> None:
    """Half a frame at the end of what a killed agent left is told of as dropped; what stands before it counts."""
    code = (
        "import os, signal, sys; from eddie_metrics import Client\n"
        "client = Client(sys.argv[1], agent_id='a', outbox=sys.argv[2])\n"
        "for _ in range(5): client.record_timeout(reason='x')\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    outbox = tmp_path / "outbox"
    subprocess.run((sys.executable, "-c", code, "http://127.0.0.1:9", str(outbox)), check=False)
    (segment,) = (path for path in outbox.rglob("*.seg") if path.stat().st_size)
    content = segment.read_bytes()
    segment.write_bytes(content + content[: len(content) // 10])
    drained(outbox, f"http://127.0.0.1:{one.port}")
    told = eventually(lambda: _told(one), within=10)
    assert told == {"torn": 1}
    assert scrape(one.port).total("timeout_events_total") == 5


def _told(one: Exporter) -> dict[str, float]:
    found = scrape(one.port).samples({"eddie_client_dropped_events_total"})
    assert found, "expected to be told of a drop"
    return {dict(labels)["reason"]: value for (_, labels), value in found.items()}
