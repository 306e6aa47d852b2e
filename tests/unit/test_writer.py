"""Station journal: whatever fails in the writer, nobody waits for ever, nothing counts twice, and no other pays."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from tests.support.collectors import Clock, value
from tests.support.eventually import eventually
from tests.support.stores import Kept, event, timeout

from eddie_exporter import fold
from eddie_exporter.answers import RefusalError
from eddie_exporter.batch import Batch, Taken
from eddie_exporter.errors import DiskFullError
from eddie_exporter.journal import Journal
from eddie_exporter.keeper import Keeper
from eddie_exporter.metrics import MetricsCollector
from eddie_exporter.settings import Settings
from eddie_exporter.state import State
from eddie_exporter.writer import Job, Writer
from eddie_metrics.events import Event


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Kept]:
    """Give a store of its own."""
    made = Kept(tmp_path, Clock())
    yield made
    made.killed()


def poisoned(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the agent ``poison`` raise what nobody foresaw, half way."""
    move = fold.apply

    def fails(state: State, events: Sequence[Event], sent: float | None = None) -> None:
        move(state, events, sent)
        if any(getattr(one, "agent_id", "") == "poison" for one in events):
            raise ValueError("nobody foresaw this")

    monkeypatch.setattr(fold, "apply", fails)


def test_a_mistake_in_memory_counts_no_other_batch_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing can be taken back there, so nothing is tried again."""
    poisoned(monkeypatch)
    collector = MetricsCollector(Settings(), clock=Clock())
    writer = Writer(collector, None, Settings())
    outcomes = writer._keeper.group([Batch([timeout(name)], 1) for name in ("a1", "poison", "a1")])
    assert [type(one) for one in outcomes] == [Taken, ValueError, Taken]
    assert value(collector, "timeout_events_total", agent_id="a1", reason="deadline") == 2


def test_work_that_was_put_off_and_fails_costs_no_batch(kept: Kept) -> None:
    """It alone is left out; what else was put off is done once, and the batch is counted once."""

    def fails() -> None:
        kept.collector.state.count("eddie_tasks_lost_total", ("plan",))
        raise ValueError("nobody foresaw this")

    kept.collector.reject("before")
    for _ in range(20):
        kept.writer._keeper.defer(fails)
    kept.collector.reject("after")
    assert kept.submit([timeout()]).accepted == 1
    assert kept.total("timeout_events_total") == kept.total("eddie_events_rejected_total", reason="before") == 1
    assert (kept.total("eddie_events_rejected_total", reason="after"), kept.total("eddie_tasks_lost_total")) == (1, 0)


def full(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Fill the disk; answer what makes room again."""

    def refuses(*_: object) -> None:
        raise DiskFullError("no room")

    with monkeypatch.context() as patch:
        patch.setattr(Journal, "commit", refuses)
        patch.setattr(Journal, "has_room", lambda _: False)
        with pytest.raises(RefusalError):
            kept.submit([timeout()])
    patch = pytest.MonkeyPatch()
    patch.setattr(Journal, "has_room", lambda _: False)
    return patch.undo


def test_what_waits_while_the_disk_is_full_stays_small_and_the_last_word_counts(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Days of looking at containers: they do not pile up, crowd nothing out, and leave no ghost behind."""
    kept.collector.reject("before")
    room = full(kept, monkeypatch)
    for _ in range(300):
        for name in ("stays", "leaves"):
            kept.collector.container_seen(name, cpu_limit=1, memory_limit_bytes=1, name=name, image="i", agent_id=None)
        kept.collector.docker_up(up=True)
        kept.collector.tidy()
        kept.tick()
    kept.collector.container_gone("leaves")
    kept.collector.reject("during")
    assert len(kept.writer._keeper._deferred._waiting) < 10
    room()
    kept.tick()
    assert kept.total("docker_container_cpu_limit") == kept.total("docker_container_cpu_limit", container_id="stays")
    assert kept.total("docker_container_cpu_limit") == 1
    for reason in ("before", "during"):
        assert kept.total("eddie_events_rejected_total", reason=reason) == 1


def test_refusals_are_counted_also_when_too_much_waits(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    """A count that found no place once was never told again."""
    monkeypatch.setattr("eddie_exporter.deferred.MOST_WAITING", 2)
    for _ in range(9):
        kept.collector.observe_collection("scrape", 1)
    kept.collector.reject("bad")
    kept.tick()
    kept.collector.reject("bad")
    kept.tick()
    assert kept.total("eddie_events_rejected_total", reason="bad") == 2


def test_nobody_waits_for_a_writer_that_died(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever was being served, and whoever comes later, hears 503; the process is told to end."""

    def dies(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(Keeper, "group", dies)
    kept.writer.start()

    async def waits() -> None:
        async with asyncio.timeout(10):
            await kept.writer.submit(Batch([timeout()], 1))

    for _ in range(2):
        with pytest.raises(RefusalError) as raised:
            asyncio.run(waits())
        assert raised.value.status == 503
    assert len(kept.failures) == 1
    kept.writer.stop()


def test_a_store_that_cannot_be_read_again_ends_the_process(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    """An exception nobody foresaw while taking back is an answer too."""
    poisoned(monkeypatch)

    def fails(*_: object) -> None:
        raise KeyError("series")

    monkeypatch.setattr(Journal, "rows", fails)
    with pytest.raises(RefusalError) as raised:
        kept.submit([timeout("poison")])
    assert (raised.value.status, len(kept.failures)) == (503, 1)


def test_nobody_waits_for_a_writer_that_stopped(kept: Kept) -> None:
    """A request that comes in beside the last word is refused, not forgotten."""
    kept.writer.start()

    async def beside() -> None:
        loop = asyncio.get_running_loop()
        future = loop.create_future()
        kept.writer._queue.put(None)  # the last word
        kept.writer._queue.put(Job(Batch([timeout()], 1), future, loop))
        await asyncio.to_thread(kept.writer.stop)
        async with asyncio.timeout(10):
            await future

    with pytest.raises(RefusalError) as raised:
        asyncio.run(beside())
    assert raised.value.status == 503


def test_who_has_gone_away_with_its_loop_harms_nobody(kept: Kept) -> None:
    """The writer counts the batch, and goes on."""
    loop = asyncio.new_event_loop()
    future = loop.create_future()
    loop.close()
    kept.writer.start()
    kept.writer._queue.put(Job(Batch([event("task-split", task_id="t", chunks=1)], 1), future, loop))

    def counted() -> None:
        assert kept.total("task_split_total") == 1

    eventually(counted, within=10)

    async def later() -> Taken:
        async with asyncio.timeout(10):
            return await kept.writer.submit(Batch([timeout()], 1))

    assert asyncio.run(later()).accepted == 1
    assert kept.failures == []
    kept.writer.stop()
