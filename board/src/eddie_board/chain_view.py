"""Top of the page: the chain, the indicators and the alerts as elements; every text is set as text, never as markup."""

from __future__ import annotations

import time
from collections.abc import Sequence

from nicegui import ui
from nicegui.elements.mixins.text_element import TextElement

from eddie_board import chain_words as words
from eddie_board.alerts_view import AlertList
from eddie_board.chain import ChainState, Tile
from eddie_board.links import Link

NAMES = ("Exporter", "Prometheus", "Alertmanager", "Docker watcher")
"""The links that stand there before anybody has answered."""


class ChainStrip:
    """The top of one page. ``build()`` once, inside the slot it shall stand in; ``refresh()`` with each new state."""

    def __init__(self, alertmanager: str) -> None:
        """Take the address at which people reach Alertmanager."""
        self._alerts = AlertList(alertmanager)
        self._links: list[_LinkItem] = []
        self._tiles: list[_TileItem] = []

    def build(self) -> None:
        """Make the elements; until the first refresh they say that nothing is known yet."""
        with ui.element("section").classes("chain").props("aria-labelledby=chain-title"):
            _heading("Is the chain alive?", "chain-title")
            with ui.element("ul").classes("chain-links"):
                self._links = [_LinkItem(name) for name in NAMES]
        with ui.element("section").classes("indicators").props("aria-labelledby=indicators-title"):
            _heading("Indicators of the last hour", "indicators-title")
            self._tile_list = ui.element("ul").classes("indicator-tiles")
        with ui.element("section").classes("alerts").props("aria-labelledby=alerts-title"):
            _heading("Alerts", "alerts-title")
            self._alerts.build()

    def refresh(self, state: ChainState, now: float | None = None) -> None:
        """Show ``state``; only what changed goes to the browser. ``now`` in seconds since the epoch, for ages."""
        at = time.time() if now is None else now
        for item, link in zip(self._links, state.links, strict=False):
            item.show(link, at)
        self._show_tiles(state.tiles, at)
        self._alerts.refresh(state.alerts, at)

    def _show_tiles(self, tiles: Sequence[Tile], now: float) -> None:
        if [item.indicator for item in self._tiles] != [tile.indicator for tile in tiles]:
            self._tile_list.clear()
            with self._tile_list:
                self._tiles = [_TileItem(tile) for tile in tiles]
        for item, tile in zip(self._tiles, tiles, strict=True):
            item.show(tile, now)


def _heading(text: str, name: str) -> None:
    TextElement(tag="h2", text=text).props(f"id={name}")


class _LinkItem:
    def __init__(self, name: str) -> None:
        with ui.element("li").classes("chain-link").props("data-state=unknown") as self._item:
            self._item.props["data-link"] = name
            self._mark = TextElement(tag="span", text=words.MARKS["unknown"]).classes("mark").props("aria-hidden=true")
            TextElement(tag="span", text=name).classes("name")
            self._says = TextElement(tag="span", text="not asked yet").classes("says")
            self._age = TextElement(tag="time", text="").classes("age")

    def show(self, link: Link, now: float) -> None:
        _set(self._item, "data-state", link.state)
        self._mark.text = words.MARKS[link.state]
        self._says.text = link.says
        self._age.text = words.age(link, now)
        _set(self._age, "title", "" if link.at is None else words.moment(link.at))


class _TileItem:
    def __init__(self, tile: Tile) -> None:
        self.indicator = tile.indicator
        with ui.element("li").classes("indicator") as self._item:
            self._item.props["data-indicator"] = tile.indicator.metric
            with ui.element("h3"):
                name = TextElement(tag="a", text=tile.indicator.name)
                name.props["href"] = tile.indicator.panel
            self._value = TextElement(tag="p", text="").classes("value")
            TextElement(tag="p", text=words.objective(tile)).classes("objective")
            with ui.element("p").classes("verdict"):
                self._mark = TextElement(tag="span", text="").classes("mark").props("aria-hidden=true")
                self._verdict = TextElement(tag="span", text="")

    def show(self, tile: Tile, now: float) -> None:
        _set(self._item, "data-judgement", tile.judgement)
        self._value.text = words.value(tile)
        self._mark.text = words.MARKS[tile.judgement]
        self._verdict.text = words.verdict(tile, now)


def _set(element: ui.element, name: str, value: str) -> None:
    """Set a property where it differs: whatever is set goes to the browser again."""
    if element.props.get(name) != value:
        element.props[name] = value
        element.update()
