"""Station *journal*: one thread owns the state; it commits what arrived since the last commit, shows it, then answers.

The queue is bounded in requests and bytes: past it a sender is told to come again (503), never accepted and dropped.
"""

from __future__ import annotations

import asyncio
import queue
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import structlog

from eddie_exporter.admission import admit
from eddie_exporter.answers import RETRY_AFTER_SECONDS, RefusalError
from eddie_exporter.batch import Batch, Taken
from eddie_exporter.errors import DiskFullError, StoreError, StoreIOError
from eddie_exporter.journal import Journal
from eddie_exporter.metrics import NANO, MetricsCollector
from eddie_exporter.settings import Settings
from eddie_metrics.events import Event

TICK_SECONDS = 1.0
"""How often the exporter's own counts are made durable when no events come."""
QUIET_SECONDS = 15.0
"""How often what scrapes and records cost is made durable when nothing else happens: an idle disk stays idle."""
_COSTS = frozenset({"eddie_collection_seconds", "eddie_commit_seconds"})
_GROUP = 256
_GROUP_EVENTS = 20_000
"""Requests and events committed together at most: the answer to the first waits for the last, and so does a scrape."""
STUCK_SECONDS = 30.0
"""A commit that takes longer says that the disk does not answer."""
_MOST_DEFERRED = 100_000

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Job:
    """A batch that waits, and who waits for it."""

    batch: Batch
    future: asyncio.Future[Taken]
    loop: asyncio.AbstractEventLoop


Outcome = Taken | Exception


