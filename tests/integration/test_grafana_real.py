"""Station "panel": a real Grafana takes the shipped provisioning without a word and answers every panel."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.alive import tell
from tests.support.eventually import eventually
from tests.support.grafanas import SHIPPED, Grafana, home_or_skip, launched, numbers, provisioning_with, running
from tests.support.stacks import native

from eddie_board.queries import Window, panel_queries
from rig.stack import Stack

DASHBOARD = SHIPPED / "dashboards" / "eddie-distributed-fallback.json"


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Run exporter, Prometheus and Alertmanager, in which nothing has happened yet."""
    home_or_skip()
    with native(tmp_path_factory.mktemp("stack"), "exporter", "prometheus", "alertmanager") as started:
        yield started


@pytest.fixture(scope="module")
def grafana(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Grafana]:
    """Run a Grafana with the shipped settings and provisioning."""
    with running(tmp_path_factory.mktemp("grafana"), stack) as started:
        yield started


@pytest.fixture(scope="module")
def page(grafana: Grafana) -> dict[str, Any]:
    """Return the dashboard as this Grafana serves it."""
    served: dict[str, Any] = grafana.ask("/api/dashboards/uid/eddie-distributed-fallback")["dashboard"]
    return served


def interpolated(page: dict[str, Any]) -> list[tuple[int, int, dict[str, Any]]]:
    """Panel, points and query of every target, with variables written out as the page does, macros left to Grafana."""
    left = {"job": ".*", "agent": ".*", "stage": ".*"}
    found = []
    for panel in page["panels"]:
        for target in panel["targets"]:
            expression = target["expr"]
            for name, value in left.items():
                expression = expression.replace(f'=~"${name}"', f'=~"{value}"')
            source = {"type": "prometheus", "uid": "prometheus"}
            found.append((panel["id"], panel["maxDataPoints"], {**target, "expr": expression, "datasource": source}))
    return found


def test_data_sources_answer(grafana: Grafana) -> None:
    """Prometheus and Alertmanager are found under their fixed uids, at the addresses of the environment."""
    assert grafana.ask("/api/datasources/uid/prometheus/health")["status"] == "OK"
    assert grafana.ask("/api/datasources/proxy/uid/alertmanager/api/v2/status")["versionInfo"]["version"]


def test_rules_are_evaluated_and_quiet(grafana: Grafana) -> None:
    """All four rules are evaluated without an error, and nothing fires in a stack where nothing happened."""

    def quiet() -> None:
        states = {name: (rule["state"], rule["health"]) for name, rule in grafana.rules().items()}
        assert states == dict.fromkeys(
            ("HighTimeoutEvents", "FallbackDepthExceeded", "HighFailureRate", "PrometheusDown"), ("inactive", "ok")
        )

    eventually(quiet, within=70)


def test_alerts_leave_for_the_stacks_alertmanager_only(grafana: Grafana, stack: Stack) -> None:
    """The policy tree is the provisioned one; ``environment`` came from Grafana's environment."""
    policy = grafana.ask("/api/v1/provisioning/policies")
    assert (policy["receiver"], policy.get("routes")) == ("alertmanager", None)
    points = {point["name"]: point for point in grafana.ask("/api/v1/provisioning/contact-points")}
    assert points["alertmanager"]["settings"] == {"url": stack.url("alertmanager")}
    rules = grafana.ask("/api/v1/provisioning/alert-rules")
    assert {rule["labels"]["environment"] for rule in rules} == {"test"}


def test_links_of_an_alert_lead_to_people(grafana: Grafana) -> None:
    """Panel and runbook are whole addresses, and no template is left in them."""

    def linked() -> None:
        alerts = grafana.rules()["FallbackDepthExceeded"].get("alerts", [])
        assert len(alerts) == 1
        said = alerts[0]["annotations"]
        assert said["panel_url"] == f"{grafana.url}/d/eddie-distributed-fallback?viewPanel=10"
        assert said["runbook_url"] in {
            "http://exporter.example:8503/runbook#fallbackdepthexceeded",  # 13: the address it was given
            "http://127.0.0.1:8503/runbook#fallbackdepthexceeded",  # 12: its own host, the exporter's usual port
        }

    eventually(linked, within=70)


