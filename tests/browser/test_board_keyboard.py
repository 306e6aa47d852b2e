"""Station "board": whatever a mouse can do a keyboard can, one sees where one is, and one hears what is shown."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect
from tests.support.board_pages import Look, looking
from tests.support.boards import NEVER, PANELS, Board, standing
from tests.support.browsers import chromium
from tests.support.eventually import eventually

MOST = 400
"""Tabs until this test gives up: more than the page has places to stop at."""

CONTROLS = """() => {
  const all = [...document.querySelectorAll("a[href], button, summary, input, select, textarea, [tabindex='0']")];
  const shown = all.filter((each) => each.checkVisibility({ visibilityProperty: true }) && !each.disabled);
  shown.forEach((each, at) => { each.dataset.nth = at; });
  return shown.map((each) => `${each.dataset.nth} ${each.tagName} ${each.textContent.trim().slice(0, 40)}`);
}"""
"""Number everything on the page that can be operated, and name it."""

HERE = """() => {
  const { dataset, tagName } = document.activeElement, style = getComputedStyle(document.activeElement);
  const ring = (style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0) || style.boxShadow !== "none";
  return [dataset.nth ?? tagName, ring];
}"""
"""Say where the focus is, and whether one sees it."""


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Board]:
    """Run a board on a stack with an hour behind it and a storm that has just passed; pages stay as they are."""
    with standing(tmp_path_factory.mktemp("board"), told=True, refresh=NEVER) as started:
        yield started


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Start one browser for all looks."""
    with chromium() as started:
        yield started


@pytest.fixture
def look(board: Board, browser: Browser) -> Iterator[Look]:
    """Open a page on which nobody has clicked anything, when all of it is there, its top and its bar too."""
    with looking(browser, board.page()) as opened:
        opened.whole("board-keyboard")
        expect(opened.page.locator(".pulse")).to_contain_text("of ")  # said when a round of asking is over
        yield opened


def tabbed(look: Look) -> dict[str, bool]:
    """Press Tab until it comes round, and return every place it stopped at, and whether one sees the focus there."""
    stops: dict[str, bool] = {}
    for _ in range(MOST):
        look.page.keyboard.press("Tab")
        nth, ring = look.page.evaluate(HERE)
        if nth == "BODY" or nth in stops:
            break
        stops[nth] = ring
    return stops


def test_every_control_is_reached_and_seen(look: Look) -> None:
    """Tab comes by every link, button, picker and legend, and each shows that it has the focus."""
    controls = look.page.evaluate(CONTROLS)
    assert len(controls) > 40
    stops = tabbed(look)
    assert [each for each in controls if each.split()[0] not in stops] == []
    assert [each for each in controls if not stops[each.split()[0]]] == [], "expected to see where the focus is"


def test_a_control_out_of_reach_would_be_noticed(look: Look) -> None:
    """Negative twin: a button that Tab passes by is in the list of controls and not among the stops."""
    look.page.evaluate("document.querySelector('.pulse button').tabIndex = -1")
    controls = look.page.evaluate(CONTROLS)
    stops = tabbed(look)
    missed = [each for each in controls if each.split()[0] not in stops]
    assert [each.split(" ", 1)[1] for each in missed] == ["BUTTON Refresh"]


def test_a_range_is_chosen_by_keyboard(look: Look) -> None:
    """Enter on a range changes the address, and the panels follow; the chosen one is said to be the current one."""
    look.page.get_by_role("link", name=re.compile("15 min")).focus()
    look.page.keyboard.press("Enter")
    look.page.wait_for_url(re.compile("from=now-15m"))
    look.whole("board-keyboard-range")
    assert look.page.get_by_role("link", name=re.compile("15 min")).get_attribute("aria-current") == "true"


