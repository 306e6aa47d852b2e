"""Station *journal*: one thread owns the state; it commits what arrived since the last commit, shows it, then answers.

The queue is bounded in requests and bytes: past it a sender is told to come again (503), never accepted and dropped.
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import structlog

from eddie_exporter.answers import RefusalError
from eddie_exporter.batch import Batch, Taken
from eddie_exporter.errors import StoreError, StoreIOError
from eddie_exporter.journal import Journal
from eddie_exporter.keeper import Keeper, Outcome
from eddie_exporter.metrics import MetricsCollector
from eddie_exporter.settings import Settings

TICK_SECONDS = 1.0
"""How often the exporter's own counts are made durable when no events come."""
_GROUP = 256
_GROUP_EVENTS = 20_000
"""Requests and events committed together at most: the answer to the first waits for the last, and so does a scrape."""
STUCK_SECONDS = 30.0
"""A commit that takes longer says that the disk does not answer."""
_ENDING = "an exporter that does not end; send the same again"

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Job:
    """A batch that waits, and who waits for it."""

    batch: Batch
    future: asyncio.Future[Taken]
    loop: asyncio.AbstractEventLoop


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
        self._keeper = Keeper(collector, journal, on_failure)
        self._most_requests = settings.queue_requests
        self._most_bytes = settings.queue_bytes
        self._queue: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._jobs: list[Job] = []
        self._thread: threading.Thread | None = None
        self._waiting = 0
        self._waiting_bytes = 0
        self._stopping = False
        self._busy_since: float | None = None
        collector.gauges = self._gauges

    # On the event loop

    def ready(self) -> str | None:
        """Say why events cannot be taken now, None when they can."""
        if self._keeper.failed is not None:
            return "the store failed; the log says why"
        if self._keeper.full:
            return "the store's disk is full"
        busy = self._busy_since
        if busy is not None and time.monotonic() - busy > STUCK_SECONDS:
            return "the store's disk does not answer"
        return "the exporter is ending" if self._stopping else None

    def submit(self, batch: Batch) -> asyncio.Future[Taken]:
        """Put a batch into the queue; the future answers when it is durable, or raises the RefusalError to send.

        Raises RefusalError at once: 503 when the queue is full or the exporter ends, 507 when the disk is full.
        """
        refusal = self._keeper.refusal()
        if refusal is not None:
            raise refusal
        if self._stopping:
            raise RefusalError(503, "unavailable", _ENDING)
        if self._waiting >= self._most_requests or (
            self._waiting and self._waiting_bytes + batch.size > self._most_bytes
        ):
            raise RefusalError(503, "overloaded", "fewer requests at once; send the same again")
        loop = asyncio.get_running_loop()
        job = Job(batch, loop.create_future(), loop)
        self._waiting += 1
        self._waiting_bytes += batch.size
        if self._thread is None:
            self._settle([job], self._keeper.group([batch]))
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

    def tick(self, *, last: bool = False) -> None:
        """Do what is due when nobody asks; the thread does it every second."""
        self._keeper.tick(last=last)

    # Life

    def start(self) -> None:
        """Begin to work in a thread."""
        self._collector.defer = self._keeper.defer
        self._thread = threading.Thread(target=self._run, name="eddie-writer", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Make durable what waits, and close the store; blocks until that is done."""
        self._stopping = True
        if self._thread is not None:
            self._queue.put(None)
            self._thread.join()
            self._thread = None
            with contextlib.suppress(queue.Empty):
                while True:  # what came in beside the last word
                    job = self._queue.get_nowait()
                    self._refuse([] if job is None else [job])
        self._keeper.close()

    def _run(self) -> None:
        try:
            self._work()
        except Exception as error:
            log.exception("the writer failed")
            self._keeper.store_failed(StoreIOError(f"the writer failed: {error}"))
            self._refuse(self._jobs)
            while (job := self._queue.get()) is not None:
                self._refuse([job])

    def _work(self) -> None:
        due = time.monotonic()
        stopping = False
        while not stopping:
            jobs = self._jobs = []
            try:
                first = self._queue.get(timeout=max(0.0, due - time.monotonic()))
                stopping = self._drain(first, jobs)
            except queue.Empty:
                pass
            self._busy_since = time.monotonic()
            if jobs:
                outcomes = self._keeper.group([job.batch for job in jobs])
                self._answer(jobs, outcomes)
                self._jobs = []
            if stopping or time.monotonic() >= due:
                self._keeper.tick(last=stopping)
                due = time.monotonic() + TICK_SECONDS
            self._busy_since = None

    def _answer(self, jobs: Sequence[Job], outcomes: Sequence[Outcome]) -> None:
        """Hand the outcomes to whoever waits, on the event loop; with a loop that is closed nobody does."""
        with contextlib.suppress(RuntimeError):
            jobs[0].loop.call_soon_threadsafe(self._settle, jobs, outcomes)

    def _refuse(self, jobs: Sequence[Job]) -> None:
        refusal = self._keeper.refusal() or RefusalError(503, "unavailable", _ENDING)
        if jobs:
            self._answer(jobs, [refusal for _ in jobs])

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

    def _gauges(self) -> dict[str, float]:
        return {
            "eddie_queue_requests": self._waiting,
            "eddie_queue_bytes": self._waiting_bytes,
            "eddie_ready": float(self.ready() is None),
            **self._keeper.gauges(),
        }
