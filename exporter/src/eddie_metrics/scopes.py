"""Station *event out*, for whole blocks: a task, a chunk or a deadline as a ``with`` block or as a decorator.

A scope tells when something began and how it ended, and stays out of the way: it never swallows, changes or adds an
exception, and may be nested, entered again, and shared by threads and tasks. It is written over ``Recorder``, so it
works with a client and with an embedded collector alike: as methods (``Scopes``), or as functions of any recorder.
"""

from __future__ import annotations

from typing import Any, ClassVar

from eddie_metrics.blocks import Name, Scope
from eddie_metrics.recorder import Recorder
from eddie_metrics.work import Entry, Work, label, tell, verdict


class Task(Scope[Work]):
    """A stage of a task: task-started, then task-finished."""

    def _begin(self, name: str | None, outer: Entry | None) -> Work:
        tell(self._recorder, "record_task_started", {"task_id": name, **self._fields})
        return Work(self._recorder, self, name, outer)

    def _end(self, entry: Work, error: BaseException | None) -> None:
        fields = {**self._fields, "lease_seconds": None, **entry.ending(error)}
        tell(self._recorder, "record_task_finished", {"task_id": entry.name, **fields}, over=error)


class Chunk(Scope[Work]):
    """A chunk: chunk-started, then chunk-execution, which has an outcome and no reason."""

    def _begin(self, name: str | None, outer: Entry | None) -> Work:
        tell(self._recorder, "record_chunk_started", {"chunk_id": name, **self._fields})
        return Work(self._recorder, self, name, outer)

    def _end(self, entry: Work, error: BaseException | None) -> None:
        fields = {**self._fields, "lease_seconds": None, **entry.ending(error), "reason": None}
        tell(self._recorder, "record_chunk_execution", {"chunk_id": entry.name, **fields}, over=error)


class TimeoutGuard(Scope[Entry]):
    """A deadline: one timeout event when the block lasts longer than ``seconds``, or a TimeoutError leaves it."""

    def __init__(self, recorder: Recorder, name: Name | None, fields: dict[str, Any], seconds: float | None) -> None:
        super().__init__(recorder, name, fields)
        self._seconds = seconds

    def _made(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> str | None:
        """Leave the id as it is: it is a task's, which is somebody else's."""
        return super()._made(args, kwargs) if callable(self._name) else self._name

    def _begin(self, name: str | None, outer: Entry | None) -> Entry:
        return Entry(self, name, outer)

    def _end(self, entry: Entry, error: BaseException | None) -> None:
        late = self._seconds is not None and entry.seconds > self._seconds
        if late or (error is not None and verdict(error)[0] == "timeout"):
            tell(self._recorder, "record_timeout", {"task_id": entry.name, **self._fields}, over=error)


def task(
    recorder: Recorder, task_id: Name, *, stage: str, agent_id: str | None = None, lease_seconds: float | None = None
) -> Task:
    """Answer the scope of a stage of a task; see ``Scopes.task``."""
    return Task(recorder, task_id, {"stage": stage, "agent_id": agent_id, "lease_seconds": lease_seconds})


def chunk(
    recorder: Recorder,
    chunk_id: Name,
    *,
    task_id: str | None = None,
    agent_id: str | None = None,
    lease_seconds: float | None = None,
) -> Chunk:
    """Answer the scope of a chunk; see ``Scopes.chunk``."""
    return Chunk(recorder, chunk_id, {"task_id": task_id, "agent_id": agent_id, "lease_seconds": lease_seconds})


def timeout_guard(
    recorder: Recorder,
    task_id: Name | None = None,
    *,
    stage: str | None = None,
    seconds: float | None = None,
    reason: str = "deadline",
    agent_id: str | None = None,
) -> TimeoutGuard:
    """Answer the scope of a deadline; see ``Scopes.timeout_guard``."""
    fields = {"stage": stage, "reason": label(reason, "deadline"), "agent_id": agent_id}
    return TimeoutGuard(recorder, task_id, fields, seconds)


class Scopes:
    """The scopes as methods of a recorder; a ``strict`` one may raise InvalidEventError out of them."""

    strict: ClassVar[bool] = False

    def task(
        self: Recorder, task_id: Name, *, stage: str, agent_id: str | None = None, lease_seconds: float | None = None
    ) -> Task:
        """Tell of a stage of a task: ``with client.task("t1", stage="plan") as work:``, or as a decorator.

        Success, unless an exception leaves the block: timeout for TimeoutError, else failure; its reason is the name of
        its class, ``cancelled`` for a cancelled task. ``work`` takes tokens and cost, and an outcome without exception.
        Nothing of it moves ``timeout_events_total``: that is ``timeout_guard``. As a decorator each call gets an id of
        its own, ``task_id`` and a UUIDv7; a callable instead makes the id of the call's arguments, and
        ``current_work()`` is the ``work``. ``lease_seconds``: 1 to 604 800, after which unfinished work counts as lost.
        """
        return task(self, task_id, stage=stage, agent_id=agent_id, lease_seconds=lease_seconds)

    def chunk(
        self: Recorder,
        chunk_id: Name,
        *,
        task_id: str | None = None,
        agent_id: str | None = None,
        lease_seconds: float | None = None,
    ) -> Chunk:
        """Tell of a chunk, as ``task`` does of a task; a chunk's end has an outcome and no reason."""
        return chunk(self, chunk_id, task_id=task_id, agent_id=agent_id, lease_seconds=lease_seconds)

    def timeout_guard(
        self: Recorder,
        task_id: Name | None = None,
        *,
        stage: str | None = None,
        seconds: float | None = None,
        reason: str = "deadline",
        agent_id: str | None = None,
    ) -> TimeoutGuard:
        """Tell of a timeout when the block lasts longer than ``seconds``, or a TimeoutError leaves it; once.

        It is told when the block is left: nothing is interrupted. In front of ``asyncio.timeout`` it sees its
        TimeoutError. As a decorator ``task_id`` stays as it is, or is a callable of the call's arguments.
        """
        return timeout_guard(self, task_id, stage=stage, seconds=seconds, reason=reason, agent_id=agent_id)
