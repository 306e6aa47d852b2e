"""Station "shared" on a real Prometheus: the board's numbers are Prometheus's own, and its faults are said."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import pytest
from tests.support.alive import tell
from tests.support.eventually import eventually
from tests.support.programs import ROOT
from tests.support.stacks import native

from eddie_board.dashboard import Dashboard, Dashboards
from eddie_board.prometheus import Prometheus
from eddie_board.queries import Query, panel_queries
from eddie_board.settings import Settings
from eddie_board.shared import Answer, Board
from eddie_board.view import View
from fleet.web import ask
from rig.stack import Stack

HOSTILE = "<img src=x onerror=alert(1)>\"'\\|.*+?()[]{}^$"
WIDE = "𝕏" * 128
NAMES = (HOSTILE, WIDE, "a|b", "a.b", "a-b", "axb")


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Run a stack in which a fleet has worked, and agents with the worst of names."""
    with native(tmp_path_factory.mktemp("board"), "exporter", "prometheus") as stack:
        for name in NAMES:
            events = [
                {"kind": "agent-hello", "agent_id": name},
                {"kind": "timeout", "agent_id": name, "reason": "deadline"},
            ]
            stack.post("\n".join(json.dumps(each) for each in events).encode())
        tell(stack)
        yield stack


class Seen:
    """A board on ``stack`` and an event loop of its own, so that a test may wait for what it shows."""

    def __init__(self, stack: Stack, **settings: float) -> None:
        chosen = Settings(
            prometheus_url=stack.urls["prometheus"],
            dashboards_path=ROOT / "grafana/provisioning/dashboards",
            **{"board_scrape_seconds": 1, "board_timeout_seconds": 10, **settings},
        )
        self.runner = asyncio.Runner()
        self.board = Board(chosen, Dashboards.of(chosen), Prometheus.of(chosen))
        self.dashboard: Dashboard = self.board.dashboards.all()[0]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.runner.run(self.board.prometheus.aclose())
        self.runner.close()

    def answers(self, view: View, viewers: int = 1) -> list[Answer]:
        """Return what every panel shows each of so many viewers."""

        async def all_() -> list[Answer]:
            return await asyncio.gather(
                *(self.board.answer(panel, view) for _ in range(viewers) for panel in self.dashboard.panels)
            )

        return self.runner.run(all_())


def view_of(seen: Seen, *parameters: tuple[str, str]) -> View:
    """Read an address over the last fifteen minutes, that ended two seconds ago: nothing arrives there any more."""
    end = int(time.time() - 2) * 1000
    return View.read([("from", str(end - 900_000)), ("to", str(end)), *parameters], seen.dashboard)


def test_every_number_is_prometheus_own(stack: Stack) -> None:
    """Each query is the one that Grafana would send, and each series has Prometheus's samples and no other."""
    # Rates over 20 s: with the rig's scrapes of a second a busy machine may miss two in a row.
    with Seen(stack, board_scrape_seconds=5) as seen:

        def filled() -> list[Answer]:
            answers = seen.answers(view_of(seen))
            assert [answer for answer in answers if answer.state != "ok"] == []
            return answers

        compared = 0
        for answer in eventually(filled, within=60):
            assert answer.fault == ""
            own = [each for each in panel_queries(seen.dashboard.raw, answer.window) if each.panel == answer.panel_id]
            assert list(answer.queries) == own
            for query in own:
                compared += same(stack, answer, query)
        assert compared > 50


def same(stack: Stack, answer: Answer, query: Query) -> int:
    """Fail unless ``answer`` has what Prometheus itself answers to ``query``; return how many numbers that were."""
    data = stack.prometheus("query_range", query=query.expression, start=query.start, end=query.end, step=query.step)
    shown = [each for each in answer.series if each.ref == query.ref]
    assert [each.labels for each in shown] == [each["metric"] for each in data["result"]]
    for mine, its in zip(shown, data["result"], strict=True):
        filled = {at: value for at, value in zip(mine.times, mine.values, strict=True) if value is not None}
        expected = {float(at): float(value) for at, value in its["values"]}
        assert filled == pytest.approx(expected, rel=1e-12, abs=0, nan_ok=True)  # sums in another order
    return sum(len(each["values"]) for each in data["result"])


@pytest.mark.parametrize("name", NAMES)
def test_a_hostile_agent_is_found_and_only_that_one(stack: Stack, name: str) -> None:
    """Chosen in the address, a name of quotes, backslashes and regular expression is one agent's lines, as text."""
    with Seen(stack) as seen:
        view = view_of(seen, ("var-agent", name))
        answers = seen.answers(view)
        assert [answer.fault for answer in answers if answer.fault] == []
        (timeouts,) = [answer for answer in answers if answer.panel_id == 2]
        agents = {each.labels["agent_id"] for each in timeouts.series if "agent_id" in each.labels}
        assert agents == {name}
        assert f"{name} · deadline" in [each.name for each in timeouts.series]
        assert timeouts.notes == ()


