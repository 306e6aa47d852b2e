"""The whole chain, end to end, on real engines: an event comes in, a person is told, and told when it is over."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import pytest
from tests.support.containers import containers
from tests.support.eventually import eventually
from tests.support.shown import Reader, check, from_prometheus, through_grafana
from tests.support.stacks import has_grafana, native
from tests.support.story import BEFORE, EVENTS, SHOWN

from fleet.web import ask
from rig.asking import Asking
from rig.sink import Notification

ALERTS = ("HighTimeoutEvents", "FallbackDepthExceeded")


class Told(Protocol):
    """Where notifications end: a sink on this machine, or one in a container."""

    def notifications(self, alertname: str | None = None, *, since: float = 0.0) -> list[Notification]:
        """Return what arrived."""


def told(sink: Told, status: str) -> list[str]:
    """Return which alerts of the story were told with this status, in order of arrival."""
    return [each.alertname for each in sink.notifications() if each.alertname in ALERTS and each.status == status]


def inbox(stack: Asking) -> set[tuple[str, str]]:
    """Return name and status of every notification in the exporter's inbox."""
    summary: dict[str, Any] = ask(f"{stack.urls['exporter']}/metrics/summary").json()
    return {(each["alertname"], each["status"]) for each in summary["notifications"]}


def the_whole_chain(stack: Asking, sink: Told, readers: dict[str, Reader]) -> None:
    """Post the story, look at every panel, and wait until its two alerts have come and gone."""
    stack.post(json.dumps(BEFORE).encode(), "application/json")
    stack.scraped(time.time())
    stack.scraped(time.time())
    stack.post(json.dumps(EVENTS).encode(), "application/json")
    for name, reader in readers.items():
        right = eventually(lambda reader=reader: check(stack, reader), within=40, every=1)  # type: ignore[misc]
        assert right == len(SHOWN), f"expected all numbers of the story through {name}"

    def fired() -> None:
        assert Counter(told(sink, "firing")) == Counter(ALERTS)
        assert {(alert, "firing") for alert in ALERTS} <= inbox(stack)

    def resolved() -> None:
        assert Counter(told(sink, "resolved")) == Counter(ALERTS)
        assert {(alert, "resolved") for alert in ALERTS} <= inbox(stack)

    eventually(fired, within=40, every=0.5)
    eventually(resolved, within=90, every=0.5)
    assert Counter(told(sink, "firing")) == Counter(ALERTS)  # still one page each
    page = sink.notifications("HighTimeoutEvents")[0]
    assert page.labels["origin"] == "prometheus"
    assert page.annotations["panel_url"].endswith("/d/eddie-distributed-fallback?viewPanel=2")
    assert sink.notifications("HighFailureRate") == []  # 2 failures are no failure rate


def test_native_processes(tmp_path: Path) -> None:
    """As processes of this machine; where a Grafana is here, panels are asked through it and its copies page nobody."""
    grafana = has_grafana()
    with native(tmp_path, grafana=grafana) as stack:
        readers: dict[str, Reader] = {"prometheus": from_prometheus}
        if grafana:
            readers["grafana"] = through_grafana
        the_whole_chain(stack, stack.sink, readers)


def test_containers(tmp_path: Path) -> None:
    """The same in containers, on a network of their own, with the shipped target files and service names."""
    with containers(tmp_path) as (stack, sink):
        the_whole_chain(stack, sink, {"prometheus": from_prometheus})


@pytest.fixture
def quiet(tmp_path: Path) -> Iterator[Asking]:
    """Give a stack that was told little."""
    with native(tmp_path, "exporter", "prometheus", "alertmanager") as stack:
        yield stack


def test_a_story_with_other_numbers_is_noticed(quiet: Asking) -> None:
    """Negative twin: panels of another story are not called right, and nobody is told of it."""
    quiet.post(json.dumps(BEFORE).encode(), "application/json")
    quiet.scraped(time.time())
    quiet.scraped(time.time())
    with pytest.raises(AssertionError, match="panel"):
        check(quiet, from_prometheus)
    assert inbox(quiet) <= {("Watchdog", "firing")}
