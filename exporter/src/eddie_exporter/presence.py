"""Station *count*: which agents and containers are there, so that the gauges of those that are gone leave.

What is gone is remembered for a while: only a later ``ts`` or a hello brings it back, a late event does not.
Not thread-safe by itself.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar


@dataclass(slots=True)
class Known:
    """Something that was heard of: ``latest`` by its own clock (``ts``), ``heard`` by ours, in seconds."""

    latest: float
    heard: float
    gone: bool = False


@dataclass(slots=True)
class Agent(Known):
    """An agent, the label values its info series has (language, version), and whether its gauge left with it."""

    info: tuple[str, str] | None = None
    active: bool = False


@dataclass(slots=True)
class Container(Known):
    """A container: its limits as last reported (None: never told, 0: unlimited), and who speaks of it."""

    cpu_limit: float | None = None
    memory_limit_bytes: int | None = None
    watched: bool = False
    reported: bool = False
    info: tuple[str, str, str] | None = None


K = TypeVar("K", bound=Known)


class Roll(Generic[K]):
    """Who is there, the longest unheard first; at most ``most`` are kept, gone ones included."""

    def __init__(self, most: int) -> None:
        """Begin empty."""
        self._known: OrderedDict[str, K] = OrderedDict()
        self._most = most

    def get(self, name: str) -> K | None:
        """Answer what is known of ``name``, gone or not."""
        return self._known.get(name)

    def hear(self, name: str, known: K, ts: float, now: float) -> None:
        """Note that ``name`` was heard of now, at ``ts`` by its own clock, and is there."""
        known.latest = max(known.latest, ts)
        known.heard = now
        known.gone = False
        self._known[name] = known
        self._known.move_to_end(name)

    def silent_since(self, moment: float) -> Iterator[tuple[str, K]]:
        """Yield those there that were last heard of before ``moment``."""
        for name, known in list(self._known.items()):
            if known.heard >= moment:
                return
            if not known.gone:
                yield name, known

    def there(self) -> Iterator[tuple[str, K]]:
        """Yield everything that is there."""
        return ((name, known) for name, known in list(self._known.items()) if not known.gone)

    def surplus(self) -> Iterator[tuple[str, K]]:
        """Forget, and yield, the longest unheard past what is kept."""
        while len(self._known) > self._most:
            yield self._known.popitem(last=False)
