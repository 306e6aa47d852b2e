"""Station "panel": the dashboard's JSON says what the brief asks, and only what Grafana and Prometheus understand."""

from __future__ import annotations

import copy
import json
import re
from pathlib import Path
from typing import Any

import promql_parser
import pytest

from dashboards import distributed_fallback, generate
from dashboards.sdk import JSONEncoder, dashboard
from eddie_board.queries import Window, panel_queries

FILES = sorted((Path(__file__).parents[2] / "grafana" / "provisioning" / "dashboards").glob("*.json"))
HOURS = Window(start=1_800_000_000, end=1_800_021_600)
TITLES = {
    1: "Task splits",
    2: "Timeout events by agent and reason",
    3: "Task latency p95 / p99 by stage",
    4: "Agent load",
    5: "Success and failure rate",
    6: "Docker CPU limits",
    7: "Docker memory limits",
    8: "Merge and deduplication",
    9: "Chunk latency p95 by agent",
    10: "Fallback depth exceeded and elastic adjustments",
    11: "Timeouts per hour",
    12: "Chunk conservation",
}


@pytest.fixture
def page() -> dict[str, Any]:
    """Read the committed dashboard."""
    (path,) = [path for path in FILES if path.stem == distributed_fallback.UID]
    loaded: dict[str, Any] = json.loads(path.read_text())
    return loaded


def unknown_keys(page: dict[str, Any]) -> bool:
    """Whether the SDK's schema loses something of ``page``: a misspelt key is dropped on the way."""
    return bool(json.loads(json.dumps(dashboard.Dashboard.from_json(page), cls=JSONEncoder)) != page)


def misplaced_variables(page: dict[str, Any]) -> list[str]:
    """Expressions with a variable that is not the whole of a ``=~`` matcher."""
    names = "|".join(variable["name"] for variable in page["templating"]["list"])
    found = [target["expr"] for panel in page["panels"] for target in panel["targets"]]
    found += [annotation["target"]["expr"] for annotation in page["annotations"]["list"]]
    found += [variable["definition"] for variable in page["templating"]["list"] if "definition" in variable]
    return [text for text in found if re.search(rf"\$\{{?({names})\b", re.sub(rf'=~"\$({names})"', "", text))]


def test_the_schema_knows_every_key(page: dict[str, Any]) -> None:
    """What is committed goes through Grafana's own types and comes out the same."""
    assert not unknown_keys(page)


def test_a_misspelt_key_is_noticed(page: dict[str, Any]) -> None:
    """The round trip is no formality: a key that Grafana would ignore makes it differ."""
    page["panels"][0]["fieldConfig"]["defaults"]["untis"] = "s"
    assert unknown_keys(page)


def test_panels_are_the_twelve_that_were_promised(page: dict[str, Any]) -> None:
    """Ids never change, because alerts, runbook and links name them; nothing else is on the page, not even a row."""
    assert {panel["id"]: panel["title"] for panel in page["panels"]} == TITLES
    assert len(page["panels"]) == len(TITLES)
    assert {panel["type"] for panel in page["panels"]} == {"timeseries"}


def test_page_is_as_the_brief_asks(page: dict[str, Any]) -> None:
    """Last six hours, fresh every 30 s, under the uid that every link uses, with the four variables."""
    assert (page["uid"], page["time"], page["refresh"]) == (
        "eddie-distributed-fallback",
        {"from": "now-6h", "to": "now"},
        "30s",
    )
    assert [variable["name"] for variable in page["templating"]["list"]] == ["datasource", "job", "agent", "stage"]
    assert [variable.get("allValue") for variable in page["templating"]["list"]] == [None, ".*", ".*", ".*"]


@pytest.mark.parametrize("number", TITLES)
def test_every_panel_explains_itself(page: dict[str, Any], number: int) -> None:
    """A description says what is shown and what to do; numbers have a unit; the legend is there."""
    (panel,) = [panel for panel in page["panels"] if panel["id"] == number]
    assert len(re.findall(r"[.:?] ", panel["description"])) >= 2
    assert panel["fieldConfig"]["defaults"]["unit"]
    assert panel["options"]["legend"]["showLegend"] is True
    assert panel["options"]["tooltip"]["mode"] == "multi"


def test_panels_fill_the_grid_without_overlap(page: dict[str, Any]) -> None:
    """Every place of the 24 columns is taken once, down to the last row: no hole and nothing on top of another."""
    taken = [
        (x, y)
        for panel in page["panels"]
        for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
    ]
    assert sorted(taken) == [(x, y) for x in range(24) for y in range(max(y for _, y in taken) + 1)]


