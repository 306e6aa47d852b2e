"""Alerts at the board's top: as Alertmanager tells them, without the twins, with links that are safe."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.support.alertmanagers import LiveAlertmanager
from tests.support.programs import program

from eddie_board.alertmanager import Alertmanager, Told
from eddie_board.alerts import address, from_alertmanager, from_prometheus, on_board
from eddie_board.errors import AlertmanagerError

UIDS = ("eddie-distributed-fallback",)
NO_LINKS = (
    *(
        "javascript:alert(1)",
        "JaVaScript:alert(1)",
        "java\tscript:alert(1)",
        " javascript:alert(1)",
        "data:text/html,x",
    ),
    *("//elsewhere/x", "/runbook", "http://", "https:/x", "http://a b/", "http://a\nb/", "http://[::1", "file:///etc"),
)
STARTED = "2026-11-24T00:28:19.641123456Z"


def alert(name: str, *, status: dict[str, Any] | None = None, **given: Any) -> dict[str, Any]:
    """Make an alert as Alertmanager gives it; labels are given, ``notes`` are its annotations."""
    notes = given.pop("notes", {})
    return {
        "labels": {"alertname": name, **given},
        "annotations": notes,
        "startsAt": STARTED,
        "status": {"state": "active", "silencedBy": [], "inhibitedBy": [], "mutedBy": [], **(status or {})},
    }


def test_worst_is_first() -> None:
    """Critical before warning before the rest, whatever the order they come in."""
    found = from_alertmanager(
        [alert("A"), alert("B", severity="warning"), alert("C", severity="odd"), alert("D", severity="critical")], UIDS
    )
    assert [one.name for one in found.told] == ["D", "B", "A", "C"]
    assert found.told[0].since == datetime(2026, 11, 24, 0, 28, 19, 641123, UTC).timestamp()


def test_silenced_and_inhibited_are_told_apart_and_not_told() -> None:
    """Who is held back stands apart, with the reason; the others are what people are told of."""
    found = from_alertmanager(
        [
            alert("A"),
            alert("B", status={"silencedBy": ["x"]}),
            alert("C", status={"inhibitedBy": ["y"]}),
            alert("D", status={"mutedBy": ["night"]}),
        ],
        UIDS,
    )
    assert [one.name for one in found.told] == ["A"]
    assert {one.name: one.held for one in found.held} == {"B": "silenced", "C": "inhibited", "D": "muted"}
    assert found.counted("silenced") == 1


def test_an_alert_that_grafana_tells_too_stands_once() -> None:
    """Grafana's twin is counted, not shown, while Prometheus's own fires."""
    found = from_alertmanager(
        [alert("A", origin="prometheus"), alert("A", origin="grafana", status={"inhibitedBy": ["z"]})], UIDS
    )
    assert ([one.labels["origin"] for one in found.told], found.held, found.twins) == (["prometheus"], (), 1)


@pytest.mark.parametrize(("environment", "twins"), [("eu", 1), ("us", 0)])
def test_a_twin_may_carry_the_environment_in_its_name(environment: str, twins: int) -> None:
    """A Grafana that serves several stacks names its copies so; the copy of another stack is no twin."""
    copy = alert(f"A ({environment})", origin="grafana", environment=environment)
    found = from_alertmanager([alert("A", origin="prometheus", environment="eu"), copy], UIDS)
    assert found.twins == twins


def test_an_alert_that_only_grafana_tells_is_shown() -> None:
    """When Prometheus is silent, Grafana's alert is the only one and stays."""
    found = from_alertmanager([alert("A", origin="prometheus"), alert("PrometheusDown", origin="grafana")], UIDS)
    assert ({one.name for one in found.told}, found.twins) == ({"A", "PrometheusDown"}, 0)


def test_the_watchdog_is_a_proof_and_no_alert() -> None:
    """It is not listed; that it is there is kept, and that it is not as well."""
    found = from_alertmanager([alert("Watchdog", severity="none")], UIDS)
    assert (found.told, found.watchdog is not None) == ((), True)
    assert from_alertmanager([alert("A")], UIDS).watchdog is None


def test_prometheus_own_alerts_are_read_without_the_pending_ones() -> None:
    """What only waits to fire does not fire."""
    listed = [
        {"labels": {"alertname": name}, "annotations": {}, "state": state, "activeAt": STARTED, "value": "1e+00"}
        for name, state in (("A", "firing"), ("B", "pending"))
    ]
    assert [one.name for one in from_prometheus({"alerts": listed}, UIDS).told] == ["A"]


@pytest.mark.parametrize("answer", [None, {}, [1], "alerts", [{"startsAt": "yesterday"}]])
def test_what_is_no_list_of_alerts_is_refused(answer: Any) -> None:
    """Another program on that port does not look like a quiet night."""
    with pytest.raises(ValueError, match=r"expected|Invalid isoformat"):
        from_alertmanager(answer, UIDS)
    with pytest.raises(ValueError, match="expected"):
        from_prometheus(answer, UIDS)


@pytest.mark.parametrize("text", NO_LINKS)
def test_only_http_becomes_a_link(text: str) -> None:
    """Whatever a browser could run, or read from this machine, stays text."""
    assert address(text) == ""
    found = from_alertmanager([alert("A", notes={"runbook_url": text, "panel_url": text})], UIDS).told[0]
    assert (found.runbook, found.panel) == ("", "")
    assert found.unlinked == (f"runbook_url: {text}", f"panel_url: {text}")


