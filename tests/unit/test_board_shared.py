"""Station "shared": many viewers cost Prometheus what one does, and see the last picture while it is gone."""

from __future__ import annotations

import asyncio
from pathlib import Path

import httpx
import pytest
from tests.support.answering import Answering, panel

from eddie_board import shared
from eddie_board.dashboard import Dashboard, Panel
from eddie_board.shared import Board
from eddie_board.view import View

VIEW = View("now-6h", "now", {"agent": ("$__all",)})
GONE = httpx.ConnectError("refused")


def page(board: Board) -> Dashboard:
    """Return the board's only dashboard."""
    return board.dashboards.all()[0]


def first(board: Board) -> Panel:
    """Return its first panel."""
    return page(board).panels[0]


async def test_fifty_viewers_cost_what_one_does(tmp_path: Path) -> None:
    """Pages that came at different seconds of a scrape interval ask each query once, and share one answer."""
    answering = Answering()
    board = answering.board(tmp_path, panel(1, "a", "b"), panel(2, "b"))
    answers = []
    for number in range(50):
        answering.now = 1_800_000_000 + number % 15
        answers.append(await asyncio.gather(*(board.answer(each, VIEW) for each in page(board).panels)))
    assert answering.queries() == {"query_range a": 1, "query_range b": 1}
    assert len({id(answer) for pair in answers for answer in pair}) == 2
    assert [answer.state for answer in answers[0]] == ["ok", "ok"]


async def test_viewers_at_once_wait_for_one_question(tmp_path: Path) -> None:
    """While Prometheus thinks, nobody asks it again; one who leaves does not end it for the others."""
    answering = Answering()
    answering.held = asyncio.Event()
    board = answering.board(tmp_path, panel(1, "a"))
    viewers = [asyncio.create_task(board.answer(first(board), VIEW)) for _ in range(50)]
    await answering.begun.wait()
    viewers.pop(0).cancel()
    answering.held.set()
    answers = await asyncio.gather(*viewers)
    assert {answer.state for answer in answers} == {"ok"}
    assert set(answering.asked.values()) == {1}


async def test_the_next_scrape_is_asked_for(tmp_path: Path) -> None:
    """Answers live for one interval: in the next the same queries are asked once more."""
    answering = Answering()
    board = answering.board(tmp_path, panel(1, "a"))
    before = await board.answer(first(board), VIEW)
    answering.now += 15
    after = await board.answer(first(board), VIEW)
    assert answering.queries() == {"query_range a": 2}
    assert (before.as_of, after.as_of) == (1_800_000_000, 1_800_000_015)


async def test_another_choice_asks_only_what_it_changes(tmp_path: Path) -> None:
    """Who chose an agent shares the queries that do not depend on it."""
    answering = Answering()
    board = answering.board(tmp_path, panel(1, "a", 'b{agent_id=~"$agent"}'))
    for chosen in ("$__all", "arthur", "ford", "arthur"):
        await board.answer(first(board), View("now-6h", "now", {"agent": (chosen,)}))
    queries = ["a", 'b{agent_id=~".*"}', 'b{agent_id=~"arthur"}', 'b{agent_id=~"ford"}']
    assert answering.queries() == {f"query_range {each}": 1 for each in queries}
    assert answering.asked["label/agent_id/values up"] == 1


async def test_prometheus_gone_keeps_the_last_picture_with_its_age(tmp_path: Path) -> None:
    """A failure is said, the picture and its time stay; when Prometheus is back the next interval is good again."""
    answering = Answering()
    board = answering.board(tmp_path, panel(1, "a"))
    good = await board.answer(first(board), VIEW)
    answering.now += 60
    answering.fault = GONE
    stale = await board.answer(first(board), VIEW)
    assert (stale.state, stale.as_of, stale.series) == ("stale", good.as_of, good.series)
    assert "nobody listens" in stale.fault
    assert stale.window == good.window
    answering.now += 60
    answering.fault = (503, "")
    assert "starting or stopping" in (await board.answer(first(board), VIEW)).fault
    answering.fault = None
    answering.now += 15
    back = await board.answer(first(board), VIEW)
    assert (back.state, back.fault, back.as_of) == ("ok", "", answering.now)


