"""Station *event out*, inside a scope: what is under way, what is told of it, and how its end is read."""

from __future__ import annotations

import logging
import math
import operator
import os
import re
import time
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any, SupportsFloat, SupportsIndex

from eddie_metrics.errors import InvalidEventError
from eddie_metrics.events import Outcome
from eddie_metrics.recorder import Recorder

MOST_TOKENS, MOST_COST = 1_000_000_000, 1_000_000.0
"""The contract's bounds; a sum past them is told as the bound."""

log = logging.getLogger("eddie_metrics")

_unfit = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]+")
_said: set[str] = set()


def label(value: object, otherwise: str) -> str:
    """Answer ``value`` as a string the contract takes; a bad reason must not cost the event it explains."""
    try:
        text = _unfit.sub(" ", str(value)).strip()[:128]
    except Exception:  # noqa: BLE001  (an agent's own __str__ may raise whatever it likes)
        text = ""
    return (text.lstrip("_") if text.startswith("__") else text) or otherwise


def _leaves(error: BaseException) -> Iterator[BaseException]:
    """Yield what a group of exceptions is made of; any other exception is its own."""
    waiting = [error]
    while waiting:
        one = waiting.pop()
        if isinstance(one, BaseExceptionGroup):
            waiting += reversed(one.exceptions)
        else:
            yield one


def verdict(error: BaseException) -> tuple[Outcome, str]:
    """Read an exception: timeout for every TimeoutError, else failure; the reason is the name of its class.

    A task that was cancelled (asyncio's CancelledError, trio's Cancelled) failed for the reason ``cancelled``. A group
    is read by its first exception, and is a timeout when all in it are. The message is no reason: it would make a
    series of each.
    """
    leaves = list(_leaves(error))
    first = type(leaves[0] if leaves else error)
    # By name: asyncio is slow to import, and an agent may never need it.
    if any(cls.__name__ in {"CancelledError", "Cancelled"} for cls in first.__mro__):
        return "failure", "cancelled"
    late = bool(leaves) and all(isinstance(one, TimeoutError) for one in leaves)
    return "timeout" if late else "failure", label(first.__name__, "error")


def tell(recorder: Recorder, method: str, fields: dict[str, Any], *, over: BaseException | None = None) -> None:
    """Record an event, leaving out what is None; what a recorder raises is logged once and goes no further.

    Only a ``strict`` recorder, made for tests, is let raise, and never in the place of ``over``, the agent's own.
    """
    try:
        getattr(recorder, method)(**{name: value for name, value in fields.items() if value is not None})
    except Exception as error:
        if getattr(recorder, "strict", False):
            if over is None:
                raise
        elif method not in _said:
            _said.add(method)
            log.warning("%s was refused, nothing is recorded: %s", method, error)


class Entry:
    """One time a scope was entered."""

    def __init__(self, scope: object, name: str | None, outer: Entry | None) -> None:
        self.scope = scope
        self.name = name
        self.outer = outer
        self.ended = False
        self._process = os.getpid()
        self._began = time.perf_counter()

    @property
    def seconds(self) -> float:
        """How long it has been open."""
        return max(0.0, time.perf_counter() - self._began)

    @property
    def inherited(self) -> bool:
        """Whether it was entered before a fork: then its parent tells how it ended."""
        return self._process != os.getpid()


class Work(Entry):
    """What an agent can say of the task or chunk it is in; none of it raises."""

    def __init__(self, recorder: Recorder | None, scope: object, name: str | None, outer: Entry | None) -> None:
        super().__init__(scope, name, outer)
        self._recorder = recorder
        self._tokens: dict[str, int] = {}
        self._cost: float | None = None
        self._said: tuple[Outcome, str] | None = None

    def tokens(self, *, in_: SupportsIndex = 0, out: SupportsIndex = 0) -> None:
        """Add tokens that a model read (``in_``) and wrote (``out``); whole numbers from 0."""
        for field, count in (("tokens_in", in_), ("tokens_out", out)):
            try:
                whole = operator.index(count)
            except Exception:  # noqa: BLE001
                whole = -1
            if whole < 0:
                self._refuse(field, "a whole number from 0", count)
            elif whole or field in self._tokens:
                self._tokens[field] = min(MOST_TOKENS, self._tokens.get(field, 0) + whole)

    def cost(self, usd: SupportsFloat) -> None:
        """Add what it cost, in US dollars from 0."""
        try:
            dollars = float(usd)
        except Exception:  # noqa: BLE001
            dollars = -1.0
        if dollars >= 0 and math.isfinite(dollars):
            self._cost = min(MOST_COST, (self._cost or 0.0) + dollars)
        else:
            self._refuse("cost_usd", "a finite number from 0", usd)

    def fail(self, reason: str | BaseException) -> None:
        """Say that it failed, though no exception will leave the scope; an exception gives its class's name."""
        name = verdict(reason)[1] if isinstance(reason, BaseException) else label(reason, "error")
        self._said = ("failure", name)

    def timeout(self, reason: str = "deadline") -> None:
        """Say that it took too long, though no TimeoutError will leave the scope."""
        self._said = ("timeout", label(reason, "deadline"))

    def ending(self, error: BaseException | None) -> dict[str, Any]:
        """Answer the fields of its end: what the agent said goes before what its exception says."""
        outcome, reason = self._said or (verdict(error) if error is not None else ("success", None))
        costs = {**self._tokens, "cost_usd": self._cost}
        return {"seconds": self.seconds, "outcome": outcome, "reason": reason, **costs}

    def _refuse(self, field: str, expected: str, got: object) -> None:
        error = InvalidEventError("work", field, expected, f"a value of the type {type(got).__name__}, or out of range")
        if getattr(self._recorder, "strict", False):
            raise error
        if field not in _said:
            _said.add(field)
            log.warning("%s; it is not counted", error)


_inside: ContextVar[Entry | None] = ContextVar("eddie_metrics_inside", default=None)


def entries() -> Iterator[Entry]:
    """Yield what this thread or task is in, the innermost first."""
    entry = _inside.get()
    while entry is not None:
        if not entry.ended:
            yield entry
        entry = entry.outer


def enter(entry: Entry) -> None:
    """Note that this thread or task is in ``entry`` now."""
    _inside.set(entry)


def leave(entry: Entry) -> None:
    """Note that ``entry`` is over; in another context than it was entered in, that one finds out by itself."""
    entry.ended = True
    if _inside.get() is entry:
        _inside.set(next(entries(), None))


def current_work() -> Work:
    """Answer the task or chunk this code is in, as a decorated function needs it; outside, one that is mute."""
    return next((entry for entry in entries() if isinstance(entry, Work)), None) or Work(None, None, None, None)
