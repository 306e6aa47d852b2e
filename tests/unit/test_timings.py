"""The timings by which one symptom stays one message, and the faster copies that tests run."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.support.programs import ROOT

from derive_timings import GRAFANA_STEP, PARTS, derive, divided, is_timed, main
from timings import DURATION, TimingsError, inequalities, read, seconds

DESIGN = ("First", "Last", "Repeat")


def broken(root: Path) -> set[str]:
    """Names of the inequalities that do not hold for the configuration in `root`."""
    return {each.name for each in inequalities(read(root)) if not each.holds}


def test_shipped_timings_hold() -> None:
    """All inequalities hold for what is shipped, the design's three among them."""
    assert [each.name for each in inequalities(read(ROOT))][:3] == list(DESIGN)
    assert not broken(ROOT)


MUTATIONS = {
    "Alertmanager waits less for Grafana's copies": ("alertmanager/parts/route.yml", "90s", "75s", "First"),
    "Prometheus sends again later": ("prometheus/flags", "resend-delay=1m", "resend-delay=75s", "First"),
    "Prometheus evaluates seldom": (
        "prometheus/rules/alerting/fallback.yml",
        "interval: 15s",
        "interval: 30s",
        "First",
    ),
    "an alert ends early": (
        "prometheus/rules/alerting/fallback.yml",
        "keep_firing_for: 5m",
        "keep_firing_for: 2m",
        "Last",
    ),
    "Grafana evaluates seldom": (
        "grafana/provisioning/alerting/rules.json",
        '"interval": "30s"',
        '"interval": "2m"',
        "Last",
    ),
    "Grafana groups longer": (
        "grafana/provisioning/alerting/policies.json",
        '"group_interval": "1m"',
        '"group_interval": "4m"',
        "Last",
    ),
    "Grafana repeats seldom": (
        "grafana/provisioning/alerting/policies.json",
        '"repeat_interval": "3m"',
        '"repeat_interval": "4m"',
        "Repeat",
    ),
    "Alertmanager forgets early": (
        "alertmanager/parts/global.yml",
        "resolve_timeout: 5m",
        "resolve_timeout: 4m",
        "Repeat",
    ),
    "late events are forgotten early": (
        "prometheus/rules/alerting/fallback.yml",
        "keep_firing_for: 11m",
        "keep_firing_for: 9m",
        "Late",
    ),
    "a window outlasts late events": ("prometheus/rules/alerting/fallback.yml", "[5m])) > 10", "[7m])) > 10", "Late"),
    "PrometheusDown comes late": ("grafana/provisioning/alerting/rules.json", '"for": "1m"', '"for": "3m"', "Dead"),
}


@pytest.mark.parametrize("change", MUTATIONS)
def test_change_that_breaks_a_timing_is_refused(change: str, tmp_path: Path) -> None:
    """Each number that takes part can break its inequality, and the check sees it."""
    file, good, bad, name = MUTATIONS[change]
    derive(Fraction(1), tmp_path)
    path = tmp_path / file
    text = path.read_text()
    assert good in text
    path.write_text(text.replace(good, bad))
    assert name in broken(tmp_path)


def test_depth_event_is_in_the_inbox_within_a_minute() -> None:
    """Scrape, evaluation and Alertmanager's wait of a depth event are less than 60 s; the others wait 1 m more."""
    prometheus = yaml.safe_load((ROOT / "prometheus/prometheus.yml").read_text())
    route = yaml.safe_load((ROOT / "alertmanager/parts/route.yml").read_text())["route"]
    group = yaml.safe_load((ROOT / "prometheus/rules/alerting/fallback.yml").read_text())["groups"][0]
    waits = {rule["alert"]: seconds(rule["for"]) for rule in group["rules"]}
    way = [prometheus["global"]["scrape_interval"], group["interval"], route["group_wait"]]
    assert waits.pop("FallbackDepthExceeded") == 0
    assert sum(map(seconds, way)) < 60
    assert max(waits.values()) <= 60


def test_repeats_are_due_at_a_tick() -> None:
    """Repeats of ordinary alerts are whole numbers of group intervals; the Watchdog's comes at every one."""
    route = yaml.safe_load((ROOT / "alertmanager/parts/route.yml").read_text())["route"]
    assert seconds(route["repeat_interval"]) % seconds(route["group_interval"]) == 0
    watchdog = next(row for row in route["routes"] if row.get("matchers") == ['alertname="Watchdog"'])
    assert seconds(watchdog["repeat_interval"]) < seconds(watchdog["group_interval"]) == 60


def files(root: Path) -> set[Path]:
    """Every shipped file that a derived copy must have, from the root."""
    found = {
        path.relative_to(root)
        for part in PARTS
        for path in ([root / part] if (root / part).is_file() else (root / part).rglob("*"))
        if path.is_file()
    }
    private = (("prometheus", "local"), ("prometheus", "secrets"))
    mounted = {path for path in found if path.parts[:2] in private and path.name not in {"README", ".gitignore"}}
    return {path for path in found - mounted if path.parts[:2] != ("prometheus", "tests")}


def test_divided_by_one_is_the_same_bytes(tmp_path: Path) -> None:
    """A factor of 1 copies every file byte for byte, and leaves out only the rule tests."""
    assert derive(Fraction(1), tmp_path) == []
    assert files(tmp_path) == files(ROOT)
    for path in files(ROOT):
        assert (tmp_path / path).read_bytes() == (ROOT / path).read_bytes(), path


