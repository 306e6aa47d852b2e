"""Beside station *journal*: work on the state that nobody waits for, done with the next group or the next tick."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable

import structlog

from eddie_exporter.errors import EddieError

MOST_WAITING = 100_000
"""Pieces of work without a key that wait at most; what comes then is left out."""

Work = Callable[[], None]

log = structlog.get_logger(__name__)


class SpoiltError(EddieError):
    """A piece of work failed half done: take everything back, and go on without it."""


class Deferred:
    """What waits to be done, and what was done since the last commit: that waits again when all is taken back."""

    def __init__(self) -> None:
        """Begin with nothing to do."""
        self._guard = threading.Lock()
        self._waiting: dict[Hashable, Work] = {}
        self._done: list[tuple[Hashable, Work]] = []

    def put(self, work: Work, key: Hashable = None) -> None:
        """Let ``work`` wait, from any thread; it has to bear being done again after everything was taken back.

        It takes the place of what waits under the same ``key``: a disk may be full for days.
        """
        with self._guard:
            if key is not None:
                self._waiting.pop(key, None)
            elif len(self._waiting) >= MOST_WAITING:
                return
            self._waiting[object() if key is None else key] = work

    def do(self, *, kept: bool) -> None:
        """Do what waits. ``kept``: in a store, where a piece that fails raises SpoiltError; in memory it is logged."""
        while True:
            with self._guard:
                key = next(iter(self._waiting), None)
                if key is None:
                    return
                work = self._waiting.pop(key)
            try:
                work()
            except Exception as error:
                log.exception("work that was put off failed")
                if kept:
                    raise SpoiltError from error
            else:
                if kept:
                    self._done.append((key, work))

    def committed(self) -> None:
        """Forget what was done: it is durable."""
        self._done.clear()

    def taken_back(self) -> None:
        """Let what was done wait again, before what came since."""
        with self._guard:
            since, self._waiting = self._waiting, {}
            for key, work in [*self._done, *since.items()]:
                self._waiting.pop(key, None)
                self._waiting[key] = work
            self._done.clear()