def test_every_panel_query_is_answered(grafana: Grafana, stack: Stack, page: dict[str, Any]) -> None:
    """After a storm every query of every panel returns finite numbers through Grafana."""
    tell(stack)

    def answered() -> None:
        end = time.time() + 30  # a step ahead: the last point is at a multiple of the step, else half a minute old
        empty = [
            (number, target["refId"])
            for number, points, target in interpolated(page)
            if not numbers(grafana.query(target, end - 21_600, end, points))
        ]
        assert empty == []

    assert len({number for number, _, _ in interpolated(page)}) == len(page["panels"])
    eventually(answered, within=60, every=2)


def test_a_query_nobody_can_answer_is_empty(grafana: Grafana) -> None:
    """Negative twin: a metric that does not exist gives no number, so the test above would name it."""
    target = {"refId": "A", "expr": "task_spilt_total", "range": True, "datasource": {"uid": "prometheus"}}
    assert numbers(grafana.query(target, time.time() - 600, time.time(), 100)) == []


@pytest.mark.parametrize("span", [300, 21_600, 86_400, 604_800])
def test_the_helper_writes_queries_as_grafana_does(grafana: Grafana, page: dict[str, Any], span: int) -> None:
    """Expression and step of every query are the ones this Grafana executed for the same range."""
    end = time.time()
    asked = {(query.panel, query.ref): query for query in panel_queries(page, Window(start=end - span, end=end))}
    for number, points, target in interpolated(page):
        said = grafana.query(target, end - span, end, points)["frames"][0]["schema"]["meta"]["executedQueryString"]
        expected = asked[number, target["refId"]]
        expression, step = said.removeprefix("Expr: ").rsplit("\nStep: ", 1)
        assert same_durations(expression) == same_durations(expected.expression)
        assert go_seconds(step) == expected.step


def go_seconds(text: str) -> float:
    """Read a duration as Go prints it (``1m30s``)."""
    units = {"h": 3600, "m": 60, "s": 1}
    parts = "".join(f" {sign} " if sign in units else sign for sign in text).split()
    return sum(float(number) * units[unit] for number, unit in zip(parts[::2], parts[1::2], strict=True))


def same_durations(expression: str) -> str:
    """Write every window in seconds, for Grafana writes ``[1m0s]`` where the helper writes ``[60s]``."""
    pieces = expression.split("[")
    return "[".join([pieces[0], *(f"{go_seconds(each.split(']')[0])}]{each.split(']', 1)[1]}" for each in pieces[1:])])


def test_served_page_is_the_committed_one(page: dict[str, Any]) -> None:
    """Grafana changed nothing but what it keeps books with."""
    kept = {name: value for name, value in page.items() if name not in {"id", "version"}}
    assert kept == json.loads(DASHBOARD.read_text())


def test_the_log_has_no_error(grafana: Grafana) -> None:
    """From start-up through everything above, not one line of the log is an error."""
    assert grafana.errors() == []


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("alerting/rules.json", "KeepLast", "KeepLats"),
        ("dashboards/providers.yaml", "${EDDIE_LOCAL_DASHBOARDS_PATH}", "/nowhere/dashboards"),
    ],
)
def test_broken_provisioning_is_noticed(stack: Stack, tmp_path: Path, name: str, old: str, new: str) -> None:
    """Negative twin: a misspelt state of a rule and a folder that is not there are errors in the log, by name."""
    broken = provisioning_with(tmp_path, name, old, new)
    with launched(tmp_path / "grafana", stack, broken) as grafana:

        def said() -> None:
            assert new in "".join(grafana.errors())

        eventually(said, within=60)
