"""What the board costs: a page, a refresh, its readers; and what they cost Prometheus and the exporter (nothing)."""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
from bench.crowd import crowd
from bench.table import row
from tests.support import grafanas
from tests.support.board_pages import looking
from tests.support.boards import PANELS, Board, standing
from tests.support.browsers import chromium
from tests.support.stacks import has_grafana

from fleet.web import ask
from rig.engine import PAUSE

HOURS = 6.0
CROWD = 50
PAGES = 5
MINUTE = 60.0
REFRESH = 30.0
ROUNDS = 3
PACE = 0.03
"""Seconds between two requests to the exporter: a fleet, not a flood."""
TIMEOUT = b'{"agent_id": "bench", "reason": "deadline"}'

DRAWN = f"document.querySelectorAll('[data-panel-id][data-state=ok] canvas').length >= {len(PANELS)}"
GRAFANA_DRAWN = f"document.querySelectorAll('section[data-testid] .uplot canvas').length >= {len(PANELS)}"


def rows() -> None:
    """Print the board's rows, or the reason why there are none."""
    try:
        with tempfile.TemporaryDirectory() as folder, _shipped(Path(folder)) as board:
            page(board, Path(folder) / "grafana")
            viewers(board)
            exporter(board)
    except pytest.skip.Exception as reason:
        print(f"the board was not measured: {reason}", file=sys.stderr)


@contextmanager
def _shipped(folder: Path) -> Iterator[Board]:
    """Run board and stack at the shipped pace, with ten agents and six hours behind them."""
    paces = {"EDDIE_BOARD_SCRAPE_SECONDS": "15"}
    with standing(folder, hours=HOURS, factor=1, refresh=int(REFRESH), settings=paces) as board:
        yield board


def page(board: Board, folder: Path) -> None:
    """Print how long somebody waits for all panels, in milliseconds, and what that is in a Grafana on the same data."""
    ours = [_page(f"{board.page(start='now-6h')}&nth={nth}", DRAWN) for nth in range(PAGES)]
    what = f"page ready, 6 h, {len(PANELS)} panels (ms)"
    if not has_grafana():
        row(what, statistics.median(ours), peer_name="no Grafana here: GRAFANA_HOME")
        return
    folder.mkdir()
    with grafanas.running(folder, board.stack) as grafana:
        address = f"{grafana.url}/d/eddie-distributed-fallback?from=now-6h&to=now&kiosk"
        theirs = [_page(address, GRAFANA_DRAWN, grafana) for _ in range(PAGES)]
    row(what, statistics.median(ours), statistics.median(theirs), "Grafana, same data")


def _page(address: str, drawn: str, grafana: grafanas.Grafana | None = None) -> float:
    with chromium() as browser, looking(browser, width=1280, height=2200) as look:
        if grafana:
            look.page.request.post(f"{grafana.url}/login", data={"user": "admin", "password": grafanas.PASSWORD})
        began = time.perf_counter()
        look.page.goto(address, wait_until="commit")
        look.page.wait_for_function(drawn, timeout=60_000)
        return (time.perf_counter() - began) * 1000


def viewers(board: Board) -> None:
    """Print what one reader and fifty cost the board and Prometheus in a minute."""
    one, many = _minute(board, 1), _minute(board, CROWD)
    row("CPU of a full refresh, 1 viewer (ms)", one.cpu)
    row(f"CPU of a refresh of {CROWD} viewers (ms)", many.cpu, one.cpu, "1 viewer")
    row(f"resident, {CROWD} viewers (MiB)", many.resident, one.resident, "1 viewer")
    row(f"queries Prometheus sees a minute, {CROWD} viewers", many.asked, one.asked, "1 viewer")


@dataclass(frozen=True)
class Cost:
    """What viewers cost: ``cpu`` milliseconds of the board a refresh, ``resident`` MiB, queries ``asked`` a minute."""

    cpu: float
    resident: float
    asked: float


def _minute(board: Board, count: int) -> Cost:
    process = psutil.Process(board.engine.pid)
    with crowd(board, count):
        PAUSE.wait(REFRESH)
        asked, used = board.queries_seen(), sum(process.cpu_times()[:2])
        PAUSE.wait(MINUTE)
        cpu = (sum(process.cpu_times()[:2]) - used) * REFRESH / MINUTE * 1000
        return Cost(cpu, process.memory_info().rss / 2**20, board.queries_seen() - asked)


def exporter(board: Board) -> None:
    """Print the exporter's latencies with fifty readers and without, in turn, and the median of the ratios."""
    pairs = []
    for _ in range(ROUNDS):
        without = latencies(board)
        with crowd(board, CROWD):
            PAUSE.wait(REFRESH)  # until what it costs to open fifty pages is over
            pairs.append((latencies(board), without))
    for at, name in enumerate(("scrape", "POST")):
        ours, peer = (statistics.median(side[at] for side in column) for column in zip(*pairs, strict=True))
        ratio = statistics.median(many[at] / none[at] for many, none in pairs)
        row(f"exporter's {name} p99, {CROWD} viewers (ms)", ours, peer, "no viewer", ratio=ratio)


def latencies(board: Board) -> tuple[float, float]:
    """Return the 99th percentile of a scrape and of a POST in milliseconds, over the time of one refresh."""
    url = board.stack.url("exporter")
    took: tuple[list[float], list[float]] = ([], [])
    asks = ((f"{url}/metrics/prometheus", None), (f"{url}/events/timeout", TIMEOUT))
    until = time.monotonic() + REFRESH
    while time.monotonic() < until:
        for times, (address, body) in zip(took, asks, strict=True):
            began = time.perf_counter()
            answer = ask(address, body, headers={"Content-Type": "application/json"} if body else None)
            times.append((time.perf_counter() - began) * 1000)
            if answer.status >= 300:
                raise RuntimeError(f"expected the exporter to take it, got {answer.status} from {address}")
        PAUSE.wait(PACE)
    return statistics.quantiles(took[0], n=100)[98], statistics.quantiles(took[1], n=100)[98]
