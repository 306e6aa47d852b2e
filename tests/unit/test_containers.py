"""The watcher: what the engine says is told, a lost engine costs only what it knew, and nothing stops the end."""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from docker.errors import DockerException
from tests.support.collectors import value
from tests.support.exporters import soon

from eddie_exporter.containers import Watcher
from eddie_exporter.engine import Change, Found, change, found, limits
from eddie_exporter.metrics import MetricsCollector
from eddie_exporter.settings import Settings

ID = "ab" * 32
SHORT = ID[:12]


def container(container_id: str = ID, **more: Any) -> Found:
    """Answer a container with half a core and 256 MiB."""
    fields = {"name": "agent", "image": "i", "agent_id": "a1", "cpu_limit": 0.5, "memory_limit_bytes": 2**28}
    return Found(container_id, **{**fields, **more})


class Fake:
    """An engine of a few lines: what runs, what happens, and whether it answers."""

    def __init__(self) -> None:
        """Run nothing."""
        self.up, self.hung, self.connections = True, False, 0
        self.containers: dict[str, Found] = {}
        self.happens: queue.Queue[Change | None] = queue.Queue()

    def connect(self) -> Fake:
        """Connect, when up."""
        self.connections += 1
        if not self.up:
            raise DockerException("no daemon")
        self.happens = queue.Queue()
        return self

    def running(self) -> list[Found]:
        """List, when up."""
        if self.hung:
            threading.Event().wait(60)
        if not self.up:
            raise DockerException("lost")
        return list(self.containers.values())

    def one(self, container_id: str) -> Found | None:
        """Look at one."""
        return self.containers.get(container_id)

    def changes(self) -> Iterator[Change]:
        """Yield until closed."""
        yield from iter(self.happens.get, None)

    def close(self) -> None:
        """End the changes."""
        self.happens.put(None)

    def lose(self) -> None:
        """Go away, as a daemon that is stopped does: the stream ends, and nothing answers."""
        self.up = False
        self.close()


@contextlib.asynccontextmanager
async def watching(fake: Fake, relist_seconds: float = 60) -> AsyncIterator[tuple[Watcher, MetricsCollector]]:
    """Run a watcher of ``fake`` until the block is left."""
    collector = MetricsCollector(Settings())
    watcher = Watcher(collector, fake.connect, relist_seconds=relist_seconds, longest_wait=0.05)
    task = asyncio.create_task(watcher.run())
    try:
        yield watcher, collector
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def shows(collector: MetricsCollector, cpu: float | None, memory: float | None = None, *, up: float = 1) -> None:
    """Wait until the gauges of the one container, and of the engine, are these."""

    async def check() -> None:
        assert value(collector, "eddie_docker_up") == up
        assert value(collector, "docker_container_cpu_limit", container_id=SHORT) == cpu
        assert value(collector, "docker_container_memory_limit_bytes", container_id=SHORT) == memory

    await soon(check, within=5)


async def test_what_runs_is_told() -> None:
    """A container that runs at the start has its gauges, under its short id, joined to its agent."""
    fake = Fake()
    fake.containers[ID] = container()
    async with watching(fake) as (watcher, collector):
        await shows(collector, 0.5, 2**28)
        assert watcher.state == "up"
        labels = {"container_id": SHORT, "name": "agent", "image": "i", "agent_id": "a1"}
        assert value(collector, "eddie_container_info", **labels) == 1
        assert value(collector, "eddie_collection_seconds_count", operation="containers") == 1


async def test_changes_are_followed() -> None:
    """A start, a new limit and an end each move the gauges; only the new limit is an adjustment."""
    fake = Fake()
    async with watching(fake) as (_, collector):
        await shows(collector, None)
        fake.containers[ID] = container()
        fake.happens.put(Change(ID, gone=False))
        await shows(collector, 0.5, 2**28)
        fake.containers[ID] = container(cpu_limit=2.0)
        fake.happens.put(Change(ID, gone=False))
        await shows(collector, 2.0, 2**28)
        assert value(collector, "docker_elastic_adjustment_total", resource_type="cpu") == 1
        assert value(collector, "docker_elastic_adjustment_total", resource_type="memory") == 0
        fake.happens.put(Change(ID, gone=True))
        await shows(collector, None)


async def test_a_container_that_vanished_meanwhile_is_no_fault() -> None:
    """An event about a container that is gone when looked at removes it."""
    fake = Fake()
    fake.containers[ID] = container()
    async with watching(fake) as (watcher, collector):
        await shows(collector, 0.5, 2**28)
        del fake.containers[ID]
        fake.happens.put(Change(ID, gone=False))
        await shows(collector, None)
        assert watcher.state == "up"


async def test_a_listing_finds_what_no_event_told() -> None:
    """A missed start and a missed end are found by the next listing."""
    fake = Fake()
    async with watching(fake, relist_seconds=0.05) as (_, collector):
        await shows(collector, None)
        fake.containers[ID] = container()
        await shows(collector, 0.5, 2**28)
        del fake.containers[ID]
        await shows(collector, None)


