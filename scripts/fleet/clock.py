"""The fleet's clock: what will happen, in the order in which it will happen."""

from __future__ import annotations

import heapq
import itertools
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Clock:
    """A heap of actions by time, in seconds since the fleet's start.

    Two actions of one moment run in the order in which they were planned. So the order depends on the plan alone,
    never on how often or in which steps somebody calls ``advance``: that is what makes a seed reproducible.
    """

    def __init__(self) -> None:
        self.now = 0.0
        self._order = itertools.count()
        self._coming: list[tuple[float, int, Callable[[], None]]] = []

    def after(self, seconds: float, action: Callable[[], None]) -> None:
        """Plan ``action`` for ``seconds`` (≥ 0) from now."""
        if seconds < 0:
            raise ValueError(f"expected a time to come, got {seconds} s from now: the simulation planned into its past")
        heapq.heappush(self._coming, (self.now + seconds, next(self._order), action))

    def advance(self, until: float) -> None:
        """Run everything planned up to and including ``until``, and stand there."""
        while self._coming and self._coming[0][0] <= until:
            self.now, _, action = heapq.heappop(self._coming)
            action()
        self.now = max(self.now, until)
