"""What panels show: their queries asked of Prometheus, or through Grafana, as series of labels and values."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator
from typing import Any

from tests.support.programs import ROOT
from tests.support.story import SHOWN, Shown

from eddie_board.queries import Query, Window, panel_queries
from fleet.web import ask
from rig.asking import Asking

DASHBOARD = ROOT / "grafana/provisioning/dashboards/eddie-distributed-fallback.json"
Series = list[tuple[dict[str, str], list[float]]]
Reader = Callable[[Asking, Query], Series]


def from_prometheus(stack: Asking, query: Query) -> Series:
    """Ask Prometheus itself, as Grafana would."""
    data = stack.prometheus("query_range", query=query.expression, start=query.start, end=query.end, step=query.step)
    return [(each["metric"], [float(value) for _, value in each["values"]]) for each in data["result"]]


def through_grafana(stack: Asking, query: Query) -> Series:
    """Ask Grafana's own route of panels, with its data source and its idea of labels."""
    model = {
        "refId": query.ref,
        "datasource": {"uid": query.datasource, "type": "prometheus"},
        "expr": query.expression,
        "range": True,
        "intervalMs": int(query.step * 1000),
        "maxDataPoints": 720,
    }
    body = {"queries": [model], "from": str(int(query.start * 1000)), "to": str(int(query.end * 1000))}
    headers = {"Content-Type": "application/json", "Authorization": "Basic YWRtaW46cmln"}  # admin:rig
    answer = ask(f"{stack.urls['grafana']}/api/ds/query", json.dumps(body).encode(), headers=headers, timeout=15)
    assert answer.status == 200, f"{query.title} {query.ref}: {answer.status} {answer.text[:500]}"
    frames: list[dict[str, Any]] = answer.json()["results"][query.ref]["frames"]
    filled = [frame for frame in frames if frame["data"]["values"]]
    return [(frame["schema"]["fields"][1].get("labels", {}), frame["data"]["values"][1]) for frame in filled]


def panels(window: float = 900.0) -> Iterator[Query]:
    """Yield every query of the dashboard over the last ``window`` seconds."""
    now = time.time()
    yield from panel_queries(json.loads(DASHBOARD.read_text()), Window(start=now - window, end=now))


def check(stack: Asking, reader: Reader) -> int:
    """Compare every query of every panel with the story, and return how many numbers were right.

    Raises AssertionError that names panel and query when one has no data, a value is not finite, or is not the story's.
    """
    right = 0
    for query in panels():
        name = f"panel {query.panel} ({query.title}) {query.ref}: {query.expression}"
        series = [(labels, [value for value in values if value is not None]) for labels, values in reader(stack, query)]
        assert any(values for _, values in series), f"no data in {name}"
        assert all(math.isfinite(value) for _, values in series for value in values), f"not finite: {name}"
        expected = [shown for shown in SHOWN if (shown.panel, shown.ref) == (query.panel, query.ref)]
        assert expected, f"the story says nothing of {name}"
        for shown in expected:
            right += compare(shown, series, name)
    return right


def no_panel_empty(stack: Asking, reader: Reader) -> None:
    """Fail unless every panel, over the six hours that a dashboard opens with, has a finite number to show."""
    shown: dict[str, bool] = {}
    for query in panels(6 * 3600.0):
        values = [value for _, series in reader(stack, query) for value in series if value is not None]
        shown[query.title] = shown.get(query.title, False) or any(map(math.isfinite, values))
    assert [title for title, filled in shown.items() if not filled] == []


def compare(shown: Shown, series: Series, name: str) -> int:
    """Fail unless the one series that is meant has the value that is expected; return 1, to be counted."""
    wanted = dict(shown.labels).items()
    found = [values for labels, values in series if wanted <= labels.items() and values]
    assert len(found) == 1, f"expected one series with {dict(wanted)}, got {[labels for labels, _ in series]} in {name}"
    got = max(found[0]) if shown.of == "most" else found[0][-1]
    assert math.isclose(got, shown.value, rel_tol=shown.within, abs_tol=1e-9), (
        f"expected {shown.of} value {shown.value:g}, got {got:g} with {dict(wanted)} in {name}"
    )
    return 1
