"""Prometheus's configuration and rules, judged by its own tool."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.support.programs import ROOT, program, run

from eddie_exporter.catalogue import CATALOGUE
from eddie_exporter.settings import Settings
from eddie_exporter.texts import LABEL_CHARACTERS

PROMETHEUS = ROOT / "prometheus"
RULE_FILES = sorted((PROMETHEUS / "rules").rglob("*.yml"))
TESTS = sorted((PROMETHEUS / "tests").glob("*_test.yml"))
HOUSE_LINKS = "{{ $externalLabels.grafana_url }}/d/eddie-distributed-fallback?viewPanel="


def rules(kind: str) -> list[dict[str, Any]]:
    """All shipped rules of a kind, `alert` or `record`."""
    groups = [group for path in RULE_FILES for group in yaml.safe_load(path.read_text())["groups"]]
    return [rule for group in groups for rule in group["rules"] if kind in rule]


ALERTS = rules("alert")
DASHBOARD = ROOT / "grafana/provisioning/dashboards/eddie-distributed-fallback.json"
PANELS = {panel["id"] for panel in json.loads(DASHBOARD.read_text())["panels"]}


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
    assert f"{len(RULE_FILES)} rule files found" in said.stdout


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
    assert f"{len(RULE_FILES) + 1} rule files found" in run(*check).stdout
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
    "LateEventsArriving": ("> 0.5\n", "> 0.3\n"),
    "HighTimeoutEvents": ("[5m])) > 10\n", "[5m])) > 15\n"),
    "FallbackDepthExceeded": ("for: 0s\n", "for: 10m\n"),
    "HighFailureRate": ("sum by (job) (rate(task_failure_total", "max by (job) (rate(task_failure_total"),
    "ExporterDown": ('== 0 or absent(up{job="eddie-metrics"})', "== 0"),
    "Watchdog": ("or vector(0)", ""),
    "TaskStuck": ("> 1800\n", "> 3600\n"),
    "TaskLoss": ("increase(eddie_tasks_lost_total", "max_over_time(eddie_tasks_lost_total"),
    "ChunkLoss": ("sum by (job) (increase(eddie_chunks", "max by (job) (increase(eddie_chunks"),
    "DiskFull": (', reason="disk-full"}[5m])) > 0\n        for: 0s', "}[5m])) > 0\n        for: 0s"),
    "EventsRefused": ("for: 3m\n", "for: 1m\n"),
    "LostBatches": ("eddie_lost_batches_total", "eddie_events_duplicate_total"),
    "ClientDrops": ("sum by (job) (increase(eddie_client", "max by (job) (increase(eddie_client"),
    "DedupWindowShort": (" > 0) < 7200", ") < 7200"),
    "StoreReplaced": ("and on (job, instance)", "or"),
    "ClockSkew": ("abs(timestamp", "(timestamp"),
    "SeriesOverflow": ("increase(eddie_series_overflow_total", "max_over_time(eddie_series_overflow_total"),
    "SeriesNearLimit": ("> 0.8\n", "> 0.9\n"),
    "ScrapeNearLimit": ("> 200000\n", "> 250000\n"),
    "PrometheusNotStoring": ("max by (job) (timestamp", "min by (job) (timestamp"),
    "PrometheusStorageFails": ("prometheus_tsdb_compactions_failed_total", "prometheus_tsdb_reloads_failures_total"),
    "PrometheusNearlyFull": ("0 * prometheus_tsdb_storage", "-prometheus_tsdb_storage"),
    "RulesFail": ("for: 6m\n", "for: 0s\n"),
    "NotificationsDropped": ("[2m])) > 0\n        for: 5m\n", "[2m])) > 0\n        for: 1m\n"),
    "ConfigRefused": ("== 0\n        for: 1m\n", "== 0\n        for: 0s\n"),
}


@pytest.mark.parametrize("alert", [rule["alert"] for rule in ALERTS])
def test_rule_tests_catch_a_broken_rule(alert: str, tmp_path: Path) -> None:
    """The tests are worth something: with one thing broken in an alert, its test file fails."""
    copy = clone(tmp_path)
    good, bad = MUTATIONS[alert]
    rules = {path: path.read_text() for path in sorted((copy / "rules" / "alerting").glob("*.yml"))}
    assert any(good in text for text in rules.values())
    for path, text in rules.items():
        path.write_text(text.replace(good, bad))
    name = re.sub(r"(?<!^)(?=[A-Z])", "_", alert).lower()
    said = run(program("promtool", (3,)), "test", "rules", str(copy / "tests" / f"{name}_test.yml"))
    assert said.returncode != 0, f"{alert}: expected the test to fail with {bad!r} for {good!r}, it passed"


PROMISED = {
    "LateEventsArriving": (None, "0s", "11m", "info"),
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
    "TaskStuck": ('max by (job) (eddie_oldest_inflight_seconds{job="eddie-metrics"}) > 1800', "1m", "5m", "warning"),
    "TaskLoss": ('increase(eddie_tasks_lost_total{job="eddie-metrics"}[15m])) > 0', "0s", "5m", "warning"),
    "ChunkLoss": ('increase(eddie_chunks_lost_total{job="eddie-metrics"}[15m])) > 0', "0s", "5m", "warning"),
    "DiskFull": (
        'increase(eddie_events_rejected_total{job="eddie-metrics", reason="disk-full"}[5m])) > 0',
        "0s",
        "5m",
        "critical",
    ),
    "EventsRefused": (None, "3m", "5m", "critical"),
    "LostBatches": ('increase(eddie_lost_batches_total{job="eddie-metrics"}[15m])) > 0', "0s", "5m", "warning"),
    "ClientDrops": (
        'increase(eddie_client_dropped_events_total{job="eddie-metrics"}[15m])) > 0',
        "0s",
        "5m",
        "warning",
    ),
    "DedupWindowShort": (
        'min by (job) (eddie_dedup_window_seconds{job="eddie-metrics"} > 0) < 7200',
        "1m",
        "5m",
        "warning",
    ),
    "StoreReplaced": (None, "0s", "5m", "critical"),
    "ClockSkew": (
        'abs(timestamp(eddie_clock_seconds{job="eddie-metrics"}) - eddie_clock_seconds{job="eddie-metrics"}) > 30',
        "2m",
        "5m",
        "warning",
    ),
    "SeriesOverflow": ('increase(eddie_series_overflow_total{job="eddie-metrics"}[15m])) > 0', "0s", "5m", "warning"),
    "SeriesNearLimit": (None, "5m", "15m", "warning"),
    "ScrapeNearLimit": (
        'max by (job) (scrape_samples_post_metric_relabeling{job="eddie-metrics"}) > 200000',
        "5m",
        "15m",
        "warning",
    ),
    "PrometheusNotStoring": (
        'time() - max by (job) (timestamp(up{job="eddie-metrics"})) > 60',
        "2m",
        "5m",
        "critical",
    ),
    "PrometheusStorageFails": (None, "0s", "15m", "critical"),
    "PrometheusNearlyFull": (None, "10m", "2h", "warning"),
    "RulesFail": (
        'sum by (job, instance) (increase(prometheus_rule_evaluation_failures_total{job="prometheus"}[5m])) > 0',
        "6m",
        "5m",
        "critical",
    ),
    "NotificationsDropped": (
        'sum by (job, instance) (increase(prometheus_notifications_dropped_total{job="prometheus"}[2m])) > 0',
        "5m",
        "15m",
        "critical",
    ),
    "ConfigRefused": ('prometheus_config_last_reload_successful{job="prometheus"} == 0', "1m", "1m", "warning"),
}
"""Window, bound, `for`, `keep_firing_for` and severity as promised; rule tests hold them only from one side.

