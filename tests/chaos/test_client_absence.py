"""Faults 12 and 33 with the client itself: the exporter is away, comes back, is killed while many threads record."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from tests.chaos.test_client_kills import drained
from tests.support.chaos.moments import run_for
from tests.support.chaos.process import Exporter, exporter
from tests.support.chaos.reading import scrape
from tests.support.eventually import eventually

from eddie_metrics import Client, sending
from rig.engine import free_port

THREADS = 8


@pytest.fixture
def one(tmp_path: Path) -> Iterator[Exporter]:
    """Answer a running exporter."""
    with exporter(tmp_path) as found:
        yield found


def url(one: Exporter) -> str:
    """Answer its address."""
    return f"http://127.0.0.1:{one.port}"


def flushed(client: Client) -> None:
    """Check that everything is answered."""
    assert client.flush(2), f"expected everything to be answered, {client.waiting} wait"


def test_fault_12_the_client_fills_its_outbox_to_the_cap_and_drains(one: Exporter, tmp_path: Path) -> None:
    """While the exporter is down the outbox stays below its cap; what did not fit is told of, all else counts once."""
    most = 1_000_000
    one.kill()
    client = Client(url(one), agent_id="a", outbox=tmp_path / "outbox", outbox_bytes=most)
    for number in range(20_000):
        client.record_timeout(reason="deadline", task_id=f"task-{number}")
    assert sum(path.stat().st_size for path in (tmp_path / "outbox").rglob("*.*")) < most * 1.5
    dropped = client.dropped()
    assert set(dropped) == {"outbox-full"}
    one.start()
    eventually(lambda: flushed(client), within=60)
    assert scrape(one.port).total("timeout_events_total") + dropped["outbox-full"] == 20_000
    client.record_timeout(reason="last")
    assert client.close(10)
    assert scrape(one.port).total("eddie_client_dropped_events_total") == dropped["outbox-full"]
    assert scrape(one.port).total("eddie_lost_batches_total") == 0


@pytest.mark.parametrize("lasting", [False, True])
def test_fault_12_killed_and_started_again_while_eight_threads_record_the_totals_are_equal(
    one: Exporter, tmp_path: Path, *, lasting: bool
) -> None:
    """Five kills of the exporter cost nothing and double nothing, in memory and with an outbox."""
    client = Client(url(one), agent_id="a", outbox=tmp_path / "outbox" if lasting else None)
    ending = threading.Event()
    counts = [0] * THREADS

    def work(mine: int) -> None:
        while not ending.wait(0.02):
            for _ in range(10):
                client.record_chunk_execution(seconds=1.5, agent_id=f"agent-{mine}")
                counts[mine] += 1

    threads = [threading.Thread(target=work, args=(mine,)) for mine in range(THREADS)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(5):
            run_for(0.4)
            one.kill()
            run_for(0.1)
            one.start()
    finally:
        ending.set()
        for thread in threads:
            thread.join(10)
    eventually(lambda: flushed(client), within=60)
    found = scrape(one.port).samples({"chunk_execution_seconds_count"})
    assert [
        found["chunk_execution_seconds_count", (("agent_id", f"agent-{mine}"),)] for mine in range(THREADS)
    ] == counts
    assert client.dropped() == {}
    client.close()


def test_fault_12_without_an_exporter_close_keeps_its_time() -> None:
    """Whatever is queued, ``close`` comes back, and says that something is left."""
    client = Client(f"http://127.0.0.1:{free_port()}", agent_id="a")
    for _ in range(10_000):
        client.record_timeout(reason="deadline")
    began = time.monotonic()
    assert not client.close(0.5)
    assert time.monotonic() - began < 1.5
    assert client.dropped() == {"closed": 10_000}


def test_an_end_waits_for_nobody_where_nothing_is_lost_by_it(tmp_path: Path) -> None:
    """With an outbox one last try is enough: what waits stays there, and the next agent's end is as quick."""
    away = f"http://127.0.0.1:{free_port()}"
    for _ in range(2):
        client = Client(away, agent_id="a", outbox=tmp_path)
        client.record_timeout(reason="deadline")
        began = time.monotonic()
        assert not client.close(60)
        assert time.monotonic() - began < 20, "expected an end long before the minute it was given"
        assert client.dropped() == {}


