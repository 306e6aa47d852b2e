"""Station "board": what fifty readers cost is what one costs, for Prometheus and nearly for the board's memory."""

from __future__ import annotations

import time
from collections.abc import Iterator

import psutil
import pytest
from tests.support.boards import PANELS, Board, standing
from tests.support.eventually import eventually
from tests.support.viewers import looking_on

ROUNDS = 4
SECONDS = 6.0
"""Between two refreshes of this test's page: fifty pages on a machine with a stack on it take a moment."""

CROWD = 50


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Board]:
    """Run a board with an hour behind it that asks each query once in six seconds."""
    folder = tmp_path_factory.mktemp("board")
    with standing(folder, refresh=int(SECONDS), settings={"EDDIE_BOARD_SCRAPE_SECONDS": str(int(SECONDS))}) as started:
        yield started


def asked_a_round(board: Board) -> float:
    """Return how many queries Prometheus answered in each of some refreshes."""
    before, end = board.queries_seen(), time.monotonic() + ROUNDS * SECONDS

    def over() -> None:
        assert time.monotonic() >= end

    eventually(over, within=ROUNDS * SECONDS + 2)
    return (board.queries_seen() - before) / ROUNDS


def test_fifty_cost_prometheus_what_one_does(board: Board) -> None:
    """Fifty pages of the same view make Prometheus answer as many queries as one page does, give or take a round."""
    with looking_on(board, 1):
        one = asked_a_round(board)
    assert one >= len(PANELS), f"expected a page to be refreshed, got {one} queries a round"
    with looking_on(board, CROWD) as crowd:
        many = asked_a_round(board)
        heard = sorted(viewer.messages for viewer in crowd)
        assert heard[0] >= ROUNDS, f"expected every page to be told each time, got {heard}"
    assert many <= one * (1 + 1 / ROUNDS) + 2, f"expected about {one:.0f} queries a round, got {many:.0f}"


def test_different_views_cost_more(board: Board) -> None:
    """Negative twin: four pages with four ranges are four questions, and the same count says so."""
    with looking_on(board, 1, start="now-1h"), looking_on(board, 1, start="now-2h"):
        two = asked_a_round(board)
    with looking_on(board, 1):
        one = asked_a_round(board)
    assert two > one * 1.5


def test_fifty_viewers_do_not_hold_fifty_copies(board: Board) -> None:
    """Memory grows by what a connection costs, far less than what is drawn on a page."""
    process = psutil.Process(board.engine.pid)
    with looking_on(board, 1):
        asked_a_round(board)
        alone = process.memory_info().rss
    with looking_on(board, CROWD) as crowd:
        asked_a_round(board)
        grown = process.memory_info().rss - alone
        drawn = max(viewer.bytes for viewer in crowd)
    assert grown / CROWD < 2 * 2**20, f"expected under 2 MiB a viewer, got {grown / CROWD / 2**20:.2f}, {drawn} sent"
