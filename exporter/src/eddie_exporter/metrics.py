"""Station *count*: the one object through which everything is counted, and from which everything is read.

``MetricsCollector`` needs no HTTP: an agent that embeds it calls ``record_*`` and serves ``families`` itself.
Every ``record_*`` makes an event of the contract and applies it; nothing else moves a fleet's metric.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from typing import Any, Unpack

from prometheus_client import Metric

from eddie_exporter import decode, fold, samples, snapshot
from eddie_exporter.catalogue import CATALOGUE
from eddie_exporter.clocks import Steady
from eddie_exporter.history import History
from eddie_exporter.repeats import MOST_WAITING, Repeats
from eddie_exporter.settings import Settings
from eddie_exporter.snapshot import Snapshot
from eddie_exporter.state import State
from eddie_exporter.store import Distribution
from eddie_exporter.tables import Rows
from eddie_metrics import recorder
from eddie_metrics.events import Event
from eddie_metrics.scopes import Scopes

__all__ = ["CATALOGUE", "MetricsCollector"]

NANO = 1_000_000_000
WATCHDOG = "Watchdog"


class MetricsCollector(Scopes):
    """Counts events and exposes what was counted; safe under threads.

    ``settings``: default from the environment. ``clock``: seconds since the epoch, for tests.
    All ``record_*`` are those of ``Recorder``: they take the contract's field names and raise ContractError on a value
    outside its bounds; nothing is counted then. The scopes (``task``, ``chunk``, ``timeout_guard``) need an
    ``agent_id`` here and do not raise: what is refused is logged once.
    """

    def __init__(self, settings: Settings | None = None, *, clock: Callable[[], float] = time.time) -> None:
        """Begin at zero."""
        self.settings = Settings() if settings is None else settings
        self.clock = clock
        self.steady: Callable[[], float] = Steady(clock()) if clock is time.time else clock
        self.lock = threading.RLock()
        self.started_at = clock()
        self.state = State(self.settings, self.started_at, self.steady())
        self.history = History(self.settings.history_events, self.settings.history_seconds)
        self.defer: Callable[[Callable[[], None], Hashable], None] | None = None
        self.gauges: Callable[[], dict[str, float]] = dict
        self._docker_up = 0.0
        self._rejected: Counter[str] = Counter()
        self._repeats = Repeats()
        self._last_scrape: float | None = None
        self._last_watchdog: float | None = None

    def resume(self, steady: float | None, wall: float | None) -> None:
        """Let the steady clock go on from where the last process stopped; see Steady.resumed."""
        if self.clock is time.time:
            self.steady = Steady.resumed(steady, wall, self.clock())

    def restore(self, rows: Rows, incarnation: str) -> None:
        """Become what a store says, ``incarnation`` its name; whatever was not made durable is gone."""
        with self.lock:
            self._repeats.forget()
            self.state = State(self.settings, self.clock(), self.steady(), rows, incarnation)
            self.state.families["eddie_docker_up"].set((), self._docker_up)
            self.state.show()

    def at(self) -> State:
        """Bring the state up to now, and answer it; hold the lock."""
        started = time.perf_counter_ns()
        settled = self._repeats.settle(self.state, self.history)
        self.state.at(self.clock(), self.steady())
        if settled:
            self.cost("record", time.perf_counter_ns() - started, settled)
        return self.state

    # What agents say

    def record_task_split(self, **fields: Unpack[recorder.TaskSplitFields]) -> None:
        """Count a task that was split into ``chunks`` (1 to 1 000 000) chunks."""
        self._record("task-split", fields)

    def record_timeout(
        self,
        *,
        agent_id: str,
        reason: str,
        stage: str | None = None,
        task_id: str | None = None,
        id: str | None = None,  # noqa: A002  (the contract's name)
        ts: float | None = None,
    ) -> None:
        """Count a timeout."""
        if stage is None and task_id is None and id is None and ts is None:
            waiting = self._repeats.note(agent_id, reason, self.clock, self.steady)
            if waiting >= MOST_WAITING:
                with self.lock:
                    self.at()
            if waiting:
                return
            self._repeats.know(agent_id, reason, self._record("timeout", {"agent_id": agent_id, "reason": reason}))
        else:
            told = {"agent_id": agent_id, "reason": reason, "stage": stage, "task_id": task_id, "id": id, "ts": ts}
            self._record("timeout", told)

    def record_chunk_started(self, **fields: Unpack[recorder.ChunkStartedFields]) -> None:
        """Take a chunk in flight, for ``lease_seconds`` (1 to 604 800, default 3600) at most."""
        self._record("chunk-started", fields)

    def record_chunk_execution(self, **fields: Unpack[recorder.ChunkExecutionFields]) -> None:
        """Count a chunk that ended after ``seconds`` (0 to 31 536 000), with outcome success where none is given."""
        self._record("chunk-execution", fields)

    def record_merge_deduplication(self, **fields: Unpack[recorder.MergeDeduplicationFields]) -> None:
        """Count a merge that kept ``chunks`` results and dropped ``duplicates``."""
        self._record("merge-deduplication", fields)

    def record_docker_resource_allocation(self, **fields: Unpack[recorder.DockerResourceAllocationFields]) -> None:
        """Take a container's limits now: cores, bytes; 0 is unlimited; at least one of them."""
        self._record("docker-resource-allocation", fields)

    def record_task_started(self, **fields: Unpack[recorder.TaskStartedFields]) -> None:
        """Take a stage of a task in flight, for ``lease_seconds`` (1 to 604 800, default 3600) at most."""
        self._record("task-started", fields)

    def record_task_finished(self, **fields: Unpack[recorder.TaskFinishedFields]) -> None:
        """Count a stage of a task that ended after ``seconds``; ``reason`` is needed unless it succeeded."""
        self._record("task-finished", fields)

    def record_fallback_depth_exceeded(self, **fields: Unpack[recorder.FallbackDepthExceededFields]) -> None:
        """Count a split that was refused because the task was split too often already."""
        self._record("fallback-depth-exceeded", fields)

    def record_agent_hello(self, **fields: Unpack[recorder.AgentHelloFields]) -> None:
        """Let an agent's series begin at zero, for the ``stages`` and ``reasons`` (at most 100 each) it will use."""
        self._record("agent-hello", fields)

    def _record(self, kind: str, fields: Mapping[str, object]) -> Event:
        event = decode.build(kind, fields)
        self.apply([event])
        return event

    def apply(self, events: Sequence[Event], *, sent: float | None = None) -> None:
        """Count a whole batch of decoded events; ``sent`` is the sender's clock, where it told it."""
        started = time.perf_counter_ns()
        with self.lock:
            state = self.at()
            fold.apply(state, events, sent)
            self.history.add_events(events, state.budget.now)
            if events:
                self.cost("record", time.perf_counter_ns() - started, len(events))

    # What the exporter says of itself

    def _do(self, work: Callable[[], None], key: Hashable = None) -> None:
        """Do ``work`` on the state: now, or with the next group that is made durable, once for each ``key``."""
        if self.defer is not None:
            self.defer(work, key)
            return
        with self.lock:
            self.at()
            work()

    def reject(self, reason: str, count: int = 1) -> None:
        """Count a refused request."""
        with self.lock:
            waiting = self._rejected
            first = not waiting
            waiting[reason] += count

        def work() -> None:
            if self._rejected is waiting:
                self._rejected = Counter()
            for why, refused in waiting.items():
                self.state.count("eddie_events_rejected_total", (why,), refused)

        if first:
            self._do(work, ("rejected", id(waiting)))

    def observe_collection(self, operation: str, seconds: float) -> None:
        """Count what a scrape or a background collection cost."""
        self._do(lambda: self.cost(operation, round(seconds * NANO), 1))

    def cost(self, operation: str, nanoseconds: int, count: int) -> None:
        """Count what ``count`` operations cost together; hold the lock."""
        child = self.state.families["eddie_collection_seconds"].child((operation,))
        if isinstance(child, Distribution):
            child.value += nanoseconds
            child.counts[0] += count
            child.move()

    def docker_up(self, up: bool) -> None:
        """Say whether the Docker Engine answers; when it does not, what only the watcher knew goes."""

        def work() -> None:
            self._docker_up = float(up)
            self.state.families["eddie_docker_up"].set((), float(up))
            if not up:
                self.state.fleet.forget_watched(self.state.budget.now)

        self._do(work, ("docker", up))

    def container_seen(
        self,
        container_id: str,
        *,
        cpu_limit: float | None,
        memory_limit_bytes: int | None,
        name: str,
        image: str,
        agent_id: str | None,
    ) -> None:
        """Take what the watcher found: limits in cores and bytes, 0 or None for unlimited."""
        self._do(
            lambda: self.state.fleet.report_container(
                container_id,
                cpu_limit or 0,
                memory_limit_bytes or 0,
                agent_id,
                ts=self.state.budget.now,
                now=self.state.now,
                watched_as=(name, image),
            ),
            ("container", container_id),
        )

    def container_gone(self, container_id: str) -> None:
        """Take the watcher's word that a container is gone."""
        self._do(
            lambda: self.state.fleet.container_gone(container_id, self.state.budget.now), ("container", container_id)
        )

    def notification(self, alertname: str, status: str, record: dict[str, Any]) -> None:
        """Count a notification and keep ``record`` of it."""
        with self.lock:
            now = self.clock()
            self.history.add_notification(record, now)
            if alertname == WATCHDOG and status == "firing":
                self._last_watchdog = now
        self._do(lambda: self.state.count("eddie_notifications_received_total", (alertname, status)))

    def scraped(self) -> None:
        """Note that Prometheus was here."""
        with self.lock:
            self._last_scrape = self.clock()

    def tidy(self) -> None:
        """End leases, let go what is silent, forget what is old; call every few seconds."""

        def work() -> None:
            started = time.perf_counter_ns()
            self.state.tidy()
            self.history.tidy(self.state.budget.now)
            self.cost("tidy", time.perf_counter_ns() - started, 1)
            if self.defer is None:
                self._publish()

        self._do(work, "tidy")

    def _publish(self) -> None:
        """Show what moved, where no store has to have it first; what waited for one is let go."""
        self.state.collect()
        self.state.publish()

    # What is read

    def families(self, *, openmetrics: bool) -> Iterator[Metric]:
        """Yield every metric as prometheus_client's families, for one format.

        For OpenMetrics each counting child's ``_created`` follows directly after its own samples; text 0.0.4
        has none.
        """
        with self.lock:
            copies = self.copies()
        return (samples.expose(family, openmetrics=openmetrics) for family in copies)

    def snapshot(self) -> Snapshot:
        """Answer a consistent copy of everything, for the summary."""
        with self.lock:
            now = self.clock()
            copies = self.copies()
            return Snapshot(
                started_at=self.started_at,
                now=now,
                last_scrape=self._last_scrape,
                last_watchdog=self._last_watchdog,
                counters=snapshot.values(copies, "counter"),
                gauges=snapshot.values(copies, "gauge"),
                histograms=snapshot.histograms(copies),
                retired=self.state.retired.totals(),
                events=self.history.events(),
                notifications=self.history.notifications(),
            )

    def copies(self) -> list[samples.FamilyCopy]:
        """Copy all families as they are shown now, so that nobody who renders them needs the lock; hold it."""
        state = self.at()
        if self.defer is None:
            state.tidy()
            self._publish()
        state.refresh()
        for name, value in self.gauges().items():
            state.families[name].show((), value)
        return [samples.copy(state.families[metric.name], state.budget.now) for metric in CATALOGUE]
