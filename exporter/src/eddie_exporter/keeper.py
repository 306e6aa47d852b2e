"""Station *journal*: a group of batches is counted, made durable together, and only then shown; or taken back whole.

Used by one thread at a time (``writer.py``).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import structlog

from eddie_exporter.admission import admit
from eddie_exporter.answers import RETRY_AFTER_SECONDS, RefusalError
from eddie_exporter.batch import Batch, Taken
from eddie_exporter.deferred import Deferred, SpoiltError
from eddie_exporter.errors import DiskFullError, StoreError, StoreIOError
from eddie_exporter.journal import Journal
from eddie_exporter.metrics import NANO, MetricsCollector
from eddie_metrics.events import Event

QUIET_SECONDS = 15.0
"""How often what scrapes and records cost is made durable when nothing else happens: an idle disk stays idle."""
_COSTS = frozenset({"eddie_collection_seconds", "eddie_commit_seconds"})

log = structlog.get_logger(__name__)

Outcome = Taken | Exception
"""What became of a batch: counted, or the refusal to answer."""


class Keeper:
    """Counts in a collector and keeps it in a journal; without one, in memory.

    ``full``: the disk is, and nothing is taken until it has room; ``failed``: the store did, for good, and
    ``on_failure`` was told.
    """

    def __init__(
        self, collector: MetricsCollector, journal: Journal | None, on_failure: Callable[[StoreError], None]
    ) -> None:
        self.full = False
        self.failed: StoreError | None = None
        self._collector = collector
        self._journal = journal
        self._on_failure = on_failure
        self._deferred = Deferred()
        self.defer = self._deferred.put
        self._last_commit = 0.0
        if journal is not None:
            collector.defer = self.defer
            collector.resume(journal.meta.get("steady"), journal.meta.get("wall"))
            self._load(journal)

    def close(self) -> None:
        """Close the journal."""
        if self._journal is None:
            self._collector.defer = None
        else:
            self._journal.close()

    def refusal(self) -> RefusalError | None:
        """Answer why nothing can be taken now, None when it can."""
        if self.failed is not None:
            return RefusalError(503, "unavailable", "an exporter that can store events; send the same again")
        if self.full:
            again = {"Retry-After": str(RETRY_AFTER_SECONDS)}
            return RefusalError(507, "disk-full", "room on the store's disk; send the same again later", headers=again)
        return None

    def group(self, batches: Sequence[Batch]) -> Sequence[Outcome]:
        """Count the batches and make them durable together; answer what became of each."""
        while (refusal := self.refusal()) is None:
            try:
                return self._counted(batches)
            except SpoiltError:
                self._take_back()
            except StoreError as error:
                self.store_failed(error)
            except Exception as error:  # noqa: BLE001
                # A mistake of ours in one batch must not cost the others: all is taken back, and each tried alone.
                if self._journal is None:
                    return [error for _ in batches]
                if self._take_back():
                    alone = len(batches) == 1
                    return [error] if alone else [outcome for batch in batches for outcome in self.group([batch])]
        return [refusal for _ in batches]

    def _counted(self, batches: Sequence[Batch]) -> list[Outcome]:
        if self._journal is not None:
            self._journal.begin()
        told: list[Sequence[Event]] = []
        with self._collector.lock:
            now = self._collector.at().budget.now
            self._deferred.do(kept=self._journal is not None)
            outcomes = [self._admit(batch, told) for batch in batches]
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
        except Exception as error:
            if self._journal is not None:
                raise
            return error  # in memory nothing can be taken back, so nothing is tried again either
        if events:
            told.append(events)
            self._collector.cost("record", time.perf_counter_ns() - started, taken.accepted)
        return taken

    def _commit(self) -> None:
        """Make what moved durable, then show it. Raises StoreError."""
        collector, journal = self._collector, self._journal
        state = collector.state
        if journal is None:
            with collector.lock:
                state.collect()
                state.publish()
            return
        if not (state.budget.moved or state.tables.any()):
            journal.abandon()
            return
        started = time.perf_counter_ns()
        with collector.lock:
            state.collect(rows=True)
            meta = {"wall": state.budget.now, "steady": state.now}
        journal.commit(state.tables, meta)
        self._deferred.committed()
        self._last_commit = time.monotonic()
        with collector.lock:
            state.publish()
            state.observe("eddie_commit_seconds", (), (time.perf_counter_ns() - started) / NANO)

    def tick(self, *, last: bool = False) -> None:
        """Do what is due when nobody asks: the exporter's own counts, forgetting, a look at the disk.

        ``last``: commit even if only costs have moved.
        """
        if self.failed is not None:
            return
        try:
            if self._journal is None:
                with self._collector.lock:
                    self._collector.at()
                    self._deferred.do(kept=self._journal is not None)
                self._commit()
            else:
                self._tick(self._journal, last=last)
        except StoreError as error:
            self.store_failed(error)
        except Exception:
            log.exception("housekeeping failed")
            self._take_back()

    def _tick(self, journal: Journal, *, last: bool) -> None:
        journal.check_place()
        if self.full and journal.has_room():
            self.full = False
            log.info("the disk has room again, events are taken")
        if self.full:
            return
        journal.begin()
        with self._collector.lock:
            state = self._collector.at()
            self._deferred.do(kept=self._journal is not None)
        costs_only = all(child.family.metric.name in _COSTS for child in state.budget.moved)
        if last or not costs_only or state.tables.any() or time.monotonic() - self._last_commit > QUIET_SECONDS:
            journal.forget_ids(state.budget.now)
            self._commit()
            journal.note_progress()
        else:
            journal.abandon()

    def _load(self, journal: Journal) -> None:
        self._collector.restore(journal.rows(), journal.incarnation)

    def _take_back(self) -> bool:
        """Become what is durable again; False when the store fails at that too."""
        if self._journal is None:
            return True
        self._journal.abandon()
        self._deferred.taken_back()
        try:
            self._load(self._journal)
        except StoreError as error:
            self._end(error)
            return False
        except Exception as error:
            log.exception("the store could not be read again")
            self._end(StoreIOError(f"the store could not be read again: {error}"))
            return False
        return True

    def store_failed(self, error: StoreError) -> None:
        """Wait for a full disk; after any other fault end the process, whose next start reads what is really there."""
        if not isinstance(error, DiskFullError):
            self._end(error)
        elif self._take_back():
            self.full = True
            log.error("the disk is full, events are refused until there is room", why=str(error))

    def _end(self, error: StoreError) -> None:
        self.failed = error
        log.error("the store failed, the exporter ends to read it anew", why=str(error))
        self._on_failure(error)

    def gauges(self) -> dict[str, float]:
        """Answer what the journal says of itself now."""
        if self._journal is None:
            return {}
        now = self._collector.state.budget.now
        window = max(0.0, now - self._journal.mark(now))
        return {"eddie_store_bytes": self._journal.size(), "eddie_dedup_window_seconds": window}