async def test_without_a_picture_it_is_an_error_of_that_panel(tmp_path: Path) -> None:
    """The first look at a dead Prometheus says so; another range's picture is not passed off as this one's."""
    answering = Answering()
    board = answering.board(tmp_path, panel(1, "a"))
    await board.answer(first(board), VIEW)
    answering.fault = GONE
    answer = await board.answer(first(board), View("now-1h", "now", {"agent": ("$__all",)}))
    assert (answer.state, answer.series, answer.as_of) == ("error", (), 0)
    assert "nobody listens" in answer.fault


async def test_a_failure_is_asked_once_by_all_and_again_soon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fifty viewers of a dead Prometheus knock once; after five seconds, not a whole interval, it is tried again."""
    answering = Answering()
    board = answering.board(tmp_path, panel(1, "a"))
    answering.fault = GONE
    clock = [100.0]
    monkeypatch.setattr("eddie_board.once.time.monotonic", lambda: clock[0])
    for _ in range(50):
        await board.answer(first(board), VIEW)
    assert answering.asked == {"status/runtimeinfo": 1}
    clock[0] += 6
    answering.fault = None
    assert (await board.answer(first(board), VIEW)).state == "ok"


async def test_annotations_are_marks_on_their_panels(tmp_path: Path) -> None:
    """Events are asked once for all panels they are meant for; a panel that is not named has none."""
    answering = Answering()
    event = {"name": "Adjusted", "target": {"expr": "e"}, "filter": {"ids": [1]}, "titleFormat": "{{x}}"}
    board = answering.board(tmp_path, panel(1, "a"), panel(2, "a"), annotations={"list": [event]})
    with_, without = [await board.answer(each, VIEW) for each in page(board).panels]
    assert [mark.title for mark in with_.marks] == ["y"]
    assert without.marks == ()
    assert answering.queries() == {"query_range a": 1, "query_range e": 1}


async def test_an_annotation_that_fails_costs_itself(tmp_path: Path) -> None:
    """The lines are shown, and a note says what became of the events."""
    answering = Answering()
    answering.refused = "e"
    board = answering.board(tmp_path, panel(1, "a"), annotations={"list": [{"name": "Adjusted", "expr": "e"}]})
    answer = await board.answer(first(board), VIEW)
    assert answer.state == "ok"
    assert answer.notes == ("Annotation Adjusted: Prometheus refuses the query: parse error: no",)


async def test_what_is_kept_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A thousand different views leave as many pictures as fit, the last ones."""
    monkeypatch.setattr(shared, "MOST_ANSWERS", 20)
    monkeypatch.setattr(shared, "MOST_POINTS", 10_000)
    answering = Answering()
    board = answering.board(tmp_path, panel(1, "a"))
    for minutes in range(10, 110):
        await board.answer(first(board), View(f"now-{minutes}m", "now"))
    answering.fault = GONE
    answering.now += 15
    states = [(await board.answer(first(board), View(f"now-{minutes}m", "now"))).state for minutes in range(10, 110)]
    assert 5 < states.count("stale") <= 20
    assert states[-1] == "stale"
    assert states[0] == "error"


async def test_a_panel_without_queries_asks_nothing(tmp_path: Path) -> None:
    """A text, a row, or another data source's query is drawn as what it is; Prometheus is not asked."""
    answering = Answering()
    other = panel(2, targets=[{"refId": "A", "rawSql": "select 1"}])
    board = answering.board(tmp_path, panel(1), other)
    empty, foreign = [await board.answer(each, VIEW) for each in page(board).panels]
    assert (empty.state, empty.notes) == ("ok", ())
    assert foreign.notes == ("Query A is not PromQL; it is left out.",)
    assert not answering.asked


async def test_a_dashboard_that_is_gone_is_said(tmp_path: Path) -> None:
    """The file was removed while somebody looks."""
    board = Answering().board(tmp_path, panel(1, "a"))
    shown = first(board)
    (tmp_path / "page.json").unlink()
    assert "is gone" in (await board.answer(shown, VIEW)).fault
