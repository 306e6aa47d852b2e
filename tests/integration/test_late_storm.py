"""Nobody is woken for yesterday: a storm that comes late pages nobody, the same storm live pages once."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.eventually import eventually
from tests.support.stacks import has_grafana, native
from tests.support.story import BEFORE

import replay
from fleet.web import ask
from rig.stack import Stack

HOUR = 3600.0
PAGES = ("HighTimeoutEvents", "FallbackDepthExceeded", "HighFailureRate")
LATE = "LateEventsArriving"


def storm(age: float) -> list[dict[str, Any]]:
    """Return a storm of half a minute that began ``age`` seconds ago: every alert on rates of events has its reason."""
    began = time.time() - age
    return [event for second in range(30) for event in _second(second, began + second * min(1.0, age / 30))]


def _second(second: int, ts: float) -> Iterator[dict[str, Any]]:
    common = {"agent_id": f"a{second % 3}", "ts": round(ts, 3)}
    for number in range(4):
        yield {"kind": "timeout", "reason": "deadline", **common}
        task = {"task_id": f"t{second}-{number}", "stage": "plan", "seconds": 3.0, **common}
        yield {"kind": "task-finished", "outcome": "failure", "reason": "model", **task}
    yield {"kind": "fallback-depth-exceeded", **common}


def ready(stack: Stack) -> None:
    """Let Prometheus see the exporter twice before anything happens."""
    stack.post(json.dumps(BEFORE).encode(), "application/json")
    stack.scraped(time.time())
    stack.scraped(time.time())


def alerts(stack: Stack) -> set[str]:
    """Return the names of what fires in Prometheus."""
    return {each["labels"]["alertname"] for each in stack.prometheus("alerts")["alerts"] if each["state"] == "firing"}


def inbox(stack: Stack) -> Counter[tuple[str, str]]:
    """Return how often each alert was told to the inbox, by name and status."""
    summary: dict[str, Any] = ask(f"{stack.urls['exporter']}/metrics/summary").json()
    return Counter((each["alertname"], each["status"]) for each in summary["notifications"])


def paged(stack: Stack) -> Counter[str]:
    """Return how often each alert was told to a person as firing."""
    return Counter(each.alertname for each in stack.sink.notifications() if each.status == "firing")


def held_back(stack: Stack) -> Counter[str]:
    """Return how many of the three Alertmanager knows of and keeps to itself, by the engine that says them."""
    found = ask(f"{stack.urls['alertmanager']}/api/v2/alerts").json()
    held = [each for each in found if each["status"]["inhibitedBy"] and each["labels"]["alertname"] in PAGES]
    return Counter(each["labels"]["origin"] for each in held)


def fired_and_over(stack: Stack, names: set[str]) -> None:
    """Wait until these alerts have fired in Prometheus, all of them, and none does any more."""
    seen: set[str] = set()

    def fired() -> None:
        seen.update(alerts(stack))
        assert names <= seen

    def over() -> None:
        assert not names & alerts(stack)

    eventually(fired, within=40, every=0.2)
    eventually(over, within=120, every=0.5)


def replayed(folder: Path) -> None:
    """Replay the log of an hour ago: all three alerts fire in Prometheus, and no person hears of one."""
    with native(folder, grafana=has_grafana()) as stack:
        ready(stack)
        log = folder / "events.ndjson"
        events = storm(HOUR)
        # In two parts: what began between two scrapes began, at these timings, before every window.
        for part in (events[:90], events[90:]):
            with log.open("a") as file:
                file.write("".join(json.dumps(each) + "\n" for each in part))
            assert replay.main([str(log), "--url", stack.urls["exporter"], "--token-file", str(folder / "none")]) == 0
            stack.scraped(time.time())
        then = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(events[0]["ts"]))

        def named() -> None:
            late = [each for each in stack.prometheus("alerts")["alerts"] if each["labels"]["alertname"] == LATE]
            assert [f"happened from {then}" in each["annotations"]["summary"] for each in late] == [True], late

        eventually(named, within=20, every=0.2)
        if has_grafana():
            eventually(lambda: _told(held_back(stack), "grafana"), within=40, every=0.2)
        fired_and_over(stack, {*PAGES, LATE})
        eventually(lambda: _told(inbox(stack), (LATE, "resolved")), within=60, every=0.5)
        stack.scraped(time.time())
        assert not {*PAGES, LATE} & set(paged(stack)), "expected nobody to be paged for an hour ago"
        assert not [each for each in inbox(stack) if each[0] in PAGES]
        assert inbox(stack)[LATE, "firing"] == 1


def drained(folder: Path) -> None:
    """Drain the same hour from outboxes, batch after batch with its numbers, while live work goes on in small."""
    with native(folder, "exporter", "prometheus", "alertmanager") as stack:
        ready(stack)
        lines = storm(HOUR)
        for seq, begin in enumerate(range(0, len(lines), 60), 1):
            part = lines[begin : begin + 60]
            body = {"producer": "a0", "epoch": 1024, "seq": seq, "events": part}
            sent = {"Content-Type": "application/json", "Eddie-Sent": str(time.time()), "Eddie-Oldest": str(seq)}
            assert ask(f"{stack.urls['exporter']}/events", json.dumps(body).encode(), headers=sent).status == 202
            stack.post(json.dumps(BEFORE).encode(), "application/json")
            stack.scraped(time.time())
        fired_and_over(stack, {*PAGES, LATE})
        assert not set(PAGES) & set(paged(stack)), "expected nobody to be paged for an hour ago"
        _storm_of_now(stack)
        eventually(lambda: _each_once(stack), within=60, every=0.5)


def live(folder: Path) -> None:
    """Tell the same storm as it happens, and a few late events with it: each of the three is told once."""
    with native(folder, "exporter", "prometheus", "alertmanager") as stack:
        ready(stack)
        _storm_of_now(stack, storm(HOUR)[:9])
        assert stack.value("sum(eddie_late_events_total)") == 9
        fired_and_over(stack, set(PAGES))
        eventually(lambda: _each_once(stack), within=20, every=0.5)
        assert LATE not in {name for name, _ in inbox(stack)}


def uninhibited(folder: Path) -> None:
    """Replay with an Alertmanager that does not know LateEventsArriving, and be paged."""
    with native(folder, "exporter", "prometheus") as stack:
        file = stack.tree / "alertmanager/parts/global.yml"
        text = file.read_text()
        assert f'alertname="{LATE}"' in text
        file.write_text(text.replace(f'alertname="{LATE}"', 'alertname="Nothing"'))
        stack.start("alertmanager")
        ready(stack)
        stack.post("\n".join(map(json.dumps, storm(HOUR))).encode())
        eventually(lambda: _told(paged(stack), "FallbackDepthExceeded"), within=40, every=0.5)


def _storm_of_now(stack: Stack, before: list[dict[str, Any]] | None = None) -> None:
    for part in _batched([*(before or []), *storm(0)], 60):
        stack.post("\n".join(json.dumps(each) for each in part).encode())
        stack.scraped(time.time())


def _each_once(stack: Stack) -> None:
    assert {name: count for name, count in paged(stack).items() if name in PAGES} == dict.fromkeys(PAGES, 1)


def _batched(rows: list[dict[str, Any]], size: int) -> Iterator[list[dict[str, Any]]]:
    return (rows[begin : begin + size] for begin in range(0, len(rows), size))


def _told(counted: Counter[Any], name: Any) -> None:
    assert counted[name] > 0


JOBS: dict[str, Callable[[Path], None]] = {
    "test_a_replayed_storm_pages_nobody": replayed,
    "test_a_draining_outbox_pages_nobody": drained,
    "test_the_same_storm_live_pages_once": live,
    "test_without_the_inhibition_it_would_page": uninhibited,
}


@pytest.mark.usefixtures("outcome")
def test_a_replayed_storm_pages_nobody() -> None:
    """A log of an hour ago: the alerts fire, in Grafana too where one is here; the span is named, nobody is paged."""


@pytest.mark.usefixtures("outcome")
def test_a_draining_outbox_pages_nobody() -> None:
    """Numbered batches of an hour ago over some scrapes, some live work between: no page; a storm after it pages."""


@pytest.mark.usefixtures("outcome")
def test_the_same_storm_live_pages_once() -> None:
    """Negative twin: the same events of now are three pages, though a few late ones come too; no alert about those."""


@pytest.mark.usefixtures("outcome")
def test_without_the_inhibition_it_would_page() -> None:
    """Negative twin: it is the inhibition that keeps the late storm from people."""
