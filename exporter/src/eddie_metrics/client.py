"""Station *event out*: what an agent holds. It never blocks, never raises into the agent, and counts what it drops."""

from __future__ import annotations

import atexit
import contextlib
import errno
import logging
import os
import sys
import threading
import time
import weakref
from collections import deque
from types import TracebackType
from typing import Any, Self, Unpack

from eddie_metrics import recorder, settings
from eddie_metrics.answers import Answers, Once, Rejected
from eddie_metrics.batch import Tally
from eddie_metrics.encoding import encode
from eddie_metrics.errors import ClientSettingsError, InvalidEventError
from eddie_metrics.scopes import Scopes
from eddie_metrics.sending import Sending

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
AT_EXIT = 2.0
"""Seconds that the end of the interpreter waits for what is queued."""

_BEGIN_AGAIN = 1.0
"""Seconds between two tries to open an outbox."""

_clients: weakref.WeakSet[Client] = weakref.WeakSet()
_guard = threading.RLock()
"""Held while a client begins, and while a process forks: a child finds nothing half made."""


class Client(Scopes):
    """Records events and sends them in the background; settings not given come from ``EDDIE_*`` (``settings.read``).

    Whatever is wrong is logged once, and what it costs is counted in ``dropped()``.
    """

    def __init__(
        self,
        url: str | None = None,
        *,
        token_file: str | os.PathLike[str] | None = None,
        agent_id: str | None = None,
        producer: str | None = None,
        outbox: str | os.PathLike[str] | None = None,
        outbox_bytes: int | None = None,
        queue_bytes: int | None = None,
    ) -> None:
        self._once = Once()
        self._settings: settings.ClientSettings | None = None
        self._closed = False
        self._fresh()
        try:
            self._settings = settings.read(
                url,
                token_file=token_file,
                agent_id=agent_id,
                producer=producer,
                outbox=outbox,
                outbox_bytes=outbox_bytes,
                queue_bytes=queue_bytes,
            )
        except Exception as error:  # noqa: BLE001  (an agent runs without its metrics)
            self._once("settings", "nothing is recorded: %s", error, level=logging.ERROR)
        self.agent_id = self._settings.agent_id if self._settings else "unknown"
        if self._settings and self._settings.like_a_container:
            self._once(
                "container",
                "agent_id %r looks like a container's id, new with every container: set EDDIE_AGENT_ID to a name",
                self.agent_id,
            )
        with _guard:
            _clients.add(self)

    def _fresh(self) -> None:
        """Begin with nothing: at first, and in a forked child."""
        self._tally = Tally()
        self._answers = Answers(self._once)
        self._sending: Sending | None = None
        self._begin_again = 0.0
        self._unable: OSError | None = None

    @property
    def rejected(self) -> deque[Rejected]:
        """The last events that the exporter refused, with its reasons."""
        return self._answers.rejected

    @property
    def waiting(self) -> int:
        """Events that were recorded by this process and are not answered yet."""
        sending = self._sending
        return sending.waiting if sending else 0

    def dropped(self) -> dict[str, int]:
        """Answer how many events were lost, by reason."""
        return self._tally.total()

    def record_task_split(self, **fields: Unpack[recorder.TaskSplitFields]) -> None:
        """Tell of a task that was split."""
        self._record("task-split", fields)

    def record_timeout(self, **fields: Unpack[recorder.OwnTimeoutFields]) -> None:
        """Tell of something that took too long."""
        self._record("timeout", fields, self.agent_id)

    def record_chunk_started(self, **fields: Unpack[recorder.OwnChunkStartedFields]) -> None:
        """Tell of a chunk that was taken up."""
        self._record("chunk-started", fields, self.agent_id)

    def record_chunk_execution(self, **fields: Unpack[recorder.OwnChunkExecutionFields]) -> None:
        """Tell of a chunk that ended."""
        self._record("chunk-execution", fields, self.agent_id)

    def record_merge_deduplication(self, **fields: Unpack[recorder.MergeDeduplicationFields]) -> None:
        """Tell of a merge."""
        self._record("merge-deduplication", fields)

    def record_docker_resource_allocation(self, **fields: Unpack[recorder.DockerResourceAllocationFields]) -> None:
        """Tell of a container's limits."""
        self._record("docker-resource-allocation", fields)

    def record_task_started(self, **fields: Unpack[recorder.OwnTaskStartedFields]) -> None:
        """Tell of a stage of a task that was taken up."""
        self._record("task-started", fields, self.agent_id)

    def record_task_finished(self, **fields: Unpack[recorder.OwnTaskFinishedFields]) -> None:
        """Tell of a stage of a task that ended."""
        self._record("task-finished", fields, self.agent_id)

    def record_fallback_depth_exceeded(self, **fields: Unpack[recorder.FallbackDepthExceededFields]) -> None:
        """Tell of a split that was refused."""
        self._record("fallback-depth-exceeded", fields)

    def record_agent_hello(self, **fields: Unpack[recorder.OwnAgentHelloFields]) -> None:
        """Tell that an agent is there."""
        self._record("agent-hello", fields, self.agent_id)

    def _record(self, kind: str, fields: Any, agent_id: str | None = None) -> None:
        try:
            sending = self._sending or self._begin()
            if sending is None:
                return
            word = sending.store.put(encode(kind, fields, time.time(), agent_id))
            if word is None:
                return
            if word in {"first", "full"}:
                sending.wake()
                return
            self._drop(word, "events are dropped: %s", word)
        except InvalidEventError as error:
            self._drop("invalid", "an event was dropped: %s", error, fault=f"invalid {kind} {error.field}")
        except OSError as error:
            word = "disk-full" if error.errno in _FULL else "disk-error"
            self._drop(word, "events are dropped: %s", error)
        except Exception as error:  # noqa: BLE001  (whatever it is, it is not the agent's)
            self._drop("fault", "an event was dropped: %r", error)

    def _drop(self, reason: str, message: str, *args: object, fault: str = "") -> None:
        first = not self._tally
        self._tally.add(reason)
        if first and self._sending is not None:
            self._sending.wake()  # an agent that records nothing else still tells of it
        self._once(fault or reason, message, *args)

    def _begin(self) -> Sending | None:
        """Open the store and start the thread, once a process. Raises OSError."""
        with _guard:
            if self._closed or self._settings is None:
                self._tally.add("closed" if self._closed else "settings")
                return None
            if self._sending is None:
                if self._unable is not None and time.monotonic() < self._begin_again:
                    raise self._unable
                try:
                    sending = Sending(self._settings, self._tally, self._once, self._answers)
                except OSError as error:
                    # An outbox that cannot be opened is not tried again at every event.
                    self._unable, self._begin_again = error, time.monotonic() + _BEGIN_AGAIN
                    raise
                except ClientSettingsError as error:
                    self._once("settings", "nothing is recorded: %s", error, level=logging.ERROR)
                    self._settings = None
                    self._tally.add("settings")
                    return None
                self._sending = sending
                _at_the_end(self)
                try:
                    sending.begin()
                except RuntimeError as error:
                    self._once("thread", "events wait, because no thread can be started: %s", error)
            return self._sending

    def flush(self, timeout: float = 10.0) -> bool:
        """Send now; answer whether all that was recorded before is answered within ``timeout`` seconds."""
        sending = self._sending
        return True if sending is None else sending.flush(timeout)

    def close(self, timeout: float = 2.0) -> bool:
        """Send what waits and end, within ``timeout`` seconds; answer whether all of it was answered.

        What is left waits in the outbox for the next process; without one it is lost, and said.
        """
        atexit.unregister(self.close)
        with _guard:
            sending, self._closed = self._sending, True
        if sending is None:
            return True
        done = sending.close(timeout)
        with _guard:
            mine, self._sending = self._sending is sending, None
        if mine and not done and not sending.lasting:
            self._tally.add("closed", sending.waiting)
            self._once("closed", "closed with %d events that were not answered: they are lost", sending.waiting)
        return done

    def __enter__(self) -> Self:
        """Answer itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        self.close()

    def _after_fork(self) -> None:
        """Begin anew in a child: what its parent queued, the parent sends."""
        left = self._sending
        self._fresh()
        if left is not None:
            left.abandon()


def _at_the_end(client: Client) -> None:
    """Close a client when the process ends; children of multiprocessing end without ``atexit``."""
    atexit.register(client.close, AT_EXIT)
    util = sys.modules.get("multiprocessing.util")
    if util is not None:
        util.Finalize(None, client.close, args=(AT_EXIT,), exitpriority=100)


def _before_fork() -> None:
    _guard.acquire(timeout=1.0)  # rather an odd child than an agent that hangs on a slow disk


def _after_in_parent() -> None:
    with contextlib.suppress(RuntimeError):
        _guard.release()


def _after_in_child() -> None:
    global _guard  # noqa: PLW0603  (a new one: its owner may be a thread that is not here)
    _guard = threading.RLock()
    for client in list(_clients):
        client._after_fork()  # noqa: SLF001  (its own module)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_parent=_after_in_parent, after_in_child=_after_in_child)
