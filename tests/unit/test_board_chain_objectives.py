"""Indicators at the board's top are the dashboard's, and mean what the exporter means by the same names."""

from __future__ import annotations

import json
import re
from copy import deepcopy
from typing import Any

import pytest
import yaml
from tests.support.programs import ROOT

from eddie_board.objectives import NAMES, Indicator, indicators
from eddie_exporter.indicators import judge, nothing

DASHBOARD: dict[str, Any] = json.loads(
    (ROOT / "grafana/provisioning/dashboards/eddie-distributed-fallback.json").read_text()
)
RULES = yaml.safe_load((ROOT / "prometheus/rules/recording/indicators.yml").read_text())
RECORDS = {rule["record"] for group in RULES["groups"] for rule in group["rules"]}


def shipped() -> tuple[Indicator, ...]:
    """Answer what the board reads from the shipped dashboard."""
    return indicators([DASHBOARD])


def test_the_five_are_the_exporters_five() -> None:
    """Same names, same order, same objectives as `GET /metrics/summary` gives without Prometheus."""
    theirs = [(one.name, one.objective) for one in judge(nothing(0), nothing(1))]
    signs = {"above": ">", "below": "<"}
    ours = [(re.sub(r"\W+", "_", one.name.lower()), f"{signs[one.good]} {one.objective:g}") for one in shipped()]
    assert ours == theirs


def test_every_name_is_a_record() -> None:
    """The names are given to series that a rule makes."""
    assert set(NAMES) <= RECORDS
    assert {one.metric for one in shipped()} == set(NAMES)


def test_each_leads_to_its_panel() -> None:
    """The link is the place of the panel that draws the objective."""
    panels = {panel["id"]: panel["title"] for panel in DASHBOARD["panels"]}
    found = {one.name: panels[int(one.panel.rpartition("=")[2])] for one in shipped()}
    assert found["Success rate"] == "Success and failure rate"
    assert found["Load balance"] == "Agent load"
    assert all(one.panel.startswith(f"/d/{DASHBOARD['uid']}?") for one in shipped())


def test_objectives_are_written_in_the_panels_unit() -> None:
    """A share in percent, seconds as seconds."""
    found = {one.name: one.text(one.objective) for one in shipped()}
    assert (found["Success rate"], found["p99 latency"]) == ("95%", "60 s")


def test_a_changed_threshold_changes_the_objective() -> None:
    """There is no second definition that would have to be changed too."""
    changed = deepcopy(DASHBOARD)
    panel = next(one for one in changed["panels"] if one["id"] == 3)
    panel["fieldConfig"]["defaults"]["thresholds"]["steps"][1]["value"] = 45
    assert {one.name: one.objective for one in indicators([changed])}["p99 latency"] == 45


def test_a_series_without_an_objective_is_no_indicator() -> None:
    """Without thresholds, or with more than two sides, nobody can say whether it is good."""
    for steps in (
        [],
        [{"value": None, "color": "blue"}, {"value": 1, "color": "red"}],
        [{"value": None, "color": "red"}],
    ):
        changed = deepcopy(DASHBOARD)
        panel = next(one for one in changed["panels"] if one["id"] == 3)
        panel["fieldConfig"]["defaults"]["thresholds"]["steps"] = steps
        assert "p99 latency" not in {one.name for one in indicators([changed])}


def test_a_record_of_ones_own_comes_last_under_its_legend() -> None:
    """A panel added to a dashboard, in a row or not, brings its indicator along."""
    mine = deepcopy(DASHBOARD)
    thresholds = {"mode": "absolute", "steps": [{"value": None, "color": "green"}, {"value": 2, "color": "dark-red"}]}
    panel = {
        "id": 99,
        "title": "Mine",
        "targets": [{"refId": "A", "expr": "max(job:mine:ratio)", "legendFormat": "my own"}],
        "fieldConfig": {"defaults": {"thresholds": thresholds}},
    }
    mine["panels"].insert(0, {"id": 98, "type": "row", "panels": [panel]})
    found = indicators([mine, DASHBOARD])
    assert [one.name for one in found] == [*NAMES.values(), "my own"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"fieldConfig": [1]},
        {"fieldConfig": {"defaults": "x"}},
        {"fieldConfig": {"defaults": {"thresholds": {"steps": [7]}}}},
        {"targets": "text"},
        {"targets": [5]},
        {"panels": [{"panels": "text"}, 7]},
        {"targets": [{"expr": "max(job:mine:ratio{a='$nobody'})"}]},
    ],
)
def test_a_panel_of_another_shape_costs_nobody_an_indicator(wrong: dict[str, Any]) -> None:
    """Own dashboards were written by anybody: what cannot be read has no indicator, and all others have theirs."""
    mine = deepcopy(DASHBOARD)
    mine["panels"].insert(0, {**deepcopy(mine["panels"][2]), **wrong})
    assert [one.name for one in indicators([{"panels": [{**mine["panels"][1], **wrong}]}, mine])] == [*NAMES.values()]


@pytest.mark.parametrize(("value", "met"), [(0.96, True), (0.95, False), (0.94, False)])
def test_meeting_is_strict(value: float, met: bool) -> None:
    """Exactly on the objective does not meet it, as in the exporter."""
    assert shipped()[0].met(value) is met
