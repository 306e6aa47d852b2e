"""Station "shared": what panels show, asked of Prometheus once a scrape interval for all who look."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, replace
from typing import Literal

from eddie_board.asking import Asking
from eddie_board.choosing import Values
from eddie_board.dashboard import Dashboard, Dashboards, Panel, Variable
from eddie_board.errors import PrometheusError, ViewError
from eddie_board.frames import Mark, Series
from eddie_board.once import Once
from eddie_board.picture import Picture
from eddie_board.prometheus import Prometheus
from eddie_board.queries import Query, Window
from eddie_board.settings import Settings
from eddie_board.view import View

__all__ = ["Answer", "Board", "Values"]

State = Literal["ok", "empty", "stale", "error"]

MOST_ANSWERS = 512
"""Answers and last pictures kept: 12 panels in 42 views."""

MOST_POINTS = 1_000_000
"""Points of the last pictures together, 32 bytes each: 25 views of 6 hours."""


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """What one panel shows; the same object for all viewers of the same view, so drawings can be kept beside it.

    ``ok``: as Prometheus answered; ``empty``: it answered, and has nothing; ``stale``: it failed (``fault`` says how)
    and this is the last picture, of ``as_of``; ``error``: it failed and there was no picture yet, only what it did
    answer. ``as_of`` is when Prometheus was asked, in seconds since the epoch (0: never), ``window`` what was asked
    for. ``queries`` are as they were sent; ``notes`` say what was shortened or left out.
    """

    panel_id: int
    state: State
    series: tuple[Series, ...]
    marks: tuple[Mark, ...]
    as_of: float
    window: Window
    fault: str = ""
    queries: tuple[Query, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def points(self) -> int:
        """How many values it holds; what it costs to keep."""
        return sum(len(each.values) + 10 for each in self.series) + 10 * len(self.marks) + 100


class Board:
    """All that pages ask for; one for all viewers, in one event loop. No method raises for a fault of Prometheus."""

    def __init__(
        self,
        settings: Settings,
        dashboards: Dashboards,
        prometheus: Prometheus,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Take what it reads from; ``clock`` gives seconds since the epoch."""
        self.settings = settings
        self.dashboards = dashboards
        self.prometheus = prometheus
        self._clock = clock
        self._asking = Asking(prometheus)
        self._answers: Once[Answer] = Once(
            MOST_ANSWERS, lambda answer: answer.points, MOST_POINTS, failed=lambda answer: bool(answer.fault)
        )
        self._last: OrderedDict[Hashable, Answer] = OrderedDict()
        self._points = 0

    def turn(self) -> None:
        """Let go what was kept for scrape intervals that are over; the last pictures stay."""
        now = self._now()
        self._answers.turn(now)
        self._asking.turn(now)

    async def answer(self, panel: Panel, view: View) -> Answer:
        """Answer what ``panel`` shows in ``view`` now."""
        now = self._now()
        try:
            window = self._window(view, now)
        except ViewError as error:
            return Answer(panel.id, "error", (), (), 0, Window(start=now - 60, end=now), fault=str(error))
        picture = (panel.digest, panel.dashboard, panel.id, tuple(sorted(view.choices.items())))
        last = (*picture, view.start_text, view.end_text)
        return await self._answers.get(
            now, (*picture, window.start, window.end), lambda: self._answer(panel, view, window, last)
        )

    async def values(self, dashboard: Dashboard, variable: Variable, view: View) -> Values:
        """Answer what can be chosen of ``variable`` where the other choices are as in ``view``."""
        now = self._now()
        try:
            return await self._asking.values(now, dashboard, variable, view.choices, self._window(view, now))
        except ViewError as error:
            return Values((), str(error))

    async def checked(self, dashboard: Dashboard, view: View) -> View:
        """Answer ``view`` without the values that Prometheus does not know; each is said in its notes."""
        now = self._now()
        try:
            window = self._window(view, now)
        except ViewError as error:
            return replace(view, notes=(*view.notes, str(error)))
        choices, notes, _ = await self._asking.checked(now, dashboard, view.choices, window)
        return replace(view, choices=choices, notes=(*view.notes, *notes))

    def _now(self) -> float:
        """Give the beginning of the present scrape interval: the same for all who look in it."""
        return self._clock() // self.settings.board_scrape_seconds * self.settings.board_scrape_seconds

    def _window(self, view: View, now: float) -> Window:
        return replace(view.window(now), scrape=self.settings.board_scrape_seconds)

    async def _answer(self, panel: Panel, view: View, window: Window, last: Hashable) -> Answer:
        as_of = self._clock()
        now = self._now()
        found = Picture(window)
        try:
            dashboard = self.dashboards.get(panel.dashboard)
            if dashboard is None:
                raise ValueError(f"the file of dashboard {panel.dashboard} is gone: go back to the list")  # noqa: TRY301
            await found.fill(self._asking, now, dashboard, panel, view.choices)
        except (PrometheusError, KeyError, ValueError, TypeError) as error:
            found.fault = str(error.args[0] if error.args else error)
        if found.fault and (kept := self._last.get(last)):
            self._last.move_to_end(last)
            return replace(kept, state="stale", fault=found.fault)
        answer = Answer(
            panel_id=panel.id,
            state="error" if found.fault else "ok" if found.filled else "empty",
            series=tuple(found.series),
            marks=tuple(found.marks),
            as_of=as_of if found.series or not found.fault else 0,
            window=found.window,
            fault=found.fault,
            queries=tuple(found.queries),
            notes=tuple(dict.fromkeys(found.notes)),
        )
        if not found.fault:
            self._keep(last, answer)
        return answer

    def _keep(self, last: Hashable, answer: Answer) -> None:
        """Keep a picture for when Prometheus fails; the one that nobody asked for longest leaves."""
        before = self._last.get(last)
        if before and before.as_of > answer.as_of:
            return  # an answer of the interval before that came late
        self._last.pop(last, None)
        self._points += answer.points - (before.points if before else 0)
        self._last[last] = answer
        while len(self._last) > MOST_ANSWERS or (len(self._last) > 1 and self._points > MOST_POINTS):
            self._points -= self._last.popitem(last=False)[1].points
