"""Ties the house together: what one station names, the station before it makes."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml

import metrics_doc
from eddie_board.queries import Window, panel_queries
from eddie_exporter.catalogue import CATALOGUE
from eddie_exporter.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
DASHBOARDS = sorted((ROOT / "grafana/provisioning/dashboards").glob("*.json"))
RULE_FILES = sorted((ROOT / "prometheus/rules").glob("*/*.yml"))
OTHERS = re.compile(r"^(up|ALERTS|scrape_\w+|(prometheus|alertmanager|grafana|go|process)_\w+)$")
"""Series that Prometheus makes itself, and those of the other programs it scrapes."""
DECIDED = {
    "EDDIE_HOST",
    "EDDIE_DATA_DIR",
    "EDDIE_INGEST_TOKEN_FILE",
    "EDDIE_ALERTS_TOKEN_FILE",
    "EDDIE_READ_TOKEN_FILE",
    "EDDIE_PROMETHEUS_URL",
    "EDDIE_ALERTMANAGER_URL",
    "EDDIE_GRAFANA_URL",
    "EDDIE_RUNBOOK",
}
"""Settings that the stack decides itself: addresses inside it and places of files."""


@cache
def exposed() -> frozenset[str]:
    """Answer the name of every sample the exporter exposes as text."""
    names = set()
    for metric in CATALOGUE:
        suffixes = {"histogram": ("_bucket", "_count", "_sum"), "summary": ("_count", "_sum")}.get(metric.kind, ("",))
        names |= {metric.name + suffix for suffix in suffixes}
    return frozenset(names)


@cache
def rules() -> tuple[dict[str, Any], ...]:
    """Answer every rule that is shipped."""
    files = (yaml.safe_load(path.read_text()) for path in RULE_FILES)
    return tuple(rule for one in files for group in one["groups"] for rule in group["rules"])


@cache
def alerts() -> dict[str, dict[str, Any]]:
    """Answer the alerting rules by name."""
    return {rule["alert"]: rule for rule in rules() if "alert" in rule}


@cache
def records() -> frozenset[str]:
    """Answer the name of every recorded series."""
    return frozenset(rule["record"] for rule in rules() if "record" in rule)


def selectors(expression: str) -> Iterator[Any]:
    """Yield every vector selector of a PromQL expression."""

    def walk(node: Any) -> Iterator[Any]:
        if isinstance(node, promql_parser.VectorSelector):
            yield node
        for name in ("expr", "lhs", "rhs", "vector_selector", "param", "vs", "selector"):
            child = getattr(node, name, None)
            if child is not None and not isinstance(child, str | int | float):
                yield from walk(child)
        for child in getattr(node, "args", None) or ():
            yield from walk(child)

    yield from walk(promql_parser.parse(expression))


def expressions() -> Iterator[tuple[str, str]]:
    """Yield (where, expression) of every rule, of every query in an annotation, and of every panel."""
    for rule in rules():
        where = rule.get("alert") or rule["record"]
        yield where, rule["expr"]
        for text in rule.get("annotations", {}).values():
            for query in re.findall(r'query "((?:[^"\\]|\\.)*)"', text):
                yield f"{where} (annotation)", query.replace('\\"', '"')
    for path in DASHBOARDS:
        for query in panel_queries(json.loads(path.read_text()), Window(start=0, end=21_600)):
            yield f"{path.stem} panel {query.panel}", query.expression
        for annotation in json.loads(path.read_text())["annotations"]["list"]:
            if "expr" in annotation:
                yield (
                    f"{path.stem} annotation",
                    re.sub(r"\$(job|agent|stage)", ".*", annotation["expr"])
                    .replace("$__rate_interval", "1m")
                    .replace("$__interval", "1m"),
                )


def test_the_walker_finds_every_metric_of_an_expression() -> None:
    """The tests below are worth something only if no selector escapes them."""
    expression = (
        "histogram_quantile(0.9, sum by (le) (rate(a[5m]))) > on () (b or -c offset 1m)"
        ' and topk(3, max_over_time(e[5m:1m])) unless absent(f{x="y"})'
    )
    found = {one.name for one in selectors(expression)}
    assert found == {"a", "b", "c", "e", "f"}


def test_every_metric_that_is_asked_for_is_made_upstream() -> None:
    """Rules, annotations and panels name only what the exporter exposes or a rule records."""
    known = exposed() | records()
    unknown = {
        (where, one.name)
        for where, expression in expressions()
        for one in selectors(expression)
        if one.name not in known and not OTHERS.match(one.name or "")
    }
    assert not unknown


def test_a_metric_nobody_makes_is_noticed() -> None:
    """The check above can fail."""
    assert not {one.name for one in selectors("rate(nobody_makes_this_total[5m])")} <= exposed() | records()


def test_every_series_of_ours_is_asked_for_by_job() -> None:
    """Rules carry the job, dashboards the variable: two fleets in one Prometheus do not mix."""
    loose = {
        (where, one.name)
        for where, expression in expressions()
        for one in selectors(expression)
        if one.name in exposed() | records() and not any(matcher.name == "job" for matcher in one.matchers.matchers)
    }
    assert not loose


def test_every_record_is_used() -> None:
    """A recorded series that no panel, rule or document shows is a cost without a reader."""
    shown = {one.name for _, expression in expressions() for one in selectors(expression)}
    written = " ".join(path.read_text() for path in (ROOT / "docs").rglob("*.md"))
    assert {record for record in records() if record not in shown and record not in written} == set()


def test_every_promised_metric_is_on_a_panel_or_in_a_rule() -> None:
    """Counted, but shown nowhere, is as good as not counted."""
    shown = {one.name for _, expression in expressions() for one in selectors(expression)}
    bare = {re.sub("_(bucket|count|sum)$", "", name) for name in shown} | shown
    assert {metric.name for metric in CATALOGUE if not metric.name.startswith("eddie_")} <= bare


@pytest.mark.parametrize("name", sorted(alerts()))
def test_every_alert_is_tested_both_ways(name: str) -> None:
    """One promtool test expects it to fire, one that it does not."""
    fires, silent = False, False
    for path in (ROOT / "prometheus/tests").glob("*_test.yml"):
        for test in yaml.safe_load(path.read_text())["tests"]:
            for one in test.get("alert_rule_test", ()):
                if one["alertname"] == name:
                    fires |= bool(one.get("exp_alerts"))
                    silent |= not one.get("exp_alerts")
    assert fires, f"no promtool test lets {name} fire"
    assert silent or name == "Watchdog", f"no promtool test keeps {name} silent"


@pytest.mark.parametrize("name", [*sorted(alerts()), "PrometheusDown"])
def test_every_alert_has_a_heading_in_the_runbook(name: str) -> None:
    """Whoever is woken finds a text under the alert's own name."""
    headings = re.findall(r"^#+ (\w+)\s*$", (ROOT / "docs/runbook.md").read_text(), re.MULTILINE)
    assert name in headings


