"""Station "panel", in somebody's own Grafana: only what is ours is changed, and only that is taken away."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.foreign_grafana import CONTACTS, DASHBOARD, RULES, Foreign, group_path, somebodys, unchanged
from tests.support.grafanas import running

import setup_grafana_metrics as script


@pytest.fixture(scope="module")
def grafana(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Foreign]:
    """Run somebody's Grafana beside a Prometheus that scrapes ours but has no alerts."""
    with somebodys(tmp_path_factory.mktemp("somebodys")) as started:
        yield started


@pytest.fixture
def clean(grafana: Foreign) -> Iterator[Foreign]:
    """Hand out the Grafana, and see that after the test's uninstall it is what it was before."""
    with unchanged(grafana, "default", "eu", "us"):
        yield grafana


def test_two_environments_go_in_either_order(clean: Foreign) -> None:
    """Two environments share folder and dashboard; whichever goes first, the other's things stay untouched."""
    before = clean.export()
    for first, last in (("eu", "us"), ("us", "eu")):
        for environment in ("eu", "us"):
            assert clean.alerting("--environment", environment).code == script.DONE
        for environment in ("eu", "us"):
            assert clean.alerting("--environment", environment, "--check").code == script.DONE
        assert clean.run("--uninstall", "--environment", first).code == script.DONE
        left = clean.alerting("--environment", last, "--check")
        assert left.code == script.DONE, left.text
        uids = [source["uid"] for source in clean.get("/api/datasources")]
        assert sorted(uids) == [f"eddie-prometheus-{last}", "theirs"]
        assert clean.run("--uninstall", "--environment", last).code == script.DONE
        assert clean.export() == before


def test_their_data_source_is_used_and_never_changed(clean: Foreign) -> None:
    """A data source with Prometheus's address is used by both environments, and stays when both are gone."""
    clean.source("shared", clean.stack.url("prometheus") + "/")
    before = clean.export()
    try:
        for environment in ("eu", "us"):
            made = clean.alerting("--environment", environment)
            assert made.code == script.DONE, made.text
            assert not [name for name in made.named("created") if name.startswith("data source")]
        data = clean.rule("eddie-eu-prometheus-down")["data"]
        assert data[0]["datasourceUid"] == "shared"
        clean.run("--uninstall", "--environment", "eu")
        assert clean.alerting("--environment", "us", "--check").code == script.DONE
        clean.run("--uninstall", "--environment", "us", prometheus="")
        assert clean.export() == before
    finally:
        clean.done("DELETE", "/api/datasources/uid/shared")


def test_what_they_put_beside_ours_stays(clean: Foreign) -> None:
    """A rule of theirs in our group, a dashboard of theirs in our folder: setup and uninstall keep them, and say so."""
    clean.alerting()
    clean.put_rule("their-second", "eddie-metrics", "eddie-default-fallback")
    board = {"uid": "their-second", "title": "Second board", "panels": []}
    clean.done("POST", "/api/dashboards/db", {"dashboard": board, "folderUid": "eddie-metrics"})
    theirs = clean.rule("their-second")
    assert clean.alerting().actions == {"updated", "unchanged", "verified", "open"}
    gone = clean.run("--uninstall")
    assert (gone.code, gone.named("kept")) == (script.DONE, ["folder Eddie"]), gone.text
    for key in ("title", "data", "labels", "for", "ruleGroup", "folderUID"):
        assert clean.rule("their-second")[key] == theirs[key]
    clean.done("DELETE", group_path("eddie-metrics", "eddie-default-fallback"))
    clean.done("DELETE", "/api/dashboards/uid/their-second")


def test_contact_point_and_data_source_others_use_stay_until_they_do_not(clean: Foreign) -> None:
    """What a rule of theirs came to use is kept, with the rule's name; another uninstall takes it when it is free."""
    clean.alerting()
    clean.put_rule("their-third", "their-folder", "third")
    rule = clean.rule("their-third")
    rule["data"][0]["datasourceUid"] = "eddie-prometheus-default"
    rule["notification_settings"] = {"receiver": "Eddie Alertmanager (default)"}
    clean.done("PUT", f"{RULES}/their-third", rule)
    gone = clean.run("--uninstall")
    assert gone.code == script.DONE, gone.text
    assert gone.named("kept") == [
        "contact point Eddie Alertmanager (default)",
        "data source Eddie Prometheus (default)",
    ]
    assert "Rule their-third" in gone.words("kept")
    clean.done("DELETE", group_path("their-folder", "third"))
    assert clean.run("--uninstall").named("removed") == gone.named("kept")


