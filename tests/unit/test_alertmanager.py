"""Who is told of what: the configuration that start.sh assembles, for every combination that matters."""

from __future__ import annotations

import itertools
import os
from pathlib import Path

import pytest
from tests.support.assembled import DEADMAN, PEOPLE, START, TOKEN, assemble, environment
from tests.support.programs import find, run

from dashboards.alerting import COPIED

CRITICAL = {"alertname": "FallbackDepthExceeded", "severity": "critical", "origin": "prometheus"}
WARNING = {"alertname": "HighTimeoutEvents", "severity": "warning", "origin": "prometheus"}
DOWN = {"alertname": "ExporterDown", "severity": "critical", "origin": "prometheus"}
WATCHDOG = {"alertname": "Watchdog", "severity": "none", "origin": "prometheus"}
COPY = {"alertname": "FallbackDepthExceeded", "severity": "critical", "origin": "grafana"}
EVERYBODY = tuple(PEOPLE.values())


def test_starts_without_a_single_secret(tmp_path: Path) -> None:
    """With no secret at all there is a valid configuration, the inbox takes everything, and it says who is told."""
    made = assemble(tmp_path)
    assert made.status == 0, made.said
    assert made.receivers == {"inbox", "nobody-is-told"}
    assert "NOBODY IS TOLD" in made.said
    for alert in (CRITICAL, WARNING, DOWN, WATCHDOG, COPY):
        assert made.told(**alert) == ["inbox"]


@pytest.mark.parametrize("name", PEOPLE)
def test_receiver_appears_with_its_secret(name: str, tmp_path: Path) -> None:
    """Each receiver alone is enough: critical alerts and the Watchdog are then never the inbox's alone."""
    made = assemble(tmp_path, TOKEN, PEOPLE[name])
    assert made.status == 0, made.said
    assert made.receivers == {"inbox", name}
    assert "NOBODY" not in made.said
    for alert in (CRITICAL, DOWN, WATCHDOG, COPY):
        assert made.told(**alert) == ["inbox", name]


@pytest.mark.parametrize("pair", list(itertools.combinations(PEOPLE, 2)), ids="+".join)
def test_receivers_do_not_disturb_each_other(pair: tuple[str, str], tmp_path: Path) -> None:
    """Any two receivers are both told of a critical alert."""
    made = assemble(tmp_path, TOKEN, *(PEOPLE[name] for name in pair))
    assert made.told(**CRITICAL) == ["inbox", *pair]


def test_severity_decides_who_is_told(tmp_path: Path) -> None:
    """A warning spares the pager, a severity nobody knows reaches people, and `none` is for the inbox."""
    made = assemble(tmp_path, TOKEN, DEADMAN, *EVERYBODY)
    assert made.status == 0, made.said
    talkers = [name for name in PEOPLE if name != "pagerduty"]
    assert made.told(**CRITICAL) == ["inbox", *PEOPLE]
    assert made.told(**WARNING) == ["inbox", *talkers]
    assert made.told(alertname="Mine") == ["inbox", *talkers]
    assert made.told(alertname="Mine", severity="none") == ["inbox"]


def test_watchdog_goes_outside_when_somebody_listens(tmp_path: Path) -> None:
    """With a heartbeat address the Watchdog goes there every minute, and to no person."""
    made = assemble(tmp_path, TOKEN, DEADMAN, *EVERYBODY)
    assert made.told(**WATCHDOG) == ["inbox", "deadman"]
    route = next(row for row in made.config["route"]["routes"] if row["matchers"] == ['alertname="Watchdog"'])
    assert route["group_interval"] == "1m"
    assert all("repeat_interval" not in child for child in route["routes"])


def test_watchdog_reaches_people_once_a_day_when_nobody_listens(tmp_path: Path) -> None:
    """Without a heartbeat address the Watchdog does not end in the inbox alone, and does not come every minute."""
    made = assemble(tmp_path, TOKEN, PEOPLE["slack"])
    route = next(row for row in made.config["route"]["routes"] if row["matchers"] == ['alertname="Watchdog"'])
    assert {child["receiver"]: child.get("repeat_interval") for child in route["routes"]} == {
        "inbox": None,
        "slack": "24h",
    }


def test_heartbeat_address_alone_tells_nobody(tmp_path: Path) -> None:
    """A heartbeat is no person: with it alone nobody is told, and that is said."""
    made = assemble(tmp_path, TOKEN, DEADMAN)
    assert made.receivers == {"inbox", "nobody-is-told", "deadman"}
    assert "NOBODY IS TOLD" in made.said
    assert made.told(**CRITICAL) == ["inbox"]


@pytest.mark.parametrize("name", ["inbox", *PEOPLE, "deadman"])
def test_each_receiver_can_be_tested_alone(name: str, tmp_path: Path) -> None:
    """A test alert goes to the receiver it names and to no other person."""
    made = assemble(tmp_path, TOKEN, DEADMAN, *EVERYBODY)
    told = made.told(alertname="EddieNotifyTest", severity="info", eddie_notify_test=name)
    assert set(told) == {"inbox", name}


def test_every_alert_is_grouped_by_environment(tmp_path: Path) -> None:
    """Two stacks that share an Alertmanager do not hide in one message."""
    route = assemble(tmp_path, TOKEN).config["route"]
    assert route["group_by"] == ["alertname", "environment"]
    assert [row.get("group_by") for row in route["routes"]] == [["..."], None, None, None]


