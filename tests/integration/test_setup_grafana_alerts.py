"""Station "panel" to "told", in somebody's own Grafana: its alerts reach a person once, each with its environment."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.support.eventually import eventually
from tests.support.foreign_grafana import RULES, Foreign, somebodys, unchanged
from tests.support.programs import program

import setup_grafana_metrics as script
from fleet.web import ask
from rig.engine import Engine, free_port
from rig.sink import Notification, Sink

THREE = ["FallbackDepthExceeded", "HighFailureRate", "HighTimeoutEvents"]
DEEP = {"kind": "fallback-depth-exceeded", "task_id": "t1", "agent_id": "a1", "depth": 4}


@pytest.fixture(scope="module")
def quiet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Foreign]:
    """Run somebody's Grafana beside a Prometheus that scrapes ours but has no alerts."""
    with somebodys(tmp_path_factory.mktemp("quiet")) as started:
        yield started


@pytest.fixture(scope="module")
def alerting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Foreign]:
    """Run somebody's Grafana beside a Prometheus and an Alertmanager that are ours, environment ``rig``."""
    with somebodys(tmp_path_factory.mktemp("alerting"), alerting=True) as started:
        yield started


def told(grafana: Foreign, status: str) -> list[Notification]:
    """Return what a person was told of our one alert."""
    found = grafana.stack.sink.notifications()
    return [each for each in found if each.status == status and each.alertname.startswith("FallbackDepthExceeded")]


def until_told(grafana: Foreign, status: str, environments: set[str], *, again: bool = False) -> list[Notification]:
    """Wait until each of ``environments`` was told of; ``again`` lets it happen while nobody was told.

    An Alertmanager that has just said "resolved" says nothing before its group's next turn: what is over then is lost.
    """

    def arrived() -> list[Notification]:
        if again:
            grafana.stack.post(json.dumps(DEEP).encode())
        found = told(grafana, status)
        seen = {each.labels.get("environment") for each in found}
        assert seen >= environments, f"expected {status} of {environments}, got {seen}"
        return found

    return eventually(arrived, within=90, every=1.0)


def test_two_environments_alert_with_their_label_and_one_can_go(quiet: Foreign) -> None:
    """One event: both environments' alerts arrive at the webhook and resolve; with one gone, the other still tells."""
    with unchanged(quiet, "eu", "us"):
        for environment in ("eu", "us"):
            assert quiet.alerting("--environment", environment).code == script.DONE
        quiet.stack.post(json.dumps(DEEP).encode())
        firing = until_told(quiet, "firing", {"eu", "us"})
        assert {each.alertname for each in firing} == {"FallbackDepthExceeded (eu)", "FallbackDepthExceeded (us)"}
        links = [each.annotations["panel_url"] for each in firing if each.labels["environment"] == "eu"]
        assert links[0] == f"{quiet.url}/d/eddie-distributed-fallback?viewPanel=10&var-datasource=eddie-prometheus-eu"
        until_told(quiet, "resolved", {"eu", "us"})
        assert quiet.run("--uninstall", "--environment", "eu").code == script.DONE
        quiet.stack.sink.requests.clear()
        until_told(quiet, "firing", {"us"}, again=True)
        assert {each.labels["environment"] for each in until_told(quiet, "resolved", {"us"})} == {"us"}
        assert {each.labels["environment"] for each in told(quiet, "firing")} == {"us"}


def test_copies_are_installed_where_alertmanager_drops_them(alerting: Foreign) -> None:
    """Our own Alertmanager drops the copy whose name holds the environment: a person is told once, by Prometheus."""
    with unchanged(alerting, "rig"):
        made = alerting.alerting("--environment", "rig")
        assert (made.code, made.named("left out")) == (script.DONE, []), made.text

        def dropped() -> None:
            # Again each time: at these timings it is over soon, and the two engines need not see it at the same moment.
            alerting.stack.post(json.dumps(DEEP).encode())
            held = ask(f"{alerting.stack.url('alertmanager')}/api/v2/alerts").json()
            states = {(each["labels"]["alertname"], each["status"]["state"]) for each in held}
            assert ("FallbackDepthExceeded (rig)", "suppressed") in states, states

        eventually(dropped, within=60, every=1.0)
        until_told(alerting, "resolved", {"rig"})
        assert {each.labels["origin"] for each in told(alerting, "firing")} == {"prometheus"}
        assert len(told(alerting, "firing")) == 1


def test_copies_are_left_out_where_each_symptom_would_page_twice(alerting: Foreign) -> None:
    """Another environment's name, or no Alertmanager in common: PrometheusDown alone is installed; --check exits 3."""
    with unchanged(alerting, "eu", "rig"):
        for options, why in ((("--environment", "eu"), "'rig'"), (("--environment", "rig"), "no common Alertmanager")):
            start = alerting.alerting if options[1] == "eu" else alerting.run
            made = start(*options)
            assert (made.code, made.named("left out")) == (script.DONE, [", ".join(THREE)]), made.text
            assert why in made.words("left out")
            ours = [rule["uid"] for rule in alerting.get(RULES) if rule["uid"].startswith(f"eddie-{options[1]}")]
            assert ours == [f"eddie-{options[1]}-prometheus-down"]
            assert start(*options, "--check").code == script.DRIFT
        # With the Alertmanager named, the rest comes; without it, it goes again.
        assert alerting.alerting("--environment", "rig").named("created") == [
            "contact point Eddie Alertmanager (rig)",
            "alert rules eddie-rig-fallback",
        ]
        assert "alert rules eddie-rig-fallback" in alerting.run("--environment", "rig").named("removed")


def theirs(folder: Path, sink: Sink, more: dict[str, Any]) -> Engine:
    """Build an Alertmanager of somebody's own, with ``more`` in its configuration."""
    folder.mkdir()
    people = {"name": "people", "webhook_configs": [{"url": f"{sink.url}/page"}]}
    route = {"receiver": "people", "group_by": ["alertname", "environment"], **more.get("route", {})}
    config = folder / "alertmanager.yml"
    config.write_text(yaml.safe_dump({"receivers": [people], **more, "route": route}))
    subprocess.run([program("amtool"), "check-config", str(config)], check=True, capture_output=True)
    url = f"http://127.0.0.1:{(port := free_port())}"
    command = [program("alertmanager"), f"--config.file={config}", f"--storage.path={folder}/data"]
    command += [f"--web.listen-address=127.0.0.1:{port}", "--cluster.listen-address="]
    return Engine("alertmanager", command, url, "/-/ready", folder / "log")


def test_printed_yaml_is_what_an_alertmanager_lacks(alerting: Foreign, tmp_path: Path) -> None:
    """Somebody's Alertmanager gets exactly the YAML that was printed: then all four rules are installed."""
    options = ("--environment", "rig", "--alertmanager-url")
    with unchanged(alerting, "rig"), Sink() as sink:
        bare = theirs(tmp_path / "bare", sink, {})
        taught = None
        try:
            bare.start()
            made = alerting.run(*options, bare.url)
            assert "no inhibition" in made.words("left out"), made.text
            printed = next(each["diff"] for each in made.things if each["action"] == "left out")
            taught = theirs(tmp_path / "taught", sink, yaml.safe_load("\n".join(printed).replace("YOURS", "people")))
            taught.start()
            done = alerting.run(*options, taught.url)
            assert (done.code, done.named("left out")) == (script.DONE, []), done.text
            assert alerting.run(*options, taught.url, "--check").code == script.DONE
        finally:
            bare.stop()
            if taught:
                taught.stop()