async def test_unlimited_has_no_series() -> None:
    """A limit of None leaves its series out; the other stays."""
    fake = Fake()
    fake.containers[ID] = container(cpu_limit=None)
    async with watching(fake) as (_, collector):
        await shows(collector, None, 2**28)


async def test_a_lost_engine_costs_what_it_knew_and_comes_back() -> None:
    """Lost, its containers go and eddie_docker_up is 0; what a webhook told stays; back, all is there again."""
    fake = Fake()
    fake.containers[ID] = container()
    async with watching(fake) as (watcher, collector):
        await shows(collector, 0.5, 2**28)
        collector.record_docker_resource_allocation(container_id="by-webhook", cpu_limit=1)
        fake.lose()
        await shows(collector, None, up=0)
        assert watcher.state == "down"
        assert value(collector, "docker_container_cpu_limit", container_id="by-webhook") == 1
        fake.up = True
        await shows(collector, 0.5, 2**28)
        assert value(collector, "docker_elastic_adjustment_total", resource_type="cpu") == 0


async def test_an_absent_engine_is_tried_again() -> None:
    """With no engine at the start the watcher says so, goes on trying, and finds it when it comes."""
    fake = Fake()
    fake.up = False
    async with watching(fake) as (_, collector):
        await shows(collector, None, up=0)

        async def tried() -> None:
            assert fake.connections >= 3

        await soon(tried, within=5)
        fake.up = True
        await shows(collector, None, up=1)


async def test_a_steady_connection_that_ends_is_made_again_unnoticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy that cuts a silent stream costs no gauge: the engine is asked again before it is called lost."""
    monkeypatch.setattr("eddie_exporter.containers.STEADY_SECONDS", 0.0)
    fake = Fake()
    fake.containers[ID] = container()
    seen: list[bool] = []
    async with watching(fake) as (_, collector):
        await shows(collector, 0.5, 2**28)
        monkeypatch.setattr(collector, "docker_up", seen.append)
        fake.close()

        async def again() -> None:
            assert fake.connections == 2
            assert seen

        await soon(again, within=5)
    assert False not in seen


async def test_one_bad_container_costs_the_others_nothing() -> None:
    """A container the collector refuses is passed over."""
    fake = Fake()
    fake.containers = {"bad": container("x" * 600), ID: container()}
    async with watching(fake) as (watcher, collector):
        await shows(collector, 0.5, 2**28)
        assert watcher.state == "up"


async def test_the_end_waits_for_no_engine() -> None:
    """Cancelled while the stream blocks, or while a listing hangs, the watcher ends at once."""
    fake = Fake()
    async with watching(fake) as (_, collector):
        await shows(collector, None)
        began = time.monotonic()
    assert time.monotonic() - began < 1
    fake = Fake()
    fake.hung = True
    async with watching(fake):

        async def connected() -> None:
            assert fake.connections == 1

        await soon(connected, within=5)
        began = time.monotonic()
    assert time.monotonic() - began < 1


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ({"NanoCpus": 1_500_000_000, "Memory": 2**30}, (1.5, 2**30)),
        ({"CpuQuota": 50_000, "CpuPeriod": 100_000}, (0.5, None)),
        ({"CpuQuota": 50_000, "CpuPeriod": 0}, (0.5, None)),  # the default period
        ({"CpuQuota": 25_000, "CpuPeriod": 50_000, "Memory": -1}, (0.5, None)),
        ({"NanoCpus": 0, "CpuQuota": -1, "Memory": 0}, (None, None)),  # unlimited
        ({"NanoCpus": None, "CpuQuota": None, "Memory": None}, (None, None)),
        ({}, (None, None)),
    ],
)
def test_limits(host: dict[str, Any], expected: tuple[float | None, int | None]) -> None:
    """NanoCpus, else quota per period; 0 and -1 are unlimited."""
    assert limits(host) == expected


def test_found_reads_inspect() -> None:
    """The label eddie.agent is the agent; names are cut to harmless label values."""
    attributes = {
        "Id": ID, "Name": "/box\n\ud800", "State": {"Running": True}, "HostConfig": {"NanoCpus": 10**9},
        "Config": {"Image": "i" * 300, "Labels": {"eddie.agent": "__a\x001", "other": "x"}},
    }  # fmt: skip
    assert found(attributes) == Found(ID, "box", "i" * 128, "a1", 1.0, None)
    assert found({**attributes, "Config": {"Labels": None}}) == Found(ID, "box", "", None, 1.0, None)


def test_what_does_not_run_is_not_found() -> None:
    """A stopped container has no limits."""
    assert found({"Id": ID, "State": {"Running": False}}) is None
    assert found({"Id": ID}) is None


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        ({"Action": "start", "Actor": {"ID": ID}}, Change(ID, gone=False)),
        ({"Action": "update", "Actor": {"ID": ID}}, Change(ID, gone=False)),
        ({"Action": "die", "Actor": {"ID": ID}}, Change(ID, gone=True)),
        ({"Action": "exec_start: sh", "Actor": {"ID": ID}}, None),
        ({"Action": "start", "Actor": {}}, None),
        ({}, None),
    ],
)
def test_change_reads_events(event: dict[str, Any], expected: Change | None) -> None:
    """Starts, updates and ends matter; nothing else does."""
    assert change(event) == expected
