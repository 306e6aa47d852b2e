"""Beside the data's way: work that many want at once is done once, and kept until the next scrape."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

Result = TypeVar("Result")

FAULT_SECONDS = 5.0
"""How long a failure is kept: a page that is loaded again soon after a restart sees it, and a hundred ask once."""

CLOCK_SECONDS = 600.0
"""How far back a round may be and still be meant as the present one."""


class Once(Generic[Result]):
    """Results by their question, for one ``round`` (a scrape interval); bounded in number and in weight.

    Who gives up waiting does not end the work of the others.
    """

    def __init__(
        self,
        most: int,
        weigh: Callable[[Result], int] = lambda _: 1,
        heaviest: int = 1_000_000,
        failed: Callable[[Result], bool] = lambda _: False,
    ) -> None:
        """Keep at most ``most`` results, that weigh at most ``heaviest`` together; ``failed`` ones as if raised."""
        self._most = most
        self._weigh = weigh
        self._heaviest = heaviest
        self._is_failed = failed
        self._round: float = 0
        self._tasks: OrderedDict[Hashable, asyncio.Task[Result]] = OrderedDict()
        self._weights: dict[Hashable, int] = {}
        self._failed: dict[Hashable, float] = {}

    def __len__(self) -> int:
        return len(self._tasks)

    async def get(self, round_: float, key: Hashable, work: Callable[[], Awaitable[Result]]) -> Result:
        """Answer what ``work`` answered to ``key`` in this round, or raise what it raised."""
        self.turn(round_)
        if time.monotonic() - self._failed.get(key, time.monotonic()) > FAULT_SECONDS:
            self._forget(key)
        task = self._tasks.get(key)
        if task is None:
            task = self._tasks[key] = asyncio.ensure_future(self._run(work))
            task.add_done_callback(lambda done: self._done(key, done))
        self._tasks.move_to_end(key)
        self._trim()
        return await asyncio.shield(task)

    def turn(self, round_: float) -> None:
        """Begin a round, if it is a new one: results of the one before are let go."""
        # A slow asker may come with the round before; one far back is a clock that was set.
        if not self._round - CLOCK_SECONDS < round_ <= self._round:
            self._round = round_
            for old in list(self._tasks):
                self._forget(old)

    async def _run(self, work: Callable[[], Awaitable[Result]]) -> Result:
        return await work()

    def _done(self, key: Hashable, task: asyncio.Task[Result]) -> None:
        raised = task.cancelled() or task.exception() is not None  # asked for here: else asyncio warns of it
        if self._tasks.get(key) is not task:
            return
        if raised or self._is_failed(task.result()):
            self._failed[key] = time.monotonic()
        if not raised:
            self._weights[key] = self._weigh(task.result())
            self._trim()

    def _trim(self) -> None:
        while len(self._tasks) > self._most or (len(self._tasks) > 1 and sum(self._weights.values()) > self._heaviest):
            self._forget(next(iter(self._tasks)))

    def _forget(self, key: Hashable) -> None:
        self._tasks.pop(key, None)
        self._weights.pop(key, None)
        self._failed.pop(key, None)
