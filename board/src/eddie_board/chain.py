"""Top of the page: is the chain alive, are the objectives met, what fires? Looked at once a scrape for all viewers.

Whatever is away is said and nothing of it is called good: a value that cannot be asked for keeps its last number with
its age and loses its judgement.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol

from eddie_board import alerts, links
from eddie_board.alertmanager import Told
from eddie_board.errors import AlertmanagerError, PrometheusError
from eddie_board.links import Link, Sighting
from eddie_board.objectives import Indicator, indicators

BLIND = "Prometheus does not answer: what has begun since then is not known"
"""Said of Alertmanager's alerts while nobody can send it new ones."""

Judgement = Literal["met", "broken", "none", "unsure"]


class Alertmanager(Protocol):
    """Who answers for alerts."""

    async def ask(self) -> Told:
        """Answer what it knows now. Raises AlertmanagerError."""


@dataclass(frozen=True, slots=True)
class Tile:
    """One indicator now: ``none`` is an hour without data, ``unsure`` a number nobody vouches for any more.

    ``at`` is when the number was asked for, in seconds since the epoch; ``why`` says why it is unsure.
    """

    indicator: Indicator
    value: float | None
    judgement: Judgement
    at: float
    why: str = ""


@dataclass(frozen=True, slots=True)
class Alerts:
    """What fires, who said so (empty: nobody ever did), when, and what was wrong with those who did not answer.

    ``kept``: nobody answers now, and this is what was said at ``at``. ``page`` says whether Alertmanager has a page of
    its own, where a silence can be made.
    """

    firing: alerts.Firing = alerts.Firing()
    source: Literal["", "Alertmanager", "Prometheus"] = ""
    at: float = 0.0
    fault: str = ""
    page: bool = False
    kept: bool = False


@dataclass(frozen=True, slots=True)
class ChainState:
    """The top of the page at ``at``, seconds since the epoch."""

    at: float
    links: tuple[Link, ...]
    tiles: tuple[Tile, ...]
    alerts: Alerts


class Chain:
    """Looks at the chain at most once in ``seconds``; ``dashboards`` answers the JSON whose objectives are shown."""

    def __init__(
        self,
        prometheus: links.Asked,
        alertmanager: Alertmanager,
        dashboards: Callable[[], Iterable[Mapping[str, Any]]],
        seconds: float,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Take who is asked; nothing is asked before the first viewer comes."""
        self._prometheus = prometheus
        self._alertmanager = alertmanager
        self._dashboards = dashboards
        self._seconds = seconds
        self._clock = clock
        self._watch = links.Watch(clock())
        self._looking: asyncio.Task[None] | None = None
        self._looked = -math.inf
        self._state = ChainState(clock(), (), (), Alerts())

    async def state(self) -> ChainState:
        """Answer how things are, at most one scrape old; never raises for what is away.

        Who gives up waiting does not end the look of the others.
        """
        # A clock that was set back makes it time too.
        if self._looking is None and not 0 <= self._clock() - self._looked < self._seconds:
            self._looking = asyncio.create_task(self._renew())
        if self._looking is not None:
            await asyncio.shield(self._looking)
        return self._state

    async def _renew(self) -> None:
        try:
            self._state = await self._look()
            self._looked = self._state.at
        finally:
            self._looking = None

    async def _look(self) -> ChainState:
        now = self._clock()
        shown = list(self._dashboards())
        told, sighting = await asyncio.gather(self._told(), links.sighted(self._prometheus, now, self._seconds))
        known = indicators(shown)
        return ChainState(
            at=now,
            links=self._watch.judge(now, sighting, told),
            tiles=await self._tiles(known, now, sighting),
            alerts=await self._alerts({str(one.get("uid")) for one in shown}, now, told, sighting),
        )

    async def _told(self) -> Told | AlertmanagerError:
        try:
            return await self._alertmanager.ask()
        except AlertmanagerError as error:
            return error

    # Indicators

    async def _tiles(
        self, known: tuple[Indicator, ...], now: float, sighting: Sighting | PrometheusError
    ) -> tuple[Tile, ...]:
        if isinstance(sighting, PrometheusError):
            return tuple(self._last(one, "Prometheus does not answer") for one in known)
        tiles = _counts_of_nothing(await asyncio.gather(*(self._tile(one, now) for one in known)))
        return tiles if sighting.exporters.well else tuple(map(_not_vouched_for, tiles))

    async def _tile(self, indicator: Indicator, now: float) -> Tile:
        try:
            found = await links.value(self._prometheus, indicator.expression, now)
        except PrometheusError as fault:
            return self._last(indicator, str(fault))
        return Tile(indicator, found, _judged(indicator, found), now)

    def _last(self, indicator: Indicator, why: str) -> Tile:
        kept = next((one for one in self._state.tiles if one.indicator.metric == indicator.metric), None)
        if kept is None:
            return Tile(indicator, None, "unsure", 0.0, why)
        return replace(kept, indicator=indicator, judgement="unsure", why=why)

    # Alerts

    async def _alerts(
        self, dashboards: set[str], now: float, told: Told | AlertmanagerError, sighting: Sighting | PrometheusError
    ) -> Alerts:
        if isinstance(told, Told):
            # What Alertmanager has stays there for minutes after whoever sent it has ended.
            fault = BLIND if isinstance(sighting, PrometheusError) else ""
            try:
                return Alerts(alerts.from_alertmanager(told.alerts, dashboards), "Alertmanager", now, fault, told.page)
            except ValueError as error:
                fault = f"Alertmanager's answer could not be read: {error}"
        else:
            fault = str(told)
        last = self._state.alerts
        try:
            firing = alerts.from_prometheus(await self._prometheus.get("alerts"), dashboards)
        except (PrometheusError, ValueError) as error:
            return replace(last, fault=f"{fault}; {error}", kept=True)
        return Alerts(firing, "Prometheus", now, fault, last.page)


def _judged(indicator: Indicator, value: float | None) -> Judgement:
    return "none" if value is None else "met" if indicator.met(value) else "broken"


def _counts_of_nothing(tiles: Iterable[Tile]) -> tuple[Tile, ...]:
    """Take the praise from a zero that stands alone: where nothing ran, that nothing timed out is no success."""
    found = tuple(tiles)
    if any(one.value is not None and one.value != 0 for one in found):
        return found
    return tuple(replace(one, judgement="none") if one.judgement == "met" else one for one in found)


def _not_vouched_for(tile: Tile) -> Tile:
    why = "not every exporter answers: this is what was counted before"
    return replace(tile, judgement="unsure", why=why) if tile.judgement == "met" else tile
