"""What a POST costs, through a real process on one core with its store on disk, while another core makes the load."""

from __future__ import annotations

import asyncio
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial

import uvloop
from bench import mix, servers
from bench.load import Request, Seen, load, send
from bench.table import Goal, row

ROUNDS = 3
SECONDS = 4.0
BATCH_CONNECTIONS = 8
SINGLE_CONNECTIONS = 64
CALM, PAUSE, SCRAPE_PAUSE = 4, 0.005, 0.05
"""Connections of a calm fleet, and the seconds each of them, and the scraper, waits between two requests."""


def rows() -> None:
    """Print the rows of intake."""
    with servers.apart(), ExitStack() as running:
        ours = running.enter_context(servers.exporter())
        bare = running.enter_context(servers.bare())
        try:
            gateway = running.enter_context(servers.pushgateway())
        except servers.SourceError as reason:
            print(f"Pushgateway was not measured: {reason}", file=sys.stderr)
            gateway = None
        disk()
        batches(ours, bare, gateway)
        singles(ours, bare, gateway)
        during_scrapes()


def disk() -> None:
    """Print what one fdatasync costs where the store lies: no durable answer comes sooner."""
    with tempfile.TemporaryFile(dir=servers.data_folder(), buffering=0) as file:
        taken = []
        for place in range(200):
            file.seek(place % 64 * 65536)
            file.write(os.urandom(65536))
            started = time.perf_counter()
            os.fdatasync(file.fileno())
            taken.append((time.perf_counter() - started) * 1e3)
    taken.sort()
    row("one fdatasync of 64 KiB on this disk (ms)", taken[len(taken) // 2], peer_name=f"p99 {taken[-2]:.1f} ms")


def _epoch() -> int:
    return int(time.time() * 1000) * 1024


def _rounds(sides: dict[str, Callable[[], Seen]]) -> dict[str, list[Seen]]:
    """Run every side in turn, ``ROUNDS`` times."""
    seen: dict[str, list[Seen]] = {name: [] for name in sides}
    for _ in range(ROUNDS):
        for name, side in sides.items():
            seen[name].append(side())
    return seen


def _rate(seen: list[Seen]) -> float:
    return statistics.median(one.per_second for one in seen)


def _ratio(ours: list[Seen], peer: list[Seen]) -> float:
    return statistics.median(mine.per_second / other.per_second for mine, other in zip(ours, peer, strict=True))


def _p99(seen: list[Seen]) -> float:
    return statistics.median(one.percentile(0.99) for one in seen)


def _side(port: int, make: Callable[[], Request], connections: int, status: int) -> Callable[[], Seen]:
    def run() -> Seen:
        seen = load(port, make(), connections=connections, seconds=SECONDS)
        seen.only(status)
        return seen

    return run


def batches(ours: int, bare: int, gateway: int | None) -> None:
    """Durable events in batches of 100; the bare endpoint keeps nothing, Pushgateway replaces and keeps in memory."""
    for make, name in ((mix.events, "a fleet's mix"), (mix.plain, "timeouts")):
        sides = {
            "ours": _side(ours, lambda: mix.envelopes("/events", _epoch(), make), BATCH_CONNECTIONS, 202),  # noqa: B023
            "bare": _side(bare, lambda: mix.envelopes("/events", _epoch(), make), BATCH_CONNECTIONS, 202),  # noqa: B023
        }
        if gateway is not None and make is mix.plain:
            sides["gateway"] = _side(gateway, lambda: mix.push(mix.BATCH), BATCH_CONNECTIONS, 200)
        seen = _rounds(sides)
        peers = {"bare": "bare FastAPI, nothing kept", "gateway": "Pushgateway, 100 samples a push, in memory"}
        for side, peer in peers.items():
            if side in seen:
                goal = Goal(">=", 200_000, of="ours") if side == "bare" else None
                rates = _rate(seen["ours"]) * mix.BATCH, _rate(seen[side]) * mix.BATCH
                ratio = _ratio(seen["ours"], seen[side])
                row(f"durable events/s, batches of 100: {name}", *rates, peer, ratio=ratio, goal=goal)
        goal = Goal("<=", 10, of="ours")
        row(f"p99 of such a batch (ms): {name}", _p99(seen["ours"]), _p99(seen["bare"]), peers["bare"], goal=goal)


def singles(ours: int, bare: int, gateway: int | None) -> None:
    """Single durable events; the same body for the bare endpoint, one sample for Pushgateway."""
    sides = {
        "ours": _side(ours, lambda: mix.single("/events/timeout"), SINGLE_CONNECTIONS, 202),
        "bare": _side(bare, lambda: mix.single("/events/timeout"), SINGLE_CONNECTIONS, 202),
    }
    if gateway is not None:
        sides["gateway"] = _side(gateway, lambda: mix.push(1), SINGLE_CONNECTIONS, 200)
    seen = _rounds(sides)
    for side, name, least in (("bare", "bare FastAPI endpoint, same body", 0.8), ("gateway", "Pushgateway", 4)):
        if side in seen:
            ratio = _ratio(seen["ours"], seen[side])
            mine, other = _rate(seen["ours"]), _rate(seen[side])
            row("single durable POSTs/s", mine, other, name, ratio=ratio, goal=Goal(">=", least))
    row("p99 of a single POST (ms)", _p99(seen["ours"]), _p99(seen["bare"]), "bare FastAPI endpoint, same body")


def during_scrapes() -> None:
    """Post like a calm fleet while Prometheus scrapes 1000 agents again and again, and while nobody does."""
    with servers.exporter() as port:
        load(port, mix.fleet("/events", 1000), connections=1, seconds=60).only(202)
        pairs = [uvloop.run(_idle_and_scraped(port)) for _ in range(ROUNDS)]
    idle, scraped = (statistics.median(column) for column in zip(*pairs, strict=True))
    ratio = statistics.median(during / calm for calm, during in pairs)
    name = "p99 of a POST while 1000 agents are scraped (ms)"
    row(name, scraped, idle, "the same POSTs, nobody scrapes", ratio=ratio, goal=Goal("<=", 2))


async def _idle_and_scraped(port: int) -> tuple[float, float]:
    """Answer the p99 in milliseconds of POSTs at leisure, and of those of them that met a scrape."""
    posts = partial(send, port, mix.single("/events/timeout"), connections=CALM, seconds=SECONDS, pause=PAUSE)
    idle = await posts()
    scraped, scrapes = await asyncio.gather(
        posts(), send(port, mix.scrape, connections=1, seconds=SECONDS, pause=SCRAPE_PAUSE)
    )
    scrapes.only(200)
    met = [
        (start, latency)
        for start, latency in scraped.answers
        if any(begin < start + latency and start < begin + took for begin, took in scrapes.answers)
    ]
    return idle.percentile(0.99), scraped.percentile(0.99, met)
