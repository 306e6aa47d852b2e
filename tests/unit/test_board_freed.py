"""Station "board": what nobody looks at any more is let go, whether or not somebody else comes."""

from __future__ import annotations

import asyncio
import gc
import weakref
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from tests.support import panels
from tests.support.answering import Answering, panel

from eddie_board.draw import drawing
from eddie_board.drawn import KEPT, Drawings
from eddie_board.frames import Columns
from eddie_board.house import House
from eddie_board.once import Once
from eddie_board.settings import Settings
from eddie_board.view import View


def held(kind: type) -> int:
    """Count the objects of a kind that somebody holds."""
    gc.collect()
    return sum(type(each) is kind for each in gc.get_objects())


async def test_a_new_round_lets_go_of_the_last_without_being_asked() -> None:
    """Results are gone when their interval is over; within it, and for a slow asker, they stay."""
    once: Once[str] = Once(10)

    async def work() -> str:
        return "done"

    await once.get(1_000_000, "a", work)
    for now, left in ((1_000_000, 1), (999_985, 1), (1_000_015, 0)):
        once.turn(now)
        assert len(once) == left


async def test_answers_go_with_their_interval_and_the_last_picture_stays(tmp_path: Path) -> None:
    """Twenty views that were closed leave no answers of Prometheus; while it is away each still has its picture."""
    answering, before = Answering(), held(Columns)
    board = answering.board(tmp_path, panel(1, "a"))
    (shown,) = board.dashboards.all()[0].panels
    views = [View(f"now-{minutes}m", "now") for minutes in range(10, 30)]
    for view in views:
        await board.answer(shown, view)
    board.turn()
    assert held(Columns) == before + len(views), "expected the present interval's answers to stay"
    answering.now += 15
    board.turn()
    assert held(Columns) == before
    answering.fault = httpx.ConnectError("refused")
    assert {(await board.answer(shown, view)).state for view in views} == {"stale"}


def test_pictures_go_when_nobody_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    """A picture that is shown at each refresh stays the same object; one that is not leaves, with its answer."""
    clock = [100.0]
    monkeypatch.setattr("eddie_board.drawn.time.monotonic", lambda: clock[0])
    drawings = Drawings(drawing, lambda _: "")
    shown, looked_at, left = panels.panel(), panels.answer(panels.series("a")), panels.answer(panels.series("b"))
    first = drawings.of(shown, looked_at)
    gone = drawings.of(shown, left)
    for _ in range(4):
        clock[0] += KEPT / 3
        drawings.turn()
        assert drawings.of(shown, looked_at) is first
    assert drawings.of(shown, left) is not gone


async def test_the_house_sees_to_it_where_nobody_looks() -> None:
    """Without a single viewer the clock goes on, and has both let go."""
    turned: list[str] = []
    done = asyncio.Event()

    def drawn() -> None:
        turned.append("drawings")
        done.set()

    board: Any = SimpleNamespace(turn=lambda: turned.append("board"))
    drawings: Any = SimpleNamespace(turn=drawn)
    nobody: Any = None
    house = House(Settings(board_scrape_seconds=1), board, drawings, nobody, nobody)
    beating = asyncio.create_task(house.beat())
    await asyncio.wait_for(done.wait(), 10)
    beating.cancel()
    assert turned[:2] == ["board", "drawings"]


async def test_the_clock_holds_no_page_that_was_left() -> None:
    """The last page it woke is free when its reader has left, though nobody else comes to be woken."""
    nobody: Any = SimpleNamespace(turn=lambda: None)
    house = House(Settings(board_scrape_seconds=1), nobody, nobody, nobody, nobody)
    woken = asyncio.Event()

    class Viewer:
        def beat(self, _now: float) -> None:
            woken.set()

    viewer = Viewer()
    left = weakref.ref(viewer)
    house.viewers.add(viewer)
    beating = asyncio.create_task(house.beat())
    await asyncio.wait_for(woken.wait(), 10)
    house.viewers.discard(viewer)
    del viewer
    await asyncio.sleep(0)
    gc.collect()
    assert left() is None
    beating.cancel()
