"""Station *count*: which agents and containers are there, so that the gauges of those that are gone leave.

What is gone is remembered for a while: only a later ``ts`` or a hello brings it back, a late event does not.
Not thread-safe by itself.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

from eddie_exporter.store import Budget
from eddie_exporter.tables import Row, Table

NOW = math.inf
"""The ``ts`` of what told none: it is of now, and later than anything, also when our clock was set back."""
NOTED_SECONDS = 30.0
"""Being heard again is written down only so much later than the last time: silence is judged in half hours."""


@dataclass(slots=True)
class Known:
    """Something that was heard of: ``latest`` by its own clock (``ts``), ``heard`` by ours, in seconds."""

    latest: float
    heard: float
    gone: bool = False
    number: int = 0
    noted: float = 0.0

    def row(self, name: str) -> Row:
        """Answer the columns it has in the store."""
        raise NotImplementedError


@dataclass(slots=True)
class Agent(Known):
    """An agent, the label values its info series has (language, version), and whether it has a gauge while there."""

    info: tuple[str, str] | None = None
    active: bool = False

    def row(self, name: str) -> Row:
        """Answer the columns it has in the store."""
        language, version = self.info or (None, None)
        return name, self.latest, self.heard, int(self.gone), int(self.active), language, version


@dataclass(slots=True)
class Container(Known):
    """A container: its limits as last reported (None: never told, 0: unlimited), and who speaks of it."""

    cpu_limit: float | None = None
    memory_limit_bytes: int | None = None
    watched: bool = False
    reported: bool = False
    info: tuple[str, str, str] | None = None

    def row(self, name: str) -> Row:
        """Answer the columns it has in the store; a watcher tells anew what it watches."""
        limits = (self.cpu_limit, self.memory_limit_bytes, int(self.reported))
        return name, self.latest, self.heard, int(self.gone), *limits, *(self.info or (None, None, None))


K = TypeVar("K", bound=Known)


class Roll(Generic[K]):
    """Who is there, the longest unheard first; at most ``most`` are kept, gone ones included."""

    def __init__(self, most: int, table: Table, budget: Budget) -> None:
        """Begin empty; ``budget`` has our clock."""
        self._budget = budget
        self._known: OrderedDict[str, K] = OrderedDict()
        self.most = most
        self._table = table

    def __len__(self) -> int:
        """Answer how many are known, gone ones included."""
        return len(self._known)

    def get(self, name: str) -> K | None:
        """Answer what is known of ``name``, gone or not."""
        return self._known.get(name)

    def hear(self, name: str, known: K, ts: float, now: float) -> None:
        """Note that ``name`` was heard of now, at ``ts`` by its own clock, and is there."""
        self.date(known, ts)
        known.heard = now
        back = known.gone
        known.gone = False
        self._known[name] = known
        self._known.move_to_end(name)
        if back or known.number == 0 or now - known.noted >= NOTED_SECONDS:
            self.note(name, known)

    def date(self, known: K, ts: float) -> None:
        """Let ``ts`` be the latest it told, unless it told a later one."""
        known.latest = self._budget.now if ts == NOW else max(known.latest, ts)

    def note(self, name: str, known: K) -> None:
        """Write down how it is now."""
        known.noted = known.heard
        known.number = self._table.put(known.number, known.row(name))

    def restore(self, name: str, known: K) -> None:
        """Take back what was known."""
        known.noted = known.heard
        self._known[name] = known

    def order(self) -> None:
        """Bring what was restored into the order in which it was heard."""
        for name, _ in sorted(self._known.items(), key=lambda item: item[1].heard):
            self._known.move_to_end(name)

    def silent_since(self, moment: float, *, gone: bool = False) -> Iterator[tuple[str, K]]:
        """Yield those there (with ``gone``: those not there too) that were last heard of before ``moment``."""
        for name, known in list(self._known.items()):
            if known.heard >= moment:
                return
            if gone or not known.gone:
                yield name, known

    def there(self) -> Iterator[tuple[str, K]]:
        """Yield everything that is there."""
        return ((name, known) for name, known in list(self._known.items()) if not known.gone)

    def gone(self) -> Iterator[tuple[str, K]]:
        """Yield everything that is gone, the longest unheard first."""
        return ((name, known) for name, known in list(self._known.items()) if known.gone)

    def forget(self, name: str) -> None:
        """Forget ``name``."""
        known = self._known.pop(name, None)
        if known is not None:
            self._table.drop(known.number)

    def surplus(self) -> Iterator[tuple[str, K]]:
        """Forget, and yield, the longest unheard past what is kept."""
        while len(self._known) > self.most:
            name = next(iter(self._known))
            known = self._known[name]
            self.forget(name)
            yield name, known
