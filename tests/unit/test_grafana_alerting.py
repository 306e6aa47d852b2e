"""Station "alerted": Grafana's copies say what Prometheus's rules say, and together the timings send one message."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml

from dashboards import alerting, generate

ROOT = Path(__file__).parents[2]
ALERTING = ROOT / "grafana" / "provisioning" / "alerting"
SECONDS = {"s": 1, "m": 60, "h": 3600}


def seconds(duration: str) -> float:
    """Read a Prometheus duration of one unit."""
    match = re.fullmatch(r"(\d+)([smh])", duration)
    assert match, f"expected a duration such as 30s, got {duration!r}"
    return float(match[1]) * SECONDS[match[2]]


@pytest.fixture
def groups() -> list[dict[str, Any]]:
    """Read the committed rule groups."""
    loaded: list[dict[str, Any]] = json.loads((ALERTING / "rules.json").read_text())["groups"]
    return loaded


@pytest.fixture
def rules(groups: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Give every committed rule by its name."""
    return {rule["title"]: rule for group in groups for rule in group["rules"]}


@pytest.fixture
def originals() -> dict[str, dict[str, Any]]:
    """Give Prometheus's alerts by name."""
    return alerting.alerts(generate.RULES)


def one_message(keep_firing_for: float, interval: float, group_interval: float, repeat: float, resolve: float) -> bool:
    """Whether Grafana's side of the design's timings (§7, "Last" and "Repeat") holds; all in seconds."""
    return keep_firing_for > 2 * interval + group_interval and repeat + group_interval < resolve


def write_rule(folder: Path, **changes: str) -> Path:
    """Write the three alerts to ``folder``, the first with ``changes``."""
    listed = [{**rule, **(changes if name == "HighTimeoutEvents" else {})} for name, rule in copies().items()]
    (folder / "rules.yml").write_text(yaml.safe_dump({"groups": [{"name": "x", "rules": listed}]}))
    return folder


def copies() -> dict[str, dict[str, Any]]:
    """Give the three alerts that Grafana copies, as Prometheus has them."""
    return {name: rule for name, rule in alerting.alerts(generate.RULES).items() if name in alerting.COPIED}


@pytest.mark.parametrize("name", alerting.COPIED)
def test_a_copy_asks_what_the_original_asks(
    rules: dict[str, dict[str, Any]], originals: dict[str, dict[str, Any]], name: str
) -> None:
    """Query and bound together are Prometheus's expression; wait and severity are the same."""
    copy, original = rules[name], originals[name]
    query, condition = (part["model"] for part in copy["data"])
    ((evaluator, bound),) = [
        (each["evaluator"]["type"], each["evaluator"]["params"][0]) for each in condition["conditions"]
    ]
    sign = {word: sign for sign, word in alerting.EVALUATORS.items()}[evaluator]
    said = promql_parser.parse(f"{query['expr']} {sign} {bound}")
    assert said.prettify() == promql_parser.parse(original["expr"]).prettify()
    assert copy["for"] == original.get("for", "0s")
    assert copy["labels"]["severity"] == original["labels"]["severity"]


def test_there_are_four_rules_with_uids_that_last(groups: list[dict[str, Any]]) -> None:
    """Uids are in links and in Grafana's history; PrometheusDown is alone, so no hanging query delays it."""
    assert {group["name"]: [rule["uid"] for rule in group["rules"]] for group in groups} == {
        "fallback": ["eddie-high-timeout-events", "eddie-fallback-depth-exceeded", "eddie-high-failure-rate"],
        "prometheus": ["eddie-prometheus-down"],
    }


def test_every_rule_says_what_happens_without_an_answer(rules: dict[str, dict[str, Any]]) -> None:
    """A dead Prometheus fires PrometheusDown alone: the copies keep their state and neither fire nor resolve."""
    states = {name: (rule["noDataState"], rule["execErrState"]) for name, rule in rules.items()}
    assert states.pop("PrometheusDown") == ("Alerting", "Alerting")
    assert states == dict.fromkeys(alerting.COPIED, ("OK", "KeepLast"))


def test_every_rule_is_marked_and_linked(rules: dict[str, dict[str, Any]]) -> None:
    """``origin`` lets Alertmanager drop the copy, ``environment`` groups it; panel and runbook are a click away."""
    page = json.loads((ROOT / "grafana/provisioning/dashboards/eddie-distributed-fallback.json").read_text())
    panels = {panel["id"] for panel in page["panels"]}
    for name, rule in rules.items():
        assert rule["labels"] | {"severity": ""} == {
            "severity": "",
            "origin": "grafana",
            "environment": "${EDDIE_ENVIRONMENT}",
        }
        assert (rule["dashboardUid"], rule["panelId"] in panels) == (page["uid"], True)
        assert rule["annotations"]["panel_url"].endswith(f"}}}}/d/{page['uid']}?viewPanel={rule['panelId']}")
        assert rule["annotations"]["runbook_url"].endswith(f"}}}}/runbook#{name.lower()}")
        assert rule["annotations"]["summary"]


