"""Station "shared", towards Prometheus: only questions that can be asked are sent; the others are said."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.support.answering import Answering, panel

from eddie_board.dashboard import Dashboard, Panel
from eddie_board.shared import Board
from eddie_board.view import View

VIEW = View("now-6h", "now", {"agent": ("$__all",)})


def page(board: Board) -> Dashboard:
    """Return the board's only dashboard."""
    return board.dashboards.all()[0]


def first(board: Board) -> Panel:
    """Return its first panel."""
    return page(board).panels[0]


async def test_one_bad_query_names_itself(tmp_path: Path) -> None:
    """Prometheus refuses one of two: the panel says which and why, and shows what the other answered."""
    answering = Answering()
    answering.refused = "bad("
    board = answering.board(tmp_path, panel(1, "a", "bad("))
    answer = await board.answer(first(board), VIEW)
    assert answer.state == "error"
    assert answer.fault == "Query B: Prometheus refuses the query: parse error: no"
    assert [each.ref for each in answer.series] == ["A"]


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"targets": [{"refId": "A", "expr": "x{a=~'$nobody'}"}]}, "nobody"),
        ({"targets": [{"refId": "A", "expr": "x"}], "interval": "often"}, "often"),
        ({"targets": [{"refId": "A", "expr": "x"}], "maxDataPoints": "many"}, "many"),
    ],
)
async def test_a_query_nobody_can_write_out_is_an_error(tmp_path: Path, more: dict[str, object], said: str) -> None:
    """A dashboard's own mistake is a sentence on its panel, and Prometheus hears nothing of it."""
    answering = Answering()
    board = answering.board(tmp_path, panel(1, **more))
    answer = await board.answer(first(board), VIEW)
    assert answer.state == "error"
    assert said in answer.fault
    assert answering.queries() == {}


async def test_an_unknown_agent_is_said_and_not_sent(tmp_path: Path) -> None:
    """What Prometheus does not know reaches no query; what it knows does, escaped."""
    answering = Answering()
    hostile = "<img src=x onerror=alert(1)>\"'\\|.*"
    answering.names.append(hostile)
    board = answering.board(tmp_path, panel(1, 'x{agent_id=~"$agent"}'))
    answer = await board.answer(first(board), View("now-6h", "now", {"agent": ('nobody"} or up{', "ford", hostile)}))
    (asked,) = answering.queries()
    assert "nobody" not in asked
    assert r'"(ford|<img src=x onerror=alert\\(1\\)>\x22\x27\\\\\\|\\.\\*)"' in asked
    assert answer.notes == ('Prometheus knows no Agent “nobody"} or up{” in the shown time.',)


async def test_unknown_agents_alone_are_the_default(tmp_path: Path) -> None:
    """An address of which nothing is known shows what the dashboard opens with, and the page's view says so too."""
    answering = Answering()
    board = answering.board(tmp_path, panel(1, 'x{agent_id=~"$agent"}'))
    view = await board.checked(page(board), View("now-6h", "now", {"agent": ("nobody",)}))
    assert view.choices == {"agent": ("$__all",)}
    assert len(view.notes) == 1


async def test_choices_that_cannot_be_checked_are_not_sent(tmp_path: Path) -> None:
    """With label values out of reach no query carries what an address says."""
    answering = Answering()
    board = answering.board(tmp_path, panel(1, 'x{agent_id=~"$agent"}'))
    answering.fault = (503, "")
    view = View("now-6h", "now", {"agent": ("ford",)})
    assert (await board.answer(first(board), view)).state == "error"
    assert (await board.values(page(board), page(board).variables[0], view)).fault
    assert (await board.checked(page(board), view)).choices == view.choices
    assert answering.queries() == {}


async def test_a_choice_survives_a_fault_whatever_others_looked_at(tmp_path: Path) -> None:
    """Prometheus away: an agent of yesterday stays chosen, though the last to ask looked at an hour without it."""
    answering = Answering()
    board = answering.board(tmp_path, panel(1, 'x{agent_id=~"$agent"}'))
    day = View("now-24h", "now", {"agent": ("ford", "nobody")})
    before = await board.checked(page(board), day)
    assert (await board.answer(first(board), before)).state == "ok"
    answering.names = ["arthur"]
    hour = await board.checked(page(board), View("now-1h", "now", {"agent": ("ford",)}))
    assert hour.choices == {"agent": ("$__all",)}
    answering.now += 30
    answering.fault = (503, "")
    away = await board.checked(page(board), day)
    assert away.choices == before.choices == {"agent": ("ford",)}
    assert (await board.answer(first(board), away)).state == "stale"


async def test_a_range_longer_than_what_is_kept_is_cut_and_said(tmp_path: Path) -> None:
    """A year is the fifteen days that Prometheus has; what it keeps whole is not cut."""
    answering = Answering()
    board = answering.board(tmp_path, panel(1, "a"))
    long = await board.answer(first(board), View("now-1y", "now"))
    assert long.window.end - long.window.start == 15 * 86_400
    assert long.notes == ("Prometheus keeps 15 d; what is older is not shown.",)
    assert (await board.answer(first(board), View("now-7d", "now"))).notes == ()


@pytest.mark.parametrize("points", [1, 720, 10_000_000])
async def test_a_step_is_never_too_small_or_the_points_too_many(tmp_path: Path, points: int) -> None:
    """From fifty years of a Prometheus that never forgets to five minutes: at most 11 000 points, a scrape apart."""
    answering = Answering()
    answering.retention = "50GiB"
    board = answering.board(tmp_path, panel(1, "a", maxDataPoints=points))
    for start in ("now-5m", "now-6h", "now-2d", "now-46h", "now-7d", "now-1y", "0"):
        (query,) = (await board.answer(first(board), View(start, "now"))).queries
        assert query.step >= 15
        assert (query.end - query.start) / query.step < 11_000
