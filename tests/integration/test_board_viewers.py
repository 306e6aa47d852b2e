"""Station "board": what fifty readers cost is what one costs, for Prometheus and nearly for the board's memory."""

from __future__ import annotations

import time
from collections.abc import Iterator

import psutil
import pytest
from tests.support.boards import PANELS, Board, standing
from tests.support.eventually import eventually
from tests.support.viewers import Viewer, looking_on

SCRAPE = 15
REFRESH = 2 * SCRAPE
"""As shipped: pages that took turns would ask at each scrape what one of them asks at every second one."""

CROWD = 50


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Board]:
    """Run a board with an hour behind it, at the shipped pace."""
    settings = {"EDDIE_BOARD_SCRAPE_SECONDS": str(SCRAPE)}
    with standing(tmp_path_factory.mktemp("board"), refresh=REFRESH, settings=settings) as started:
        yield started


def settled(board: Board) -> float:
    """Wait until Prometheus is asked nothing for a moment, and return how many queries it has answered so far."""
    last = -1.0

    def same() -> None:
        nonlocal last
        before, last = last, board.queries_seen()
        assert before == last

    eventually(same, within=60, every=1.5)
    return last


def opened(board: Board, **address: str) -> float:
    """Return how many queries one page costs that shows what nobody else has looked at."""
    before = settled(board)
    with looking_on(board, 1, **address):
        return settled(board) - before


def refreshed(crowd: list[Viewer]) -> None:
    """Wait until each of these pages has got new pictures once more."""
    sizes = [viewer.size for viewer in crowd]

    def told() -> None:
        least = min(viewer.size - size for viewer, size in zip(crowd, sizes, strict=True))
        assert least > 10_000, f"expected panels to arrive on every page, got {least} characters on one"

    eventually(told, within=3 * REFRESH)


def test_fifty_cost_prometheus_what_one_does(board: Board) -> None:
    """Fifty pages of one view cost a round of queries a refresh, not fifty, while they open and while they stay."""
    one = opened(board)
    assert one >= len(PANELS)
    before, began = settled(board), time.monotonic()
    with looking_on(board, CROWD) as crowd:
        asked, rounds = settled(board) - before, (time.monotonic() - began) / SCRAPE + 2
        assert asked <= one * rounds, f"expected at most {rounds:.1f} rounds of {one:.0f} queries, got {asked:.0f}"
        before, began = board.queries_seen(), time.monotonic()
        refreshed(crowd)
        asked, rounds = settled(board) - before, (time.monotonic() - began) / REFRESH + 1
        assert asked <= one * rounds, f"expected at most {rounds:.1f} rounds of {one:.0f} queries, got {asked:.0f}"


def test_another_view_costs_its_own(board: Board) -> None:
    """Negative twin: a page that shows another range is another question, and the same count says so."""
    with looking_on(board, 1):
        assert opened(board, start="now-2h") >= len(PANELS)


def test_what_a_viewer_costs_is_bounded(board: Board) -> None:
    """Memory grows by what a page and its connection cost; that pictures are shared test_board_page.py shows."""
    process = psutil.Process(board.engine.pid)
    with looking_on(board, 1) as alone:
        refreshed(alone)
        before = process.memory_info().rss
    with looking_on(board, CROWD) as crowd:
        refreshed(crowd)
        grown = process.memory_info().rss - before
    assert grown / CROWD < 2 * 2**20, f"expected under 2 MiB a viewer, got {grown / CROWD / 2**20:.2f}"
