"""Station "panel": the helper that writes a dashboard's queries out does as Grafana does."""

from __future__ import annotations

from typing import Any

import pytest

from eddie_board.queries import Query, Window, panel_queries

END = 1_800_021_607


def one(expression: str, *, interval: str | None = None, span: float = 21_600, **choices: list[str]) -> Query:
    """Write out the only query of a page with ``expression``, looked at for ``span`` seconds."""
    target: dict[str, Any] = {"refId": "A", "expr": expression, "datasource": {"uid": "${datasource}"}}
    if interval:
        target["interval"] = interval
    page = {
        "panels": [{"id": 1, "title": "t", "maxDataPoints": 720, "targets": [target]}],
        "templating": {
            "list": [
                {"name": "datasource", "current": {"value": "prometheus"}},
                {"name": "agent", "multi": True, "allValue": ".*", "current": {"value": "$__all"}},
            ]
        },
    }
    (query,) = panel_queries(page, Window(start=END - span, end=END), choices)
    return query


@pytest.mark.parametrize(
    ("span", "interval", "step", "rate"),
    [
        (300, None, 15, "60s"),
        (21_600, None, 30, "60s"),
        (21_600, "30s", 30, "120s"),
        (86_400, None, 120, "135s"),
        (604_800, None, 900, "915s"),
    ],
)
def test_step_and_rate_interval_are_grafanas(span: float, interval: str | None, step: float, rate: str) -> None:
    """Numbers a real Grafana 12.2 sent for the same range, points and minimal step."""
    query = one("rate(x[$__rate_interval])", interval=interval, span=span)
    assert (query.step, query.expression) == (step, f"rate(x[{rate}])")


def test_range_is_aligned_to_the_step() -> None:
    """Start and end are multiples of the step, as Grafana sends them, so a reload shows the same points."""
    query = one("x")
    assert (query.end, query.start) == (END - END % 30, (END - 21_600) // 30 * 30)


def test_all_is_the_variables_own_value() -> None:
    """Without a choice "All" becomes ``.*``, and the data source the one the page starts with."""
    query = one('x{agent_id=~"$agent"}[$__range]')
    assert (query.expression, query.datasource) == ('x{agent_id=~".*"}[21600s]', "prometheus")


def test_chosen_values_are_escaped() -> None:
    """A dot in an agent's name is a dot; two names are an alternation."""
    assert one('x{agent_id=~"$agent"}', agent=["a.1", "b"]).expression == r'x{agent_id=~"(a\\.1|b)"}'
    assert one('x{agent_id=~"${agent:regex}"}', agent=["a.1"]).expression == r'x{agent_id=~"a\\.1"}'


def test_quotes_and_backslashes_end_no_string() -> None:
    """They are written so that neither PromQL's quotes nor its regular expressions read them as anything but text."""
    hostile = "<img src=x onerror=alert(1)>\"'\\|\n"
    assert (
        one('x{agent_id=~"$agent"}', agent=[hostile]).expression
        == r'x{agent_id=~"<img src=x onerror=alert\\(1\\)>\x22\x27\\\\\\|\x0a"}'
    )


def test_a_group_of_label_replace_is_no_variable() -> None:
    """What has a number for its name goes to Prometheus as it is, as Grafana sends it."""
    text = 'label_replace(x, "host", "$1-${2}", "instance", "(.*):(.*)")'
    assert one(text).expression == text


def test_a_minimal_step_of_grafanas_own_is_none() -> None:
    """Dashboards often say `$__interval` where they mean that Grafana should choose."""
    assert one("x", interval="$__interval").step == one("x").step


def test_an_unknown_name_is_refused() -> None:
    """A macro nobody defines, and a choice of a variable the page does not have, are errors and no strange query."""
    with pytest.raises(KeyError, match="agnet"):
        one('x{agent_id=~"$agnet"}')
    with pytest.raises(KeyError, match="stage"):
        one("x", stage=["plan"])


def test_an_interval_that_is_none_is_refused() -> None:
    """A minimal step must be a duration."""
    with pytest.raises(ValueError, match="soon"):
        one("x", interval="soon")