def test_prometheus_down_waits_a_minute_and_is_asked_every_half(groups: list[dict[str, Any]]) -> None:
    """``vector(1) < 1`` is never true, so only a missing answer fires it, after a minute."""
    (rule,) = groups[1]["rules"]
    assert (groups[1]["interval"], rule["for"], rule["labels"]["severity"]) == ("30s", "1m", "critical")
    assert [part["model"].get("expr") for part in rule["data"]] == ["vector(1)", None]
    assert rule["data"][1]["model"]["conditions"] == [{"evaluator": {"type": "lt", "params": [1]}}]


def test_timings_send_one_message(groups: list[dict[str, Any]], originals: dict[str, dict[str, Any]]) -> None:
    """Prometheus's alert outlives Grafana's copy, and a firing copy is repeated before Alertmanager forgets it."""
    (policy,) = json.loads((ALERTING / "policies.json").read_text())["policies"]
    for name in alerting.COPIED:
        assert one_message(
            seconds(originals[name]["keep_firing_for"]),
            max(seconds(group["interval"]) for group in groups),
            seconds(policy["group_interval"]),
            seconds(policy["repeat_interval"]),
            resolve=300,
        )
    assert seconds(policy["group_wait"]) <= 10


@pytest.mark.parametrize("wrong", [(120, 30, 60, 180), (300, 120, 60, 180), (300, 30, 60, 240), (300, 30, 120, 180)])
def test_timings_that_send_two_are_noticed(wrong: tuple[float, float, float, float]) -> None:
    """Each of the four numbers, changed alone, breaks the promise."""
    assert not one_message(*wrong, resolve=300)


def test_intervals_are_ones_grafana_evaluates(groups: list[dict[str, Any]]) -> None:
    """Grafana's scheduler ticks every 10 s; an interval that is no multiple is refused, and start-up with it."""
    assert [seconds(group["interval"]) % 10 for group in groups] == [0, 0]


def test_everything_goes_to_the_stacks_alertmanager() -> None:
    """One contact point, one policy, and no other receiver."""
    (point,) = json.loads((ALERTING / "contact-points.json").read_text())["contactPoints"]
    (policy,) = json.loads((ALERTING / "policies.json").read_text())["policies"]
    assert policy["receiver"] == point["name"]
    assert "routes" not in policy
    (receiver,) = point["receivers"]
    assert (receiver["type"], receiver["settings"]) == ("prometheus-alertmanager", {"url": "${EDDIE_ALERTMANAGER_URL}"})


def test_a_changed_rule_of_prometheus_changes_the_copy(tmp_path: Path) -> None:
    """Bound and wait come from the rule files and from nowhere else, so the committed JSON would be stale."""
    rules = write_rule(tmp_path, expr='sum(increase(timeout_events_total{job="x"}[5m])) >= 7', **{"for": "2m"})
    copy = alerting.files(rules)["rules.json"]["groups"][0]["rules"][0]
    assert copy["data"][1]["model"]["conditions"] == [{"evaluator": {"type": "gte", "params": [7]}}]
    assert copy["for"] == "2m"
    assert "alerting/rules.json" in generate.stale(rules=rules)


@pytest.mark.parametrize("expression", ["absent(up)", "a > 1 and b > 2", "1 < a", "a > b", "-(a > 2)"])
def test_a_rule_grafana_cannot_say_is_refused(tmp_path: Path, expression: str) -> None:
    """Another form than ``vector > number`` stops the generator instead of becoming a rule that never fires."""
    with pytest.raises(alerting.RuleError, match="HighTimeoutEvents"):
        alerting.files(write_rule(tmp_path, expr=expression))


def test_a_missing_alert_is_named(tmp_path: Path) -> None:
    """A renamed alert would silently lose its copy."""
    with pytest.raises(alerting.RuleError, match="HighFailureRate"):
        alerting.files(tmp_path)


@pytest.mark.parametrize(
    ("prometheus", "grafana"),
    [
        ('{{ $value | printf "%.0f" }} timeouts', '{{ $values.A.Value | printf "%.0f" }} timeouts'),
        ('a{{- range query "topk(1, x)" -}}, worst {{ .Labels.a }}{{- end }} b', "a b"),
        ("in {{ $labels.job }}", "in {{ $labels.job }}"),
    ],
)
def test_words_become_grafanas(prometheus: str, grafana: str) -> None:
    """The number has another name there, and what only Prometheus can look up is left out."""
    assert alerting.annotation(prometheus) == grafana


@pytest.mark.parametrize("word", ["{{ $externalLabels.environment }}", '{{ with query "up" }}x{{ end }}'])
def test_words_grafana_does_not_know_are_refused(word: str) -> None:
    """Rather no JSON than a notification with "<no value>" in it."""
    with pytest.raises(alerting.RuleError, match="expected words"):
        alerting.annotation(word)
