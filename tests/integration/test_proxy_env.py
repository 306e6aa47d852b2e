"""A proxy of the caller's, dead on top of that, gets between no two programs of the stack on one machine."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.support.eventually import eventually
from tests.support.programs import ROOT
from tests.support.shown import Reader, from_prometheus, panels, through_grafana
from tests.support.stacks import has_grafana, native

from fleet.web import ask
from rig.asking import Asking

DEAD = "http://127.0.0.1:9"
VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy")


@pytest.fixture
def dead_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Set every variable that a program may read, and take away the exceptions."""
    for variable in VARIABLES:
        monkeypatch.setenv(variable, DEAD)
    for variable in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(variable, raising=False)


def python(*words: str) -> subprocess.CompletedProcess[str]:
    """Run one of the project's scripts and keep what it says."""
    return subprocess.run([sys.executable, *words], cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.usefixtures("dead_proxy")
def test_the_stack_works_behind_a_dead_proxy(tmp_path: Path) -> None:
    """Fleet to exporter, Prometheus to exporter, Alertmanager to inbox and sink, Grafana to Prometheus, make send."""
    grafana = has_grafana()
    with native(tmp_path, grafana=grafana) as stack:
        fleet = python("scripts/demo_fleet.py", "--url", stack.urls["exporter"], "--duration", "3")
        assert fleet.returncode == 0, fleet.stderr
        assert "lost 0" in fleet.stdout.splitlines()[-2]
        stack.scraped(time.time())
        send = python(
            "scripts/send.py", "timeout", "agent_id=demo-ford", "reason=deadline",
            "--url", stack.urls["exporter"], "--prometheus", stack.urls["prometheus"],
        )  # fmt: skip
        assert send.returncode == 0, send.stdout + send.stderr
        assert ": 0 → 1" in send.stdout

        def told() -> None:
            assert stack.sink.notifications("Watchdog")
            summary = ask(f"{stack.urls['exporter']}/metrics/summary").json()
            assert "Watchdog" in {each["alertname"] for each in summary["notifications"]}

        eventually(told, within=60)
        readers = [from_prometheus, *([through_grafana] if grafana else [])]
        for reader in readers:
            eventually(lambda reader=reader: shows_load(stack, reader), within=60)  # type: ignore[misc]


def shows_load(stack: Asking, reader: Reader) -> None:
    """Fail while the panel of the agents' load is empty."""
    query = next(query for query in panels() if query.panel == 4)
    assert reader(stack, query)


@pytest.mark.usefixtures("dead_proxy")
def test_the_same_proxy_does_stop_what_goes_elsewhere() -> None:
    """Negative twin: the proxy of this test is really used, and really dead."""
    sent = python("scripts/send.py", "timeout", "agent_id=a", "reason=b", "--url", "http://elsewhere.invalid")
    assert sent.returncode == 1
    assert "Connection refused" in sent.stderr
