"""Station *count*: the numbers themselves, a family a metric and a child a set of label values.

Totals are integers, so sums are exact and independent of order. The number of label values is bounded per
label and the number of samples in all: what finds no place goes to the value ``__overflow__``, so a total
stays right whatever a sender invents. What moved is noted, made durable, and only then shown.
Not thread-safe by itself: MetricsCollector holds the lock.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass, field

from eddie_exporter.catalogue import Metric

OVERFLOW = "__overflow__"
"""The label value of whatever found no place; senders cannot use it (no leading ``__``)."""

CREATED_MARGIN_SECONDS = 30.0
"""A child's creation time lies this long before its first event, so that the zero stored there precedes a scrape."""

FLEET_LABELS = frozenset({"agent_id", "container_id", "name", "producer"})
"""Labels that grow with the fleet: at most ``max_agents`` values; every other label has at most MAX_OTHER_VALUES."""
MAX_OTHER_VALUES = 200

Shown = float | tuple[float, tuple[int, ...]]
"""What a scrape sees of a child: a number, or a distribution's sum and the observations of each bucket."""


class Child:
    """One series that counts: an integer total, or a gauge's number, and when it began.

    ``shown`` is what was made durable (None: nothing yet), ``number`` its row in the store, ``stored_labels`` the
    labels as they stand there, ``texts`` a place where the renderer keeps the labels and the creation time as it
    writes them.
    """

    __slots__ = ("created", "family", "labels", "moved", "number", "shown", "stored_labels", "texts", "value")

    def __init__(self, family: Family, labels: tuple[str, ...], created: float) -> None:
        """Begin at zero."""
        self.family = family
        self.labels = labels
        self.created = created
        self.value: float = 0
        self.shown: Shown | None = None
        self.moved = False
        self.number = 0
        self.texts: tuple[str, str] | None = None
        self.stored_labels: str | None = None

    def move(self) -> None:
        """Note that this child changed, so that it is made durable and shown."""
        if not self.moved:
            self.moved = True
            self.family.moved.append(self)

    def show(self) -> None:
        """Let scrapes see the child as it is now."""
        self.shown = self.value


class Distribution(Child):
    """One histogram or summary: ``value`` is the integer sum, ``counts`` the observations of each bucket."""

    __slots__ = ("counts",)

    def __init__(self, family: Family, labels: tuple[str, ...], created: float, buckets: int) -> None:
        """Begin with ``buckets`` empty buckets; a summary has one, +Inf."""
        super().__init__(family, labels, created)
        self.counts = [0] * buckets

    def show(self) -> None:
        """Let scrapes see the child as it is now."""
        self.shown = (self.value, tuple(self.counts))


@dataclass
class Budget:
    """What all families share: our clock, the samples there are and may be, and what moved since the last commit."""

    most: int
    now: float
    used: int = 0
    moved: list[Child] = field(default_factory=list)


class Family:
    """All series of one metric."""

    def __init__(self, metric: Metric, budget: Budget, *, max_agents: int, bounds: tuple[int, ...] = ()) -> None:
        """``bounds`` are a histogram's upper bounds, ascending, in the integers of the metric's unit."""
        self.metric = metric
        self.bounds = bounds
        self.children: dict[tuple[str, ...], Child] = {}
        self.moved = budget.moved
        self.newest = 0.0
        self.overflow: Child | None = None
        self.limits = [max_agents if label in FLEET_LABELS else MAX_OTHER_VALUES for label in metric.labels]
        self._budget = budget
        self._cost = {"histogram": len(bounds) + 4, "summary": 3, "counter": 2, "gauge": 1}[metric.kind]
        self._values: list[Counter[str]] = [Counter() for _ in metric.labels]

    @property
    def distributed(self) -> bool:
        """Whether children are histograms or summaries."""
        return self.metric.kind in {"histogram", "summary"}

    def child(self, labels: tuple[str, ...], times: int = 1) -> Child:
        """Answer the child of these label values, made when there is place for it, else the overflow's.

        ``times``: how many events it is asked for; each of them overflows where there is no place.
        """
        found = self.children.get(labels)
        if found is not None:
            return found
        bounded = self._place(labels)
        if bounded != labels:
            self._overflowed(times)
            found = self.children.get(bounded)
        return self.make(bounded, self._budget.now - CREATED_MARGIN_SECONDS) if found is None else found

    def crowded(self, share: float) -> bool:
        """Whether a label of the fleet has more than ``share`` of the values it may have."""
        places = zip(self.metric.labels, self._values, self.limits, strict=True)
        return any(label in FLEET_LABELS and len(seen) > share * most for label, seen, most in places)

    def _place(self, labels: tuple[str, ...]) -> tuple[str, ...]:
        """Answer the label values there is place for: the same, or some or all of them ``__overflow__``."""
        places = zip(labels, self._values, self.limits, strict=True)
        bounded = tuple(value if value in seen or len(seen) < most else OVERFLOW for value, seen, most in places)
        if self._budget.used + self._cost > self._budget.most and bounded not in self.children:
            bounded = (OVERFLOW,) * len(labels)
        return bounded

    def _overflowed(self, times: int = 1) -> None:
        if self.overflow is not None:
            self.overflow.value += times
            self.overflow.move()

    def make(self, labels: tuple[str, ...], created: float) -> Child:
        """Make a child, without asking for place."""
        self._budget.used += self._cost
        for value, seen in zip(labels, self._values, strict=True):
            if value != OVERFLOW:
                seen[value] += 1
        made = (
            Distribution(self, labels, created, len(self.bounds) + 1)
            if self.distributed
            else Child(self, labels, created)
        )
        self.children[labels] = made
        self.newest = max(self.newest, created)
        made.move()
        return made

    def add(self, labels: tuple[str, ...], amount: int) -> None:
        """Count ``amount`` more."""
        child = self.children.get(labels) or self.child(labels)
        child.value += amount
        if not child.moved:
            child.moved = True
            self.moved.append(child)

    def set(self, labels: tuple[str, ...], value: float) -> None:
        """Let a gauge say ``value``; one that finds no place is left out: a gauge of many would say nothing true."""
        child = self.children.get(labels)
        if child is None:
            if self._place(labels) != labels:
                self._overflowed()
                return
            child = self.make(labels, self._budget.now - CREATED_MARGIN_SECONDS)
        child.value = value
        child.move()

    def show(self, labels: tuple[str, ...], value: float) -> None:
        """Let a gauge that follows from other state say ``value`` at once; a look is no event, so none overflows."""
        if labels in self.children or self._place(labels) == labels:
            child = self.children.get(labels) or self.make(labels, self._budget.now - CREATED_MARGIN_SECONDS)
            child.value = child.shown = value

    def observe(self, labels: tuple[str, ...], amount: int) -> None:
        """Put one observation into its bucket; a bound belongs to its own bucket, as Prometheus's ``le`` does."""
        child = self.children.get(labels) or self.child(labels)
        child.value += amount
        child.counts[bisect_left(self.bounds, amount)] += 1  # type: ignore[attr-defined]  # a family makes its own kind
        if not child.moved:
            child.moved = True
            self.moved.append(child)

    def remove(self, labels: tuple[str, ...]) -> Child | None:
        """Let a series go, give its place back, and answer it; None where there is none."""
        gone = self.children.pop(labels, None)
        if gone is None:
            return None
        self._budget.used -= self._cost
        for value, seen in zip(labels, self._values, strict=True):
            if value == OVERFLOW:
                continue
            seen[value] -= 1
            if seen[value] <= 0:
                del seen[value]
        return gone
