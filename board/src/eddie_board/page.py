"""Station *page*: one open page: what its reader asked for, its panels, and its rounds of refreshing them."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Awaitable, Callable
from functools import partial
from urllib.parse import parse_qsl, urlsplit

import structlog
from nicegui import Client, html

from eddie_board.chain_view import ChainStrip
from eddie_board.dashboard import Dashboard, Panel
from eddie_board.house import House
from eddie_board.panel_view import PanelView
from eddie_board.toolbar import Toolbar
from eddie_board.view import View

AT_ONCE = 0.15
"""Seconds the first page waits for answers: those that somebody else has just got are then part of it."""

REFRESH = re.compile(r"(\d+)(s|m|h)")
SECONDS = {"s": 1, "m": 60, "h": 3600}
MISTAKE = "This board made a mistake with this panel; its log says more. The other panels do not suffer from it."

log = structlog.get_logger(__name__)


def every(dashboard: Dashboard, scrape: float) -> float:
    """Answer how many seconds lie between refreshes: the dashboard's own, never more often than samples come."""
    found = REFRESH.fullmatch(dashboard.refresh)
    return max(scrape, int(found[1]) * SECONDS[found[2]] if found else 30.0)


class Page:
    """One open page of one dashboard; it is forgotten, and its rounds end, when its reader has left."""

    def __init__(self, house: House, client: Client, path: str, dashboard: Dashboard, view: View) -> None:
        """Make the elements; ``path`` is the page's address, ``view`` what its parameters ask for."""
        self._house = house
        self._client = client
        self._dashboard = dashboard
        self._asked = view
        self._visible = True
        self._every = every(dashboard, house.settings.board_scrape_seconds)
        self.began = time.time()
        self._round: asyncio.Task[None] | None = None
        self._panels: list[PanelView] = []
        self._said: list[str] = []
        html.a("Skip to the panels").classes("skip").props('href="#panels"')
        self._bar = Toolbar(dashboard, path, self._every)
        pulse = self._bar.pulse
        pulse.on("look", lambda event: self.look(str(event.args)))
        pulse.on("seen", lambda event: self.seen(visible=bool(event.args))).on("again", self.refresh)
        with html.div().classes("top"):
            self._notes = html.div().classes("notes").props("role=status")
            with html.div().classes("strip") as self._strip:
                self._chain = ChainStrip(house.settings.link("alertmanager"))
                self._chain.build()
        html.h2("Panels").classes("only-heard").props("id=panels tabindex=-1")
        self._grid = html.div().classes("grid").props("data-crosshair")
        client.on_delete(self.close)
        house.viewers.add(self)
        self._lay()
        self.refresh()

    async def settle(self, seconds: float = AT_ONCE) -> None:
        """Wait a moment for what is known already, so that the first page has it."""
        if self._round is not None:
            await asyncio.wait([self._round], timeout=seconds)

    # What the reader does

    def look(self, address: str) -> None:
        """Show what ``address`` asks for, which is this page's own with other parameters."""
        self._asked = View.read(parse_qsl(urlsplit(address).query), self._dashboard)
        if self._shown_panel() != self._asked.panel:
            self._lay()
        self.refresh()

    def seen(self, *, visible: bool) -> None:
        """Take notice that the page was hidden, or is seen again: then at once with new numbers."""
        self._visible = visible
        if visible:
            self.refresh()

    # Rounds

    @property
    def idle(self) -> bool:
        """Say whether no round is under way."""
        return self._round is None or self._round.done()

    def beat(self, now: float) -> None:
        """Begin a round if one is due at ``now`` (seconds since the epoch), somebody looks, and the last one is over.

        Due by the clock and not by this page's age: pages that take turns would ask at each beat what one of them
        asks at every second one.
        """
        looked_at = self._visible and self._client.has_socket_connection
        if self.idle and looked_at and now // self._every != self.began // self._every:
            self.refresh()

    def refresh(self) -> None:
        """Begin a round now; one that is under way is of an older wish and ends."""
        if self._round is not None:
            self._round.cancel()
        self.began = time.time()
        self._round = asyncio.create_task(self._kept("page", self._all))

    def close(self) -> None:
        """End: the reader has left."""
        self._house.viewers.discard(self)
        if self._round is not None:
            self._round.cancel()

    async def _all(self) -> None:
        self._renew()
        view = await self._house.board.checked(self._dashboard, self._asked)
        self._bar.show(view, self._dashboard)
        self._say([*self._asked.notes, *(note for note in view.notes if note not in self._asked.notes)])
        await asyncio.gather(
            *(self._kept(each.panel.title, partial(self._answer, each, view), each.fail) for each in self._panels),
            self._kept("choices", partial(self._choices, view)),
            self._kept("chain", self._chain_state),
        )
        self._bar.pulse.beat(self._title())

    def _renew(self) -> None:
        """Take over a dashboard whose file changed: a panel that was added appears without anybody starting anew."""
        found = self._house.board.dashboards.get(self._dashboard.uid)
        if found is not None and found.digest != self._dashboard.digest:
            self._dashboard = found
            self._lay()

    async def _answer(self, shown: PanelView, view: View) -> None:
        shown.show(await self._house.board.answer(shown.panel, view))

    async def _choices(self, view: View) -> None:
        for chooser in self._bar.choosers:
            chooser.show(await self._house.board.values(self._dashboard, chooser.variable, view), view)

    async def _chain_state(self) -> None:
        self._chain.refresh(await self._house.chain.state())

    async def _kept(
        self, what: str, work: Callable[[], Awaitable[None]], tell: Callable[[str], None] | None = None
    ) -> None:
        """Let a mistake of this program cost one panel, never the page; ``tell`` has it said there."""
        try:
            await work()
        except Exception:
            log.exception("could not be shown", dashboard=self._dashboard.uid, what=what)
            if tell is not None:
                tell(MISTAKE)

    # Elements

    def _shown_panel(self) -> int | None:
        return self._panels[0].panel.id if len(self._panels) == 1 and self._panels[0].props["alone"] else None

    def _lay(self) -> None:
        """Make the panels' elements: one for each, or the one that is looked at alone."""
        alone = self._dashboard.panel(self._asked.panel) if self._asked.panel is not None else None
        panels = [alone] if alone else list(self._dashboard.panels)
        top = min((panel.y for panel in panels), default=0)
        self._grid.clear()
        self._grid.classes(add="alone" if alone else None, remove=None if alone else "alone")
        self._strip.set_visibility(alone is None)
        self._panels = []
        with self._grid:
            for panel in sorted(panels, key=lambda each: (each.y, each.x)):
                self._place(panel, top, alone=alone is not None)
        self._bar.show(self._asked, self._dashboard)

    def _place(self, panel: Panel, top: int, *, alone: bool) -> None:
        if panel.type == "row":
            html.h2(panel.title).classes("row-title").style(f"--y:{panel.y - top + 1}")
        else:
            self._panels.append(PanelView(panel, self._house.drawings, alone=alone, top=top))

    def _title(self) -> str:
        alone = self._dashboard.panel(self._asked.panel) if self._asked.panel is not None else None
        return f"{alone.title} · {self._dashboard.title}" if alone else self._dashboard.title

    def _say(self, notes: list[str]) -> None:
        notes = [*notes, *self._dashboard.notes]
        if notes == self._said:
            return
        self._said = notes
        self._notes.clear()
        with self._notes:
            for note in notes:
                html.p(note)
