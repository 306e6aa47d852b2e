"""Station "frames": Prometheus's answer becomes columns on the query's grid, with Grafana's names."""

from __future__ import annotations

import math
from typing import Any

import pytest

from eddie_board.frames import Columns, columns, grid, legend, marks, named
from eddie_board.queries import Query


def query(legend_format: str = "", **more: Any) -> Query:
    """Return a query over two minutes in steps of 30 s."""
    given = {"panel": 1, "title": "t", "ref": "A", "expression": "x", "datasource": "", "start": 60.0, "end": 180.0}
    return Query(**{**given, "step": 30.0, "legend": legend_format, **more})


def matrix(*series: tuple[dict[str, str], list[tuple[float, str]]]) -> dict[str, Any]:
    """Return Prometheus's data of a range query."""
    return {"resultType": "matrix", "result": [{"metric": labels, "values": values} for labels, values in series]}


def test_values_stand_on_the_whole_grid() -> None:
    """Where Prometheus has no sample there is None; NaN and infinities stay what they are."""
    data = matrix(({"a": "1"}, [(60, "1.5"), (120, "NaN"), (180, "+Inf")]), ({"a": "2"}, [(90, "-3e-9")]))
    first, second = named(query("{{a}}"), columns(query(), data))
    assert first.times == (60, 90, 120, 150, 180)
    assert first.times is second.times
    assert (first.values[0], first.values[1], first.values[3], first.values[4]) == (1.5, None, None, math.inf)
    assert math.isnan(first.values[2] or 0)
    assert second.values == (None, -3e-9, None, None, None)
    assert (first.name, second.name, first.ref) == ("1", "2", "A")


def test_a_grid_of_fractions_has_no_drift() -> None:
    """Prometheus writes milliseconds; the thousandth step is still the right one."""
    fine = query(start=0.0, end=100.0, step=0.1)
    data = matrix(({}, [(99.9, "1"), (100, "2")]))
    assert len(grid(fine)) == 1001
    assert columns(fine, data).rows[0][1][-2:] == (1.0, 2.0)


def test_an_instant_answer_has_one_time() -> None:
    """A vector and a scalar are one sample, at the end, whatever grid there would be."""
    instant = query(instant=True, end=177.0)
    vector = {"resultType": "vector", "result": [{"metric": {"a": "1"}, "value": [177, "4"]}]}
    assert columns(instant, vector).rows == (({"a": "1"}, (4.0,)),)
    assert columns(instant, {"resultType": "scalar", "result": [177, "5"]}).rows == (({}, (5.0,)),)


@pytest.mark.parametrize(
    "data", [{}, {"resultType": "string", "result": [1, "x"]}, {"resultType": "matrix", "result": 7}]
)
def test_what_is_no_answer_raises(data: dict[str, Any]) -> None:
    """Another shape is an error that the asker makes a sentence of."""
    with pytest.raises((KeyError, TypeError, ValueError)):
        columns(query(), data)


ONE = {"__name__": "up", "job": "a"}
OTHER = {"__name__": "up", "job": "b"}


@pytest.mark.parametrize(
    ("text", "series", "names"),
    [
        ("{{ job }} · {{gone}}", [ONE], ["a · "]),
        ("{{gone}}", [ONE], ['{__name__="up", job="a"}']),
        ("{{gone}}", [{"job": "a"}], ["a"]),
        ("{{gone}}", [{}], ["Value"]),
        ("fixed", [ONE, OTHER], ["fixed", "fixed"]),
        ("", [ONE, {"job": "a"}, {}], ['up{job="a"}', '{job="a"}', "x"]),
        ("__auto", [{"job": "a"}, {"job": "b"}], ["a", "b"]),
        ("__auto", [{"job": "a", "x": "1"}, {"job": "b", "x": "1"}], ['{job="a", x="1"}', '{job="b", x="1"}']),
        ("__auto", [{}], ["x"]),
        ("__auto", [{"job": "a"}], ["a"]),
    ],
)
def test_names_are_grafanas(text: str, series: list[dict[str, str]], names: list[str]) -> None:
    """What a real Grafana 12.2 shows: filled in, the labels or the one that differs, and nothing is nameless."""
    assert legend(query(text), series) == names


def test_a_hostile_label_is_only_text() -> None:
    """A value that looks like a format, or like markup, is put in as it is and never filled in again."""
    assert legend(query("{{a}} {{b}}"), [{"a": "{{b}}<img>", "b": r"\1"}]) == [r"{{b}}<img> \1"]


def test_events_side_by_side_are_one_mark() -> None:
    """Samples above zero a step apart are one region, as in Grafana; a zero or a gap ends it."""
    answer = Columns((0, 60, 120, 180, 240), (({"kind": "cpu", "z": "1"}, (1.0, 2.0, None, 0.0, 5.0)),))
    found = marks(
        answer, 60, name="Adjusted", colour="red", title="{{kind}} limit", text="{{nothing}}", tag_keys=["kind", "none"]
    )
    assert [(each.start, each.end) for each in found] == [(0, 60), (240, 240)]
    assert (found[0].title, found[0].text, found[0].tags) == ("cpu limit", "", ("cpu",))
