"""Station "board": what a person sees without a Grafana: all of it drawn, on phone and laptop, by day and night."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from playwright.sync_api import Browser, Page
from tests.support.board_pages import INKED, Look, Scheme, looking
from tests.support.boards import PANELS, Board, standing
from tests.support.browsers import chromium
from tests.support.eventually import eventually

GRAVE = ("serious", "critical")


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Board]:
    """Run a board on a stack with an hour behind it and a storm that has just passed."""
    with standing(tmp_path_factory.mktemp("board"), told=True) as started:
        yield started


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Start one browser for all looks."""
    with chromium() as started:
        yield started


def grave(page: Page) -> list[str]:
    """List what axe calls serious or critical on the page, with the elements it means."""
    found: list[dict[str, Any]] = Axe().run(page).response["violations"]
    return [
        f"{each['impact']} {each['id']}: {each['help']}: {[node['html'][:160] for node in each['nodes'][:4]]}"
        for each in found
        if each["impact"] in GRAVE
    ]


def beyond(look: Look, board: Board) -> list[str]:
    """List every request and websocket of the page that was not the board's."""
    here = urlsplit(board.url).netloc
    own = ("data", "blob")
    return [one for one in look.asked if urlsplit(one).scheme not in own and urlsplit(one).netloc != here]


@pytest.mark.parametrize("scheme", ["dark", "light"])
@pytest.mark.parametrize("width", [390, 1280])
def test_every_panel_is_drawn_without_scrolling(board: Board, browser: Browser, width: int, scheme: Scheme) -> None:
    """All panels are well and have ink on them in a window of 800 pixels that nobody scrolls."""
    with looking(browser, board.page(), width=width, scheme=scheme) as look:
        look.whole(f"board-{width}-{scheme}")
        assert look.page.evaluate("scrollY") == 0
        assert look.page.evaluate("document.documentElement.scrollHeight") > 1600
        assert look.page.evaluate("document.documentElement.scrollWidth") <= width, "expected nothing to hang out"


def test_the_systems_choice_is_followed(board: Board, browser: Browser) -> None:
    """The page is dark where the system is, light where that is, and changes with it while it is open."""
    behind = "getComputedStyle(document.body).backgroundColor.match(/[0-9.]+/g).slice(0, 3).map(Number)"
    with looking(browser, board.page(), scheme="dark") as look:
        look.whole("board-dark")
        dark = look.page.evaluate(behind)
        look.page.emulate_media(color_scheme="light")
        look.page.wait_for_function(f"{behind}.every((part) => part > 200)")
        assert max(dark) < 80, f"expected a dark page, got {dark}"
        look.whole("board-changed")


def test_a_missing_and_an_empty_panel_are_noticed(board: Board, browser: Browser) -> None:
    """Negative twin: the same look names a panel that is not there, one without data, and one that was wiped."""
    with looking(browser, board.page()) as look:
        look.whole("board-before")
        assert look.faults({**PANELS, "99": "Nothing"}) == ["panel 99 (Nothing): not there"]
        wipe = "(panel) => panel.querySelectorAll('canvas').forEach((canvas) => { canvas.width = canvas.width; })"
        look.panel(1).evaluate(wipe)
        assert not look.panel(1).evaluate(INKED)
    with looking(browser, board.page(start="now-40d", end="now-39d")) as look:
        look.page.wait_for_function(f"document.querySelectorAll('[data-state=empty]').length >= {len(PANELS)}")
        assert len(look.faults()) == len(PANELS)


@pytest.mark.parametrize("scheme", ["dark", "light"])
@pytest.mark.parametrize("panel", [None, 5], ids=["dashboard", "panel"])
def test_axe_finds_nothing_grave(board: Board, browser: Browser, panel: int | None, scheme: Scheme) -> None:
    """No serious and no critical fault, whole and with one panel, by night and by day, with alerts on the page."""
    with looking(browser, board.page(panel), scheme=scheme) as look:
        look.whole("board-axe", panels=PANELS if panel is None else {"5": PANELS["5"]})
        assert grave(look.page) == []


def test_axe_would_find_something(board: Board, browser: Browser) -> None:
    """Negative twin: a picture without words and a button without a name are called grave."""
    with looking(browser, board.page()) as look:
        look.whole("board-axe")
        look.page.evaluate("document.body.append(document.createElement('button'), document.createElement('img'))")
        assert {fault.split(":")[0] for fault in grave(look.page)} >= {"critical button-name", "critical image-alt"}


def test_nothing_leaves_the_machine_and_nothing_is_wrong(board: Board, browser: Browser) -> None:
    """Every request and the websocket go to the board, and the console has neither an error nor a warning."""
    with looking(browser, board.page()) as look:
        look.whole("board-quiet")
        look.page.goto(board.page(5))
        look.whole("board-quiet-panel", panels={"5": PANELS["5"]})
        assert beyond(look, board) == []
        assert any(one.startswith("ws://") for one in look.asked), "expected the websocket among what was noted"
        assert len(look.asked) > 5
        assert look.errors == []


def test_a_request_elsewhere_would_be_noticed_and_is_refused(board: Board, browser: Browser) -> None:
    """Negative twin: a picture from another host is an error in the console, for the page's policy forbids it."""
    with looking(browser, board.page()) as look:
        look.whole("board-elsewhere")
        look.page.evaluate("new Image().src = 'http://elsewhere.invalid/x.png'")

        def refused() -> None:
            look.page.evaluate("0")  # lets what the page said arrive
            assert any("elsewhere.invalid" in one and "Content Security Policy" in one for one in look.errors)

        eventually(refused, within=10)
        look.asked.append("http://elsewhere.invalid/x.png")
        assert set(beyond(look, board)) == {"http://elsewhere.invalid/x.png"}
