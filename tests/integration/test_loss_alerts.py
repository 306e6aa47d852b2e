"""What would make a figure less than exact is told, on the real server with the shipped rules; a restart is not."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.eventually import eventually
from tests.support.stacks import native

from fleet.web import ask
from rig.stack import Stack

TIMEOUT = {"kind": "timeout", "agent_id": "a1", "reason": "deadline"}


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Give the folder of the exporter's store."""
    return tmp_path / "store"


@pytest.fixture
def stack(tmp_path: Path, store: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stack]:
    """Give an exporter with a store and a Prometheus that has seen it twice, with a batch counted."""
    store.mkdir()
    monkeypatch.setenv("EDDIE_DATA_DIR", str(store))
    with native(tmp_path / "stack", "exporter", "prometheus") as made:
        assert batch(made, 1) == 202
        made.scraped(time.time())
        made.scraped(time.time())
        yield made


def batch(stack: Stack, seq: int, oldest: int | None = None, **more: Any) -> int:
    """Post one batch of an agent's only epoch and return the status."""
    body = {"producer": "a1", "epoch": 1024, "seq": seq, "events": [TIMEOUT] * 5, **more}
    headers = {"Content-Type": "application/json"} | ({} if oldest is None else {"Eddie-Oldest": str(oldest)})
    return ask(f"{stack.urls['exporter']}/events", json.dumps(body).encode(), headers=headers, timeout=10).status


def firing(stack: Stack) -> dict[str, str]:
    """Return the summaries of the alerts that fire, but for those of every stack in which there is no Alertmanager."""
    found = [each for each in stack.prometheus("alerts")["alerts"] if each["state"] == "firing"]
    summaries = {each["labels"]["alertname"]: each["annotations"]["summary"] for each in found}
    return {name: text for name, text in summaries.items() if name not in {"Watchdog", "NotificationsDropped"}}


def fires(stack: Stack, *names: str) -> dict[str, str]:
    """Wait until these alerts fire, and return all that do."""

    def all_of_them() -> None:
        assert set(names) <= set(firing(stack))

    eventually(all_of_them, within=60, every=0.5)
    return firing(stack)


def judged(stack: Stack) -> None:
    """Wait until the exporter was scraped thrice more, and rules evaluated as often."""
    for _ in range(3):
        stack.scraped(time.time())


def test_a_wiped_store_is_told_with_what_is_lost(stack: Stack, store: Path) -> None:
    """Another store, and a batch whose predecessors nobody has: two alerts; the agent's next batches are taken."""
    stack.engines["exporter"].kill()
    shutil.rmtree(store)
    store.mkdir()
    stack.engines["exporter"].start()
    assert batch(stack, 3) == 409
    assert batch(stack, 3, oldest=3) == 202
    told = fires(stack, "StoreReplaced", "LostBatches")
    assert told["LostBatches"] == "2 batch(es) of events are missing for good"
    assert batch(stack, 4) == 202


def test_a_restored_store_is_told(stack: Stack, store: Path, tmp_path: Path) -> None:
    """A copy from before has the same name, and smaller totals."""
    stack.engines["exporter"].stop()
    shutil.copytree(store, tmp_path / "copy")
    stack.engines["exporter"].start()
    assert batch(stack, 2) == 202
    judged(stack)
    stack.engines["exporter"].stop()
    shutil.rmtree(store)
    shutil.copytree(tmp_path / "copy", store)
    stack.engines["exporter"].start()
    fires(stack, "StoreReplaced")


def test_a_crash_is_not_told(stack: Stack) -> None:
    """Negative twin: killed and started again, the totals go on; what is sent twice counts once; no alert."""
    stack.engines["exporter"].kill()
    stack.engines["exporter"].start()
    assert [batch(stack, 1), batch(stack, 2)] == [202, 202]
    judged(stack)
    assert stack.value("sum(timeout_events_total)") == 10
    assert (
        set(firing(stack)) & {"StoreReplaced", "LostBatches", "ClientDrops", "ClockSkew", "DedupWindowShort"} == set()
    )


def test_work_that_is_lost_and_events_that_are_dropped_are_told(stack: Stack) -> None:
    """Leases that end by time, and a sender's own count of drops: series that nobody had seen before, and counted."""
    lost = [
        {"kind": "task-started", "task_id": "t", "agent_id": "a1", "stage": "code", "lease_seconds": 1},
        *({"kind": "chunk-started", "chunk_id": c, "agent_id": "a1", "lease_seconds": 1} for c in ("c1", "c2")),
    ]
    assert batch(stack, 2, events=lost, dropped={"queue-full": 7}) == 202
    told = fires(stack, "TaskLoss", "ChunkLoss", "ClientDrops")
    assert told["ChunkLoss"] == "2 chunk(s) lost in 15 minutes"
    assert told["TaskLoss"] == "1 task(s) lost in 15 minutes, most of them in stage code"
    assert told["ClientDrops"] == "Senders dropped 7 event(s) in 15 minutes, most of them a1 because of queue-full"