def test_inhibitions_of_our_own_grafana_are_the_two_of_the_design(tmp_path: Path) -> None:
    """Grafana's copy yields to Prometheus's alert of that name, and to PrometheusDown; nothing else yields."""
    assert assemble(tmp_path, TOKEN).config["inhibit_rules"][:2] == [
        {
            "source_matchers": ['origin="prometheus"'],
            "target_matchers": ['origin="grafana"'],
            "equal": ["alertname"],
        },
        {
            "source_matchers": ['alertname="PrometheusDown"'],
            "target_matchers": ['origin="grafana"', 'alertname!="PrometheusDown"'],
        },
    ]


def test_late_events_hold_back_what_is_judged_by_rates_of_events(tmp_path: Path) -> None:
    """While most events are late, the alerts on rates of events wake nobody, whoever says them; nothing else yields."""
    assert assemble(tmp_path, TOKEN).config["inhibit_rules"][2] == {
        "source_matchers": ['alertname="LateEventsArriving"'],
        "target_matchers": [f'alertname=~"({"|".join(COPIED)})( .+)?"'],
        "equal": ["environment"],
    }


def test_inhibitions_of_another_grafana_keep_environments_apart(tmp_path: Path) -> None:
    """Each copy with its environment in the name yields to Prometheus's alert of the same environment, no other."""
    copied = sorted(COPIED)
    rules = assemble(tmp_path, TOKEN).config["inhibit_rules"][3:]
    assert all(rule["equal"] == ["environment"] for rule in rules)
    assert sorted(rule["source_matchers"][0] for rule in rules[:-1]) == [f'alertname="{name}"' for name in copied]
    assert sorted(rule["target_matchers"][0] for rule in rules[:-1]) == [f'alertname=~"{name} .+"' for name in copied]
    assert rules[-1]["source_matchers"] == ['alertname=~"PrometheusDown .+"']
    assert rules[-1]["target_matchers"] == ['alertname!~"PrometheusDown .+"', 'origin="grafana"']


def test_inbox_shows_its_token(tmp_path: Path) -> None:
    """The inbox is called with the token when there is one; without, it is called without, and that is said."""
    inbox = assemble(tmp_path, TOKEN).config["receivers"][0]["webhook_configs"][0]
    assert inbox["http_config"]["authorization"]["credentials_file"].endswith("/alerts_token")
    (tmp_path / "secrets" / "alerts_token").unlink()
    bare = assemble(tmp_path)
    assert "http_config" not in bare.config["receivers"][0]["webhook_configs"][0]
    assert "alerts_token is missing" in bare.said


@pytest.mark.parametrize(
    ("secrets", "missing"),
    [
        ({"telegram_token": "1:a"}, "telegram_chat_id"),
        ({"smtp_to": "me@example.org", "smtp_from": "a@example.org"}, "smtp_smarthost"),
        ({"slack_url": ""}, "slack_url"),
    ],
)
def test_half_a_receiver_is_left_out_aloud(secrets: dict[str, str], missing: str, tmp_path: Path) -> None:
    """A receiver with a file missing or empty does not stop the others, and is named with what it lacks."""
    made = assemble(tmp_path, TOKEN, PEOPLE["webhook"], secrets)
    assert made.receivers == {"inbox", "webhook"}
    line = next(line for line in made.said.splitlines() if "left out" in line)
    assert line.endswith(f": {missing}")


@pytest.mark.parametrize(
    ("name", "secrets", "expected"),
    [
        ("telegram", {"telegram_chat_id": "@me"}, "a whole number"),
        ("email", {"smtp_require_tls": "maybe"}, "true or false"),
        ("email", {"smtp_smarthost": "mail.example.org"}, "host:port"),
    ],
)
def test_value_of_the_wrong_form_stops_with_what_to_do(
    name: str, secrets: dict[str, str], expected: str, tmp_path: Path
) -> None:
    """A value that would make the configuration invalid is refused by name, with exit 78."""
    made = assemble(tmp_path, TOKEN, PEOPLE[name], secrets)
    assert made.status == 78
    assert expected in made.said
    assert next(iter(secrets)) in made.said


def test_values_arrive_as_they_are_written(tmp_path: Path) -> None:
    """Quotes, ampersands, backslashes, bars and a Windows line end in a value neither break nor change it."""
    odd = 'O\'Neil & Söhne \\ "Eddie" | x <eddie@example.org>'
    made = assemble(tmp_path, TOKEN, PEOPLE["email"], {"smtp_from": odd + "\r"})
    assert made.config["receivers"][1]["email_configs"][0]["from"] == odd


def test_busybox_makes_the_same(tmp_path: Path) -> None:
    """The shell of the container image makes the same configuration as the host's."""
    busybox = find("busybox")
    if busybox is None:
        pytest.skip("no busybox in $BUSYBOX or PATH")
    made = assemble(tmp_path, TOKEN, DEADMAN, *EVERYBODY)
    before = made.path.read_text()
    folder = tmp_path / "busybox"
    folder.mkdir()
    for applet in ("sh", "cat", "sed", "grep", "head", "tr", "mkdir", "mv", "rm", "dirname"):
        (folder / applet).symlink_to(busybox)
    env = environment(tmp_path, {})
    path = f"{folder}{os.pathsep}{os.environ['PATH']}"
    said = run(str(folder / "sh"), str(START), "--assemble-only", env={**env, "PATH": path})
    assert said.returncode == 0, said.stderr
    assert made.path.read_text() == before
