"""Station *event out*, on an event loop: recording is as it is everywhere, waiting is awaited."""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from eddie_metrics.answers import Rejected
from eddie_metrics.client import Client
from eddie_metrics.scopes import Scopes


class AsyncClient(Scopes):
    """A ``Client``, made with the same arguments, whose ``flush`` and ``close`` are awaited and never block the loop.

    ``record_*`` and scopes are the client's: they take microseconds and are not awaited.
    """

    def __init__(self, url: str | None = None, **settings: Any) -> None:
        self._client = client = Client(url, **settings)
        self.agent_id = client.agent_id
        self.record_task_split = client.record_task_split
        self.record_timeout = client.record_timeout
        self.record_chunk_started = client.record_chunk_started
        self.record_chunk_execution = client.record_chunk_execution
        self.record_merge_deduplication = client.record_merge_deduplication
        self.record_docker_resource_allocation = client.record_docker_resource_allocation
        self.record_task_started = client.record_task_started
        self.record_task_finished = client.record_task_finished
        self.record_fallback_depth_exceeded = client.record_fallback_depth_exceeded
        self.record_agent_hello = client.record_agent_hello
        self.dropped = client.dropped

    @property
    def rejected(self) -> deque[Rejected]:
        """The last events that the exporter refused, with its reasons."""
        return self._client.rejected

    @property
    def waiting(self) -> int:
        """Events that were recorded by this process and are not answered yet."""
        return self._client.waiting

    async def flush(self, timeout: float = 10.0) -> bool:  # noqa: ASYNC109  (it is the client's own, and cancels nothing)
        """Send now; answer whether all that was recorded before is answered within ``timeout`` seconds."""
        return await _aside(lambda: self._client.flush(timeout))

    async def close(self, timeout: float = 2.0) -> bool:  # noqa: ASYNC109
        """Send what waits and end, within ``timeout`` seconds; answer whether all of it was answered."""
        return await _aside(lambda: self._client.close(timeout))

    async def __aenter__(self) -> Self:
        """Answer itself."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        await self.close()


async def _aside(wait: Callable[[], bool]) -> bool:
    """Wait on a thread of its own: the loop's may all be at the agent's work, for longer than was to be waited.

    Whoever is cancelled here leaves at once; the thread ends by itself.
    """
    import asyncio  # noqa: PLC0415  (slow to import; who has a loop has it already)

    loop = asyncio.get_running_loop()
    answer: asyncio.Future[bool] = loop.create_future()

    def settle(done: bool) -> None:
        if not answer.done():
            answer.set_result(done)

    def run() -> None:
        done = wait()
        with contextlib.suppress(RuntimeError):  # the loop is closed, nobody waits any more
            loop.call_soon_threadsafe(settle, done)

    try:
        threading.Thread(target=run, name="eddie-metrics-wait", daemon=True).start()
    except RuntimeError:
        return False
    return await answer
