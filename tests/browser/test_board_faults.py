"""Station "board": who is away is said within one refresh, the last picture stays with its age, and all heals alone."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser
from tests.support.board_pages import Look, looking
from tests.support.boards import PANELS, REFRESH, Board, standing
from tests.support.browsers import chromium
from tests.support.eventually import eventually

SOON = REFRESH + 8.0
"""Seconds for one refresh and its answer on a machine that is busy with a stack and a browser."""


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Board]:
    """Run a board on a stack with an hour behind it and a storm that has just passed."""
    with standing(tmp_path_factory.mktemp("board"), told=True) as started:
        started.engine.stop()
        yield started


@pytest.fixture
def board(shared: Board) -> Iterator[Board]:
    """Hand it out with a board that remembers nothing, and start again what a failing test has stopped."""
    shared.engine.start()
    yield shared
    shared.engine.stop()
    for each in shared.stack.engines.values():
        if not each.running:
            each.start()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Start one browser for all looks."""
    with chromium() as started:
        yield started


def all_are(look: Look, state: str, within: float = SOON) -> None:
    """Wait until every panel has one state."""

    def same() -> None:
        assert look.states() == dict.fromkeys(PANELS, state)

    eventually(same, within=within)


def test_prometheus_goes_and_comes_back(board: Board, browser: Browser) -> None:
    """Each panel names Prometheus and keeps its picture with its age, and is well again without being loaded anew."""
    # An hour that stands still: where it moves, the refresh before the kill may leave out a series that was there.
    now = time.time()
    hour = {"start": str(int(now - 3600) * 1000), "end": str(int(now) * 1000)}
    with looking(browser, board.page(**hour)) as look:
        look.whole("board-before")
        look.page.evaluate("window.untouched = true")
        before = {panel: {each["name"] for each in look.series(panel)} for panel in PANELS}
        board.stack.engines["prometheus"].kill()
        all_are(look, "stale")
        for panel in PANELS:
            said = look.panel(panel).inner_text()
            assert "Prometheus" in said, f"expected panel {panel} to name who is away, got {said!r}"
            assert re.search(r"\d+ ?(s|m|sec|min)|\d\d:\d\d|ago", said), f"expected an age on panel {panel}: {said!r}"
            gone = before[panel] - {each["name"] for each in look.series(panel)}
            assert not gone, f"expected the last picture of panel {panel} to stay, these left it: {gone}"
        board.stack.start("prometheus")
        all_are(look, "ok", within=SOON + 10)
        assert look.page.evaluate("window.untouched"), "expected no reload"
        assert look.faults() == []
    with looking(browser, board.page()) as look:
        look.whole("board-after")


def test_without_prometheus_from_the_start(board: Board, browser: Browser) -> None:
    """Whoever opens the page while Prometheus is down is told so by every panel, and sees them when it comes."""
    board.stack.engines["prometheus"].kill()
    with looking(browser, board.page()) as look:
        all_are(look, "error", within=20)
        assert all("Prometheus" in look.panel(panel).inner_text() for panel in PANELS)
        assert look.page.title()
        board.stack.start("prometheus")
        all_are(look, "ok", within=SOON + 10)


def test_alertmanager_goes_and_comes_back(board: Board, browser: Browser) -> None:
    """Its absence is said at the top within one look, the panels stay well, and its return is seen too."""

    def says(look: Look, state: str) -> None:
        link = look.page.locator('[data-link="Alertmanager"]')
        assert link.get_attribute("data-state") == state, f"{link.inner_text()!r}"

    with looking(browser, board.page()) as look:
        look.whole("board-before")
        eventually(lambda: says(look, "up"), within=SOON)
        board.stack.engines["alertmanager"].kill()
        eventually(lambda: says(look, "down"), within=SOON)
        assert look.faults() == []
        board.stack.start("alertmanager")
        eventually(lambda: says(look, "up"), within=SOON)


def test_a_hidden_page_asks_nothing(board: Board, browser: Browser) -> None:
    """While nobody sees the page Prometheus is not asked for it; at once when it is seen again it is."""
    hide = """(hidden) => {
      const of = (name, value) => Object.defineProperty(document, name, { configurable: true, get: () => value });
      of("hidden", hidden);
      of("visibilityState", hidden ? "hidden" : "visible");
      document.dispatchEvent(new Event("visibilitychange"));
    }"""
    with looking(browser, board.page()) as look:
        look.whole("board-seen")
        assert asked_in(board, 3 * REFRESH) >= len(PANELS), "expected a page that is seen to ask"
        look.page.evaluate(hide, True)

        def silent() -> None:
            assert asked_in(board, 2 * REFRESH + 1) == 0, "expected nothing asked for a hidden page"

        eventually(silent, within=4 * REFRESH + 10)
        seen = board.queries_seen()
        look.page.evaluate(hide, False)

        def refreshed() -> None:
            assert board.queries_seen() >= seen + len(PANELS)

        eventually(refreshed, within=SOON)


def test_nobody_looks_nothing_is_asked(board: Board, browser: Browser) -> None:
    """A board without viewers costs Prometheus nothing, also after the last one has gone."""
    with looking(browser, board.page()) as look:
        look.whole("board-last")

    def silent() -> None:
        assert asked_in(board, 2 * REFRESH + 1) == 0

    eventually(silent, within=40)


def asked_in(board: Board, seconds: float) -> float:
    """Count the queries Prometheus answers in so many seconds."""
    before, end = board.queries_seen(), time.monotonic() + seconds

    def over() -> None:
        assert time.monotonic() >= end

    eventually(over, within=seconds + 1)
    return board.queries_seen() - before