def test_objectives_are_drawn(page: dict[str, Any]) -> None:
    """The five objectives, and the bound of HighFailureRate, are thresholds, whichever axis they belong to."""
    drawn = {}
    for panel in page["panels"]:
        config = panel["fieldConfig"]
        properties = [part for override in config.get("overrides", []) for part in override["properties"]]
        thresholds = [part["value"] for part in properties if part["id"] == "thresholds"]
        thresholds += [config["defaults"]["thresholds"]] if "thresholds" in config["defaults"] else []
        drawn[panel["id"]] = {step["value"] for each in thresholds for step in each["steps"]} - {None}
    assert {number: values for number, values in drawn.items() if values} == {
        3: {60},
        4: {2},
        5: {0.95, 0.1},
        8: {0.9},
        11: {5},
    }


def test_queries_are_promql(page: dict[str, Any]) -> None:
    """Every query of every panel parses once variables and macros are written out."""
    queries = list(panel_queries(page, HOURS, {"agent": ["a.1", "a(2)"], "stage": ["plan"]}))
    assert {query.panel for query in queries} == set(TITLES)
    for query in queries:
        promql_parser.parse(query.expression)
        assert query.datasource == "prometheus"


def test_a_broken_query_does_not_parse(page: dict[str, Any]) -> None:
    """The check above finds a missing bracket."""
    page["panels"][0]["targets"][0]["expr"] += ")"
    with pytest.raises(ValueError, match="unexpected"):
        [promql_parser.parse(query.expression) for query in panel_queries(page, HOURS)]


def test_variables_stand_only_in_matchers(page: dict[str, Any]) -> None:
    """A variable is the whole of a regular expression: so "All" and several values work everywhere."""
    assert misplaced_variables(page) == []


@pytest.mark.parametrize("wrong", ['up{job="$job"}', 'up{job=~"x$job"}', "topk($agent, up)", 'up{job!~"$job"}'])
def test_a_misplaced_variable_is_noticed(page: dict[str, Any], wrong: str) -> None:
    """Equality, a part of a pattern, a number and a negation are all refused."""
    page["panels"][0]["targets"][0]["expr"] = wrong
    assert misplaced_variables(page) == [wrong]


def test_every_query_asks_for_the_chosen_jobs(page: dict[str, Any]) -> None:
    """No selector, of a metric or of a recorded series, forgets the job."""
    for query in panel_queries(page, HOURS, {"job": ["one-job"]}):
        assert query.expression.count('job=~"one-job"') == query.expression.count("{"), query


def test_elastic_adjustments_are_marked(page: dict[str, Any]) -> None:
    """The one annotation shows changed limits on panels that exist."""
    (annotation,) = page["annotations"]["list"]
    assert "docker_elastic_adjustment_total" in annotation["target"]["expr"]
    assert set(annotation["filter"]["ids"]) <= set(TITLES)


def test_committed_files_are_what_the_sources_say() -> None:
    """Generated again, every file of the provisioning is the same, byte for byte."""
    assert generate.stale() == []


def test_a_file_edited_by_hand_is_noticed(tmp_path: Path) -> None:
    """One changed byte, a file that is missing, and a file whose source is gone are all named."""
    wanted = generate.files()
    for name, text in wanted.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    assert generate.stale(tmp_path) == []
    (tmp_path / "alerting" / "rules.json").write_text(wanted["alerting/rules.json"].replace("3m", "4m") + " ")
    (tmp_path / "alerting" / "policies.json").unlink()
    (tmp_path / "dashboards" / "old.json").write_text("{}")
    assert generate.stale(tmp_path) == ["alerting/policies.json", "alerting/rules.json", "dashboards/old.json"]


def test_every_dashboard_file_has_its_own_uid() -> None:
    """Two files with one uid would overwrite each other at every scan."""
    uids = [json.loads(path.read_text())["uid"] for path in FILES]
    assert uids == [path.stem for path in FILES]


def test_generating_twice_gives_the_same_bytes(page: dict[str, Any]) -> None:
    """Nothing in the output depends on when or where it was made."""
    first, second = generate.files(), generate.files()
    assert first == second
    assert json.loads(first[f"dashboards/{page['uid']}.json"]) == copy.deepcopy(page)
