"""What reaches a person: the words, links and labels of a real alert, as Prometheus and Alertmanager made them."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from tests.support.eventually import eventually
from tests.support.stacks import native, older_prometheus

from rig.sink import Notification
from rig.stack import Stack


def hello(agent: str) -> dict[str, object]:
    """Make the event by which an agent's series are born at zero."""
    return {"kind": "agent-hello", "agent_id": agent, "stages": ["merge"], "reasons": ["deadline"]}


def timeouts(agent: str, count: int) -> list[dict[str, object]]:
    """Make timeouts of one agent."""
    return [{"kind": "timeout", "agent_id": agent, "reason": "deadline", "stage": "merge"}] * count


def told(stack: Stack, alertname: str) -> Notification:
    """Wait for a firing message of this name, and return it."""

    def arrived() -> Notification:
        found = stack.sink.notifications(alertname)
        assert found
        assert found[0].status == "firing"
        return found[0]

    return eventually(arrived, within=60)


@pytest.mark.parametrize("age", ["current", "older"])
def test_message_names_the_worst_agent_and_links_to_where_to_look(age: str, tmp_path: Path) -> None:
    """Summary with the number and the culprit, links that carry the public addresses, the environment, the origin."""
    older = older_prometheus() if age == "older" else None
    with native(tmp_path, "exporter", "prometheus", "alertmanager", older=older) as stack:
        stack.post(json.dumps([hello("slow"), hello("fine")]).encode(), "application/json")
        stack.scraped(time.time())
        stack.scraped(time.time())
        stack.post(json.dumps([*timeouts("slow", 30), *timeouts("fine", 4)]).encode(), "application/json")
        message = told(stack, "HighTimeoutEvents")
        assert "from agent slow" in message.annotations["summary"]
        assert message.annotations["summary"].endswith("because of deadline")
        assert message.annotations["runbook_url"] == f"{stack.urls['exporter']}/runbook#hightimeoutevents"
        assert message.annotations["panel_url"].endswith("/d/eddie-distributed-fallback?viewPanel=2")
        assert message.annotations["panel_url"].startswith("http://127.0.0.1:")
        assert message.labels == {
            "alertname": "HighTimeoutEvents",
            "environment": "rig",
            "job": "eddie-metrics",
            "origin": "prometheus",
            "severity": "warning",
        }


def test_message_names_nobody_when_nobody_stands_out(tmp_path: Path) -> None:
    """Negative twin: without a timeout the depth alert blames no agent, and the summary is still a sentence."""
    with native(tmp_path, "exporter", "prometheus", "alertmanager") as stack:
        stack.scraped(time.time())
        stack.post(json.dumps([{"kind": "fallback-depth-exceeded", "depth": 4}]).encode(), "application/json")
        message = told(stack, "FallbackDepthExceeded")
        assert message.annotations["summary"].endswith("given up in 5 minutes")
        assert not stack.sink.notifications("HighTimeoutEvents")
