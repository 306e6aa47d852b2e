"""What is printed for somebody's own Prometheus is what is committed here, and what was asked for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from tests.support.programs import ROOT, run
from tests.support.scripted_prometheus import Said, called, loaded, without_settings

from existing import committed

PROMETHEUS_YML = yaml.safe_load((ROOT / "prometheus/prometheus.yml").read_text("utf-8"))
JOB = next(job for job in PROMETHEUS_YML["scrape_configs"] if job["job_name"] == "eddie-metrics")


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Said]:
    """Give a function that runs the script, without the caller's settings."""
    without_settings(monkeypatch, tmp_path)
    return lambda *words: called(capsys, *words)


def test_the_reader_reads_what_a_yaml_library_reads() -> None:
    """Job, patterns and every rule: this reader and PyYAML answer the same."""
    usual = PROMETHEUS_YML["global"]
    scalars = {key: str(value) for key, value in JOB.items() if isinstance(value, str | int) and key != "job_name"}
    assert committed.job() == {key: usual[key] for key in ("scrape_interval", "scrape_timeout")} | scalars
    patterns = [each for each in PROMETHEUS_YML["rule_files"] if not each.startswith("local/")]
    assert [f"rules/{each}" for each in committed.rule_globs()] == patterns
    read = [
        (one.group, one.kind, one.name, one.expression, one.waits, one.keeps, one.severity) for one in committed.rules()
    ]
    assert sorted(read) == sorted(
        (
            group["name"],
            "alert" if rule["type"] == "alerting" else "record",
            rule["name"],
            committed.plain(rule["query"]),
            rule["duration"],
            rule["keepFiringFor"],
            rule["labels"].get("severity", ""),
        )
        for group in loaded()
        for rule in group["rules"]
    )


def test_nothing_of_the_committed_job_is_left_out() -> None:
    """A key that somebody adds to the job and this script does not know makes this test fail, not their scrape."""
    assert JOB.keys() <= committed.job().keys() | {"job_name", "authorization", "file_sd_configs"}


def test_a_file_that_lost_its_keys_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The reader guesses nothing: what it does not find, it names."""
    monkeypatch.setattr(committed, "PROMETHEUS", tmp_path)
    (tmp_path / "prometheus.yml").write_text("global:\n  scrape_interval: 15s\n")
    (tmp_path / "flags").write_text("--enable-feature=created-timestamp-zero-ingestion\n")
    for read in (committed.job, committed.rule_globs, committed.flag, committed.rules):
        with pytest.raises(committed.CommittedError, match="expected"):
            read()


def test_white_space_within_quotes_counts() -> None:
    """Two expressions are the same when only their layout differs."""
    assert committed.plain('sum by (a) (x{b="c d"}\n)') == committed.plain('sum by(a)(x{b="c d"})')
    assert committed.plain('x{b="c d"}') != committed.plain('x{b="cd"}')


def test_it_prints_the_job_as_committed(said: Callable[..., Said]) -> None:
    """Without options: the usual address, no token, no Alertmanager, this checkout's rules."""
    answer = said()
    assert answer.code == 0
    made = yaml.safe_load(answer.out)
    assert made["global"] == {"external_labels": {"environment": "default"}}
    assert made["rule_files"] == [f"{ROOT}/prometheus/rules/{kind}/*.yml" for kind in ("recording", "alerting")]
    assert "alertmanagers" not in made["alerting"]
    assert made["scrape_configs"] == [
        {
            "job_name": "eddie-metrics",
            "scrape_interval": PROMETHEUS_YML["global"]["scrape_interval"],
            "scrape_timeout": PROMETHEUS_YML["global"]["scrape_timeout"],
            "metrics_path": JOB["metrics_path"],
            **{key: value for key, value in JOB.items() if key.endswith("_limit")},
            "static_configs": [{"targets": ["127.0.0.1:8503"]}],
        }
    ]


def test_it_prints_what_is_asked_for(said: Callable[..., Said]) -> None:
    """https, token, Alertmanagers, links and another folder; a quote in a name stays a quote."""
    options = ["--target", "[::1]:9", "--https", "--target-ca-file", "/ca", "--token-file", "/t", "--rules", "/r/"]
    more = ["--alertmanager", "a:1", "--alertmanager", "b:2", "--environment", "it's: #1", "--grafana-url", "http://g/"]
    made = yaml.safe_load(said(*options, *more).out)
    job = made["scrape_configs"][0]
    assert job["scheme"] == "https"
    assert job["tls_config"] == {"ca_file": "/ca"}
    assert job["authorization"] == {"credentials_file": "/t"}
    assert job["static_configs"] == [{"targets": ["[::1]:9"]}]
    assert made["rule_files"][0] == "/r/recording/*.yml"
    assert made["alerting"]["alertmanagers"] == [{"static_configs": [{"targets": ["a:1", "b:2"]}]}]
    assert made["global"]["external_labels"] == {"environment": "it's: #1", "grafana_url": "http://g"}
    assert {"action": "labeldrop", "regex": "grafana_url"} in made["alerting"]["alert_relabel_configs"]


def test_settings_are_read_and_options_win(said: Callable[..., Said], tmp_path: Path) -> None:
    """The public address with its scheme and path, and the environment, are `.env`'s unless an option says other."""
    (tmp_path / ".env").write_text("EDDIE_EXPORTER_PUBLIC_URL=https://eddie.example.org/m\nEDDIE_ENVIRONMENT=eu\n")
    made = yaml.safe_load(said().out)
    job = made["scrape_configs"][0]
    assert (job["scheme"], job["metrics_path"]) == ("https", "/m/metrics/prometheus")
    assert job["static_configs"] == [{"targets": ["eddie.example.org:443"]}]
    assert made["global"]["external_labels"] == {"environment": "eu"}
    job = yaml.safe_load(said("--target", "h:1").out)["scrape_configs"][0]
    assert (job.get("scheme"), job["metrics_path"]) == (None, "/metrics/prometheus")


def test_the_plain_interpreter_runs_it(tmp_path: Path) -> None:
    """From any folder, with the system's Python and nothing installed."""
    answer = run("sh", "-c", f"cd '{tmp_path}' && exec python3 -S '{ROOT}/scripts/print_scrape_config.py'")
    assert answer.returncode == 0, answer.stderr


@pytest.mark.parametrize(
    "words",
    [
        ["--target", "nohost"],
        ["--target", "h:0"],
        ["--target", "u@h:1"],
        ["--target", "h:1'"],
        ["--environment", "a$b"],
        ["--environment", "a\nb"],
        ["--rules", "/a*b"],
        ["--check", "ftp://h"],
        ["--check", "http://u:p@h"],
        ["--check", "http://h:port"],
        ["--check", "http://127.0.0.1:9", "--user", "u"],
        ["--check", "http://127.0.0.1:9", "--bearer-token-file", "/nowhere"],
        ["--check", "https://127.0.0.1:9", "--ca-file", "/nowhere"],
        ["--check", "http://127.0.0.1:9", "--timeout", "0"],
        ["--check", "http://127.0.0.1:9", "--retention", "long"],
    ],
    ids=" ".join,
)
def test_what_cannot_be_meant_is_refused(said: Callable[..., Said], words: list[str]) -> None:
    """Exit 2, and the last line says what was expected; a password of an address is not repeated."""
    answer = said(*words)
    assert answer.code == 2
    assert "expected" in answer.error.splitlines()[-1]
    assert "u:p" not in answer.error.splitlines()[-1]
