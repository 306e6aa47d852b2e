"""Station *page*, its head: what is looked at, over what time and of whom; every choice is in the address."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from urllib.parse import urlencode

import orjson
from nicegui import html
from nicegui.element import Element

from eddie_board.dashboard import Dashboard, Variable
from eddie_board.shared import Values
from eddie_board.view import View

RANGES = {"now-15m": "15 m", "now-1h": "1 h", "now-6h": "6 h", "now-24h": "24 h", "now-7d": "7 d"}
SPOKEN = {"m": "minutes", "h": "hours", "d": "days"}


class Chooser(Element, component="static/chooser.js", esm={"eddie-board": "static"}):
    """The picker of one variable."""

    def __init__(self, variable: Variable) -> None:
        """Make it inside the current slot, with nothing to choose yet."""
        super().__init__()
        self.variable = variable
        self._values: Values | None = None
        self.props.update(
            name=variable.name,
            label=variable.label or variable.name,
            multi=variable.multi,
            all=variable.include_all,
            values=[],
            chosen=[],
        )

    def show(self, values: Values, view: View) -> None:
        """Show what can be chosen and what is chosen; sends nothing where both are as before."""
        chosen = list(view.choices.get(self.variable.name, ()))
        if values is self._values and chosen == list(self.props["chosen"]):
            return
        self._values = values
        with self.props.suspend_updates():
            # Written here: as a list it would be watched for changes, element by element.
            self.props["values"] = orjson.Fragment(orjson.dumps(values.names))
            self.props["chosen"] = chosen
            self.props["fault"] = values.fault
        self.update()


class Pulse(Element, component="static/pulse.js", esm={"eddie-board": "static"}):
    """Says when the page was refreshed, and tells the board what its reader does: look, seen, again."""

    def __init__(self, title: str, every: float) -> None:
        """Make it inside the current slot; ``every`` in seconds."""
        super().__init__()
        self.props.update(title=title, every=round(every), now=time.time())

    def beat(self, title: str) -> None:
        """Say that the page was refreshed just now."""
        now = time.time()
        self.props.update(title=title, now=now, updated=math.floor(now))
        self.update()


class Toolbar:
    """The head of one page; ``path`` is its address without parameters."""

    def __init__(self, dashboard: Dashboard, path: str, every: float) -> None:
        """Make it inside the current slot."""
        self._path = path
        self._ranges: dict[str, Element] = {}
        self.choosers: list[Chooser] = []
        with html.header().classes("bar"):
            with html.div().classes("title"):
                self._back = html.a("All panels").classes("back").props("data-view")
                html.h1(dashboard.title)
            with html.nav().classes("ranges").props('aria-label="Time range"'), html.ul():
                for start, text in RANGES.items():
                    with html.li():
                        spoken = f"Last {text[:-1].strip()} {SPOKEN[text[-1]]}"
                        self._ranges[start] = html.a(text).props("data-view")
                        self._ranges[start].props["aria-label"] = spoken
                with html.li() as self._custom_item:
                    self._custom = html.span("").classes("custom").props("aria-current=true")
            with html.div().classes("choosers"):
                self.choosers = [Chooser(each) for each in dashboard.variables if pickable(each)]
            self.pulse = Pulse(dashboard.title, every)

    def show(self, view: View, dashboard: Dashboard) -> None:
        """Point all links at ``view`` with one thing changed."""
        for start, link in self._ranges.items():
            here = (view.start_text, view.end_text) == (start, "now")
            to = replace(view, start_text=start, end_text="now")
            _set(link, {"href": self.address(to, dashboard), "aria-current": "true" if here else None})
        known = view.end_text == "now" and view.start_text in RANGES
        text = "" if known else span(view, time.time())
        if self._custom.props.get("title") != text:
            self._custom.clear()
            with self._custom:
                html.span(text)
            self._custom.props["title"] = text
        self._custom_item.set_visibility(not known)
        self._back.set_visibility(view.panel is not None)
        _set(self._back, {"href": self.address(replace(view, panel=None), dashboard)})

    def address(self, view: View, dashboard: Dashboard) -> str:
        """Answer the address of ``view``."""
        return f"{self._path}?{urlencode(view.parameters(dashboard))}"


def pickable(variable: Variable) -> bool:
    """Say whether readers are shown a picker for it."""
    return variable.choosable and not variable.hide


def span(view: View, now: float) -> str:
    """Write a range that has no button: as the address says it where it moves with time, else as two times."""
    if view.end_text.startswith("now") or view.start_text.startswith("now"):
        return f"{view.start_text} to {view.end_text}"
    window = view.window(now)
    start, end = (datetime.fromtimestamp(each, UTC) for each in (window.start, window.end))
    same = start.date() == end.date()
    return f"{start:%Y-%m-%d %H:%M} to {end:{'%H:%M' if same else '%Y-%m-%d %H:%M'}} UTC"


def _set(element: Element, properties: Mapping[str, str | None]) -> None:
    """Set what differs: whatever is set goes to the browser again."""
    for name, value in properties.items():
        if element.props.get(name) != value:
            element.props.set_optional(name, value)
