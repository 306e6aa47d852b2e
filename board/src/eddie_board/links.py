"""Top of the page: each link of the chain, whether it answers and since when."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Protocol

from eddie_board.alertmanager import Told
from eddie_board.errors import AlertmanagerError, PrometheusError

State = Literal["up", "down", "unknown", "off"]
Age = Literal["since", "longer", "seen"]

EXPORTERS = 'up{job="eddie-metrics"}'
WATCHERS = 'eddie_docker_up{job="eddie-metrics"}'
ALERTMANAGERS = 'up{job="alertmanager"}'

DAY = 86_400.0
MOST_STEPS = 5760
"""How many scrapes Prometheus looks back over for the last change: a day of the usual 15 s."""


class Asked(Protocol):
    """What of Prometheus is needed here; both raise PrometheusError."""

    async def query(self, expression: str, at: float) -> list[tuple[dict[str, str], float]]:
        """Answer an instant query."""

    async def get(self, path: str) -> Any:
        """Answer ``data`` of a GET below ``/api/v1/``."""


@dataclass(frozen=True, slots=True)
class Link:
    """One program of the chain.

    ``at``, in seconds since the epoch, is by ``age``: since when it is so; a time since which it is so at least (one
    did not look back further); or when it was last seen to answer. None: nobody knows.
    """

    name: str
    state: State
    says: str
    at: float | None = None
    age: Age = "since"


@dataclass(frozen=True, slots=True)
class Group:
    """Targets of a kind in Prometheus: how many it knows, how many answer, and since when that is so."""

    known: int
    up: int
    since: float | None
    longer: bool

    @property
    def well(self) -> bool:
        """Say whether there are any and all answer."""
        return 0 < self.known == self.up

    def link(self, name: str, says: str) -> Link:
        """Answer what is said of the whole group."""
        return Link(name, "up" if self.well else "down", says, self.since, "longer" if self.longer else "since")


@dataclass(frozen=True, slots=True)
class Sighting:
    """What Prometheus knows of the chain; ``started`` is its own start, ``watched`` whether Docker ever answered."""

    started: float | None
    exporters: Group
    watchers: Group
    alertmanagers: Group
    watched: bool


async def value(prometheus: Asked, expression: str, at: float) -> float | None:
    """Answer the number of a query; None when there is no series, more than one, or NaN."""
    answer = await prometheus.query(expression, at)
    return answer[0][1] if len(answer) == 1 and answer[0][1] == answer[0][1] else None


async def sighted(prometheus: Asked, now: float, scrape: float) -> Sighting | PrometheusError:
    """Ask Prometheus for everything at once; answers the fault instead of raising it."""
    asked = asyncio.gather(*(_group(prometheus, one, now, scrape) for one in (EXPORTERS, WATCHERS, ALERTMANAGERS)))
    try:
        runtime, watched, (exporters, watchers, alertmanagers) = await asyncio.gather(
            prometheus.get("status/runtimeinfo"),
            value(prometheus, f"max(max_over_time({WATCHERS}[{DAY:.0f}s]))", now),
            asked,
        )
    except PrometheusError as fault:
        return fault
    return Sighting(_started(runtime), exporters, watchers, alertmanagers, watched=bool(watched))


def _started(runtime: Any) -> float | None:
    try:
        return datetime.fromisoformat(runtime["startTime"]).timestamp()
    except (KeyError, TypeError, ValueError):
        return None


async def _group(prometheus: Asked, series: str, now: float, scrape: float) -> Group:
    counted, answering = await asyncio.gather(
        value(prometheus, f"count({series})", now), value(prometheus, f"sum({series})", now)
    )
    known, up = int(counted or 0), int(answering or 0)
    if not known:
        return Group(0, 0, None, longer=False)
    span = min(DAY, scrape * MOST_STEPS)
    since = await value(prometheus, changed(series, known == up, span, scrape), now)
    return Group(known, up, since, longer=since is not None and since <= now - span + 2 * scrape)


def changed(series: str, well: bool, span: float, step: float) -> str:
    """Write the query for the time at which all of ``series`` began to answer, or (not ``well``) one of them ceased.

    It is one ``step`` after the newest moment at which that was not so; without one, the oldest moment that is known,
    which lies at the beginning of ``span``, or where the series begins. All in seconds.
    """
    window = f"[{span:.0f}s:{step:g}s]"
    otherwise = f"max_over_time(timestamp(min({series}) {'!=' if well else '=='} 1){window}) + {step:g}"
    return f"({otherwise}) or min_over_time(timestamp(min({series})){window})"


class Watch:
    """Remembers when each program was last seen to answer, for the time when nobody can be asked about it."""

    def __init__(self, started: float) -> None:
        """Begin at ``started``, having seen nothing."""
        self._started = started
        self._seen: dict[str, float] = {}

    def judge(
        self, now: float, sighting: Sighting | PrometheusError, told: Told | AlertmanagerError
    ) -> tuple[Link, ...]:
        """Answer the links in the order of the data's way."""
        if isinstance(sighting, PrometheusError):
            exporter = self._unknown("Exporter", "not known while Prometheus does not answer")
            prometheus = self._missing("Prometheus", sighting)
            docker = self._unknown("Docker watcher", "not known while Prometheus does not answer")
        else:
            exporter = _exporter(sighting.exporters)
            prometheus = Link("Prometheus", "up", "answers", sighting.started)
            docker = self._docker(sighting)
        links = exporter, prometheus, self._alertmanager(sighting, told), docker
        self._seen |= {one.name: now for one in links if one.state == "up"}
        return links

    def _alertmanager(self, sighting: Sighting | PrometheusError, told: Told | AlertmanagerError) -> Link:
        if not isinstance(told, AlertmanagerError):
            return Link("Alertmanager", "up", "answers", told.started)
        if isinstance(sighting, PrometheusError) or not sighting.alertmanagers.known or sighting.alertmanagers.well:
            return self._missing("Alertmanager", told)
        if (sighting.started or 0.0) > self._seen.get("Alertmanager", self._started):
            return self._missing("Alertmanager", told)  # it may have ended while Prometheus was away
        return sighting.alertmanagers.link("Alertmanager", str(told))

    def _docker(self, sighting: Sighting) -> Link:
        if not sighting.exporters.up:
            return self._unknown("Docker watcher", "not known while the exporter does not answer")
        found = sighting.watchers
        if not found.known:
            return Link("Docker watcher", "off", "off on purpose")
        if found.well:
            return found.link("Docker watcher", "the Docker Engine answers it")
        if not sighting.watched:
            # Off and never there look alike: the exporter's gauge is 0 for both. Neither is something that broke.
            return Link("Docker watcher", "off", "off, or there is no engine")
        return found.link("Docker watcher", "the Docker Engine does not answer it: limits come from reports alone")

    def _missing(self, name: str, fault: PrometheusError | AlertmanagerError) -> Link:
        """Say that a program which the board itself asks does not answer, and when it last did."""
        if name in self._seen:
            return Link(name, "down", str(fault), self._seen[name], "seen")
        return Link(name, "down", f"{fault}; not once since the board started", self._started)

    def _unknown(self, name: str, says: str) -> Link:
        return Link(name, "unknown", says, self._seen.get(name), "seen")


def _exporter(found: Group) -> Link:
    if not found.known:
        return Link("Exporter", "down", "Prometheus knows no exporter to scrape")
    if found.known == 1:
        return found.link("Exporter", "answers" if found.well else "does not answer Prometheus")
    return found.link("Exporter", f"{found.up} of {found.known} answer")