class Writer:
    """Takes batches and makes them durable; without a journal it counts in memory.

    Until it is started it works at once, in the caller's thread.

    ``on_failure`` is called once, from the writer's thread, when the store failed and the process should end.
    """

    def __init__(
        self,
        collector: MetricsCollector,
        journal: Journal | None,
        settings: Settings,
        on_failure: Callable[[StoreError], None] = lambda _: None,
    ) -> None:
        self._collector = collector
        self._journal = journal
        self._most_requests = settings.queue_requests
        self._most_bytes = settings.queue_bytes
        self._on_failure = on_failure
        self._queue: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._deferred: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._waiting = 0
        self._waiting_bytes = 0
        self._stopping = False
        self._full = False
        self._failed: StoreError | None = None
        self._last_commit = 0.0
        self._busy_since: float | None = None
        collector.gauges = self._gauges
        if journal is not None:
            collector.defer = self._defer
            collector.resume(journal.meta.get("steady"), journal.meta.get("wall"))
            self._load()

    # On the event loop

    def ready(self) -> str | None:
        """Say why events cannot be taken now, None when they can."""
        if self._failed is not None:
            return "the store failed; the log says why"
        if self._full:
            return "the store's disk is full"
        busy = self._busy_since
        if busy is not None and time.monotonic() - busy > STUCK_SECONDS:
            return "the store's disk does not answer"
        return "the exporter is ending" if self._stopping else None

    def submit(self, batch: Batch) -> asyncio.Future[Taken]:
        """Put a batch into the queue; the future answers when it is durable, or raises the RefusalError to send.

        Raises RefusalError at once: 503 when the queue is full or the exporter ends, 507 when the disk is full.
        """
        if self._full:
            raise _disk_full()
        if self._stopping or self._failed is not None:
            raise RefusalError(503, "unavailable", "an exporter that can store events; send the same again")
        if self._waiting >= self._most_requests or (
            self._waiting and self._waiting_bytes + batch.size > self._most_bytes
        ):
            raise RefusalError(503, "overloaded", "fewer requests at once; send the same again")
        loop = asyncio.get_running_loop()
        job = Job(batch, loop.create_future(), loop)
        self._waiting += 1
        self._waiting_bytes += batch.size
        if self._thread is None:
            self._settle([job], self._group([job]))
        else:
            self._queue.put(job)
        return job.future

    def _settle(self, jobs: Sequence[Job], outcomes: Sequence[Outcome]) -> None:
        for job, outcome in zip(jobs, outcomes, strict=True):
            self._waiting -= 1
            self._waiting_bytes -= job.batch.size
            if job.future.done():  # whoever waited has gone away
                continue
            if isinstance(outcome, Taken):
                job.future.set_result(outcome)
            else:
                job.future.set_exception(outcome)

    # Life

    def start(self) -> None:
        """Begin to work in a thread."""
        self._collector.defer = self._defer
        self._thread = threading.Thread(target=self._run, name="eddie-writer", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Make durable what waits, and close the store; blocks until that is done."""
        self._stopping = True
        if self._thread is not None:
            self._queue.put(None)
            self._thread.join()
            self._thread = None
        if self._journal is None:
            self._collector.defer = None
        else:
            self._journal.close()

    def _defer(self, work: Callable[[], None]) -> None:
        if self._deferred.qsize() < _MOST_DEFERRED:
            self._deferred.put(work)

    def _run(self) -> None:
        try:
            self._work()
        except Exception as error:
            log.exception("the writer failed")
            self._store_failed(StoreIOError(f"the writer failed: {error}"))
            while (job := self._queue.get()) is not None:
                job.loop.call_soon_threadsafe(self._settle, [job], [self._refusal()])

    def _work(self) -> None:
        due = time.monotonic()
        stopping = False
        while not stopping:
            jobs: list[Job] = []
            try:
                first = self._queue.get(timeout=max(0.0, due - time.monotonic()))
                stopping = self._drain(first, jobs)
            except queue.Empty:
                pass
            self._busy_since = time.monotonic()
            if jobs:
                outcomes = self._group(jobs)
                jobs[0].loop.call_soon_threadsafe(self._settle, jobs, outcomes)
            if stopping or time.monotonic() >= due:
                self.tick(last=stopping)
                due = time.monotonic() + TICK_SECONDS
            self._busy_since = None

    def _drain(self, first: Job | None, jobs: list[Job]) -> bool:
        """Take what waits; answer whether that was the last."""
        one = first
        events = 0
        while one is not None:
            jobs.append(one)
            events += len(one.batch.events)
            if len(jobs) >= _GROUP or events >= _GROUP_EVENTS:
                return False
            try:
                one = self._queue.get_nowait()
            except queue.Empty:
                return False
        return True

    # In the writer's thread

    def _load(self) -> None:
        assert self._journal is not None  # noqa: S101
        self._collector.restore(self._journal.rows(), self._journal.incarnation)

    def _group(self, jobs: Sequence[Job]) -> list[Outcome]:
        """Count the jobs and make them durable together; answer what became of each."""
        if self._failed is not None or self._full:
            return [self._refusal() for _ in jobs]
        try:
            return self._counted(jobs)
        except StoreError as error:
            self._store_failed(error)
            return [self._refusal() for _ in jobs]
        except Exception as error:  # noqa: BLE001
            # A mistake of ours in one batch must not cost the others: all is taken back, and each tried alone.
            if not self._take_back():
                return [self._refusal() for _ in jobs]
            if len(jobs) == 1:
                return [error]  # whoever answers logs it
            return [outcome for job in jobs for outcome in self._group([job])]

    def _counted(self, jobs: Sequence[Job]) -> list[Outcome]:
        if self._journal is not None:
            self._journal.begin()
        told: list[Sequence[Event]] = []
        with self._collector.lock:
            now = self._collector.at().budget.now
            self._do_deferred()
            outcomes = [self._admit(job.batch, told) for job in jobs]
        self._commit()
        with self._collector.lock:
            for events in told:
                self._collector.history.add_events(events, now)
        return outcomes

    def _admit(self, batch: Batch, told: list[Sequence[Event]]) -> Outcome:
        started = time.perf_counter_ns()
        try:
            taken, events = admit(self._collector.state, batch, self._journal)
        except RefusalError as refusal:
            return refusal
        if events:
            told.append(events)
            self._collector.cost("record", time.perf_counter_ns() - started, taken.accepted)
        return taken

    def _do_deferred(self) -> None:
        while True:
            try:
                work = self._deferred.get_nowait()
            except queue.Empty:
                return
            work()

    def _commit(self) -> None:
        """Make what moved durable, then show it. Raises StoreError."""
        collector = self._collector
        state = collector.state
        if self._journal is None:
            with collector.lock:
                state.publish()
            return
        if not (state.budget.moved or state.tables.any()):
            self._journal.abandon()
            return
        started = time.perf_counter_ns()
        with collector.lock:
            state.stored()
            meta = {"wall": state.budget.now, "steady": state.now, "mark": self._journal.mark(state.budget.now)}
        self._journal.commit(state.tables, meta)
        self._last_commit = time.monotonic()
        with collector.lock:
            state.publish()
            state.observe("eddie_commit_seconds", (), (time.perf_counter_ns() - started) / NANO)

    def tick(self, *, last: bool = False) -> None:
        """Do what is due when nobody asks: the exporter's own counts, forgetting, the log, the file's place.

        ``last``: commit even if only costs have moved.
        """
        if self._failed is not None:
            return
        try:
            if self._journal is not None:
                self._journal.check_place()
                if self._full and not self._has_room():
                    return
                self._journal.begin()
            with self._collector.lock:
                state = self._collector.at()
                self._do_deferred()
                urgent = (
                    last
                    or state.tables.any()
                    or any(child.family.metric.name not in _COSTS for child in state.budget.moved)
                )
            if self._journal is None:
                self._commit()
            elif urgent or time.monotonic() - self._last_commit > QUIET_SECONDS:
                self._journal.forget_ids(state.budget.now)
                self._commit()
            else:
                self._journal.abandon()
        except StoreError as error:
            self._store_failed(error)
        except Exception:
            log.exception("the writer's housekeeping failed")
            self._take_back()

    def _has_room(self) -> bool:
        assert self._journal is not None  # noqa: S101
        if self._journal.has_room():
            self._full = False
            log.info("the disk has room again, events are taken")
        return not self._full

    def _take_back(self) -> bool:
        """Become what is durable again; False when the store fails at that too."""
        if self._journal is not None:
            self._journal.abandon()
            try:
                self._load()
            except StoreError as error:
                self._end(error)
                return False
        return True

    def _store_failed(self, error: StoreError) -> None:
        """Wait for a full disk; after any other fault end the process, whose next start reads what is really there."""
        if not isinstance(error, DiskFullError):
            self._end(error)
        elif self._take_back():
            self._full = True
            log.error("the disk is full, events are refused until there is room", why=str(error))

    def _end(self, error: StoreError) -> None:
        self._failed = error
        log.error("the store failed, the exporter ends to read it anew", why=str(error))
        self._on_failure(error)

    def _refusal(self) -> RefusalError:
        if self._failed is not None:
            return RefusalError(503, "unavailable", "an exporter that can store events; send the same again")
        return _disk_full()

    def _gauges(self) -> dict[str, Any]:
        found: dict[str, Any] = {
            "eddie_queue_requests": self._waiting,
            "eddie_queue_bytes": self._waiting_bytes,
            "eddie_ready": float(self.ready() is None),
        }
        if self._journal is not None:
            now = self._collector.state.budget.now
            found["eddie_store_bytes"] = self._journal.size()
            found["eddie_dedup_window_seconds"] = now - float(self._journal.meta.get("mark", now))
        return found


def _disk_full() -> RefusalError:
    again = {"Retry-After": str(RETRY_AFTER_SECONDS)}
    return RefusalError(507, "disk-full", "room on the store's disk; send the same again later", headers=again)
