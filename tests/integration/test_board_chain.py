"""The board's top on real engines: what ends is said within a scrape, since when, and what comes back is well again."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import httpx
from tests.support.alive import tell
from tests.support.programs import ROOT
from tests.support.stacks import native

from eddie_board import chain_words as words
from eddie_board.alertmanager import Alertmanager
from eddie_board.chain import Chain, ChainState
from eddie_board.links import Link
from eddie_board.prometheus import Prometheus
from eddie_board.settings import Settings
from rig.stack import Stack

DASHBOARD = json.loads((ROOT / "grafana/provisioning/dashboards/eddie-distributed-fallback.json").read_text())
Check = Callable[[ChainState], bool]


@contextlib.asynccontextmanager
async def looking(stack: Stack) -> AsyncIterator[Chain]:
    """Give a chain that looks at ``stack`` once a second, which is the rig's scrape interval."""
    settings = Settings(prometheus_url=stack.url("prometheus"), board_timeout_seconds=5)
    async with Prometheus.of(settings) as prometheus, httpx.AsyncClient(trust_env=False, timeout=5) as http:
        yield Chain(prometheus, Alertmanager(http, stack.url("alertmanager")), lambda: [DASHBOARD], 1)


async def until(chain: Chain, check: Check, within: float = 30.0) -> ChainState:
    """Look until ``check`` is true of the state; fails with the last state after ``within`` seconds."""
    deadline = time.monotonic() + within
    while not check(state := await chain.state()):
        assert time.monotonic() < deadline, state
        await asyncio.sleep(0.2)  # a look costs nothing within the scrape it was made in
    return state


def link(state: ChainState, name: str) -> Link:
    """Answer one link."""
    return next(one for one in state.links if one.name == name)


def states(**wanted: str) -> Check:
    """Make the check that links are in these states, by their first words in lower case."""
    return lambda state: {one.name.split()[0].lower(): one.state for one in state.links} == wanted


async def blocking(call: Callable[[], None]) -> None:
    """Do what blocks beside the loop."""
    await asyncio.to_thread(call)


async def test_what_ends_is_said_and_what_comes_back_is_well(tmp_path: Path) -> None:
    """Exporter, Prometheus and Alertmanager end one after the other, while a storm's alerts fire, and come back."""
    with native(tmp_path, "exporter", "prometheus", "alertmanager") as stack:
        await blocking(lambda: tell(stack))
        async with looking(stack) as chain:
            steps: tuple[Callable[[Stack, Chain], Awaitable[None]], ...] = (
                all_is_well,
                exporter_ends,
                alertmanager_ends,
                prometheus_ends,
                all_come_back,
            )
            for step in steps:
                await step(stack, chain)


async def all_is_well(stack: Stack, chain: Chain) -> None:
    """Four links, five numbers that Prometheus itself gives, and the Watchdog as proof."""
    check = states(exporter="up", prometheus="up", alertmanager="up", docker="off")
    state = await until(chain, lambda now: check(now) and now.alerts.firing.watchdog is not None)
    assert all(one.at is not None and 0 <= time.time() - one.at < 120 for one in state.links[:3])
    for tile in state.tiles:
        answer = stack.prometheus("query", query=tile.indicator.metric, time=tile.at)["result"]
        assert tile.value == float(answer[0]["value"][1]), tile
    assert {tile.indicator.name for tile in state.tiles} == {
        "Success rate",
        "p99 latency",
        "Timeouts per hour",
        "Merge efficiency",
        "Load balance",
    }
    assert {tile.indicator.name for tile in state.tiles if tile.judgement not in ("met", "broken")} == set()
    assert {tile.indicator.name: tile.judgement for tile in state.tiles}["Timeouts per hour"] == "broken"
    assert words.proof(state.alerts, state.at).startswith("Alerting works")


async def exporter_ends(stack: Stack, chain: Chain) -> None:
    """Said with since when; what its numbers met is vouched for no more."""
    before = time.time()
    await blocking(stack.engines["exporter"].stop)
    state = await until(chain, states(exporter="down", prometheus="up", alertmanager="up", docker="unknown"))
    since = link(state, "Exporter").at
    assert since is not None
    assert before - 2 <= since <= time.time() + 2
    assert "met" not in {tile.judgement for tile in state.tiles}


async def alertmanager_ends(stack: Stack, chain: Chain) -> None:
    """Prometheus is asked instead, and its alerts are the same, ExporterDown among them."""
    fires = lambda now: any(one.name == "ExporterDown" for one in now.alerts.firing.told)  # noqa: E731
    told = await until(chain, fires)
    assert told.alerts.source == "Alertmanager"
    await blocking(stack.engines["alertmanager"].stop)
    state = await until(chain, lambda now: link(now, "Alertmanager").state == "down")
    assert state.alerts.source == "Prometheus"
    found = next(one for one in state.alerts.firing.told if one.name == "ExporterDown")
    assert found.panel == f"/d/{DASHBOARD['uid']}?viewPanel=5"
    assert found.runbook == f"{stack.url('exporter')}/runbook#exporterdown"
    assert words.proof(state.alerts, state.at) == "Whether alerting works is not known."


async def prometheus_ends(stack: Stack, chain: Chain) -> None:
    """Nobody can be asked: the last alerts stay with their age, no link and no number is green."""
    await blocking(stack.engines["prometheus"].stop)
    state = await until(chain, states(exporter="unknown", prometheus="down", alertmanager="down", docker="unknown"))
    assert state.alerts.kept
    assert [one.name for one in state.alerts.firing.told] != []
    assert {tile.judgement for tile in state.tiles} == {"unsure"}


async def all_come_back(stack: Stack, chain: Chain) -> None:
    """Nobody has to start the board anew, nor to load a page."""
    await blocking(lambda: stack.start("exporter", "prometheus", "alertmanager"))
    check = states(exporter="up", prometheus="up", alertmanager="up", docker="off")
    state = await until(chain, lambda now: check(now) and now.alerts.source == "Alertmanager")
    assert state.alerts.fault == ""
