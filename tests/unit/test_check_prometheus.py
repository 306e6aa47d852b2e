"""What --check says of a live Prometheus: each thing that is there, and each that is not."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.scripted_prometheus import (
    CONFIG,
    FEATURES,
    Answer,
    Said,
    Scripted,
    called,
    loaded,
    ok,
    scripted,
    target,
    without_settings,
)

from existing.checks import OLDEST


@pytest.fixture
def script() -> Iterator[Scripted]:
    """Give a scripted server that has everything."""
    with scripted() as found:
        yield found


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Said]:
    """Give a function that runs the script, without the caller's settings."""
    without_settings(monkeypatch, tmp_path)
    return lambda *words: called(capsys, *words)


def test_all_there(script: Scripted, said: Callable[..., Said]) -> None:
    """Every line is ok, exit 0; the lines and the JSON say the same."""
    answer = said("--check", script.url)
    assert (answer.code, answer.error) == (0, "")
    lines = answer.out.splitlines()
    assert all(line.startswith("ok ") for line in lines)
    found = said("--check", script.url + "/", "--json")
    assert found.code == 0
    assert [one["name"] for one in json.loads(found.out)["findings"]] == [
        line.removeprefix("ok").strip().partition(":")[0] for line in lines
    ]


def broken(groups: list[dict[str, Any]], name: str, **other: Any) -> Answer:
    """Return the rules with one of them changed."""
    for group in groups:
        for rule in group["rules"]:
            if rule["name"] == name:
                rule.update(other)
    return ok({"groups": groups})


