"""Station "shared": what panels show, asked of Prometheus once a scrape interval for all who look."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from eddie_board.dashboard import Dashboard, Dashboards, Panel, Variable
from eddie_board.frames import Mark, Series
from eddie_board.prometheus import Prometheus
from eddie_board.queries import Query, Window
from eddie_board.settings import Settings
from eddie_board.view import View

State = Literal["ok", "empty", "stale", "error"]


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """What one panel shows; the same object for all viewers of the same view, so drawings can be kept beside it.

    ``ok``: as Prometheus answered; ``empty``: it answered, and has nothing; ``stale``: it failed (``fault`` says how)
    and this is the last picture, of ``as_of``; ``error``: it failed and there was no picture yet. ``as_of`` is when
    Prometheus was asked, in seconds since the epoch (0: never), ``window`` what was asked for. ``queries`` are as
    they were sent; ``notes`` say what was shortened or left out. ``unanswered`` names the queries (by ref) that
    Prometheus refused while it answered the others.
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


@dataclass(frozen=True, slots=True, eq=False)
class Values:
    """What can be chosen of a variable: sorted as the dashboard wants; with a ``fault``, as last known."""

    names: tuple[str, ...]
    fault: str = ""


@dataclass(slots=True)
class Board:
    """All that pages ask for; one for all viewers, in one event loop. No method raises for a fault of Prometheus."""

    settings: Settings
    dashboards: Dashboards
    prometheus: Prometheus

    async def answer(self, panel: Panel, view: View) -> Answer:
        """Answer what ``panel`` shows in ``view`` now."""
        raise NotImplementedError

    async def values(self, dashboard: Dashboard, variable: Variable, view: View) -> Values:
        """Answer what can be chosen of ``variable`` where the other choices are as in ``view``."""
        raise NotImplementedError

    async def checked(self, dashboard: Dashboard, view: View) -> View:
        """Answer ``view`` without the values that Prometheus does not know; each is said in its notes."""
        raise NotImplementedError
