"""The inbox: tolerant of what Alertmanager sends, bounded in what it keeps."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from tests.support.collectors import total, value
from tests.support.exporters import app_with, client_of, collector_of

from eddie_exporter.store import MAX_OTHER_VALUES


def notification(*alerts: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Answer a webhook body as Alertmanager 0.28 and later write it."""
    return {
        "version": "4", "groupKey": "{}:{}", "truncatedAlerts": 0, "status": "firing", "receiver": "inbox",
        "groupLabels": {}, "commonLabels": {}, "commonAnnotations": {}, "externalURL": "http://am:9093",
        "alerts": list(alerts), **more,
    }  # fmt: skip


def alert(name: str = "HighTimeoutEvents", status: str = "firing", **more: Any) -> dict[str, Any]:
    """Answer one alert of a notification."""
    return {
        "status": status, "labels": {"alertname": name, "severity": "warning"}, "annotations": {"summary": "many"},
        "startsAt": "2026-01-01T00:00:00Z", "endsAt": "0001-01-01T00:00:00Z", "generatorURL": "http://p/graph",
        "fingerprint": "abc", **more,
    }  # fmt: skip


async def post(app: FastAPI, body: Any) -> httpx.Response:
    """Send a notification."""
    async with client_of(app) as http:
        return await http.post("/alerts", content=body if isinstance(body, bytes) else json.dumps(body))


async def kept(app: FastAPI) -> list[dict[str, Any]]:
    """Answer the notifications of the summary."""
    async with client_of(app) as http:
        found: list[dict[str, Any]] = (await http.get("/metrics/summary")).json()["notifications"]
        return found


async def test_each_alert_is_counted_and_kept() -> None:
    """A notification of two alerts counts two, by name and status, and the summary shows both."""
    app = app_with()
    answer = await post(app, notification(alert(), alert("ExporterDown", "resolved")))
    assert (answer.status_code, answer.json()) == (202, {"accepted": 2})
    name = "eddie_notifications_received_total"
    assert value(collector_of(app), name, alertname="HighTimeoutEvents", status="firing") == 1
    assert value(collector_of(app), name, alertname="ExporterDown", status="resolved") == 1
    first, second = await kept(app)
    assert first["labels"] == {"alertname": "HighTimeoutEvents", "severity": "warning"}
    assert (first["annotations"], first["receiver"]) == ({"summary": "many"}, "inbox")
    assert (second["alertname"], second["status"]) == ("ExporterDown", "resolved")


async def test_no_alerts_are_no_notification() -> None:
    """An empty list is taken and counts nothing."""
    app = app_with()
    assert (await post(app, notification())).json() == {"accepted": 0}
    assert total(collector_of(app), "eddie_notifications_received_total") == 0


async def test_a_watchdog_is_remembered() -> None:
    """The age of the last firing Watchdog is known; a resolved one, or another alert, is no heartbeat."""
    app = app_with()
    await post(app, notification(alert(), alert("Watchdog", "resolved")))
    assert collector_of(app).snapshot().last_watchdog is None
    await post(app, notification(alert("Watchdog")))
    assert collector_of(app).snapshot().last_watchdog is not None


@pytest.mark.parametrize(
    ("name", "label"),
    [("", "unknown"), ("x" * 5000, "x" * 128), ("a\nb\x00c", "abc"), ("__overflow__", "overflow__"), ("__", "unknown"),
     ("𝕏" * 200, "𝕏" * 128)],
)  # fmt: skip
async def test_a_strange_name_is_tamed(name: str, label: str) -> None:
    """A notification is never lost for its name: it is cut to a label value that breaks no scrape."""
    app = app_with()
    assert (await post(app, notification(alert(name)))).status_code == 202
    assert value(collector_of(app), "eddie_notifications_received_total", alertname=label, status="firing") == 1
    async with client_of(app) as http:
        assert (await http.get("/metrics")).status_code == 200


async def test_what_is_kept_is_bounded() -> None:
    """Long texts and many labels are cut, so that the history stays small."""
    app = app_with()
    many = {f"l{n}": "v" * 5_000 for n in range(1000)}
    await post(app, notification(alert(annotations=many)))
    (found,) = await kept(app)
    assert len(found["annotations"]) == 32
    assert max(map(len, found["annotations"].values())) == 500


async def test_names_are_capped() -> None:
    """Alerts of ever new names share a place past the limit, like any label's values."""
    app = app_with()
    await post(app, notification(*(alert(f"Alert{n}") for n in range(MAX_OTHER_VALUES + 5))))
    collector = collector_of(app)
    assert total(collector, "eddie_notifications_received_total") == MAX_OTHER_VALUES + 5
    assert value(collector, "eddie_notifications_received_total", alertname="__overflow__", status="firing") == 5


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"null", b"{}", b'{"alerts":1}', b'{"alerts":[1]}', b'{"alerts":[{"status":"odd"}]}', b"\xff\xfe",
     b'{"alerts":[{"status":"firing","labels":{"alertname":7}}]}', b'{"alerts":' + b"[" * 10_000 + b"]" * 10_000 + b"}",
     b'{"alerts":[],"x":NaN}', json.dumps(notification(alert(), {"status": "firing", "labels": None})).encode(),
     json.dumps({"alerts": [{"status": "firing"}] * 10_001}).encode()],
)  # fmt: skip
async def test_what_is_no_notification_is_refused(body: bytes) -> None:
    """422 says what was expected, and nothing of it is counted."""
    app = app_with()
    answer = await post(app, body)
    assert (answer.status_code, answer.json()["error"]) == (422, "contract")
    assert total(collector_of(app), "eddie_notifications_received_total") == 0


async def test_unknown_fields_are_passed_over() -> None:
    """A later Alertmanager may say more; an alert may say less."""
    answer = await post(app_with(), notification({"status": "firing"}, alert(new={"deep": [1]}), also=True))
    assert answer.json() == {"accepted": 2}
