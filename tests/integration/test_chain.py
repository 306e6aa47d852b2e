"""The whole chain, end to end, on real engines: an event comes in, a person is told, and told when it is over."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from subprocess import DEVNULL
from typing import Any, Protocol

import pytest
from tests.support.containers import containers
from tests.support.eventually import eventually
from tests.support.programs import ROOT
from tests.support.shown import Reader, check, from_prometheus, no_panel_empty, through_grafana
from tests.support.stacks import FACTOR, has_grafana, native, needs
from tests.support.story import BEFORE, EVENTS, SHOWN

from fleet.web import ask
from rig.asking import Asking
from rig.exercises import Row, run
from rig.sink import Notification
from rig.stack import Stack

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


def chain_native(folder: Path) -> None:
    """Run the chain as processes, through Grafana as well where one is here."""
    grafana = has_grafana()
    with native(folder, grafana=grafana) as stack:
        readers: dict[str, Reader] = {"prometheus": from_prometheus}
        if grafana:
            readers["grafana"] = through_grafana
        the_whole_chain(stack, stack.sink, readers)


def chain_in_containers(folder: Path) -> None:
    """Run the chain in containers."""
    with containers(folder) as (stack, sink):
        the_whole_chain(stack, sink, {"prometheus": from_prometheus})


def drilled(folder: Path) -> list[Row]:
    """Run one of the drill's exercises; its others, and the shipped timings, are `make drill`'s."""
    needs("prometheus", "alertmanager", "amtool", grafana=True)
    return run("prometheus first", folder / "drill", FACTOR, print)


def drilled_without_inhibition(folder: Path) -> list[Row]:
    """Run the same exercise with an Alertmanager that inhibits nothing."""

    def spoil(stack: Stack) -> None:
        file = stack.tree / "alertmanager/parts/global.yml"
        text = file.read_text()
        assert "inhibit_rules:" in text
        file.write_text(text[: text.index("inhibit_rules:")])

    needs("prometheus", "alertmanager", "amtool", grafana=True)
    return run("prometheus first", folder / "drill", FACTOR, print, spoil=spoil)


def quiet(folder: Path) -> None:
    """Tell a stack little, and look for the story there."""
    with native(folder, "exporter", "prometheus", "alertmanager") as stack:
        stack.post(json.dumps(BEFORE).encode(), "application/json")
        stack.scraped(time.time())
        stack.scraped(time.time())
        with pytest.raises(AssertionError, match="panel"):
            check(stack, from_prometheus)
        assert {alert for alert, _ in inbox(stack)}.isdisjoint(ALERTS)


def demo(folder: Path) -> float:
    """Run the default fleet against shipped timings and return how many seconds it took until no panel was empty."""
    needs("prometheus")
    with Stack(folder) as stack:
        stack.start("exporter", "prometheus")
        stack.scraped(time.time())
        began = time.monotonic()
        script = str(ROOT / "scripts/demo_fleet.py")
        with subprocess.Popen([sys.executable, script, "--url", stack.urls["exporter"]], stdout=DEVNULL) as fleet:
            try:
                eventually(lambda: no_panel_empty(stack, from_prometheus), within=75, every=2)
            finally:
                fleet.terminate()
        return time.monotonic() - began


JOBS: dict[str, Callable[[Path], Any]] = {
    "test_native_processes": chain_native,
    "test_containers": chain_in_containers,
    "test_one_symptom_is_one_message": drilled,
    "test_a_second_message_would_be_noticed": drilled_without_inhibition,
    "test_a_story_with_other_numbers_is_noticed": quiet,
    "test_every_panel_has_data_a_minute_after_the_fleet_started": demo,
}


@pytest.mark.usefixtures("outcome")
def test_native_processes() -> None:
    """As processes of this machine; where a Grafana is here, panels are asked through it and its copies page nobody."""


@pytest.mark.usefixtures("outcome")
def test_containers() -> None:
    """The same in containers, on a network of their own, with the shipped target files and service names."""


@pytest.mark.usefixtures("outcome")
def test_a_story_with_other_numbers_is_noticed() -> None:
    """Negative twin: panels of another story are not called right, and nobody is told of it."""


def test_every_panel_has_data_a_minute_after_the_fleet_started(outcome: float) -> None:
    """At shipped timings each panel shows numbers 60 s after the demo's fleet began."""
    assert outcome <= 60


def test_one_symptom_is_one_message(outcome: list[Row]) -> None:
    """Both engines see it, one message goes out and one comes back: an exercise of the drill, with faster timings."""
    assert [row for row in outcome if not row.fine] == []
    assert "messages of FallbackDepthExceeded" in {row.subject for row in outcome}


def test_a_second_message_would_be_noticed(outcome: list[Row]) -> None:
    """Negative twin: where Alertmanager does not inhibit Grafana's copy, the drill says so."""
    wrong = {row.subject: row.seen for row in outcome if not row.fine}
    assert wrong["messages of FallbackDepthExceeded"].startswith("2 firing")
    assert wrong["who told FallbackDepthExceeded"] == "grafana, prometheus"
