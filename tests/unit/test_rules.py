"""Prometheus's configuration and rules, judged by its own tool."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.support.programs import ROOT, program, run

PROMETHEUS = ROOT / "prometheus"
RULE_FILES = sorted((PROMETHEUS / "rules").rglob("*.yml"))
TESTS = sorted((PROMETHEUS / "tests").glob("*_test.yml"))
HOUSE_LINKS = "{{ $externalLabels.grafana_url }}/d/eddie-distributed-fallback?viewPanel="


def rules(kind: str) -> list[dict[str, Any]]:
    """All shipped rules of a kind, `alert` or `record`."""
    groups = [group for path in RULE_FILES for group in yaml.safe_load(path.read_text())["groups"]]
    return [rule for group in groups for rule in group["rules"] if kind in rule]


ALERTS = rules("alert")


def clone(tmp_path: Path) -> Path:
    """Make a copy with a read token, as `make up` lays it out; `local/` stays away."""
    copy = tmp_path / "prometheus"
    shutil.copytree(PROMETHEUS, copy, ignore=shutil.ignore_patterns("local"))
    (copy / "secrets" / "read_token").write_text("token\n")
    return copy


def test_configuration_loads_without_local(tmp_path: Path) -> None:
    """The configuration is valid on a clean clone, where the user has added nothing."""
    said = run(
        program("promtool", (2, 43)),
        "check",
        "config",
        "--lint=all",
        "--lint-fatal",
        str(clone(tmp_path) / "prometheus.yml"),
    )
    assert said.returncode == 0, said.stderr + said.stdout
    assert "3 rule files found" in said.stdout


def test_configuration_with_a_misspelt_key_is_refused(tmp_path: Path) -> None:
    """The check above can fail: a key that Prometheus does not know is found."""
    path = clone(tmp_path) / "prometheus.yml"
    path.write_text(path.read_text().replace("evaluation_interval", "evaluation_intervall"))
    assert run(program("promtool"), "check", "config", str(path)).returncode != 0


def test_users_rules_and_targets_are_read(tmp_path: Path) -> None:
    """What the user puts into local/ becomes part of the configuration; a mistake in it is found."""
    copy = clone(tmp_path)
    (copy / "local" / "rules").mkdir(parents=True)
    mine = copy / "local" / "rules" / "mine.yml"
    mine.write_text("groups: [{name: mine, rules: [{record: 'a:b:c', expr: up}]}]\n")
    check = [program("promtool", (2, 43)), "check", "config", str(copy / "prometheus.yml")]
    assert "4 rule files found" in run(*check).stdout
    mine.write_text("groups: [{name: mine, rules: [{record: 'a:b:c', expr: up(}]}]\n")
    assert run(*check).returncode != 0


@pytest.mark.parametrize("path", RULE_FILES, ids=lambda path: path.stem)
def test_rules_are_lint_free(path: Path) -> None:
    """Every rule file passes promtool's whole lint."""
    said = run(program("promtool"), "check", "rules", "--lint=all", "--lint-fatal", str(path))
    assert said.returncode == 0, said.stderr + said.stdout


@pytest.mark.parametrize("path", TESTS, ids=lambda path: path.stem)
def test_rules_do_what_they_promise(path: Path) -> None:
    """Every rule test passes; promtool 3, for 2 counts one sample more in each window."""
    said = run(program("promtool", (3,)), "test", "rules", str(path))
    assert said.returncode == 0, said.stderr + said.stdout


MUTATIONS = {
    "HighTimeoutEvents": ("[5m])) > 10\n", "[5m])) > 15\n"),
    "FallbackDepthExceeded": ("for: 0s\n", "for: 10m\n"),
    "HighFailureRate": ("sum by (job) (rate(task_failure_total", "max by (job) (rate(task_failure_total"),
    "ExporterDown": ('== 0 or absent(up{job="eddie-metrics"})', "== 0"),
    "Watchdog": ("or vector(0)", ""),
}


@pytest.mark.parametrize("alert", [rule["alert"] for rule in ALERTS])
def test_rule_tests_catch_a_broken_rule(alert: str, tmp_path: Path) -> None:
    """The tests are worth something: with one thing broken in an alert, its test file fails."""
    copy = clone(tmp_path)
    good, bad = MUTATIONS[alert]
    for path in sorted((copy / "rules" / "alerting").glob("*.yml")):
        path.write_text(path.read_text().replace(good, bad))
    name = re.sub(r"(?<!^)(?=[A-Z])", "_", alert).lower()
    said = run(program("promtool", (3,)), "test", "rules", str(copy / "tests" / f"{name}_test.yml"))
    assert said.returncode != 0, f"{alert}: expected the test to fail with {bad!r} for {good!r}, it passed"


PROMISED = {
    "HighTimeoutEvents": ('increase(timeout_events_total{job="eddie-metrics"}[5m])) > 10', "1m", "5m", "warning"),
    "FallbackDepthExceeded": (
        'increase(fallback_depth_exceeded_total{job="eddie-metrics"}[5m])) > 0',
        "0s",
        "5m",
        "critical",
    ),
    "HighFailureRate": ('rate(task_failure_total{job="eddie-metrics"}[5m])) > 0.1', "1m", "5m", "warning"),
    "ExporterDown": ('up{job="eddie-metrics"} == 0 or absent(up{job="eddie-metrics"})', "1m", "2m", "critical"),
    "Watchdog": ('sum(up{job="eddie-metrics"}) or vector(0)', "0s", "0s", "none"),
}
"""Window, bound, `for`, `keep_firing_for` and severity as promised; rule tests hold them only from one side."""


@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: rule["alert"])
def test_alert_has_the_numbers_that_were_promised(rule: dict[str, Any]) -> None:
    """Each alert asks for what was promised, after the wait and with the severity that was: a typo would be a page."""
    expression, waits, keeps, severity = PROMISED[rule["alert"]]
    assert rule["expr"].strip().removeprefix("sum by (job) (") == expression
    assert (rule["for"], rule["keep_firing_for"], rule["labels"]["severity"]) == (waits, keeps, severity)


@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: rule["alert"])
def test_alert_says_what_a_person_needs(rule: dict[str, Any]) -> None:
    """Each alert has its timings, a severity that is routed, words, a runbook heading and a panel."""
    assert {"for", "keep_firing_for"} <= rule.keys()
    assert rule["labels"]["severity"] in {"critical", "warning", "none"}
    notes = rule["annotations"]
    assert notes.keys() == {"summary", "description", "runbook_url", "panel_url"}
    anchor = rule["alert"].lower()
    assert notes["runbook_url"] == "{{ $externalLabels.exporter_url }}/runbook#" + anchor
    assert re.search(rf"^## {rule['alert']}$", (ROOT / "docs" / "runbook.md").read_text(), re.MULTILINE)
    assert notes["panel_url"].startswith(HOUSE_LINKS)
    assert 1 <= int(notes["panel_url"].removeprefix(HOUSE_LINKS)) <= 11


@pytest.mark.parametrize("rule", ALERTS + rules("record"), ids=lambda rule: rule.get("alert") or rule["record"])
def test_every_series_is_the_exporters_own(rule: dict[str, Any]) -> None:
    """Each selector names the job, so that another program's metric of the same name moves nothing."""
    selectors = re.findall(r"(?<![\w:])([a-z][\w:]*)(\{[^}]*\})", rule["expr"])
    assert selectors
    assert all('job="eddie-metrics"' in labels for _, labels in selectors)
    assert not re.search(r"[\w:]+_(?:total|bucket)\s*\[", rule["expr"]), "a range without a job"
