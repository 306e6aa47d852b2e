"""One open page of the board: its panels, its rounds, and that a reader who left leaves nothing behind."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from nicegui import Client
from nicegui.element import Element
from nicegui.page import page as nicegui_page
from tests.support import panels

from eddie_board.chain import Alerts, ChainState
from eddie_board.dashboard import Dashboard, Dashboards, Panel, Variable
from eddie_board.draw import drawing
from eddie_board.drawn import Drawings
from eddie_board.page import MISTAKE, Page, every
from eddie_board.panel_view import NO_DATA, PanelView
from eddie_board.settings import Settings
from eddie_board.shared import Answer, Values
from eddie_board.toolbar import Chooser, Pulse
from eddie_board.view import View

AWAY = "Prometheus does not answer."
PATH = "/d/eddie-distributed-fallback"


@dataclass
class FakeBoard:
    """Answers every panel with one series, counts what it is asked, and fails at the panels it is told to."""

    dashboards: Any
    asked: list[tuple[int, View]] = field(default_factory=list)
    broken: set[int] = field(default_factory=set)
    silent: asyncio.Event | None = None
    state: Any = "ok"

    async def checked(self, _dashboard: Dashboard, view: View) -> View:
        """Take every choice."""
        return view

    async def values(self, _dashboard: Dashboard, _variable: Variable, _view: View) -> Values:
        """Know two values."""
        return Values(("a", "<b>"))

    async def answer(self, panel: Panel, view: View) -> Answer:
        """Answer, fail, or wait until the test lets go."""
        self.asked.append((panel.id, view))
        if panel.id in self.broken:
            raise RuntimeError("a mistake")
        if self.silent is not None:
            await self.silent.wait()
        fault = AWAY if self.state in {"stale", "error"} else ""
        return replace(panels.answer(panels.series("a")), panel_id=panel.id, state=self.state, fault=fault)


class FakeChain:
    """Has nothing to tell."""

    async def state(self) -> ChainState:
        """Answer a chain without links."""
        return ChainState(0.0, (), (), Alerts())


class Shop:
    """A house with fakes in it, and pages opened in it."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "dashboard.json"
        self.file.write_text(panels.SHIPPED.read_text())
        self.dashboards = Dashboards((folder,))
        self.board = FakeBoard(self.dashboards)
        self.house: Any = SimpleNamespace(
            settings=Settings(board_scrape_seconds=15),
            board=self.board,
            drawings=Drawings(drawing, lambda query: f"http://prometheus.example/{query.ref}"),
            chain=FakeChain(),
            viewers=set(),
        )
        self.clients: list[Client] = []

    @property
    def dashboard(self) -> Dashboard:
        """Return the dashboard as its file is now."""
        (found,) = self.dashboards.all()
        return found

    async def open(self, *parameters: tuple[str, str]) -> Page:
        """Open a page of a reader who is there, and wait until its first round is over."""
        client = Client(nicegui_page(""), request=None)
        self.clients.append(client)
        with client:
            made = Page(self.house, client, PATH, self.dashboard, View.read(parameters, self.dashboard))
        client.tab_id = "here"
        if self.board.silent is None:
            await over(made)
        return made

    def of(self, kind: type[Element], number: int = -1) -> list[Any]:
        """Return the elements of a kind on a page, in the order they were made."""
        return [each for each in self.clients[number].elements.values() if isinstance(each, kind)]

    def states(self) -> dict[int, str]:
        """Return the states of the last page's panels."""
        return {each.panel.id: each.props["state"] for each in self.of(PanelView)}


async def over(page: Page) -> None:
    """Wait for the end of a page's round."""
    await page.settle(5)
    assert page.idle


async def turn() -> None:
    """Let everything happen that waits for nothing but its turn."""
    for _ in range(50):
        await asyncio.sleep(0)


@pytest.fixture
async def shop(tmp_path: Path) -> AsyncIterator[Shop]:
    """Give a house, and close what was opened in it."""
    made = Shop(tmp_path)
    yield made
    for client in made.clients:
        if not client.is_deleted:
            client.delete()


async def test_every_panel_stands_in_its_place(shop: Shop) -> None:
    """Each panel of the dashboard is one element, in reading order, at its place of the grid, and is answered."""
    await shop.open()
    found = shop.of(PanelView)
    assert [each.panel.id for each in found] == [p.id for p in sorted(shop.dashboard.panels, key=lambda p: (p.y, p.x))]
    assert set(shop.states().values()) == {"ok"}
    first = found[0]
    assert first.style["--w"] == str(first.panel.w)
    assert first.style["--y"] == "1"


async def test_one_panel_alone(shop: Shop) -> None:
    """With `viewPanel` only that panel is made and asked for; an unknown one is told and all are shown."""
    await shop.open(("viewPanel", "panel-5"))
    assert shop.states() == {5: "ok"}
    assert [number for number, _ in shop.board.asked] == [5]
    assert shop.of(Pulse)[0].props["title"].startswith("Success and failure rate")
    await shop.open(("viewPanel", "99"))
    assert len(shop.of(PanelView)) == panels.COUNT


async def test_a_broken_panel_costs_itself_only(shop: Shop) -> None:
    """A mistake of this program is said in the panel it hit; the others are shown, and the page goes on."""
    shop.board.broken = {3}
    page = await shop.open()
    states = shop.states()
    assert states.pop(3) == "error"
    assert set(states.values()) == {"ok"}
    assert next(each for each in shop.of(PanelView) if each.panel.id == 3).props["words"] == MISTAKE
    shop.board.broken = set()
    page.refresh()
    await over(page)
    assert shop.states()[3] == "ok"


