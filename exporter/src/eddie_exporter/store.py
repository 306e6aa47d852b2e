"""Station *count*: the numbers themselves, a family a metric and a child a set of label values.

Totals are integers, so sums are exact and independent of order. The number of label values is bounded per
label and the number of samples in all: what finds no place goes to the value ``__overflow__``, so a total
stays right whatever a sender invents. Not thread-safe by itself: MetricsCollector holds the lock.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass

from eddie_exporter.catalogue import Metric

OVERFLOW = "__overflow__"
"""The label value of whatever found no place; senders cannot use it (no leading ``__``)."""

CREATED_MARGIN_SECONDS = 30.0
"""A child's creation time lies this long before its first event, so that the zero stored there precedes a scrape."""

FLEET_LABELS = frozenset({"agent_id", "container_id", "name"})
"""Labels that grow with the fleet: at most ``max_agents`` values; every other label has at most MAX_OTHER_VALUES."""
MAX_OTHER_VALUES = 200


class Child:
    """One series that counts: an integer total, or a gauge's number, and when it began."""

    __slots__ = ("created", "value")

    def __init__(self, created: float) -> None:
        """Begin at zero."""
        self.value: float = 0
        self.created = created


class Distribution(Child):
    """One histogram or summary: ``value`` is the integer sum, ``counts`` the observations of each bucket."""

    __slots__ = ("counts",)

    def __init__(self, created: float, buckets: int) -> None:
        """Begin with ``buckets`` empty buckets; a summary has one, +Inf."""
        super().__init__(created)
        self.counts = [0] * buckets


@dataclass
class Budget:
    """What all families share: the samples that are left."""

    samples: int


class Family:
    """All series of one metric."""

    def __init__(self, metric: Metric, budget: Budget, *, max_agents: int, bounds: tuple[int, ...] = ()) -> None:
        """``bounds`` are a histogram's upper bounds, ascending, in the integers of the metric's unit."""
        self.metric = metric
        self.bounds = bounds
        self.children: dict[tuple[str, ...], Child] = {}
        self.overflowed = 0
        self._budget = budget
        self._cost = {"histogram": len(bounds) + 4, "summary": 3, "counter": 2, "gauge": 1}[metric.kind]
        self._limits = [max_agents if label in FLEET_LABELS else MAX_OTHER_VALUES for label in metric.labels]
        self._values: list[Counter[str]] = [Counter() for _ in metric.labels]

    def child(self, labels: tuple[str, ...], now: float) -> Child:
        """Answer the child of these label values, made when there is place for it, else the overflow's."""
        found = self.children.get(labels)
        return found if found is not None else self._new(labels, now)

    def _place(self, labels: tuple[str, ...]) -> tuple[str, ...]:
        """Answer the label values there is place for: the same, or some or all of them ``__overflow__``."""
        places = zip(labels, self._values, self._limits, strict=True)
        bounded = tuple(value if value in seen or len(seen) < most else OVERFLOW for value, seen, most in places)
        if self._budget.samples < self._cost and bounded not in self.children:
            bounded = (OVERFLOW,) * len(labels)
        if bounded != labels:
            self.overflowed += 1
        return bounded

    def _new(self, labels: tuple[str, ...], now: float) -> Child:
        bounded = self._place(labels)
        if bounded in self.children:
            return self.children[bounded]
        self._budget.samples -= self._cost
        for value, seen in zip(bounded, self._values, strict=True):
            if value != OVERFLOW:
                seen[value] += 1
        created = now - CREATED_MARGIN_SECONDS
        made = Distribution(created, len(self.bounds) + 1) if self.distributed else Child(created)
        self.children[bounded] = made
        return made

    @property
    def distributed(self) -> bool:
        """Whether children are histograms or summaries."""
        return self.metric.kind in {"histogram", "summary"}

    def add(self, labels: tuple[str, ...], amount: int, now: float) -> None:
        """Count ``amount`` more."""
        self.child(labels, now).value += amount

    def set(self, labels: tuple[str, ...], value: float, now: float) -> None:
        """Let a gauge say ``value``; one that finds no place is left out: a gauge of many would say nothing true."""
        if labels in self.children or self._place(labels) == labels:
            self.child(labels, now).value = value

    def observe(self, labels: tuple[str, ...], amount: int, now: float) -> None:
        """Put one observation into its bucket; a bound belongs to its own bucket, as Prometheus's ``le`` does."""
        child = self.child(labels, now)
        assert isinstance(child, Distribution)  # noqa: S101  a family makes only its own kind
        child.value += amount
        child.counts[bisect_left(self.bounds, amount)] += 1

    def remove(self, labels: tuple[str, ...]) -> None:
        """Let a gauge's series go, and give its place back; nothing happens where there is none."""
        if self.children.pop(labels, None) is None:
            return
        self._budget.samples += self._cost
        for value, seen in zip(labels, self._values, strict=True):
            seen[value] -= 1
            if seen[value] <= 0:
                del seen[value]