def test_no_alerts_takes_alerts_away_again(clean: Foreign) -> None:
    """--no-alerts after a set-up with alerts removes the rules; without --alertmanager-url the contact point goes."""
    clean.alerting()
    lighter = clean.run()
    assert lighter.named("removed") == ["contact point Eddie Alertmanager (default)"]
    assert "notification_settings" not in {k: v for k, v in clean.rule("eddie-default-prometheus-down").items() if v}
    without = clean.run("--no-alerts")
    assert without.named("removed") == ["alert rules eddie-default-fallback", "alert rules eddie-default-prometheus"]
    assert [rule["uid"] for rule in clean.get(RULES)] == ["their-rule"]
    assert clean.run("--no-alerts", "--check").code == script.DONE


def test_taken_names_stop_before_the_first_write(clean: Foreign) -> None:
    """A dashboard, rule, data source or contact point of theirs under a name of ours: exit 5, nothing written."""
    board = {"uid": "eddie-distributed-fallback", "title": "Theirs by chance", "panels": []}
    taken: list[tuple[Callable[[], Any], str, str]] = [
        (
            lambda: clean.done("POST", "/api/dashboards/db", {"dashboard": board, "folderUid": "their-folder"}),
            DASHBOARD,
            "dashboard",
        ),
        (
            lambda: clean.put_rule("eddie-default-prometheus-down", "their-folder", "by-chance"),
            group_path("their-folder", "by-chance"),
            "alert rules",
        ),
        (
            lambda: clean.source("eddie-prometheus-default", "http://127.0.0.1:9"),
            "/api/datasources/uid/eddie-prometheus-default",
            "data source",
        ),
        (
            lambda: clean.done("POST", CONTACTS, {"uid": "chance", "name": "Eddie Alertmanager (default)",
                                                  "type": "webhook", "settings": {"url": "http://127.0.0.1:9"}}),
            f"{CONTACTS}/chance",
            "contact point",
        ),
    ]  # fmt: skip
    for make, path, kind in taken:
        make()
        before = clean.export()
        stopped = clean.alerting()
        assert stopped.code == script.TAKEN, stopped.text
        assert stopped.words("STOPPED").startswith(f"setup: {kind}")
        assert clean.run("--uninstall").code == script.DONE
        assert clean.export() == before
        clean.done("DELETE", path)


def test_a_grafana_that_has_it_from_files_is_left_alone(grafana: Foreign, tmp_path: Path) -> None:
    """Our own stack's Grafana has the dashboard from files: exit 5 before the first write, and nothing to uninstall."""
    with running(tmp_path, grafana.stack) as provisioned:
        there = Foreign(provisioned.url, provisioned.log, grafana.stack, tmp_path)
        before = there.export()
        stopped = there.alerting()
        assert stopped.code == script.TAKEN, stopped.text
        assert "is provisioned from files" in stopped.words("STOPPED")
        assert there.run("--uninstall").code == script.DONE
        assert there.export() == before


def test_chosen_names_are_kept(clean: Foreign) -> None:
    """A chosen uid, name and folder are used, found again without being named, and taken away."""
    chosen = ("--datasource-uid", "chosen", "--datasource-name", "Chosen", "--folder", "Chosen folder")
    assert clean.alerting(*chosen).code == script.DONE
    assert clean.get("/api/datasources/uid/chosen")["name"] == "Chosen"
    assert clean.get("/api/folders/eddie-metrics")["title"] == "Chosen folder"
    again = clean.alerting("--check")
    assert again.code == script.DONE, again.text
    assert clean.run("--uninstall", prometheus="").code == script.DONE
    assert clean.call("GET", "/api/datasources/uid/chosen")[0] == 404
