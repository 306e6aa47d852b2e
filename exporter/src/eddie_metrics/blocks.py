"""Station *event out*, for whole blocks: what every scope has in common, whether it is entered or decorates.

Which entry a leaving block belongs to is read from the context of its thread or task; there is no lock, so that
nothing of it can hang, in a signal handler or after a fork.
"""

from __future__ import annotations

import contextlib
import copy
import functools
import inspect
from collections.abc import Callable
from types import TracebackType
from typing import Any, Generic, Self, TypeVar, cast

from eddie_metrics.ids import uuid7
from eddie_metrics.recorder import Recorder
from eddie_metrics.work import Entry, enter, entries, label, leave

Function = TypeVar("Function", bound=Callable[..., Any])
Held = TypeVar("Held", bound=Entry)
Name = str | Callable[..., str]
"""An id; or what makes one of a decorated function's arguments."""

_ROOM_FOR_ID = 128 - 37


class Scope(Generic[Held]):
    """A block of work; as a decorator it is a block around each call."""

    def __init__(self, recorder: Recorder, name: Name | None, fields: dict[str, Any]) -> None:
        self._recorder = recorder
        self._name = name
        self._fields = fields
        self._open: list[Held] = []

    def _begin(self, name: str | None, outer: Entry | None) -> Held:
        raise NotImplementedError

    def _end(self, entry: Held, error: BaseException | None) -> None:
        raise NotImplementedError

    def __enter__(self) -> Held:
        name = self._name if self._name is None or isinstance(self._name, str) else self._made((), {})
        entry = self._begin(name, next(entries(), None))
        self._open.append(entry)
        enter(entry)
        return entry

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        entry = self._left()
        if entry is not None and not entry.inherited:
            self._end(entry, error)

    def _left(self) -> Held | None:
        """Find the entry that ends: this thread's or task's own; else, entered elsewhere, the last one."""
        mine = next((one for one in entries() if one.scope is self), None)
        try:
            entry = self._open.pop() if mine is None else cast("Held", mine)
        except IndexError:
            return None
        with contextlib.suppress(ValueError):
            self._open.remove(entry)
        leave(entry)
        return entry

    def __call__(self, function: Function) -> Function:
        """Decorate a function, sync or async. Raises TypeError for what is none, a generator for one."""
        _check(function)

        # Each call is a scope of its own, with an id of its own.
        if inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(type(function).__call__):

            @functools.wraps(function)
            async def awaited(*args: Any, **kwargs: Any) -> Any:
                with self._of_call(args, kwargs):
                    return await function(*args, **kwargs)

            return cast("Function", awaited)

        @functools.wraps(function)
        def called(*args: Any, **kwargs: Any) -> Any:
            with self._of_call(args, kwargs):
                return function(*args, **kwargs)

        return cast("Function", called)

    def _of_call(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Self:
        scope = copy.copy(self)
        scope.begin_anew(self._made(args, kwargs))
        return scope

    def begin_anew(self, name: str | None) -> None:
        """Be the scope of ``name``, entered by nobody yet."""
        self._name = name
        self._open = []

    def _made(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> str | None:
        """Make the id of a call: what the agent's callable answers, else the name and an id that no other call has."""
        if callable(self._name):
            try:
                return self._name(*args, **kwargs)
            except Exception:  # noqa: BLE001  (a function that names the work must not keep it from being done)
                return fresh(getattr(self._name, "__name__", "work"))
        return None if self._name is None else fresh(self._name)


def fresh(name: str) -> str:
    """Answer an id that begins with ``name`` and that nothing else has."""
    return f"{label(name, 'work')[:_ROOM_FOR_ID]}-{uuid7()}"


def _check(function: object) -> None:
    wants = "expected a function, `def` or `async def`"
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise TypeError(f"{wants}, got a generator, whose work has no one end; put a `with` block inside it")
    if isinstance(function, classmethod | staticmethod | property):
        raise TypeError(f"{wants}, got a {type(function).__name__}; put this decorator below that one")
    if not callable(function) or isinstance(function, type):
        raise TypeError(f"{wants}, got {function!r:.80}")