def test_an_end_waits_for_an_exporter_that_is_only_just_away(one: Exporter) -> None:
    """Negative twin: without an outbox it waits for one that starts again, and what was queued is counted."""
    one.kill()
    client = Client(url(one), agent_id="a")
    client.record_timeout(reason="deadline")
    assert not client.flush(0.5)
    starting = threading.Thread(target=one.start)
    starting.start()
    assert client.close(60)
    starting.join()
    assert client.dropped() == {}


def test_an_end_waits_no_longer_for_an_exporter_that_is_long_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without an outbox either: what is queued is lost then, and said."""
    monkeypatch.setattr(sending, "LONG_AWAY", 0.2)
    client = Client(f"http://127.0.0.1:{free_port()}", agent_id="a")
    client.record_timeout(reason="deadline")
    assert not client.flush(1.0)
    began = time.monotonic()
    assert not client.close(60)
    assert time.monotonic() - began < 20, "expected an end long before the minute it was given"
    assert client.dropped() == {"closed": 1}


def test_eight_threads_lose_nothing_of_eight_hundred_thousand_events_in_bounded_memory(one: Exporter) -> None:
    """As fast as eight threads can: every event is counted, and the queue stays in its bounds."""
    each = 100_000
    client = Client(url(one), agent_id="a")
    before = psutil.Process().memory_info().rss

    def work(mine: int) -> None:
        for _ in range(each):
            client.record_timeout(reason="deadline", agent_id=f"agent-{mine}")

    threads = [threading.Thread(target=work, args=(mine,)) for mine in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    grown = psutil.Process().memory_info().rss - before
    eventually(lambda: flushed(client), within=120)
    found = scrape(one.port).samples({"timeout_events_total"})
    assert set(found.values()) == {each}
    assert len(found) == THREADS
    assert client.dropped() == {}
    assert grown < 256 * 2**20, f"expected a bounded queue, got {grown / 2**20:.0f} MiB more"
    client.close()


def test_a_small_queue_drops_what_it_cannot_hold_and_says_how_much() -> None:
    """The twin: where the bound is reached, what is over it is counted and nothing grows."""
    client = Client(f"http://127.0.0.1:{free_port()}", agent_id="a", queue_bytes=100_000)
    for _ in range(5000):
        client.record_timeout(reason="deadline")
    dropped = client.dropped()["queue-full"]
    assert 2000 < dropped < 5000
    client.close(0)


def test_fault_33_two_hundred_boxes_of_killed_agents_are_sent_once(one: Exporter, tmp_path: Path) -> None:
    """Eight agents come at once to an outbox that two hundred killed ones left; each box is sent by one of them."""
    outbox = tmp_path / "outbox"
    code = (
        "import os, signal, sys; from eddie_metrics import Client\n"
        "for one in range(200):\n"
        "    if os.fork() == 0:\n"
        "        client = Client('http://127.0.0.1:9', agent_id=f'agent-{one}', outbox=sys.argv[1])\n"
        "        for _ in range(100): client.record_timeout(reason='x')\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        "for one in range(200): os.wait()"
    )
    subprocess.run((sys.executable, "-c", code, str(outbox)), check=True, stderr=subprocess.DEVNULL)
    heirs = [Client(url(one), agent_id=f"heir-{number}", outbox=outbox) for number in range(THREADS)]
    for heir in heirs:
        heir.record_agent_hello()
    drained(outbox, url(one))
    assert all(heir.close(10) for heir in heirs)
    found = scrape(one.port)
    assert set(found.samples({"timeout_events_total"}).values()) == {100}
    assert found.total("timeout_events_total") == 200 * 100
    assert found.total("eddie_lost_batches_total") == 0