@pytest.mark.parametrize("name", sorted(alerts()))
def test_every_alert_says_what_it_must(name: str) -> None:
    """Severity, summary, runbook and a panel that exists."""
    rule = alerts()[name]
    assert rule["labels"]["severity"] in {"critical", "warning", "info", "none"}
    notes = rule["annotations"]
    assert notes["summary"]
    assert notes["runbook_url"].endswith(f"/runbook#{name.lower()}")
    uid, panel = re.findall(r"/d/([\w-]+)\?viewPanel=(\d+)$", notes["panel_url"])[0]
    boards = {one["uid"]: one for one in (json.loads(path.read_text()) for path in DASHBOARDS)}
    assert int(panel) in {one["id"] for one in boards[uid]["panels"]}


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_every_dashboard_has_its_source(path: Path) -> None:
    """The JSON is generated; its module lies in grafana/dashboards."""
    sources = " ".join(one.read_text() for one in (ROOT / "grafana/dashboards").glob("*.py"))
    assert f'"{json.loads(path.read_text())["uid"]}"' in sources


def test_the_page_of_metrics_equals_the_catalogue() -> None:
    """docs/metrics.md is what scripts/metrics_doc.py writes now."""
    assert metrics_doc.PAGE.read_text() == metrics_doc.page()


def test_every_setting_has_its_key_in_the_example() -> None:
    """.env.example names every setting of the exporter that the stack does not decide itself."""
    keys = set(re.findall(r"^#? ?([A-Z][A-Z0-9_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))
    settings = {f"EDDIE_{name.upper()}" for name in Settings.model_fields}
    assert settings - DECIDED - keys == set()


def test_compose_hands_every_setting_on() -> None:
    """A key of .env that the exporter's container never sees would be a lie; where it listens is the image's."""
    stack = yaml.safe_load((ROOT / "compose.yaml").read_text())
    handed = set(stack["services"]["exporter"]["environment"])
    assert {f"EDDIE_{name.upper()}" for name in Settings.model_fields} - handed == {"EDDIE_HOST", "EDDIE_PORT"}


def test_the_extra_server_is_what_its_lock_is_made_from() -> None:
    """What pip brings with eddie-metrics[server] and what the image installs are the same list."""
    extra = tomllib.loads((ROOT / "exporter/pyproject.toml").read_text())["project"]["optional-dependencies"]["server"]
    lines = (ROOT / "exporter/requirements/server.in").read_text().splitlines()
    assert sorted(extra) == sorted(line for line in lines if line and not line.startswith("#"))