def test_http_becomes_a_link() -> None:
    """The shipped annotations are links, and nothing of them is left over as text."""
    link = "https://host.example:8503/runbook#highfailurerate"
    found = from_alertmanager([alert("A", notes={"runbook_url": link})], UIDS).told[0]
    assert (found.runbook, found.unlinked) == (link, ())


@pytest.mark.parametrize(
    ("link", "expected"),
    [
        ("http://grafana:3000/d/eddie-distributed-fallback?viewPanel=5", "/d/eddie-distributed-fallback?viewPanel=5"),
        ("http://h/sub/d/eddie-distributed-fallback/slug?a=b", "/d/eddie-distributed-fallback?a=b"),
        ("http://h/d/eddie-distributed-fallback", "/d/eddie-distributed-fallback"),
        ("http://h/d/somebody-elses?viewPanel=5", "http://h/d/somebody-elses?viewPanel=5"),
        ("http://h/explore", "http://h/explore"),
    ],
)
def test_a_panel_of_this_board_opens_on_this_board(link: str, expected: str) -> None:
    """Links in alerts lead to whoever shows panels on this machine; on the board its own panel is meant."""
    assert on_board(link, UIDS) == expected


def answering(routes: dict[str, httpx.Response | Exception]) -> Alertmanager:
    """Make an Alertmanager of canned answers."""

    def answer(request: httpx.Request) -> httpx.Response:
        found = routes.get(request.url.path, httpx.Response(404))
        if isinstance(found, Exception):
            raise found
        return found

    return Alertmanager(httpx.AsyncClient(transport=httpx.MockTransport(answer)), "http://am.example:9093/")


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (httpx.ConnectError("refused"), r"http://am.example:9093 does not answer \(ConnectError\)"),
        (httpx.ReadTimeout("late"), "did not answer in time"),
        (httpx.Response(503), "answers HTTP 503"),
        (httpx.Response(200, text="<html>"), "no JSON"),
    ],
)
async def test_a_fault_names_who_and_what(answer: httpx.Response | Exception, says: str) -> None:
    """One sentence that a person at three in the night understands."""
    with pytest.raises(AlertmanagerError, match=says):
        await answering({"/api/v2/alerts": answer}).ask()


async def test_another_program_on_the_port_is_no_alertmanager() -> None:
    """JSON alone does not make one."""
    routes: dict[str, httpx.Response | Exception] = {
        path: httpx.Response(200, json=[]) for path in ("/api/v2/alerts", "/api/v2/status")
    }
    with pytest.raises(AlertmanagerError, match="no Alertmanager"):
        await answering(routes).ask()


@pytest.mark.parametrize(
    ("page", "found"),
    [
        ("<html><title>Alertmanager</title><script src='script.js'></script>", True),
        ("<html><title>Alertmanager</title><p>The Debian package does not include a web application.</p>", False),
    ],
)
async def test_a_sheet_of_text_is_not_alertmanagers_page(page: str, found: bool) -> None:
    """A silence is made on a page that has a form; a distribution's build has none."""
    routes: dict[str, httpx.Response | Exception] = {
        "/api/v2/alerts": httpx.Response(200, json=[]),
        "/api/v2/status": httpx.Response(200, json={"uptime": STARTED}),
        "/": httpx.Response(200, text=page),
    }
    assert (await answering(routes).ask()).page is found


async def test_the_real_alertmanager_is_read(tmp_path: Path) -> None:
    """Active, silenced, inhibited, twin and Watchdog, as the real program with the shipped rules gives them."""
    program("alertmanager")
    with LiveAlertmanager(tmp_path, {}, "http://127.0.0.1:9") as live:
        now = datetime.now(UTC)
        silence = {"matchers": [{"name": "alertname", "value": "Quiet", "isRegex": False}], "createdBy": "test"}
        times = {"startsAt": now.isoformat(), "endsAt": now.replace(year=now.year + 1).isoformat()}
        live.post("silences", {**silence, **times, "comment": "test"})
        for name, labels in (
            ("Loud", {"origin": "prometheus", "severity": "critical", "agent_id": "<img src=x onerror=alert(1)>"}),
            ("Loud", {"origin": "grafana"}),
            ("Quiet", {"origin": "prometheus"}),
            ("Watchdog", {"origin": "prometheus"}),
            ("PrometheusDown", {"origin": "grafana"}),
            ("Other", {"origin": "grafana"}),
        ):
            live.alert(name, **labels)
        async with httpx.AsyncClient(trust_env=False) as http:
            told = await Alertmanager(http, live.url).ask()
    assert isinstance(told, Told)
    found = from_alertmanager(told.alerts, UIDS)
    assert [one.name for one in found.told] == ["Loud", "PrometheusDown"]
    assert found.told[0].labels["agent_id"] == "<img src=x onerror=alert(1)>"
    assert {one.name: one.held for one in found.held} == {"Quiet": "silenced", "Other": "inhibited"}
    assert found.twins == 1
    assert found.watchdog is not None
    assert abs(told.started - now.timestamp()) < 60
    assert json.dumps(told.alerts)