def test_several_hostile_agents_are_an_alternation(stack: Stack) -> None:
    """All the worst names together are those agents, and neither more nor fewer; they can all be chosen."""
    with Seen(stack) as seen:
        view = view_of(seen, *(("var-agent", name) for name in NAMES))
        (timeouts,) = [answer for answer in seen.answers(view) if answer.panel_id == 2]
        assert {each.labels["agent_id"] for each in timeouts.series if "agent_id" in each.labels} == set(NAMES)
        agent = next(each for each in seen.dashboard.variables if each.name == "agent")
        assert set(NAMES) < set(seen.runner.run(seen.board.values(seen.dashboard, agent, view)).names)


def test_fifty_viewers_are_one_to_prometheus(stack: Stack) -> None:
    """Prometheus's own count of range queries grows by the dashboard's queries, once, whoever looks."""
    with Seen(stack, board_scrape_seconds=300) as seen:
        view = View.read([("from", "now-1h")], seen.dashboard)
        before = asked(stack)
        answers = seen.answers(view, viewers=50)
        wanted = {each.expression for answer in answers for each in answer.queries}
        assert {answer.state for answer in answers} <= {"ok", "empty"}
        assert asked(stack) - before == len(wanted) + len(seen.dashboard.annotations)


def asked(stack: Stack) -> float:
    """Return how many range queries Prometheus says it has answered."""
    text = ask(f"{stack.urls['prometheus']}/metrics", timeout=5.0).text
    found = re.findall(
        r'^prometheus_http_requests_total\{.*handler="/api/v1/query_range".*\} (\S+)$', text, re.MULTILINE
    )
    return sum(map(float, found))


def test_what_prometheus_refuses_is_said_in_its_words(stack: Stack, tmp_path: Path) -> None:
    """Two bad queries are errors with Prometheus's reason; no data is empty, an instant query is one sample."""
    panels = [
        {"id": 1, "type": "timeseries", "title": "t", "targets": [{"refId": "A", "expr": "sum(("}]},
        {
            "id": 2,
            "type": "timeseries",
            "title": "t",
            "targets": [{"refId": "A", "expr": "up{job=~'('}"}],
        },
        {"id": 3, "type": "timeseries", "title": "t", "targets": [{"refId": "A", "expr": "nothing_here"}]},
        {"id": 4, "type": "stat", "title": "t", "targets": [{"refId": "A", "expr": "up", "instant": True}]},
    ]
    (tmp_path / "own.json").write_text(json.dumps({"uid": "own", "panels": panels}))
    with Seen(stack) as seen:
        seen.board.dashboards = Dashboards((tmp_path,))
        seen.dashboard = seen.board.dashboards.all()[0]
        broken, regex, empty, instant = seen.answers(View("now-15m", "now"))
        assert "Prometheus refuses the query: invalid parameter" in broken.fault
        assert "Prometheus refuses the query" in regex.fault
        assert (empty.state, empty.fault) == ("empty", "")
        assert instant.state == "ok"
        assert {each.values for each in instant.series} <= {(0.0,), (1.0,)}


def test_prometheus_away_is_said_and_back_is_seen(stack: Stack) -> None:
    """Silent, then stopped: the last pictures stay with their age and the sentence says which; then it recovers."""
    prometheus = stack.engines["prometheus"]
    with Seen(stack, board_timeout_seconds=2) as seen:
        view = View.read([("from", "now-15m")], seen.dashboard)
        fine = ("ok", "empty")  # a panel may be empty by now: the story was told in a few scrapes

        def shown(states: tuple[str, ...], sentence: str) -> list[Answer]:
            answers = seen.answers(view)
            assert [answer.fault for answer in answers if answer.state not in states] == []
            assert all(sentence in answer.fault for answer in answers)
            return answers

        eventually(lambda: shown(fine, ""), within=60)
        os.kill(prometheus.pid, signal.SIGSTOP)
        try:
            begun = time.monotonic()
            eventually(lambda: shown(("stale",), "gave no answer within 2 s"), within=60)
            assert time.monotonic() - begun < 12
        finally:
            os.kill(prometheus.pid, signal.SIGCONT)
        eventually(lambda: shown(fine, ""), within=60)
        prometheus.stop()
        stale = eventually(lambda: shown(("stale",), "nobody listens"), within=60)
        assert any(answer.series for answer in stale)
        assert all(0 < time.time() - answer.as_of < 60 for answer in stale)
        prometheus.start()
        back = eventually(lambda: shown(fine, ""), within=60)
        assert all(new.as_of > old.as_of for new, old in zip(back, stale, strict=True))