BROKEN: dict[str, tuple[str, Answer, str, str, str]] = {
    "too old": ("status/buildinfo", ok({"version": "2.41.0"}), "server", "wrong", "keep_firing_for"),
    "reload refused": ("status/runtimeinfo", ok({"reloadConfigSuccess": False}), "configuration", "wrong", "reload"),
    "no job": ("targets", ok({"activeTargets": []}), "job", "wrong", "no target"),
    "relabelled": ("targets", ok({"activeTargets": [target(labels={"job": "x"})]}), "job", "wrong", "got x"),
    "down": ("targets", ok({"activeTargets": [target(health="down", lastError="EOF\nx")]}), "target", "wrong", "EOF x"),
    "not yet": ("targets", ok({"activeTargets": [target(health="unknown")]}), "target", "wrong", "not scraped yet"),
    "token": (
        "targets",
        ok({"activeTargets": [target(health="down", lastError="server returned HTTP status 401 Unauthorized")]}),
        "target",
        "wrong",
        "--token-file",
    ),
    "interval": ("targets", ok({"activeTargets": [target(scrapeInterval="1m")]}), "scrape", "wrong", "got 1m"),
    "path": ("targets", ok({"activeTargets": [target(scrapeUrl="http://h:1/x")]}), "scrape", "wrong", "got /x"),
    "flag": ("status/flags", ok({"enable-feature": ""}), "feature flag", "missing", "--enable-feature="),
    "no rules": ("rules", ok({"groups": []}), "rule Watchdog", "missing", "rule_files"),
    "expression": ("rules", broken(loaded(), "Watchdog", query="vector(1)"), "rule Watchdog", "wrong", "expression"),
    "wait": ("rules", broken(loaded(), "ExporterDown", duration=0), "rule ExporterDown", "wrong", "for: expected 60"),
    "health": (
        "rules",
        broken(loaded(), "HighFailureRate", health="err", lastError="many-to-many"),
        "rule HighFailureRate",
        "wrong",
        "many-to-many",
    ),
    "not evaluated": (
        "rules",
        broken(loaded(), "HighFailureRate", health="unknown"),
        "rule HighFailureRate",
        "wrong",
        "not evaluated",
    ),
    "twice": (
        "rules",
        ok({"groups": loaded() + [{**group, "file": "other.yml"} for group in loaded()]}),
        "rule Watchdog",
        "wrong",
        "other.yml",
    ),
    "no alertmanager": ("alertmanagers", ok({"activeAlertmanagers": []}), "alertmanager", "missing", "none"),
    "retention": ("status/runtimeinfo", ok({"storageRetention": "1w"}), "retention", "wrong", "got 1w"),
    "clock": ("query", ok({"result": [0, str(time.time() - 60)]}), "clock", "wrong", "NTP"),
    "label": ("status/config", ok({"yaml": CONFIG.replace("environment", "env")}), "environment", "missing", "label"),
    "unexpanded": (
        "status/config",
        ok({"yaml": CONFIG.replace("'west'", "${E}")}),
        "environment",
        "wrong",
        "${E}",
    ),
    "origin": ("status/config", ok({"yaml": CONFIG.replace("origin", "x")}), "origin label", "missing", "second time"),
    "odd": ("targets", ok({"activeTargets": [{"health": "up"}]}), "job", "unknown", "does not give"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_each_thing_that_is_not_so_is_named(script: Scripted, said: Callable[..., Said], case: str) -> None:
    """Exit 3; the finding says what is so and what to do."""
    path, answer, name, state, words = BROKEN[case]
    script.answers[path] = answer
    found = said("--check", script.url, "--json")
    assert found.code == 3
    one = found.finding(name)
    assert one["state"] == state
    assert words in one["said"] + one["advice"]
    assert one["advice"]
    assert {bad.partition(" ")[0] for bad, _ in found.bad} <= {name.partition(" ")[0], "retention", "job"}


def test_a_job_that_is_not_there_is_missing(script: Scripted, said: Callable[..., Said]) -> None:
    """Neither a target nor a line of the configuration."""
    script.answers["targets"] = ok({"activeTargets": []})
    script.answers["status/config"] = ok({"yaml": CONFIG.replace("eddie-metrics", "other")})
    assert said("--check", script.url, "--json").finding("job")["state"] == "missing"


def test_a_rule_of_theirs_with_the_same_name_is_no_concern(script: Scripted, said: Callable[..., Said]) -> None:
    """Many have a Watchdog of their own: beside ours it is fine, instead of ours it is not ours."""
    theirs = {
        "name": "general",
        "file": "t.yml",
        "rules": [{"type": "alerting", "name": "Watchdog", "query": "vector(1)"}],
    }
    script.answers["rules"] = ok({"groups": [theirs, *loaded()]})
    assert said("--check", script.url).code == 0
    script.answers["rules"] = ok({"groups": [theirs]})
    assert said("--check", script.url, "--json").finding("rule Watchdog")["state"] == "missing"


def test_what_was_asked_for_by_name_has_to_be_it(script: Scripted, said: Callable[..., Said]) -> None:
    """Another target, environment, Alertmanager or age than the options say."""
    words = ["--target", "h:1", "--environment", "east", "--alertmanager", "h:2", "--retention", "30d"]
    found = said("--check", script.url, "--json", *words)
    assert found.code == 3
    expected = {("target", "missing"), ("environment", "wrong"), ("alertmanager", "missing"), ("retention", "wrong")}
    assert set(found.bad) == expected
    same = ["--target", "127.0.0.1:8503", "--environment", "west", "--alertmanager", "127.0.0.1:9093"]
    assert said("--check", script.url, *same, "--retention", "15d").code == 0


@pytest.mark.parametrize(
    ("flags", "state"),
    [
        ({"storage.tsdb.retention.time": "0s", "storage.tsdb.retention.size": "0B"}, "ok"),
        ({"storage.tsdb.retention.time": "3d"}, "wrong"),
        ({"storage.tsdb.retention.time": "1y", "storage.tsdb.retention.size": "1GiB"}, "ok"),
        ({"storage.tsdb.retention.time": "0s", "storage.tsdb.retention.size": "1GiB"}, "ok"),
    ],
    ids=str,
)
def test_retention_is_read_from_flags_where_it_says_nothing_else(
    script: Scripted, said: Callable[..., Said], flags: dict[str, str], state: str
) -> None:
    """0s means the default, 15d; a size alone sets no age, and is said."""
    script.answers["status/runtimeinfo"] = ok({})
    script.answers["status/flags"] = ok({"enable-feature": FEATURES, **flags})
    finding = said("--check", script.url, "--json").finding("retention")
    assert finding["state"] == state
    assert ("size" in finding["said"]) is ("1GiB" in str(flags))


def test_a_version_that_cannot_read_created_timestamps_is_told(script: Scripted, said: Callable[..., Said]) -> None:
    """Nothing is missing there that could be put in."""
    script.answers["status/buildinfo"] = ok({"version": f"{OLDEST[0]}.{OLDEST[1]}.0"})
    script.answers["status/flags"] = ok({})
    answer = said("--check", script.url, "--json")
    assert answer.code == 0
    assert "first events" in answer.finding("feature flag")["said"]


@pytest.mark.parametrize("info", [{"application": "Grafana Mimir", "version": "2.15.0"}, {"version": "0.35.1"}, None])
def test_what_only_speaks_like_one_says_less(script: Scripted, said: Callable[..., Said], info: Any) -> None:
    """Mimir and Thanos answer 404 to some questions: each is told as unknown, the others are answered, exit 3."""
    for path in ("status/flags", "status/config", "status/runtimeinfo", "targets", "alertmanagers"):
        del script.answers[path]
    script.answers["status/buildinfo"] = ok(info) if info else (404, "text/plain", b"no")
    found = said("--check", script.url, "--json")
    assert found.code == 3
    assert {state for _, state in found.bad} == {"unknown"}
    assert "404" in found.finding("feature flag")["said"]
    assert found.finding("rules")["state"] == "ok"
