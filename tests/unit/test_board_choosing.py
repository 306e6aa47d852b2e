"""Station "shared", its variables: what can be chosen is what Grafana would offer, in its order."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.support.answering import page

from eddie_board.choosing import arranged, label_query, listed
from eddie_board.dashboard import Dashboards, Variable


def variable(folder: Path, **raw: Any) -> Variable:
    """Return the variable that a dashboard with ``raw`` has."""
    (folder / "page.json").write_text(json.dumps(page(templating={"list": [{"name": "v", "type": "query", **raw}]})))
    return Dashboards((folder,)).all()[0].variables[0]


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        ("label_values(agent_id)", ("agent_id", "")),
        ("label_values(up, job)", ("job", "up")),
        (' label_values({__name__=~"a|b", job=~"$job"}, agent_id) ', ("agent_id", '{__name__=~"a|b", job=~"$job"}')),
        ("query_result(up)", None),
        ("label_values(up, a) or x", None),
        ("", None),
    ],
)
def test_label_values_is_the_only_question(text: str, asked: tuple[str, str] | None) -> None:
    """The label and the metric are read as Grafana does; any other question is none."""
    assert label_query(text) == asked


@pytest.mark.parametrize(
    ("sort", "names"),
    [
        (0, ["b10", "B9", "a", "b1"]),
        (1, ["B9", "a", "b1", "b10"]),
        (2, ["b10", "b1", "a", "B9"]),
        (3, ["b1", "B9", "b10", "a"]),
        (5, ["a", "b1", "b10", "B9"]),
        (7, ["a", "b1", "B9", "b10"]),
        (8, ["b10", "B9", "b1", "a"]),
    ],
)
def test_names_are_in_the_dashboards_order(tmp_path: Path, sort: int, names: list[str]) -> None:
    """By letters, by numbers, regardless of case, naturally, and each from behind; doubles and nothing leave."""
    assert list(arranged(variable(tmp_path, sort=sort), ["b10", "B9", "", "a", "b1", "a"])) == names


@pytest.mark.parametrize(
    ("regex", "names"),
    [
        ("", ["demo-1", "prod-2"]),
        ("/^demo/", ["demo"]),
        ("/^demo.*/", ["demo-1"]),
        ("/(?<value>\\d)/", ["1", "2"]),
        ("/DEMO-./i", ["demo-1"]),
        ("/(/", ["demo-1", "prod-2"]),
    ],
)
def test_a_regex_keeps_what_it_finds(tmp_path: Path, regex: str, names: list[str]) -> None:
    """What matches stays, cut to the group where there is one; a broken one keeps all."""
    assert list(arranged(variable(tmp_path, regex=regex), ["demo-1", "prod-2"])) == names


def test_a_custom_variable_lists_its_values(tmp_path: Path) -> None:
    """Values with commas between, the text before a colon left out, a comma with a backslash kept."""
    assert listed(variable(tmp_path, type="custom", query="1m, five : 5m,a\\,b,")) == ("1m", "5m", "a,b")