def leaves(tree: Any, way: str = "") -> Iterator[tuple[str, Any]]:
    """Every leaf of a tree with the way to it."""
    if isinstance(tree, dict):
        for key, value in tree.items():
            yield from leaves(value, f"{way}/{key}")
    elif isinstance(tree, list):
        for index, value in enumerate(tree):
            yield from leaves(value, f"{way}/{index}")
    else:
        yield way, tree


def expected(way: str, value: Any, factor: int) -> Any:
    """Say what a leaf must be in the derived copy, from the tree's own meaning and not from the text."""
    if re.search(r"/relativeTimeRange/(from|to)$", way):
        return -(-value // factor)
    if not isinstance(value, str):
        return value
    if re.fullmatch(DURATION, value):
        if re.search(r"/groups/\d+/interval$", way) and value == "30s":
            return f"{-(-int(seconds(value)) // (factor * GRAFANA_STEP)) * GRAFANA_STEP}s"
        return divided(value, Fraction(factor))
    if way.endswith("/expr") or "{{" in value:
        return re.sub(rf"\[({DURATION})\]", lambda found: f"[{divided(found[1], Fraction(factor))}]", value)
    return value


@pytest.mark.parametrize("factor", [3, 10])
def test_derived_and_shipped_files_are_equal_otherwise(factor: int, tmp_path: Path) -> None:
    """Nothing but durations differs: same files, same keys, same words and thresholds, same order."""
    derive(Fraction(factor), tmp_path)
    assert files(tmp_path) == files(ROOT)
    changed = 0
    for path in sorted(files(ROOT)):
        shipped, made = ROOT / path, tmp_path / path
        if "dashboards" in path.parts:
            assert made.read_bytes() == shipped.read_bytes(), path
            continue
        if path.suffix not in {".yml", ".yaml", ".json"} or "receivers" in path.parts:
            flat = [re.sub(rf"(=|: ){DURATION}", r"\1…", line) for line in made.read_text().splitlines()]
            same = [re.sub(rf"(=|: ){DURATION}", r"\1…", line) for line in shipped.read_text().splitlines()]
            assert flat == same, path
            continue
        before, after = (list(leaves(yaml.safe_load(file.read_text()))) for file in (shipped, made))
        assert after == [(way, expected(way, value, factor)) for way, value in before], path
        changed += sum(old != new for old, new in zip(before, after, strict=True))
    assert changed > 40


def test_nothing_timed_is_left_at_its_old_length(tmp_path: Path) -> None:
    """Every file with a timing that the two engines share has changed; dashboards and target files have not."""
    derive(Fraction(3), tmp_path)
    touched = {path for path in files(ROOT) if (tmp_path / path).read_bytes() != (ROOT / path).read_bytes()}
    assert {path.as_posix() for path in touched} >= {
        "prometheus/prometheus.yml",
        "prometheus/flags",
        "prometheus/rules/alerting/fallback.yml",
        "alertmanager/parts/route.yml",
        "alertmanager/parts/global.yml",
        "grafana/provisioning/alerting/rules.json",
        "grafana/provisioning/alerting/policies.json",
    }
    assert all(is_timed(path) for path in touched)
    assert not any("dashboards" in path.parts or "targets" in path.parts for path in touched)


def test_factor_that_rounding_would_break_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Grafana's steps of 10 s bound the factor: beyond it the copy is refused, with the numbers."""
    assert main(["12", str(tmp_path / "copy")]) == 1
    assert "Last: expected 25 s > 25 s" in capsys.readouterr().err


def test_factor_too_large_for_a_killed_prometheus_is_said(tmp_path: Path) -> None:
    """A factor that only the scenario of a killed Prometheus does not survive is allowed, and said."""
    assert "kills Prometheus" in derive(Fraction(10), tmp_path)[0]


@pytest.mark.parametrize("arguments", [["0", "x"], ["-3", "x"], ["fast", "x"]])
def test_wrong_factor_is_refused(arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A factor that is no positive number is refused before anything is written."""
    assert main([arguments[0], str(tmp_path / arguments[1])]) == 1
    assert capsys.readouterr().err.startswith("derive_timings: ")
    assert not (tmp_path / "x").exists()


def test_existing_copy_is_not_overwritten(tmp_path: Path) -> None:
    """A second run into the same directory is refused: stale files would survive in it."""
    derive(Fraction(3), tmp_path)
    with pytest.raises(TimingsError, match="expected OUTDIR without prometheus"):
        derive(Fraction(3), tmp_path)


@pytest.mark.parametrize(
    ("text", "factor", "result"),
    [
        ("5m", 10, "30s"),
        ("15s", 10, "1500ms"),
        ("1m30s", 3, "30s"),
        ("1s", 3, "334ms"),
        ("0s", 7, "0s"),
        ("5m", 1, "5m"),
    ],
)
def test_durations_are_divided_upwards(text: str, factor: int, result: str) -> None:
    """Whole seconds stay seconds, the rest becomes whole milliseconds, never shorter than it should be."""
    assert divided(text, Fraction(factor)) == result


def test_missing_timing_is_named(tmp_path: Path) -> None:
    """A timing that is no longer where it is read from is an error that names the file, not a test that passes."""
    derive(Fraction(1), tmp_path)
    rules = tmp_path / "grafana" / "provisioning" / "alerting" / "policies.json"
    rules.write_text(json.dumps({"apiVersion": 1, "policies": []}))
    with pytest.raises(TimingsError, match="one policy"):
        read(tmp_path)
