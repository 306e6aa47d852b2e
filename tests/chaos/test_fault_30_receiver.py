"""Fault 30: the receiver answers 500 for a while; 29, a silence and a kill, is in test_alertmanager_real.py."""

from __future__ import annotations

import time
from pathlib import Path

from tests.support.alertmanagers import LiveAlertmanager
from tests.support.assembled import TOKEN
from tests.support.eventually import eventually

from rig.sink import Sink


def reached(sink: Sink, since: float = 0.0) -> list[str]:
    """List the status of each incident that reached the person since then."""
    persons = [request.path == "/person" and request.at > since for request in sink.requests]
    return [note.status for note in sink.notifications() if persons[note.group]]


def test_fault_30_a_receiver_that_fails_is_told_when_it_is_back_and_once(tmp_path: Path) -> None:
    """What could not be delivered is tried again until it is taken; then it is one incident, and its end follows."""
    with Sink() as sink:
        secrets = {**TOKEN, "webhook_url": f"{sink.url}/person"}
        with LiveAlertmanager(tmp_path, secrets, sink.url) as running:
            sink.status = 500
            running.alert("HighFailureRate", severity="warning", origin="prometheus")

            def refused() -> None:
                assert len(reached(sink)) >= 2, "expected a second try after the answer 500"

            eventually(refused, within=60)
            back = time.time()
            sink.status = 200
            eventually(lambda: _is(reached(sink, back), ["firing"]), within=60)
            running.resolve("HighFailureRate", severity="warning", origin="prometheus")
            eventually(lambda: _is(reached(sink, back), ["firing", "resolved"]), within=60)


def _is(got: list[str], expected: list[str]) -> None:
    assert got == expected, f"expected {expected}, got {got}"
