"""On an event loop: waiting is awaited, and the loop goes on meanwhile."""

from __future__ import annotations

import asyncio
import threading
import time
from pathlib import Path

import pytest
from tests.support.exporters import get, running

from eddie_metrics import AsyncClient, Client

NOWHERE = "http://127.0.0.1:9"


async def test_an_event_arrives_and_flush_says_so(tmp_path: Path) -> None:
    """Against a real exporter, with a scope around what is awaited."""
    with running(tmp_path) as exporter:
        async with AsyncClient(exporter.url, agent_id="a1") as client:
            with client.task("t1", stage="plan"):
                await asyncio.sleep(0)
            client.record_timeout(reason="deadline")
            assert await client.flush(20) is True
            assert (client.waiting, client.dropped(), list(client.rejected)) == (0, {}, [])
        text = get(f"{exporter.url}/metrics")
    assert 'task_success_total{stage="plan"} 1.0' in text
    assert 'timeout_events_total{agent_id="a1",reason="deadline"} 1.0' in text


async def test_the_loop_goes_on_while_it_waits() -> None:
    """With the exporter away flush waits as long as it was told, and somebody else's work runs on."""
    client = AsyncClient(NOWHERE, agent_id="a1")
    client.record_timeout(reason="deadline")
    turns = 0

    async def work() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0.005)

    working = asyncio.create_task(work())
    began = time.monotonic()
    assert await client.flush(0.5) is False
    assert time.monotonic() - began < 3
    assert turns > 10
    assert await client.close(0.1) is False
    working.cancel()


async def test_it_does_not_wait_for_the_loops_own_threads() -> None:
    """All threads of the loop's executor are at work: close returns in its time all the same."""
    loop, free = asyncio.get_running_loop(), threading.Event()
    busy = [loop.run_in_executor(None, free.wait, 20) for _ in range(64)]
    client = AsyncClient(NOWHERE, agent_id="a1")
    client.record_timeout(reason="deadline")
    began = time.monotonic()
    await client.close(0.2)
    assert time.monotonic() - began < 3
    free.set()
    await asyncio.gather(*busy)


async def test_who_is_cancelled_leaves_at_once() -> None:
    """A flush that is cancelled does not keep its task."""
    client = AsyncClient(NOWHERE, agent_id="a1")
    client.record_timeout(reason="deadline")
    began = time.monotonic()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await client.flush(3)
    assert time.monotonic() - began < 2
    await client.close(0.1)


async def test_an_exception_of_the_block_is_the_agents() -> None:
    """Leaving the block closes, and changes nothing of what leaves it."""
    own = LookupError()
    with pytest.raises(LookupError) as caught:
        async with AsyncClient(NOWHERE):
            raise own
    assert caught.value is own


def test_it_takes_what_a_client_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a loop too: made when a module is imported, it has the same settings as a Client."""
    monkeypatch.setenv("EDDIE_AGENT_ID", "from-environment")
    assert AsyncClient(NOWHERE).agent_id == Client(NOWHERE).agent_id == "from-environment"
    assert AsyncClient(NOWHERE, agent_id="a1").agent_id == "a1"
