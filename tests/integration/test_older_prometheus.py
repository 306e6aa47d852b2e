"""The distribution's older Prometheus (2.42) reads the same files: it scrapes the exporter and evaluates the rules."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from tests.support.eventually import eventually
from tests.support.stacks import native, older_prometheus

from rig.stack import Stack

HELLO = {"kind": "agent-hello", "agent_id": "a1", "stages": ["plan"], "reasons": ["deadline"]}
TIMEOUTS = [{"kind": "timeout", "agent_id": "a1", "reason": "deadline"}] * 20
DONE = {"kind": "task-finished", "task_id": "t", "agent_id": "a1", "stage": "plan", "seconds": 3, "outcome": "success"}


def rules(stack: Stack) -> list[dict[str, Any]]:
    """Return every rule the server has loaded."""
    return [rule for group in stack.prometheus("rules")["groups"] for rule in group["rules"]]


def evaluated(stack: Stack) -> None:
    """Fail until each rule was evaluated without an error."""
    assert [rule["name"] for rule in rules(stack) if rule["health"] != "ok"] == []


def test_it_scrapes_and_evaluates_every_rule_and_an_alert_fires(tmp_path: Path) -> None:
    """Its text format, its rules, its external labels from the environment: all of the chain but the newest feature."""
    with native(tmp_path, "exporter", "prometheus", older=older_prometheus()) as stack:
        stack.post(json.dumps([HELLO]).encode(), "application/json")
        stack.scraped(time.time())
        stack.scraped(time.time())
        stack.post(json.dumps([DONE, *TIMEOUTS]).encode(), "application/json")
        eventually(lambda: evaluated(stack), within=60)
        names = {rule["name"] for rule in rules(stack)}
        assert {"HighTimeoutEvents", "FallbackDepthExceeded", "HighFailureRate", "ExporterDown", "Watchdog"} <= names

        def firing() -> None:
            found = {alert["labels"]["alertname"]: alert for alert in stack.prometheus("alerts")["alerts"]}
            assert found.get("HighTimeoutEvents", {}).get("state") == "firing"
            links = found["HighTimeoutEvents"]["annotations"]
            assert links["runbook_url"].startswith(stack.urls["exporter"])

        eventually(firing, within=60)


def test_what_it_did_not_scrape_it_does_not_show(tmp_path: Path) -> None:
    """Negative twin: with the exporter gone its target is down and nothing pretends otherwise."""
    with native(tmp_path, "exporter", "prometheus", older=older_prometheus()) as stack:
        stack.scraped(time.time())
        stack.engines["exporter"].kill()

        def down() -> None:
            assert stack.value('up{job="eddie-metrics"}') == 0

        eventually(down, within=60)
