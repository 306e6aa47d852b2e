"""Station "board": the numbers behind a panel are Prometheus's own, and an address brings back what was seen."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser
from tests.support.alive import tell
from tests.support.board_pages import Look, looking
from tests.support.boards import PANELS, SHIPPED, UID, Board, standing
from tests.support.browsers import chromium
from tests.support.eventually import eventually

from eddie_board.queries import Query, Window, panel_queries
from fleet.web import ask

DASHBOARD: dict[str, Any] = json.loads((SHIPPED / f"{UID}.json").read_text())
Points = tuple[tuple[float, float], ...]


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Board]:
    """Run a board on a stack with an hour behind it, with the shipped scrape interval: steps depend on it."""
    settings = {"EDDIE_BOARD_SCRAPE_SECONDS": "15"}
    with standing(tmp_path_factory.mktemp("board"), settings=settings) as started:
        yield started


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Start one browser for all looks."""
    with chromium() as started:
        yield started


def expected(board: Board, panel: str, **choices: list[str]) -> list[tuple[str, Points]]:
    """Ask Prometheus for a panel's queries over the hour that is over: names as Grafana writes them, and points."""
    start, end = (float(text) / 1000 for text in board.still().values())
    found = []
    for query in panel_queries(DASHBOARD, Window(start=start, end=end), choices):
        if str(query.panel) == panel:
            data = board.stack.prometheus(
                "query_range", query=query.expression, start=query.start, end=query.end, step=query.step
            )
            found += [(name_of(query, each["metric"]), points_of(each["values"])) for each in data["result"]]
    return sorted(found)


def name_of(query: Query, labels: dict[str, str]) -> str:
    """Fill a query's legend with a series' labels."""
    return re.sub(r"\{\{\s*(\w+)\s*\}\}", lambda found: labels.get(found[1], ""), query.legend)


def points_of(values: list[list[Any]]) -> Points:
    """Return the numbers that can be drawn, with their times in milliseconds."""
    return tuple((float(at) * 1000, float(value)) for at, value in values if value not in {"NaN", "+Inf", "-Inf"})


def drawn(look: Look, panel: str, names: set[str]) -> list[tuple[str, Points]]:
    """Return the chart's series of these names: thresholds and marks are series of the library's too."""
    found = []
    for series in look.series(panel):
        points = tuple((at, value) for at, value in series["points"] if value is not None and math.isfinite(value))
        if series["name"] in names and points:
            found.append((series["name"], points))
    return sorted(found)


@pytest.mark.parametrize("panel", list(PANELS))
def test_the_numbers_are_prometheus_own(board: Board, browser: Browser, panel: str) -> None:
    """Each series behind a panel has the name, the times and to the last bit the numbers that Prometheus answers."""
    wanted = expected(board, panel)
    assert sum(len(points) for _, points in wanted) > 100, "expected a panel with something on it"
    with looking(browser, board.page(panel, **board.still())) as look:
        look.whole(f"board-numbers-{panel}", panels={panel: PANELS[panel]})
        assert drawn(look, panel, {name for name, _ in wanted}) == wanted


def test_a_choice_narrows_the_numbers(board: Board, browser: Browser) -> None:
    """One agent and one stage in the address leave the numbers of their queries, and no others."""
    choice: dict[str, Any] = {"agent": ["demo-marvin"], "stage": ["code"]}
    with looking(browser, board.page(**board.still(), **choice)) as look:
        look.whole("board-chosen", panels={panel: PANELS[panel] for panel in ("4", "5")})
        for panel in ("4", "5"):
            wanted, all_of_them = expected(board, panel, **choice), expected(board, panel)
            assert drawn(look, panel, {name for name, _ in all_of_them}) == wanted
            assert wanted != all_of_them, "expected a choice to make a difference, or this test proves nothing"


def test_a_copied_address_restores_the_view(board: Board, browser: Browser) -> None:
    """Range, agent, stage and panel come back in another browser from the address alone, with the same numbers."""
    with looking(browser, board.page()) as first:
        first.whole("board-copy")
        first.page.goto(board.page(4, **board.still(), agent=["demo-marvin", "demo-ford"], stage="code"))
        first.whole("board-copy-chosen", panels={"4": PANELS["4"]})
        seen, copied = first.series(4), first.page.url
        with looking(browser, copied) as second:
            second.whole("board-pasted", panels={"4": PANELS["4"]})
            assert list(second.states()) == ["4"]
            assert second.series(4) == seen
            for part in ("var-agent=demo-marvin", "var-agent=demo-ford", "var-stage=code", "viewPanel="):
                assert part in second.page.url
        first.page.go_back()
        first.whole("board-back")


def test_opening_a_panel_and_back(board: Board, browser: Browser) -> None:
    """A panel's title opens it alone, with its query and a way to Prometheus; Back shows all of them again."""
    with looking(browser, board.page()) as look:
        look.whole("board-open")
        look.panel(5).get_by_role("link", name=PANELS["5"]).first.click()
        look.page.wait_for_url(re.compile("viewPanel=(panel-)?5"))
        look.whole("board-alone", panels={"5": PANELS["5"]})
        assert list(look.states()) == ["5"]
        words = look.page.inner_text("body")
        assert "rate(task_success_total" in words, "expected the query's text beside a panel that is alone"
        links = look.page.locator("a").evaluate_all("all => all.map(each => each.href)")
        assert any(link.startswith(board.stack.url("prometheus")) for link in links), f"no way to Prometheus in {links}"
        look.page.go_back()
        look.whole("board-and-back")


def test_a_bad_address_is_said(board: Board, browser: Browser) -> None:
    """A time that is none, an agent that nobody knows and a panel that does not exist are said in words."""
    with looking(browser, board.page(start="yesterday-ish", agent="nobody-at-all")) as look:
        look.page.wait_for_function("document.body.innerText.includes('nobody-at-all')")
        assert "yesterday-ish" in look.page.inner_text("body")
    with looking(browser, board.page(99)) as look:
        look.page.wait_for_function("document.body.innerText.includes('99')")


def test_an_alerts_panel_link_opens_that_panel(board: Board, browser: Browser) -> None:
    """The link that the real Prometheus wrote into a firing alert opens that panel, and only it, on the board."""

    def firing() -> str:
        answer = ask(f"{board.stack.url('prometheus')}/api/v1/alerts")
        found = {each["labels"]["alertname"]: each["annotations"] for each in answer.json()["data"]["alerts"]}
        assert "HighTimeoutEvents" in found, f"expected the storm to be noticed, got {sorted(found)}"
        return str(found["HighTimeoutEvents"]["panel_url"])

    tell(board.stack)
    address = eventually(firing, within=60)
    assert address.startswith(board.url), f"expected the board in Grafana's place, got {address}"
    with looking(browser, address) as look:
        look.whole("board-alert", panels={"2": PANELS["2"]})
        assert list(look.states()) == ["2"]