def test_an_agent_is_chosen_by_keyboard(look: Look) -> None:
    """The picker opens with Enter, Space ticks an agent, Escape closes it and leaves the focus where it was."""
    chooser = look.page.locator('[data-variable="agent"]')
    chooser.locator("summary").focus()
    look.page.keyboard.press("Enter")
    box = chooser.get_by_role("checkbox", name="demo-marvin")
    box.focus()
    look.page.keyboard.press("Space")
    look.page.wait_for_url(re.compile("var-agent=demo-marvin"))
    look.page.keyboard.press("Escape")
    assert not box.is_visible()
    assert look.page.evaluate("document.activeElement.tagName") == "SUMMARY"
    # The address changes at once, the words with the answer of the server.
    expect(chooser.locator("summary")).to_contain_text("demo-marvin")

    def narrowed() -> None:
        names = {each["name"] for each in look.series(4)}
        assert "demo-marvin" in names
        assert "demo-ford" not in names

    eventually(narrowed, within=60)


def test_a_series_is_hidden_by_keyboard(look: Look) -> None:
    """Enter on a name in the legend shows it alone, and again all of them; whether it is shown is said."""
    button = look.panel(4).get_by_role("button", name=re.compile("demo-marvin"))
    other = look.panel(4).get_by_role("button", name=re.compile("demo-ford"))
    button.focus()
    look.page.keyboard.press("Enter")
    assert button.get_attribute("aria-pressed") == "true"
    assert other.get_attribute("aria-pressed") == "false"
    look.page.keyboard.press("Enter")
    assert other.get_attribute("aria-pressed") == "true"


def test_the_focus_goes_with_what_changes_places(look: Look) -> None:
    """Where a legend's rows change places, as a refresh may have them do, the focus stays on the row it was on."""
    column, rows = (look.panel(2).locator(f"{part} button") for part in ("thead", "tbody"))
    before = rows.all_inner_texts()
    rows.last.focus()
    for _ in range(2):
        # By a script, for a mouse would take the focus along.
        column.last.evaluate("(button) => { button.click(); }")
        expect(rows).not_to_have_text(before)
        assert look.page.evaluate("document.activeElement.innerText") == before[-1]
        before = [before[-1], *rows.all_inner_texts()[1:]]


def test_a_panel_is_opened_and_described_by_keyboard(look: Look) -> None:
    """The sign beside a title shows description and queries; the title opens the panel alone, and a link leads back."""
    look.panel(5).locator("summary").focus()
    look.page.keyboard.press("Enter")
    assert look.panel(5).get_by_text("rate(task_success_total").first.is_visible()
    look.page.keyboard.press("Escape")
    assert not look.panel(5).get_by_text("rate(task_success_total").first.is_visible()
    look.panel(5).get_by_role("link", name=PANELS["5"]).focus()
    look.page.keyboard.press("Enter")
    look.page.wait_for_url(re.compile("viewPanel="))
    look.whole("board-keyboard-panel", panels={"5": PANELS["5"]})
    look.page.get_by_role("link", name="All panels").focus()
    look.page.keyboard.press("Enter")
    look.whole("board-keyboard-back")


def test_what_is_drawn_is_also_said(look: Look) -> None:
    """Every chart has a name for those who do not see it, every panel a heading, and the page one main heading."""
    assert look.page.get_by_role("heading", level=1).count() == 1
    for panel, title in PANELS.items():
        assert look.panel(panel).get_by_role("heading", name=title).count() == 1
        label = look.panel(panel).get_by_role("img").first.get_attribute("aria-label") or ""
        assert title in label or len(label) > 20, f"expected a chart with a name, got {label!r} on panel {panel}"


def test_half_a_window_is_enough(board: Board, browser: Browser) -> None:
    """Zoomed to 400 percent on a laptop (320 pixels of width) all panels are there, and nothing hangs out sideways."""
    with looking(browser, board.page(), width=320) as look:
        look.whole("board-zoomed")
        assert look.page.evaluate("document.documentElement.scrollWidth") <= 320