@pytest.mark.parametrize(("state", "words"), [("empty", NO_DATA), ("stale", AWAY), ("error", AWAY), ("ok", "")])
async def test_states_are_said_in_words(shop: Shop, state: str, words: str) -> None:
    """What a colour says a sentence in the panel says too; a panel that is well says nothing."""
    shop.board.state = state
    await shop.open()
    assert set(shop.states().values()) == {state}
    assert {each.props["words"] for each in shop.of(PanelView)} == {words}


async def test_viewers_share_the_bytes(shop: Shop) -> None:
    """Two pages that show the same answer hold the same encoded picture, not one each."""
    answer = panels.answer(panels.series("a"))

    async def same(panel: Panel, view: View) -> Answer:
        return answer

    shop.board.answer = same  # type: ignore[method-assign]
    await shop.open()
    await shop.open()
    one, other = ([each.props["picture"] for each in shop.of(PanelView, number)] for number in (0, 1))
    # The dashboard's file did not change between, so the panels are the same too.
    assert all(first is second for first, second in zip(one, other, strict=True))


async def test_a_kept_picture_is_not_sent_again(shop: Shop) -> None:
    """While Prometheus is away each round brings a new answer with the same series: it is neither drawn nor sent."""
    answer = panels.answer(panels.series("a"))

    async def kept(panel: Panel, view: View) -> Answer:
        return replace(answer, state="stale", fault=AWAY)

    shop.board.answer = kept  # type: ignore[method-assign]
    page = await shop.open()
    shop.clients[0].outbox.updates.clear()
    page.refresh()
    await over(page)
    assert not [each for each in shop.clients[0].outbox.updates.values() if isinstance(each, PanelView)]


def due(page: Page) -> float:
    """Answer when the page's next round is due: at the next half minute of the clock."""
    return page.began // 30 * 30 + 30


async def test_rounds_are_for_those_who_look(shop: Shop) -> None:
    """A round begins when it is due and somebody looks: not too early, not hidden, not without a connection."""
    page = await shop.open()
    shop.board.asked.clear()
    page.beat(due(page) - 0.1)
    assert page.idle
    page.seen(visible=False)
    page.beat(due(page) + 0.5)
    assert page.idle
    page.seen(visible=True)
    assert not page.idle, "expected a round at once when it is seen again"
    await over(page)
    shop.clients[0].tab_id = None
    page.beat(due(page) + 0.5)
    assert page.idle
    shop.clients[0].tab_id = "here"
    page.beat(due(page) + 0.5)
    assert not page.idle, "expected a round that is due at this beat"
    await over(page)
    assert len(shop.board.asked) == 2 * panels.COUNT


async def test_pages_are_due_together(shop: Shop) -> None:
    """Pages that were opened at different times are refreshed at the same beat: then one answer does for both."""
    first, second = await shop.open(), await shop.open()
    first.began, second.began = 1_000_021.0, 1_000_044.0
    for now, idle in ((1_000_049.9, True), (1_000_050.5, False)):
        for page in (first, second):
            page.beat(now)
        assert [first.idle, second.idle] == [idle, idle]
    await over(first)
    await over(second)


async def test_a_slow_round_is_not_asked_again(shop: Shop) -> None:
    """While answers are awaited no second round begins; a new wish of the reader ends the old one."""
    shop.board.silent = asyncio.Event()
    page = await shop.open()

    await turn()
    assert len(shop.board.asked) == panels.COUNT
    page.beat(page.began + 100)
    await turn()
    assert len(shop.board.asked) == panels.COUNT
    page.look(f"{PATH}?from=now-1h&to=now")

    await turn()
    assert [view.start_text for _, view in shop.board.asked[panels.COUNT :]] == ["now-1h"] * panels.COUNT
    shop.board.silent.set()
    await over(page)
    assert set(shop.states().values()) == {"ok"}


async def test_the_address_is_followed(shop: Shop) -> None:
    """Where the reader goes to one panel, back, and to a choice, the page follows without being loaded anew."""
    page = await shop.open()
    page.look(f"{PATH}?viewPanel=4&var-agent=a")
    await over(page)
    assert shop.states() == {4: "ok"}
    assert shop.board.asked[-1][1].choices["agent"] == ("a",)
    agent = next(each for each in shop.of(Chooser) if each.variable.name == "agent")
    assert list(agent.props["chosen"]) == ["a"]
    page.look(PATH)
    await over(page)
    assert len(shop.of(PanelView)) == panels.COUNT


async def test_a_panel_that_is_added_appears(shop: Shop) -> None:
    """The dashboard's file is the only definition: what is added there stands on open pages after the next round."""
    page = await shop.open()
    raw = json.loads(shop.file.read_text())
    added = {**raw["panels"][0], "id": 77, "title": "Added", "gridPos": {"x": 0, "y": 90, "w": 8, "h": 9}}
    shop.file.write_text(json.dumps({**raw, "panels": [*raw["panels"], added]}))
    page.refresh()
    await over(page)
    assert shop.states()[77] == "ok"


async def test_who_left_is_forgotten(shop: Shop) -> None:
    """With its client the page goes out of the house, and its round ends."""
    shop.board.silent = asyncio.Event()
    page = await shop.open()
    assert shop.house.viewers == {page}
    shop.clients[0].delete()
    assert shop.house.viewers == set()
    await over(page)


def test_the_refresh_is_the_dashboards_own() -> None:
    """A dashboard says how often; never more often than there are samples, and 30 s where it says nothing."""

    def with_refresh(text: str) -> Any:
        return SimpleNamespace(refresh=text)

    assert [every(with_refresh(text), 15) for text in ("30s", "1m", "5s", "", "soon")] == [30, 60, 15, 30, 30]