None: an expression of several parts, each of which its rule tests hold.
"""


@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: rule["alert"])
def test_alert_has_the_numbers_that_were_promised(rule: dict[str, Any]) -> None:
    """Each alert asks for what was promised, after the wait and with the severity that was: a typo would be a page."""
    expression, waits, keeps, severity = PROMISED[rule["alert"]]
    assert expression in {None, rule["expr"].strip().removeprefix("sum by (job) (")}
    assert (rule["for"], rule["keep_firing_for"], rule["labels"]["severity"]) == (waits, keeps, severity)


@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: rule["alert"])
def test_alert_says_what_a_person_needs(rule: dict[str, Any]) -> None:
    """Each alert has its timings, a severity that is routed, words, a runbook heading and a panel."""
    assert {"for", "keep_firing_for"} <= rule.keys()
    assert rule["labels"]["severity"] in {"critical", "warning", "info", "none"}
    notes = rule["annotations"]
    assert notes.keys() == {"summary", "description", "runbook_url", "panel_url"}
    anchor = rule["alert"].lower()
    assert notes["runbook_url"] == "{{ $externalLabels.exporter_url }}/runbook#" + anchor
    assert re.search(rf"^## {rule['alert']}$", (ROOT / "docs" / "runbook.md").read_text(), re.MULTILINE)
    assert notes["panel_url"].startswith(HOUSE_LINKS)
    assert int(notes["panel_url"].removeprefix(HOUSE_LINKS)) in PANELS


@pytest.mark.parametrize("rule", ALERTS + rules("record"), ids=lambda rule: rule.get("alert") or rule["record"])
def test_every_series_is_of_one_program(rule: dict[str, Any]) -> None:
    """Each selector names the job, the exporter's or Prometheus's own: another program's metric moves nothing."""
    selectors = re.findall(r"(?<![\w:])([a-z][\w:]*)(\{[^}]*\})", rule["expr"])
    assert selectors
    own = {"prometheus" if name.startswith("prometheus_") else "eddie-metrics" for name, _ in selectors}
    assert len(own) == 1
    assert all(f'job="{min(own)}"' in labels for _, labels in selectors)
    assert not re.search(r"[\w:]+_(?:total|bucket)\s*\[", rule["expr"]), "a range without a job"


def wall() -> dict[str, Any]:
    """Limits that Prometheus itself sets to a scrape of the exporter."""
    jobs = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text())["scrape_configs"]
    (job,) = [job for job in jobs if job["job_name"] == "eddie-metrics"]
    return {name: value for name, value in job.items() if name.endswith("_limit")}


def test_the_alert_comes_before_the_wall() -> None:
    """ScrapeNearLimit speaks at four fifths of sample_limit, its words name it, and a full exporter is below."""
    (rule,) = [rule for rule in ALERTS if rule["alert"] == "ScrapeNearLimit"]
    limit = wall()["sample_limit"]
    assert f"> {limit * 4 // 5}" in rule["expr"]
    assert f"past {limit} " in rule["annotations"]["summary"]
    assert Settings.model_fields["max_samples"].default <= limit * 4 // 5


def test_the_wall_takes_whatever_the_contract_allows() -> None:
    """The longest label value there may be, in bytes, and more labels than any metric has with its target's own."""
    limits = wall()
    assert limits["label_value_length_limit"] >= 4 * LABEL_CHARACTERS
    assert limits["label_limit"] >= max(len(metric.labels) for metric in CATALOGUE) + len(("__name__", "le", "job"))
    assert limits["body_size_limit"].endswith("MB")
