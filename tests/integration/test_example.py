"""The example end to end: what its own ledger counted is what Prometheus says, whatever becomes of the exporter."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.eventually import eventually
from tests.support.stacks import native

import example
from fleet.web import ask
from rig.stack import Stack

PRIMES = 71274
"""In a round: those below 900 000; the tenth task fails on purpose."""
LATER = """
import sys
from eddie_metrics import Client
client = Client(agent_id="example-later")
client.record_agent_hello()
sys.stdin.read()
"""
"""Another agent of the same outbox; it lives until its standard input ends."""


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Run an exporter with a store that outlives it, and a Prometheus that scrapes it every second."""
    folder = tmp_path_factory.mktemp("example")
    (folder / "store").mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EDDIE_DATA_DIR", str(folder / "store"))
        with native(folder / "stack", "exporter", "prometheus") as running:
            running.scraped(time.time())
            yield running


def unequal(stack: Stack, before: dict[str, float], found: dict[str, Any]) -> list[example.Row]:
    """Return the totals that differ after the next scrape; the ledger must have something to compare."""
    ledger = found["ledger"]
    for name in ("splits", "timeouts", "depth_exceeded", "kept", "dropped", "tasks_ok", "tasks_failed"):
        assert ledger[name] > 0, f"expected some {name}, got {ledger}"
    stack.scraped(time.time())
    return [row for row in example.compared(ledger, before, example.totals(stack)) if not row.equal]


def test_the_ledger_is_what_prometheus_says(stack: Stack) -> None:
    """Splits, chunks, timeouts, merges, tasks: each total grew by exactly what the ledger counted; nothing is left."""
    before = example.totals(stack)
    found = example.result(example.start(example.environment(stack.urls["exporter"])), within=60)
    assert found["primes"] == PRIMES
    assert unequal(stack, before, found) == []
    assert stack.value("sum(agent_active_tasks)") == stack.value("sum(eddie_chunks_inflight)") == 0
    assert stack.value("sum(task_split_chunks_total) - sum(eddie_chunks_started_total)") == 0


def test_a_ledger_that_counts_otherwise_is_seen(stack: Stack) -> None:
    """Negative twin: one count more in the ledger, and its totals, no others, are said to differ."""
    now = example.totals(stack)
    rows = example.compared({"dropped": 1}, now, now)
    assert [row.total for row in rows if not row.equal] == ["merge_deduplication_total"]
    assert example.table(rows).count("UNEQUAL") == 1


def test_an_exporter_that_is_killed_and_started_again_changes_nothing(stack: Stack) -> None:
    """SIGKILL in the middle of the run, twice: the totals are still what the ledger counted."""
    before = example.totals(stack)
    process = example.start(example.environment(stack.urls["exporter"]), "--rounds", "4")
    try:
        for _ in range(2):
            until_more_splits(stack)
            stack.engines["exporter"].kill()
            assert process.poll() is None, "expected the run to go on when the exporter was killed, got its end"
            stack.start("exporter")
        assert process.poll() is None, "expected the run to go on when the exporter was back, got its end"
    except BaseException:
        process.kill()
        raise
    found = example.result(process, within=90)
    assert found["primes"] == 4 * PRIMES
    assert unequal(stack, before, found) == []


def splits(stack: Stack) -> float:
    """Return how many splits the exporter has counted."""
    lines = ask(f"{stack.urls['exporter']}/metrics").text.splitlines()
    return float(next(line.split()[1] for line in lines if line.startswith("task_split_total ")))


def until_more_splits(stack: Stack) -> None:
    """Wait until the exporter has counted something more."""
    had = splits(stack)

    def more() -> None:
        assert splits(stack) > had

    eventually(more, within=30, every=0.05)


def test_an_absent_exporter_changes_no_result_and_an_outbox_keeps_all(stack: Stack, tmp_path: Path) -> None:
    """The same primes; when the exporter comes back, the next agent sends what waited, counted once. Time: `bench/`."""
    before = example.totals(stack)
    env = example.environment(stack.urls["exporter"], EDDIE_OUTBOX=str(tmp_path / "outbox"))
    stack.engines["exporter"].kill()
    try:
        kept = example.result(example.start(env), within=60)
        assert kept["primes"] == PRIMES
    finally:
        stack.start("exporter")
    with subprocess.Popen([sys.executable, "-c", LATER], env=env, stdin=subprocess.PIPE):
        eventually(lambda: none(unequal(stack, before, kept)), within=40)


def none(rows: list[example.Row]) -> None:
    """Assert that no total differs."""
    assert not rows, example.table(rows)
