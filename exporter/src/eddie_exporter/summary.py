"""Beside the data's way: ``GET /metrics/summary``, how the fleet is, as JSON, where there is no Prometheus to ask."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Depends, Query, Response
from starlette.concurrency import run_in_threadpool

from eddie_exporter.access import Access
from eddie_exporter.answers import documented
from eddie_exporter.containers import State
from eddie_exporter.indicators import Indicator, LastHour, quantile, ratio, totals
from eddie_exporter.metrics import MetricsCollector
from eddie_exporter.snapshot import HistogramView, Snapshot
from eddie_exporter.told import Audience, Told

RED_SECONDS = 180.0
"""Without a scrape or a Watchdog for so long, somebody looks: twelve scrapes, three Watchdogs."""


@dataclass(frozen=True, slots=True)
class Age:
    """How long ago something that must come again and again came last; ``ok`` is None while it may still come."""

    seconds: float | None
    ok: bool | None


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage since the start; the quantiles in seconds, None without data."""

    success: float
    failure: float
    timeouts: float
    success_rate: float | None
    p50: float | None
    p95: float | None
    p99: float | None


@dataclass(frozen=True, slots=True)
class Agent:
    """One agent since the start; ``active_tasks`` is now, None when it told of no start or is silent for long."""

    active_tasks: float | None
    tasks_executed: float
    timeouts: float
    chunk_p95: float | None


@dataclass(frozen=True, slots=True)
class Summary:
    """How the fleet is. Times are seconds since the epoch; ``retired`` is what series that left had counted."""

    environment: str
    started_at: float
    now: float
    totals: dict[str, float]
    retired: dict[str, float]
    success_rate: float | None
    agents: dict[str, Agent]
    stages: dict[str, Stage]
    indicators: list[Indicator]
    indicators_seconds: float
    last_scrape: Age
    last_watchdog: Age
    told: Told
    docker: State
    events: list[dict[str, Any]]
    notifications: list[dict[str, Any]]


def age(last: float | None, started_at: float, now: float) -> Age:
    """Judge the age of ``last``: red past three minutes, and as long after a start before which nothing came."""
    seconds = None if last is None else max(0.0, now - last)
    waited = now - started_at if seconds is None else seconds
    return Age(seconds, ok=False if waited > RED_SECONDS else None if seconds is None else True)


def _by(values: dict[tuple[str, ...], float], place: int) -> Counter[str]:
    """Add up a counter by one of its labels."""
    found: Counter[str] = Counter()
    for labels, value in values.items():
        found[labels[place]] += value  # type: ignore[assignment]  # a Counter of floats adds as well
    return found


def _quantile(q: float, view: HistogramView | None) -> float | None:
    return None if view is None else quantile(q, view.bounds, view.cumulative)


def stages(snapshot: Snapshot) -> dict[str, Stage]:
    """Answer every stage that was heard of."""
    success = _by(snapshot.counters["task_success_total"], 0)
    failure = _by(snapshot.counters["task_failure_total"], 0)
    timeouts = _by(snapshot.counters["eddie_stage_timeouts_total"], 0)
    views = {labels[0]: view for labels, view in snapshot.histograms["task_execution_seconds"].items()}
    return {
        name: Stage(
            success=success[name],
            failure=failure[name],
            timeouts=timeouts[name],
            success_rate=ratio(success[name], success[name] + failure[name]),
            p50=_quantile(0.5, views.get(name)),
            p95=_quantile(0.95, views.get(name)),
            p99=_quantile(0.99, views.get(name)),
        )
        for name in sorted({*success, *failure, *timeouts, *views})
    }


def agents(snapshot: Snapshot) -> dict[str, Agent]:
    """Answer every agent that was heard of."""
    executed = _by(snapshot.counters["agent_tasks_executed_total"], 0)
    timeouts = _by(snapshot.counters["timeout_events_total"], 0)
    active = {labels[0]: value for labels, value in snapshot.gauges["agent_active_tasks"].items()}
    views = {labels[0]: view for labels, view in snapshot.histograms["chunk_execution_seconds"].items()}
    return {
        name: Agent(active.get(name), executed[name], timeouts[name], _quantile(0.95, views.get(name)))
        for name in sorted({*executed, *timeouts, *active, *views})
    }


class Summariser:
    """Makes summaries of a collector, and keeps the marks for those of the last hour."""

    def __init__(self, collector: MetricsCollector, audience: Audience, docker: Callable[[], State]) -> None:
        self._collector = collector
        self._audience = audience
        self._docker = docker
        self._hour = LastHour(collector.started_at)

    def mark(self, now: float) -> None:
        """Keep a mark of the totals when one is due; called by the tidying task. ``now``: the collector's clock."""
        if self._hour.due(now):
            self._hour.mark(totals(self._collector.snapshot()))

    async def summary(self, last: int) -> bytes:
        """Answer the summary as JSON, with the ``last`` events and notifications, newest last."""
        told = await self._audience.told()
        return await run_in_threadpool(self._encoded, told, last)

    def _encoded(self, told: Told, last: int) -> bytes:
        began = time.perf_counter()
        body = msgspec.json.encode(self._made(told, last))
        self._collector.observe_collection("summary", time.perf_counter() - began)
        return body

    def _made(self, told: Told, last: int) -> Summary:
        snapshot = self._collector.snapshot()
        seconds, judged = self._hour.judge(now := totals(snapshot))
        return Summary(
            environment=self._collector.settings.environment,
            started_at=snapshot.started_at,
            now=snapshot.now,
            totals={name: sum(values.values()) for name, values in snapshot.counters.items()},
            retired=snapshot.retired,
            success_rate=ratio(now.success, now.success + now.failure),
            agents=agents(snapshot),
            stages=stages(snapshot),
            indicators=judged,
            indicators_seconds=seconds,
            last_scrape=age(snapshot.last_scrape, snapshot.started_at, snapshot.now),
            last_watchdog=age(snapshot.last_watchdog, snapshot.started_at, snapshot.now),
            told=told,
            docker=self._docker(),
            events=snapshot.events[-last:] if last else [],
            notifications=snapshot.notifications[-last:] if last else [],
        )


def routes(summariser: Summariser, access: Access) -> APIRouter:
    """Answer the summary's route."""
    router = APIRouter(tags=["metrics"], dependencies=[Depends(access.read)])

    @router.get("/metrics/summary", response_model=Summary, responses=documented(401, 403, 422, 503))
    async def metrics_summary(last: Annotated[int, Query(ge=0, le=1000)] = 50) -> Response:
        """Say how the fleet is: totals since the start, agents, stages, the five indicators, and who is told."""
        return Response(await summariser.summary(last), headers={"Content-Type": "application/json"})

    return router
