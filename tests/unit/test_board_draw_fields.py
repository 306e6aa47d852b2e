"""Station "draw": overrides, thresholds and mappings of a panel reach the series they mean, and no other."""

from __future__ import annotations

from typing import Any

import pytest
from tests.support.panels import panel, series

from eddie_board.draw.colours import ink
from eddie_board.draw.fields import Field, fields, matches

STEPS = {"mode": "absolute", "steps": [{"value": None, "color": "green"}, {"value": 5, "color": "red"}]}


def field(values: tuple[float | None, ...] = (1.0,), **parts: Any) -> Field:
    """Build the field of one series called "failures" of query C."""
    (built,) = fields(panel(**parts), [series("failures", values, ref="C")])
    return built


@pytest.mark.parametrize(
    ("matcher", "options"),
    [
        ("byName", "failures"),
        ("byRegexp", "/^fail/"),
        ("byRegexp", "/FAIL/i"),
        ("byRegexp", "fail.*"),
        ("byFrameRefID", "C"),
        ("byType", "number"),
        ("byNames", {"mode": "include", "names": ["x", "failures"]}),
        ("byNames", {"mode": "exclude", "names": ["x"]}),
        ("byValue", {"reducer": "max", "op": "gte", "value": 3}),
    ],
)
def test_matches(matcher: str, options: Any) -> None:
    """Each kind of matcher finds the series it means."""
    assert matches({"id": matcher, "options": options}, series("failures", (3.0,), ref="C"))


@pytest.mark.parametrize(
    ("matcher", "options"),
    [
        ("byName", "failure"),
        ("byRegexp", "fail"),
        ("byRegexp", "/^ail/"),
        ("byRegexp", "/(/"),
        ("byFrameRefID", "A"),
        ("byType", "time"),
        ("byNames", {"mode": "include", "names": ["x"]}),
        ("byValue", {"reducer": "max", "op": "gt", "value": 3}),
        ("bySomethingNew", "failures"),
    ],
)
def test_does_not_match(matcher: str, options: Any) -> None:
    """A matcher that means another series, is broken, or is not known, changes nothing."""
    assert not matches({"id": matcher, "options": options}, series("failures", (3.0,), ref="C"))


def test_later_override_wins() -> None:
    """Overrides lie over the defaults and over each other in their order."""
    built = field(
        defaults={"unit": "percentunit", "custom": {"lineWidth": 1, "fillOpacity": 10}},
        overrides=[
            {"matcher": {"id": "byFrameRefID", "options": "C"}, "properties": [
                {"id": "unit", "value": "suffix:/s"}, {"id": "custom.lineWidth", "value": 2},
            ]},
            {"matcher": {"id": "byName", "options": "failures"}, "properties": [
                {"id": "custom.lineWidth", "value": 3}, {"id": "displayName", "value": "lost"},
            ]},
        ],
    )  # fmt: skip
    assert (built.unit_name, built.name) == ("suffix:/s", "lost")
    assert dict(built.custom) == {"lineWidth": 3, "fillOpacity": 10}


@pytest.mark.parametrize(("value", "colour"), [(4.9, "green"), (5.0, "red"), (None, "green")])
def test_thresholds(value: float | None, colour: str) -> None:
    """A value has the colour of the highest threshold it has reached."""
    assert field(defaults={"thresholds": STEPS}).reached(value, 0, 10) == ink(colour)


def test_percent_thresholds() -> None:
    """Thresholds in percent are of the way from min to max."""
    built = field(defaults={"thresholds": {**STEPS, "mode": "percentage"}})
    assert [built.reached(value, 100, 200) for value in (104.0, 105.0)] == [ink("green"), ink("red")]


MAPPINGS = [
    {"type": "value", "options": {"0": {"text": "down", "color": "red"}, "1": {"text": "up"}}},
    {"type": "range", "options": {"from": 10, "to": None, "result": {"text": "many"}}},
    {"type": "special", "options": {"match": "null+nan", "result": {"text": "nothing"}}},
]


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "down"), (1.0, "up"), (2.0, "2"), (11.0, "many"), (None, "nothing"), (float("nan"), "nothing")],
)
def test_mappings(value: float | None, text: str) -> None:
    """A mapped value reads as its words, any other as a number."""
    built = field(defaults={"mappings": MAPPINGS})
    assert built.text(value) == text
    assert built.mapped(0.0)[1] == ink("red")


def test_no_value() -> None:
    """A missing value reads as the panel's own sentence."""
    assert field(defaults={"noValue": "none is known"}).text(None) == "none is known"
